internal import CLibWebSockets

/// A timer that is armed on a loop; drop it or keep it to cancel.
///
/// Loop thread only.
package final class TimerHandle {
    private let timer: UnsafeMutablePointer<uv_timer_t>
    private unowned let loop: EventLoop
    /// Dropped with the timer, as it often holds what holds the timer.
    private var body: (() -> Void)?
    private let repeats: Bool
    /// Whether it can still fire.
    package private(set) var isArmed = true

    fileprivate init(loop: EventLoop, afterMillis: UInt64, repeatMillis: UInt64, body: @escaping () -> Void) {
        self.loop = loop
        self.body = body
        repeats = repeatMillis > 0
        timer = .allocate(capacity: 1)
        timer.initialize(to: uv_timer_t())
        check(uv_timer_init(loop.uvLoop.assumingMemoryBound(to: uv_loop_t.self), timer), "uv_timer_init")
        timer.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        check(uv_timer_start(timer, striketapeTimerFired, afterMillis, repeatMillis), "uv_timer_start")
    }

    /// Disarms it, so that its body doesn't run any more; idempotent.
    package func cancel() {
        guard isArmed else { return }
        loop.preconditionCurrent()
        isArmed = false
        body = nil
        timer.pointee.data = nil
        // libuv needs the memory until its close callback.
        uv_close(timer.asHandle, striketapeTimerClosed)
        loop.timers[ObjectIdentifier(self)] = nil
    }

    fileprivate func fire() {
        let body = body
        if !repeats { cancel() }
        body?()
    }

    /// Lets the loop end although this timer is armed.
    func unref() { uv_unref(timer.asHandle) }
}

extension EventLoop {
    /// Runs `body` on this loop after `nanos` (rounded up to a millisecond), then every `repeating` nanoseconds if given.
    ///
    /// Loop thread only. The loop holds the timer until it has fired, is cancelled, or the loop stops.
    @discardableResult
    package func schedule(after nanos: Int64, repeating: Int64? = nil, _ body: @escaping () -> Void) -> TimerHandle {
        preconditionCurrent()
        return schedule(
            afterMillis: Self.millis(nanos),
            repeatMillis: repeating.map { max(1, Self.millis($0)) } ?? 0,
            body
        )
    }

    func schedule(afterMillis: UInt64, repeatMillis: UInt64, _ body: @escaping () -> Void) -> TimerHandle {
        let timer = TimerHandle(loop: self, afterMillis: afterMillis, repeatMillis: repeatMillis, body: body)
        timers[ObjectIdentifier(timer)] = timer
        return timer
    }

    /// Whole milliseconds that are not less than `nanos`.
    private static func millis(_ nanos: Int64) -> UInt64 { UInt64((max(0, nanos) + 999_999) / 1_000_000) }
}

/// A timer's time has come.
@c(striketape_timer_fired)
private func striketapeTimerFired(_ timer: UnsafeMutablePointer<uv_timer_t>?) {
    guard let data = timer?.pointee.data else { return }
    Unmanaged<TimerHandle>.fromOpaque(data).takeUnretainedValue().fire()
}

/// libuv is done with a timer's memory.
@c(striketape_timer_closed)
private func striketapeTimerClosed(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    guard let handle else { return }
    UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_timer_t.self).deallocate()
}
