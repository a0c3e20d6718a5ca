internal import CLibWebSockets

/// One buffer a loop where frames are put together, with the room in front that the library needs.
///
/// Loop thread only. What doesn't fit into the kernel is copied by the library, so it can be used again at once.
final class OutputBuffer {
    private var memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 16_384, alignment: 16)
    /// A frame above this gets memory of its own.
    private static let keptBytesMax = 1 << 20

    deinit { memory.deallocate() }

    /// Lets `fill` write `count` bytes, then `send` hand them on.
    func with<Result>(
        count: Int,
        fill: (UnsafeMutableRawBufferPointer) -> Void,
        send: (UnsafeMutablePointer<UInt8>) -> Result
    ) -> Result {
        let room = striketape_lws_pre
        let needed = room + count + 16
        if needed > memory.count {
            memory.deallocate()
            memory = .allocate(byteCount: max(needed, 2 * memory.count), alignment: 16)
        }
        defer {
            if memory.count > Self.keptBytesMax {
                memory.deallocate()
                memory = .allocate(byteCount: Self.keptBytesMax / 4, alignment: 16)
            }
        }
        let payload = UnsafeMutableRawBufferPointer(rebasing: memory[room..<(room + count)])
        fill(payload)
        guard let start = memory.baseAddress else { preconditionFailure("output buffer without memory") }
        return send((start + room).assumingMemoryBound(to: UInt8.self))
    }
}
