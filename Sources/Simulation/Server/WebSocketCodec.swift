/// The server's half of RFC 6455, pure: handshake key, frames out, frames in.
///
/// Its own, and not that of `Network`, because moods need what a correct server never does: fragments on purpose, frames
/// that are cut, no pongs.
package enum WebSocketCodec {
    package enum Opcode: UInt8, Sendable {
        case continuation = 0
        case text = 1
        case binary = 2
        case close = 8
        case ping = 9
        case pong = 10
    }

    /// The value of `Sec-WebSocket-Accept` (RFC 6455, 4.2.2).
    package static func accept(_ key: String) -> String {
        base64(sha1(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }

    /// Appends one unmasked frame.
    package static func append(
        _ payload: some Collection<UInt8>,
        _ opcode: Opcode = .text,
        isFinal: Bool = true,
        to out: inout [UInt8]
    ) {
        out.append((isFinal ? 0x80 : 0) | opcode.rawValue)
        let count = payload.count
        if count < 126 {
            out.append(UInt8(count))
        } else if count < 65_536 {
            out += [126, UInt8(count >> 8), UInt8(count & 0xFF)]
        } else {
            out.append(127)
            for shift in stride(from: 56, through: 0, by: -8) { out.append(UInt8(truncatingIfNeeded: count >> shift)) }
        }
        out.append(contentsOf: payload)
    }

    /// Appends a message as three frames where it is long enough.
    package static func appendFragmented(_ payload: [UInt8], to out: inout [UInt8]) {
        guard payload.count > 3 else {
            append(payload, to: &out)
            return
        }
        let third = payload.count / 3
        append(payload[..<third], .text, isFinal: false, to: &out)
        append(payload[third..<(2 * third)], .continuation, isFinal: false, to: &out)
        append(payload[(2 * third)...], .continuation, isFinal: true, to: &out)
    }

    static func sha1(_ message: [UInt8]) -> [UInt8] {
        var bytes = message + [0x80]
        while bytes.count % 64 != 56 { bytes.append(0) }
        let bits = UInt64(message.count) * 8
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
        }
        var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        for block in stride(from: 0, to: bytes.count, by: 64) { sha1(bytes[block..<(block + 64)], &state) }
        return state.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) } }
    }

    /// One block of FIPS 180-4, 6.1.2.
    private static func sha1(_ block: ArraySlice<UInt8>, _ state: inout [UInt32]) {
        var words: [UInt32] = stride(from: block.startIndex, to: block.endIndex, by: 4).map { place in
            (0..<4).reduce(0) { $0 << 8 | UInt32(block[place + $1]) }
        }
        func turned(_ value: UInt32, _ count: UInt32) -> UInt32 { value << count | value >> (32 - count) }
        for index in 16..<80 {
            words.append(turned(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1))
        }
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for (index, word) in words.enumerated() {
            let (mix, constant): (UInt32, UInt32) =
                switch index {
                case ..<20: ((b & c) | (~b & d), 0x5A82_7999)
                case ..<40: (b ^ c ^ d, 0x6ED9_EBA1)
                case ..<60: ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC)
                default: (b ^ c ^ d, 0xCA62_C1D6)
                }
            let next = turned(a, 5) &+ mix &+ e &+ constant &+ word
            (e, d, c, b, a) = (d, c, turned(b, 30), a, next)
        }
        for (index, value) in [a, b, c, d, e].enumerated() { state[index] &+= value }
    }

    static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var out: [UInt8] = []
        for place in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[place..<min(place + 3, bytes.count)]
            var value = part.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            value <<= UInt32(8 * (3 - part.count))
            for index in 0..<4 {
                let isFilled = index <= part.count
                out.append(isFilled ? alphabet[Int(value >> UInt32(18 - 6 * index) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}

/// Reads a client's masked frames from a stream of bytes, whole messages out.
package struct WebSocketReader: Sendable {
    package enum Input: Equatable, Sendable {
        case message([UInt8])
        case ping([UInt8])
        case pong
        case close(UInt16)
        /// What the client did wrong, as the code to close with.
        case broken(UInt16)
    }

    /// Bytes of a message at most.
    static let messageBytesMax = 1 << 20
    private var buffer: [UInt8] = []
    private var message: [UInt8] = []
    private var isInMessage = false

    package init() {}

    /// Takes bytes, gives what is complete.
    package mutating func read(_ bytes: some Sequence<UInt8>) -> [Input] {
        buffer.append(contentsOf: bytes)
        var found: [Input] = []
        while let input = next() {
            if let input { found.append(input) }
            if case .broken? = input { break }
        }
        return found
    }

    /// One frame; the inner nil is a frame that completes nothing, the outer none that is whole.
    private mutating func next() -> Input?? {
        guard buffer.count >= 2 else { return nil }
        let isFinal = buffer[0] & 0x80 != 0
        guard buffer[0] & 0x70 == 0, let opcode = WebSocketCodec.Opcode(rawValue: buffer[0] & 15), buffer[1] & 0x80 != 0
        else { return .some(.broken(1_002)) }
        var length = Int(buffer[1] & 0x7F)
        var offset = 2
        if length > 125 {
            let count = length == 126 ? 2 : 8
            guard buffer.count >= 2 + count else { return nil }
            length = buffer[2..<(2 + count)].reduce(0) { min($0, 1 << 40) << 8 | Int($1) }
            offset += count
        }
        guard length <= Self.messageBytesMax, message.count + length <= Self.messageBytesMax else {
            return .some(.broken(1_009))
        }
        guard buffer.count >= offset + 4 + length else { return nil }
        let mask = Array(buffer[offset..<(offset + 4)])
        offset += 4
        var payload = Array(buffer[offset..<(offset + length)])
        for index in payload.indices { payload[index] ^= mask[index & 3] }
        buffer.removeFirst(offset + length)
        return .some(take(opcode, payload, isFinal: isFinal))
    }

    private mutating func take(_ opcode: WebSocketCodec.Opcode, _ payload: [UInt8], isFinal: Bool) -> Input? {
        switch opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong
        case .close: return .close(payload.count >= 2 ? UInt16(payload[0]) << 8 | UInt16(payload[1]) : 1_005)
        case .text, .binary:
            guard !isInMessage else { return .broken(1_002) }
            message = payload
        case .continuation:
            guard isInMessage else { return .broken(1_002) }
            message += payload
        }
        isInMessage = !isFinal
        guard isFinal else { return nil }
        defer { message = [] }
        return .message(message)
    }
}

/// Reads requests from a stream of bytes; only what a loopback client of the simulator sends.
package struct RequestReader: Sendable {
    /// Bytes of a request's head at most.
    static let headBytesMax = 32_768
    private(set) var buffer: [UInt8] = []

    package init() {}

    package enum Result: Equatable, Sendable {
        case incomplete
        case request(SimulatedRequest)
        case broken
    }

    package mutating func add(_ bytes: some Sequence<UInt8>) { buffer.append(contentsOf: bytes) }

    /// What follows the requests read so far: a WebSocket's first bytes.
    package mutating func takeRest() -> [UInt8] {
        defer { buffer = [] }
        return buffer
    }

    /// The next whole request; a body isn't read, so one that announces it is broken.
    package mutating func next() -> Result {
        guard let end = buffer.firstRange(of: Array("\r\n\r\n".utf8)) else {
            return buffer.count > Self.headBytesMax ? .broken : .incomplete
        }
        let lines = String(decoding: buffer[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        buffer.removeFirst(end.upperBound)
        let words = (lines.first ?? "").split(separator: " ")
        guard words.count == 3, words[2] == "HTTP/1.1", words[1].hasPrefix("/") else { return .broken }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { return .broken }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            headers[line[..<colon].lowercased()] = String(value)
        }
        guard (headers["content-length"] ?? "0") == "0", headers["transfer-encoding"] == nil else { return .broken }
        var request = SimulatedRequest(target: String(words[1]), headers: headers)
        request.method = String(words[0])
        return .request(request)
    }
}
