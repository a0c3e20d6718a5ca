package import Primitives

/// What an answer said about the rate: from its headers, as far as the provider sends any.
package struct RateHint: Hashable, Sendable {
    /// Requests that are left before the reset.
    package var remaining: Int?
    /// From the answer to the reset.
    package var resetNanos: Int64?
    /// From the answer to the next try, as `Retry-After` said.
    package var retryAfterNanos: Int64?

    package init(remaining: Int? = nil, resetNanos: Int64? = nil, retryAfterNanos: Int64? = nil) {
        self.remaining = remaining
        self.resetNanos = resetNanos
        self.retryAfterNanos = retryAfterNanos
    }

    /// Reads headers, their names in lower case; what can't be read says nothing.
    package init(headers: [String: String], now: Instant) {
        remaining = headers["x-uw-req-per-minute-remaining"].flatMap { Int($0) }.map { max(0, $0) }
        resetNanos = headers["x-uw-req-per-minute-reset"].flatMap { Int64($0) }.map { millis in
            // From now on, or since the epoch: nobody says which. No minute is longer than two.
            let rest = millis >= 100_000_000_000 ? millis - now.nanos / 1_000_000 : millis
            return min(max(0, rest), 120_000) * 1_000_000
        }
        retryAfterNanos = headers["retry-after"].flatMap { RESTTime.retryAfter($0, now: now) }
    }
}

/// Says when a request may be sent.
package protocol Limiter: Sendable {
    /// Takes a permit; false where there is none now.
    mutating func take(now: Instant) -> Bool
    /// When the next permit is to be had, `now` or earlier where there is one; nothing is taken.
    func next(after now: Instant) -> Instant
    /// Takes an answer's word; `inFlight` requests were sent and haven't been answered.
    mutating func heard(_ hint: RateHint, inFlight: Int, now: Instant)
    /// The pause after a refusal that named none.
    var spacingNanos: Int64 { get }
}

/// At most so many requests in any stretch of so long, and no more than the provider's headers leave.
///
/// A sliding window instead of a bucket: a bucket of five that refills at five a minute lets nearly ten through in one
/// minute, which a provider that counts by the minute refuses. The window is held 1 % longer than said, because
/// requests don't travel equally fast.
package struct RateWindow: Limiter, Hashable {
    /// Requests in a window.
    package let count: Int
    private let windowNanos: Int64
    /// Times of the last `count` permits, a ring.
    private var taken: [Instant] = []
    private var oldest = 0
    /// What the provider's headers leave until then; nil where they said nothing that still holds.
    private var granted: (left: Int, until: Instant)?

    package static func == (a: RateWindow, b: RateWindow) -> Bool {
        a.count == b.count && a.windowNanos == b.windowNanos && a.taken == b.taken && a.oldest == b.oldest
            && a.granted?.left == b.granted?.left && a.granted?.until == b.granted?.until
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        hasher.combine(windowNanos)
    }

    /// - Precondition: both are positive.
    package init(count: Int, nanos: Int64) {
        precondition(count > 0 && nanos > 0, "a rate of nothing")
        self.count = count
        windowNanos = nanos + nanos / 100
    }

    package static func perMinute(_ count: Int) -> RateWindow { RateWindow(count: count, nanos: 60_000_000_000) }
    package static func perSecond(_ count: Int) -> RateWindow { RateWindow(count: count, nanos: 1_000_000_000) }

    package var spacingNanos: Int64 { windowNanos / Int64(count) }

    package func next(after now: Instant) -> Instant {
        let own = taken.count < count ? now : taken[oldest].advanced(byNanos: windowNanos)
        guard let granted, granted.left == 0, granted.until > now else { return max(own, now) }
        return max(own, granted.until)
    }

    package mutating func take(now: Instant) -> Bool {
        guard next(after: now) <= now else { return false }
        if let known = granted {
            granted = known.until > now ? (max(0, known.left - 1), known.until) : nil
        }
        if taken.count < count {
            taken.append(now)
        } else {
            taken[oldest] = now
            oldest = (oldest + 1) % count
        }
        return true
    }

    /// The smaller of two words counts until the earlier reset: answers may overtake each other.
    package mutating func heard(_ hint: RateHint, inFlight: Int, now: Instant) {
        guard let remaining = hint.remaining else { return }
        let left = max(0, remaining - inFlight)
        let until = now.advanced(byNanos: hint.resetNanos ?? windowNanos)
        if let known = granted, known.until > now {
            granted = (min(known.left, left), min(known.until, until))
        } else {
            granted = (left, until)
        }
    }
}
