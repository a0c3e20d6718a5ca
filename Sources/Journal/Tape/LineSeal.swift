internal import Glibc

/// The checksum at the end of a line of ours: `…,"crc":"1a2b3c4d"}`.
///
/// An ordinary last member for every other reader. It covers all bytes before its comma, so that a bit that flips in a raw
/// segment is found; lines without it (recordings of others) are taken as they are.
enum LineSeal {
    private static let start: StaticString = #","crc":""#
    /// Bytes from the comma to the closing brace.
    static let count = 18

    /// Ends a line that began at `start`: writes the seal, the closing brace and the line feed.
    static func append(to out: inout [UInt8], lineStart: Int) {
        let crc = out.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[lineStart...])) }
        start.withUTF8Buffer { out.append(contentsOf: $0) }
        for shift in stride(from: 28, through: 0, by: -4) { out.append(digit(crc >> UInt32(shift) & 15)) }
        out.append(contentsOf: "\"}\n".utf8)
    }

    private static func digit(_ value: UInt32) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + UInt8(value) : UInt8(ascii: "a") + UInt8(value) - 10
    }

    /// Whether a line carries a seal, and whether it holds: nil where there is none.
    static func check(_ line: UnsafeRawBufferPointer) -> Bool? {
        guard line.count > count, let base = line.baseAddress else { return nil }
        let seal = line.count - count
        guard memcmp(base + seal, start.utf8Start, start.utf8CodeUnitCount) == 0,
            line[line.count - 1] == UInt8(ascii: "}"),
            line[line.count - 2] == UInt8(ascii: "\"")
        else { return nil }
        var written: UInt32 = 0
        for offset in 0..<8 {
            let byte = line[seal + start.utf8CodeUnitCount + offset]
            switch byte {
            case 48...57: written = written << 4 | UInt32(byte - 48)
            case 97...102: written = written << 4 | UInt32(byte - 87)
            default: return false
            }
        }
        return written == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: line[..<seal]))
    }
}
