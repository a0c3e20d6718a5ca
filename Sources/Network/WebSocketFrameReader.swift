/// Reads the frames that a server sends (RFC 6455, 5): bytes in, whole messages out; pure.
///
/// A message of one frame that lies whole in the input is lent from there, without a copy. What is cut by the end of the
/// input, or fragmented, is put together in memory of its own, within the limit, which is held against what a frame
/// announces: a message above it costs nothing. Text is checked as it comes, so that bad text is found at its first bad byte.
///
/// One reader a connection, from the first byte behind the handshake. After a close frame or a fault it takes no more.
struct WebSocketFrameReader: ~Copyable {
    /// What the input held; buffers are valid until the next call, and as long as the input's memory is.
    enum Item {
        case text(UnsafeRawBufferPointer)
        case binary(UnsafeRawBufferPointer)
        case ping(UnsafeRawBufferPointer)
        case pong(UnsafeRawBufferPointer)
        /// The peer closes; `WebSocketCloseCode.none` without a code. The reason is valid UTF-8.
        case close(code: UInt16, reason: UnsafeRawBufferPointer)
        case failed(WebSocketFault)
    }

    private enum Phase {
        case header
        case payload
        case over
    }

    /// The header of the frame being read.
    private struct Frame {
        var opcode: UInt8 = 0
        var isFinal = false
        var length = 0

        var isControl: Bool { opcode & 0x8 != 0 }
    }

    private enum Header {
        case incomplete
        case frame(Frame, headerBytes: Int)
        case fault(WebSocketFault)
    }

    private static let continuation: UInt8 = 0x0
    private static let text: UInt8 = 0x1
    private static let binary: UInt8 = 0x2
    private static let close: UInt8 = 0x8
    private static let ping: UInt8 = 0x9
    private static let pong: UInt8 = 0xA
    /// Two bytes and a length of eight; a mask is refused before it.
    private static let headerBytesMax = 10

    /// Bytes that a message may have.
    let limit: Int
    private var phase = Phase.header
    private var frame = Frame()
    /// Bytes of the frame's payload that are still to come.
    private var remaining = 0
    /// The opcode of the message that fragments belong to, 0 when there is none.
    private var fragmented: UInt8 = 0
    private var check = UTF8Check()
    /// A header or a control frame that the end of an input cut.
    private var cut: ByteStore
    /// A message that doesn't lie whole in one input.
    private var message: ByteStore
    private var messages = 0
    /// Whether `message` was lent by the last call.
    private var isLent = false

    init(limit: Int) {
        self.limit = limit
        cut = ByteStore(keptMax: 128)
        message = ByteStore(keptMax: 262_144)
    }

    /// Messages given since the last call.
    mutating func takeCount() -> Int {
        defer { messages = 0 }
        return messages
    }

    /// Bytes of memory that it holds for messages in parts.
    var heldBytes: Int { message.capacity }

    /// Takes bytes from the front of `input` up to and with the next item; nil when all are taken and none is complete.
    mutating func next(_ input: inout UnsafeRawBufferPointer) -> Item? {
        if isLent {
            message.clear()
            isLent = false
        }
        while !input.isEmpty {
            switch phase {
            case .header:
                guard let item = readHeader(&input) else { continue }
                return item
            case .payload:
                guard let item = readPayload(&input) else { continue }
                return item
            case .over: input = UnsafeRawBufferPointer(start: nil, count: 0)
            }
        }
        return nil
    }

    // MARK: Header

    private mutating func readHeader(_ input: inout UnsafeRawBufferPointer) -> Item? {
        guard cut.count > 0 else {
            switch Self.header(input) {
            case .frame(let frame, let count):
                Self.drop(count, &input)
                return begin(frame, &input)
            case .fault(let fault): return fail(fault)
            case .incomplete:
                cut.append(input)
                Self.drop(input.count, &input)
                return nil
            }
        }
        // The rest of a header that was cut, byte by byte: at most nine.
        while let byte = input.first {
            withUnsafeBytes(of: byte) { cut.append($0) }
            Self.drop(1, &input)
            switch Self.header(cut.bytes) {
            case .frame(let frame, _):
                cut.clear()
                return begin(frame, &input)
            case .fault(let fault): return fail(fault)
            case .incomplete: continue
            }
        }
        return nil
    }

    /// Reads a header, and refuses what no header may be as soon as its byte is there.
    private static func header(_ bytes: UnsafeRawBufferPointer) -> Header {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return .incomplete }
        let first = start.load(as: UInt8.self)
        guard first & 0x70 == 0 else { return .fault(.reservedBits) }
        var frame = Frame(opcode: first & 0x0F, isFinal: first & 0x80 != 0)
        guard frame.opcode <= binary || (close...pong).contains(frame.opcode) else {
            return .fault(.unknownOpcode(frame.opcode))
        }
        guard frame.isFinal || !frame.isControl else { return .fault(.fragmentedControl) }
        guard bytes.count > 1 else { return .incomplete }
        let second = start.load(fromByteOffset: 1, as: UInt8.self)
        guard second & 0x80 == 0 else { return .fault(.masked) }
        guard second < 126 else { return longHeader(bytes, start, &frame, isEight: second == 127) }
        frame.length = Int(second)
        return .frame(frame, headerBytes: 2)
    }

    private static func longHeader(
        _ bytes: UnsafeRawBufferPointer,
        _ start: UnsafeRawPointer,
        _ frame: inout Frame,
        isEight: Bool
    ) -> Header {
        guard !frame.isControl else { return .fault(.longControl) }
        if isEight {
            guard bytes.count >= headerBytesMax else { return .incomplete }
            let length = UInt64(bigEndian: start.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
            guard length > UInt64(UInt16.max), let small = Int(exactly: length) else { return .fault(.badLength) }
            frame.length = small
            return .frame(frame, headerBytes: headerBytesMax)
        }
        guard bytes.count >= 4 else { return .incomplete }
        let length = UInt16(bigEndian: start.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        guard length >= 126 else { return .fault(.badLength) }
        frame.length = Int(length)
        return .frame(frame, headerBytes: 4)
    }

    /// A frame begins: refuses what doesn't fit what came before, and gives what is whole already.
    private mutating func begin(_ frame: Frame, _ input: inout UnsafeRawBufferPointer) -> Item? {
        self.frame = frame
        if frame.isControl {
            guard input.count >= frame.length else { return wait(for: frame.length) }
            return control(Self.take(frame.length, &input))
        }
        if frame.opcode == Self.continuation {
            guard fragmented != 0 else { return fail(.nothingToContinue) }
        } else {
            guard fragmented == 0 else { return fail(.unfinishedMessage) }
            check = UTF8Check()
            if !frame.isFinal { fragmented = frame.opcode }
        }
        // Never overflows: the message is within the limit, and the limit is a count of bytes in memory.
        guard frame.length <= limit - message.count else { return fail(.tooBig(limit: limit)) }
        if frame.isFinal, fragmented == 0, input.count >= frame.length {
            let payload = Self.take(frame.length, &input)
            messages &+= 1
            guard frame.opcode == Self.text else { return .binary(payload) }
            guard UTF8Check.isValid(payload) else { return fail(.badText) }
            return .text(payload)
        }
        // An empty one has no byte that would come.
        return frame.length == 0 ? partEnded() : wait(for: frame.length)
    }

    private mutating func wait(for count: Int) -> Item? {
        remaining = count
        phase = .payload
        return nil
    }

    // MARK: Payload

    private mutating func readPayload(_ input: inout UnsafeRawBufferPointer) -> Item? {
        let piece = Self.take(min(remaining, input.count), &input)
        remaining -= piece.count
        if frame.isControl {
            cut.append(piece)
            guard remaining == 0 else { return nil }
            phase = .header
            // Lent like a message: cleared by the header that follows, which begins with an empty store.
            defer { cut.empty() }
            return control(cut.bytes)
        }
        if isText {
            guard check.add(piece) else { return fail(.badText) }
        }
        message.append(piece)
        guard remaining == 0 else { return nil }
        phase = .header
        return partEnded()
    }

    private var isText: Bool { (fragmented == 0 ? frame.opcode : fragmented) == Self.text }

    /// A data frame is there whole, its payload at the end of `message`.
    private mutating func partEnded() -> Item? {
        guard frame.isFinal else { return nil }
        let isText = isText
        fragmented = 0
        isLent = true
        messages &+= 1
        guard isText else { return .binary(message.bytes) }
        guard check.isWhole else { return fail(.badText) }
        return .text(message.bytes)
    }

    private mutating func control(_ payload: UnsafeRawBufferPointer) -> Item? {
        switch frame.opcode {
        case Self.ping: return .ping(payload)
        case Self.pong: return .pong(payload)
        default: break
        }
        guard payload.count != 1 else { return fail(.badCloseFrame) }
        guard let start = payload.baseAddress, payload.count >= 2 else {
            phase = .over
            return .close(code: WebSocketCloseCode.none, reason: payload)
        }
        let code = UInt16(bigEndian: start.loadUnaligned(as: UInt16.self))
        guard WebSocketCloseCode.isSendable(code) else { return fail(.badCloseCode(code)) }
        let reason = UnsafeRawBufferPointer(rebasing: payload[2...])
        guard UTF8Check.isValid(reason) else { return fail(.badCloseReason) }
        phase = .over
        return .close(code: code, reason: reason)
    }

    private mutating func fail(_ fault: WebSocketFault) -> Item? {
        phase = .over
        message.clear()
        return .failed(fault)
    }

    // MARK: Input

    private static func drop(_ count: Int, _ input: inout UnsafeRawBufferPointer) {
        input = UnsafeRawBufferPointer(rebasing: input[count...])
    }

    private static func take(_ count: Int, _ input: inout UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let taken = UnsafeRawBufferPointer(rebasing: input[..<count])
        input = UnsafeRawBufferPointer(rebasing: input[count...])
        return taken
    }
}

/// Bytes put together in memory that stays where it is until more are added; pure.
struct ByteStore: ~Copyable {
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private(set) var count = 0
    /// Memory kept by `clear`; more is given back.
    private let keptMax: Int

    init(keptMax: Int) { self.keptMax = keptMax }

    deinit { memory.deallocate() }

    var capacity: Int { memory.count }

    /// Valid until the next change.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[..<count]) }

    mutating func append(_ piece: UnsafeRawBufferPointer) {
        guard !piece.isEmpty else { return }
        if count + piece.count > memory.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(128, count + piece.count, 2 * memory.count),
                alignment: 16
            )
            larger.copyMemory(from: bytes)
            memory.deallocate()
            memory = larger
        }
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: piece)
        count += piece.count
    }

    /// Forgets the bytes but touches none: what was lent stays readable until the next `append`.
    mutating func empty() { count = 0 }

    mutating func clear() {
        count = 0
        guard memory.count > keptMax else { return }
        memory.deallocate()
        memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }
}
