package import Primitives

/// Keeps REST requests within what the provider allows: at most so many in any minute, and what its headers say.
///
/// Pure. One a token. The headers win where they allow less: another process may use the same token.
package struct HeaderLimiter: Sendable {
    /// Most requests within any window.
    package let limit: Int
    /// The window, in nanoseconds.
    package let window: Int64
    /// Requests the provider still allows today, as far as it said.
    package private(set) var dailyRemaining: Int?
    private var sent: [Instant] = []
    private var blockedUntil = Instant.distantPast

    /// Longest wait that an answer can ask for, in nanoseconds: a wrong header must not end the backfill for a day.
    static let waitMax: Int64 = 900_000_000_000

    package init(limit: Int = 120, window: Int64 = 60_000_000_000) {
        precondition(limit > 0 && window > 0, "a limit that allows nothing")
        self.limit = limit
        self.window = window
    }

    /// Asks for one request; nil where it may be sent, and it counts from then on.
    ///
    /// - Returns: when to ask again.
    package mutating func request(now: Instant) -> Instant? {
        if now < blockedUntil { return blockedUntil }
        sent.removeAll { now.nanos(since: $0) >= window }
        if sent.count >= limit, let oldest = sent.first { return oldest.advanced(byNanos: window) }
        sent.append(now)
        return nil
    }

    /// Takes an answer: its status and headers, names in any case.
    package mutating func answered(status: Int, headers: [(name: String, value: String)], now: Instant) {
        func number(_ name: String) -> Int64? {
            headers.first { $0.name.lowercased() == name }.flatMap { header in
                Int64(header.value.split(whereSeparator: { $0 == " " || $0 == "\t" }).first ?? "")
            }
        }
        if let used = number("x-uw-daily-req-count"), let allowed = number("x-uw-token-req-limit") {
            let (left, isOver) = allowed.subtractingReportingOverflow(used)
            dailyRemaining = isOver ? nil : Int(max(0, left))
        }
        if let remaining = number("x-uw-req-per-minute-remaining"), remaining <= 0 {
            block(now, number("x-uw-req-per-minute-reset").map { Self.nanos(millis: $0, now) } ?? window)
        }
        guard status == 429 else { return }
        let seconds = number("retry-after").map { $0 > 0 ? min($0, 86_400) * 1_000_000_000 : 0 }
        let reset = number("x-uw-req-per-minute-reset").map { Self.nanos(millis: $0, now) }
        block(now, seconds ?? reset ?? window)
    }

    private mutating func block(_ now: Instant, _ nanos: Int64) {
        blockedUntil = max(blockedUntil, now.advanced(byNanos: min(max(nanos, 0), Self.waitMax)))
    }

    /// A count of milliseconds, or the end of the wait as milliseconds since the epoch.
    private static func nanos(millis: Int64, _ now: Instant) -> Int64 {
        guard millis > 0 else { return 0 }
        guard millis < 100_000_000_000 else { return Instant(millis: min(millis, 9_000_000_000_000)).nanos(since: now) }
        return min(millis, 86_400_000) * 1_000_000
    }
}
