public import Primitives

/// What a provider's bars say of an interval in which a feed was away (analytics.md 5, blind spots).
public struct RepairBars: Sendable, Hashable {
    /// The instrument.
    public var symbol: SymbolID
    /// Start of the interval, exchange time.
    public var from: Instant
    /// Its end.
    public var to: Instant
    /// Bars in order of time; nil where none could be had.
    public var bars: [Bar]?

    /// States all of it.
    public init(symbol: SymbolID, from: Instant, to: Instant, bars: [Bar]?) {
        self.symbol = symbol
        self.from = from
        self.to = to
        self.bars = bars
    }
}
