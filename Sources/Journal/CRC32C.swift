/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), eight bytes a step.
///
/// Guards single lines of a tape; every change of up to five bits of a line below 655 bytes, and of one bit at any length,
/// is seen.
enum CRC32C {
    // Constant after the first use; eight tables of 256 words.
    nonisolated(unsafe) private static let tables: UnsafePointer<UInt32> = {
        let tables = UnsafeMutablePointer<UInt32>.allocate(capacity: 8 * 256)
        for index in 0..<256 {
            var value = UInt32(index)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
            tables[index] = value
        }
        for index in 256..<(8 * 256) {
            tables[index] = tables[index - 256] >> 8 ^ tables[Int(tables[index - 256] & 255)]
        }
        return UnsafePointer(tables)
    }()

    /// The checksum of the bytes.
    static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let tables = tables
        var crc = ~UInt32(0)
        var offset = 0
        let count = bytes.count
        while offset + 8 <= count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) ^ UInt64(crc)
            crc =
                tables[7 * 256 + Int(word & 255)] ^ tables[6 * 256 + Int(word >> 8 & 255)]
                ^ tables[5 * 256 + Int(word >> 16 & 255)] ^ tables[4 * 256 + Int(word >> 24 & 255)]
                ^ tables[3 * 256 + Int(word >> 32 & 255)] ^ tables[2 * 256 + Int(word >> 40 & 255)]
                ^ tables[256 + Int(word >> 48 & 255)] ^ tables[Int(word >> 56)]
            offset += 8
        }
        while offset < count {
            crc = crc >> 8 ^ tables[Int((crc ^ UInt32(bytes[offset])) & 255)]
            offset += 1
        }
        return ~crc
    }
}
