internal import Wire

/// The channels that somebody watches, each until a moment; pure.
struct DemandSet {
    private var expiries: [Channel: Int64] = [:]
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    var channels: Set<Channel> { Set(expiries.keys) }

    /// The wanted channels with the moments at which they end, in ms.
    var all: [(channel: Channel, untilMillis: Int64)] { expiries.map { ($0.key, $0.value) } }

    /// A channel is wanted until then; an earlier moment than known changes nothing.
    ///
    /// - Returns: whether the channel is new, nil where it was ignored because of the limit.
    mutating func want(_ channel: Channel, untilMillis: Int64) -> Bool? {
        if let known = expiries[channel] {
            expiries[channel] = max(known, untilMillis)
            return false
        }
        guard expiries.count < limit else { return nil }
        expiries[channel] = untilMillis
        return true
    }

    /// Forgets what has ended.
    ///
    /// - Returns: whether there was something.
    mutating func expire(nowMillis: Int64) -> Bool {
        let before = expiries.count
        expiries = expiries.filter { $0.value > nowMillis }
        return expiries.count < before
    }
}
