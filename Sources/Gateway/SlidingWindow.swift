/// Counts events of many callers over a sliding window of time.
///
/// Two fixed windows and the share of the older one that is still inside: exact to within one window's unevenness, 32
/// bytes a caller. (The library's own limits are not compiled in.)
package struct SlidingWindow: Sendable {
    private struct Count: Sendable {
        var window: Int64
        var now: Int32
        var before: Int32
    }

    package let limit: Int
    package let nanos: Int64
    private let callersMax: Int
    private var counts: [String: Count] = [:]

    package init(limit: Int, nanos: Int64, callersMax: Int = 65_536) {
        self.limit = limit
        self.nanos = nanos
        self.callersMax = callersMax
    }

    /// Counts one event of a caller.
    ///
    /// - Returns: false where it is one too many; it isn't counted then. A new caller beyond `callersMax` is refused.
    package mutating func allows(_ caller: String, now: Int64) -> Bool {
        let window = now / nanos
        guard var count = counts[caller] else {
            if counts.count >= callersMax { sweep(now: now) }
            guard counts.count < callersMax, limit > 0 else { return false }
            counts[caller] = Count(window: window, now: 1, before: 0)
            return true
        }
        if count.window != window {
            count.before = window - count.window == 1 ? count.now : 0
            count.now = 0
            count.window = window
        }
        let share = 1 - Double(now - window * nanos) / Double(nanos)
        guard Double(count.now) + Double(count.before) * share + 1 <= Double(limit) else {
            counts[caller] = count
            return false
        }
        count.now += 1
        counts[caller] = count
        return true
    }

    /// Forgets who was not heard of for two windows; every few seconds.
    package mutating func sweep(now: Int64) {
        let window = now / nanos
        counts = counts.filter { window - $0.value.window <= 1 }
    }
}
