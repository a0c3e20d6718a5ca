/// Reads arbitrary bytes as a server's frames, whole and in pieces, and holds the two against each other.
///
/// The first byte chooses the pieces, each in memory of its own, so that the address sanitizer sees a read beyond one.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzFrames(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count)
    guard let choice = input.first else { return 0 }
    let stream = input.dropFirst()
    var whole = Trace()
    whole.read(Array(stream))
    var cut = Trace()
    var rest = stream
    var width = Int(choice) % 31 + 1
    while !rest.isEmpty {
        cut.read(Array(rest.prefix(width)))
        rest = rest.dropFirst(width)
        width = (width &* 7 &+ Int(choice)) % 31 + 1
    }
    precondition(whole.hash == cut.hash, "pieces give other messages")
    precondition(whole.items == cut.items, "pieces give other numbers of messages")
    precondition(whole.given <= stream.count, "more given than taken")
    return 0
}

/// A reader, and a sum of what it gave.
private struct Trace: ~Copyable {
    private var reader = WebSocketFrameReader(limit: 4_096)
    private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    private(set) var items = 0
    private(set) var given = 0
    private var isOver = false

    mutating func read(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            var rest = bytes
            while let item = reader.next(&rest) {
                precondition(!isOver, "read on behind the end")
                items += 1
                switch item {
                case .text(let payload):
                    precondition(String(validating: payload, as: UTF8.self) != nil, "text that isn't UTF-8")
                    add(1, payload)
                case .binary(let payload): add(2, payload)
                case .ping(let payload): add(3, payload)
                case .pong(let payload): add(4, payload)
                case .close(let code, let reason):
                    add(UInt8(truncatingIfNeeded: code), reason)
                    isOver = true
                case .failed(let fault):
                    add(UInt8(truncatingIfNeeded: fault.code), UnsafeRawBufferPointer(start: nil, count: 0))
                    isOver = true
                }
            }
            precondition(rest.isEmpty, "bytes left without an item")
        }
        precondition(reader.heldBytes <= 3 * 4_096, "more memory than the limit needs")
    }

    private mutating func add(_ kind: UInt8, _ payload: UnsafeRawBufferPointer) {
        given += payload.count
        hash = (hash ^ UInt64(kind)) &* 0x100_0000_01B3
        for byte in payload { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }
}
