internal import Glibc
package import Primitives

/// The two clocks of the shells; pure targets get time as an input.
package enum SystemClock {
    /// Nanoseconds since some fixed point, never going back: for deadlines and intervals.
    ///
    /// Any thread, ≈ 25 ns.
    package static func monotonicNanos() -> Int64 { read(CLOCK_MONOTONIC) }

    /// The wall clock.
    ///
    /// It can be set: never subtract two of these to get a duration. Any thread, ≈ 25 ns.
    package static func wall() -> Instant { Instant(nanos: read(CLOCK_REALTIME)) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
