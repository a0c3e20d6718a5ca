/// Writes the frames of a client (RFC 6455, 5): always masked, always whole; pure.
enum WebSocketFrameWriter {
    enum Opcode: UInt8 {
        case text = 0x1
        case binary = 0x2
        case close = 0x8
        case ping = 0x9
        case pong = 0xA
    }

    /// Two bytes, a length of eight and the mask.
    static let headerBytesMax = 14

    /// Adds a frame to `output`; `mask` are four bytes that nobody could foretell.
    static func append(_ opcode: Opcode, _ payload: UnsafeRawBufferPointer, mask: UInt32, to output: inout [UInt8]) {
        output.reserveCapacity(output.count + headerBytesMax + payload.count)
        output.append(0x80 | opcode.rawValue)
        switch payload.count {
        case ..<126: output.append(0x80 | UInt8(payload.count))
        case ...0xFFFF:
            output.append(0x80 | 126)
            withUnsafeBytes(of: UInt16(payload.count).bigEndian) { output.append(contentsOf: $0) }
        default:
            output.append(0x80 | 127)
            withUnsafeBytes(of: UInt64(payload.count).bigEndian) { output.append(contentsOf: $0) }
        }
        withUnsafeBytes(of: mask) { output.append(contentsOf: $0) }
        let start = output.count
        output.append(contentsOf: payload)
        output.withUnsafeMutableBytes { Self.mask(UnsafeMutableRawBufferPointer(rebasing: $0[start...]), with: mask) }
    }

    /// Adds a close frame; a code of 1005 makes an empty one, and of the reason go as many whole characters as fit.
    static func appendClose(_ code: UInt16, _ reason: String, mask: UInt32, to output: inout [UInt8]) {
        var payload: [UInt8] = []
        if code != WebSocketCloseCode.none {
            precondition(WebSocketCloseCode.isSendable(code), "close code \(code) may not be sent")
            payload = [UInt8(code >> 8), UInt8(code & 0xFF)]
            // A control frame has at most 125 bytes, two of them the code.
            payload += reason.prefix(utf8Count: 123).utf8
        }
        payload.withUnsafeBytes { append(.close, $0, mask: mask, to: &output) }
    }

    /// Masks in place, eight bytes a step.
    private static func mask(_ bytes: UnsafeMutableRawBufferPointer, with mask: UInt32) {
        let pattern = UInt64(mask) << 32 | UInt64(mask)
        var index = 0
        while index + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            bytes.storeBytes(of: word ^ pattern, toByteOffset: index, as: UInt64.self)
            index += 8
        }
        withUnsafeBytes(of: mask) { mask in
            while index < bytes.count {
                bytes[index] ^= mask[index & 3]
                index += 1
            }
        }
    }
}
