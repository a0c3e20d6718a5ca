public import Primitives

/// Average true range after Wilder (1978), over 14 bars of one session (analytics.md 3).
///
/// First true range = high − low; seeded with the mean of the first 14, then (13·ATR + TR)/14. 32 bytes; one thread.
@frozen
public struct WilderATR: Hashable, Sendable, BitwiseCopyable {
    /// Bars in the average.
    public static let period: Int32 = 14

    /// Bars taken so far.
    public private(set) var count: Int32 = 0
    private var previousClose = Price.zero
    /// The sum of true ranges up to the 14th, then the average, in micros.
    private var state = 0.0
    /// 0.1·ATR in micros rounded half up, once a bar; 0 while the ATR is unknown.
    ///
    /// The only statistic that triggers.
    public private(set) var tenthMicros: Int64 = 0

    /// Before the first bar.
    public init() {}

    /// Takes the next complete bar.
    public mutating func add(high: Price, low: Price, close: Price) {
        var range = high.micros &- low.micros
        if count > 0 {
            let up = (high.micros &- previousClose.micros).magnitude
            let down = (low.micros &- previousClose.micros).magnitude
            range = max(range, Int64(clamping: max(up, down)))
        }
        previousClose = close
        count &+= 1
        let period = Double(Self.period)
        if count <= Self.period {
            state += Double(range)
            if count == Self.period { state /= period }
        } else {
            state = (state * (period - 1) + Double(range)) / period
        }
        // Held below 2⁶², so that an absurd price can't trap in the conversion.
        if count >= Self.period { tenthMicros = Int64(min((state / 10 + 0.5).rounded(.down), 4e18)) }
    }

    /// ATR in dollars; nil before the 14th bar.
    public var value: Double? { count >= Self.period ? state / 1e6 : nil }
}
