internal import Primitives

/// How long to wait before the next attempt to connect: doubling, shortened at random, from a floor to a ceiling.
///
/// The random part keeps the gateways of a fleet from coming back all at once. Pure.
struct RedisBackoff {
    private let minMillis: Int64
    private let maxMillis: Int64
    private var attempt: Int64 = 0
    private var random: SeededGenerator

    init(minMillis: Int64, maxMillis: Int64, seed: UInt64) {
        self.minMillis = minMillis
        self.maxMillis = maxMillis
        random = SeededGenerator(seed: seed)
    }

    /// The pause before the next attempt, in ms.
    mutating func next() -> Int64 {
        let full = min(maxMillis, minMillis << min(attempt, 20))
        attempt += 1
        return Int64.random(in: (full / 2)...full, using: &random)
    }

    /// A connection held: the next pause is short again.
    mutating func reset() { attempt = 0 }
}
