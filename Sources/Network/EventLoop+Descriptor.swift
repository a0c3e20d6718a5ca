internal import CLibWebSockets

/// A socket of somebody else's that a loop watches; loop thread only.
///
/// The owner makes, reads, writes and closes the descriptor; the watch only says when. Close the watch before the
/// descriptor.
package final class DescriptorWatch {
    private let poll: UnsafeMutablePointer<uv_poll_t>
    private unowned let loop: EventLoop
    private let onReady: (_ isReadable: Bool, _ isWritable: Bool) -> Void
    private var isOpen = true
    private var events: Int32 = 0

    /// Begins to watch for nothing yet.
    ///
    /// - Parameters:
    ///   - descriptor: a non-blocking socket.
    ///   - loop: where it is watched.
    ///   - onReady: called on the loop; errors and hang-ups say both.
    package init(
        _ descriptor: Int32,
        on loop: EventLoop,
        onReady: @escaping (_ isReadable: Bool, _ isWritable: Bool) -> Void
    ) {
        loop.preconditionCurrent()
        self.loop = loop
        self.onReady = onReady
        poll = .allocate(capacity: 1)
        poll.initialize(to: uv_poll_t())
        check(uv_poll_init(loop.uvLoop.assumingMemoryBound(to: uv_loop_t.self), poll, descriptor), "uv_poll_init")
        poll.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    }

    /// Says what is waited for.
    package func wait(reading: Bool, writing: Bool) {
        guard isOpen else { return }
        let wanted =
            (reading ? Int32(UV_READABLE.rawValue) : 0) | (writing ? Int32(UV_WRITABLE.rawValue) : 0)
        guard wanted != events else { return }
        events = wanted
        check(uv_poll_start(poll, wanted, striketapeDescriptorReady), "uv_poll_start")
    }

    /// Ends it; nothing is called afterwards; idempotent.
    package func close() {
        guard isOpen else { return }
        loop.preconditionCurrent()
        isOpen = false
        poll.pointee.data = nil
        // libuv needs the memory until its close callback.
        uv_close(poll.asHandle, striketapeDescriptorClosed)
    }

    deinit { precondition(!isOpen, "a descriptor's watch was dropped without close()") }

    fileprivate func ready(status: Int32, events: Int32) {
        let failed = status < 0
        // libuv has stopped a watch that it tells an error of: the next `wait` must start it again.
        if failed { self.events = 0 }
        onReady(
            failed || events & Int32(UV_READABLE.rawValue) != 0,
            failed || events & Int32(UV_WRITABLE.rawValue) != 0
        )
    }
}

/// A watched descriptor is ready.
@c(striketape_descriptor_ready)
private func striketapeDescriptorReady(_ poll: UnsafeMutablePointer<uv_poll_t>?, _ status: Int32, _ events: Int32) {
    guard let data = poll?.pointee.data else { return }
    // Held during the call: the callback may drop the watch.
    let watch = Unmanaged<DescriptorWatch>.fromOpaque(data).takeUnretainedValue()
    withExtendedLifetime(watch) { watch.ready(status: status, events: events) }
}

/// libuv is done with a watch's memory.
@c(striketape_descriptor_closed)
private func striketapeDescriptorClosed(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    guard let handle else { return }
    UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_poll_t.self).deallocate()
}
