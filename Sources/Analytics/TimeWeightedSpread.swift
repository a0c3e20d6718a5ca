public import MarketData
public import Primitives

/// The exact integral of the spread over RTH time with a two-sided quote, crossed included (analytics.md 0 and 1).
///
/// By exchange time in whole milliseconds: the quote standing at 09:30 counts from then, and of several in one
/// millisecond only the last. The sum is kept in micro-dollars × ms as a Double, which is exact below 2⁵³ (a mean spread
/// of $384 all day), so the result doesn't depend on how the time was cut. 32 bytes; one thread.
@frozen
public struct TimeWeightedSpread: Sendable, BitwiseCopyable {
    @usableFromInline var weighted = 0.0
    /// Ask − bid in micros of the standing quote.
    @usableFromInline var standing: Int64 = Self.none
    /// From when the standing quote hasn't been added yet, ms since the open.
    @usableFromInline var since: Int32 = 0
    /// RTH time with a two-sided quote.
    public var twoSidedMillis: UInt32 = 0
    /// Of it with ask = bid.
    public var lockedMillis: UInt32 = 0
    /// Of it with ask < bid.
    public var crossedMillis: UInt32 = 0

    @inlinable static var none: Int64 { .min }

    /// Before the first quote.
    public init() {}

    /// Takes a quote at its exchange time; one older than what was added stands from there on.
    @inlinable
    public mutating func quoted(_ quote: Quote, of day: TradingDay) {
        advance(to: quote.time, of: day)
        standing = quote.isTwoSided ? quote.ask.micros &- quote.bid.micros : Self.none
    }

    /// Adds the standing quote up to `time`, held inside RTH.
    @inlinable
    public mutating func advance(to time: Instant, of day: TradingDay) {
        let end = min(time.nanos, day.close.nanos)
        guard end > day.open.nanos else { return }
        let until = Int32(truncatingIfNeeded: (end &- day.open.nanos) / 1_000_000)
        guard until > since else { return }
        if standing != Self.none {
            let span = UInt32(until &- since)
            weighted += Double(standing) * Double(span)
            twoSidedMillis &+= span
            if standing == 0 { lockedMillis &+= span }
            if standing < 0 { crossedMillis &+= span }
        }
        since = until
    }

    /// Mean spread in dollars; nil before any two-sided time.
    public var mean: Double? { twoSidedMillis == 0 ? nil : weighted / Double(twoSidedMillis) / 1e6 }

    /// Share of two-sided time with ask = bid.
    public var lockedShare: Double? { twoSidedMillis == 0 ? nil : Double(lockedMillis) / Double(twoSidedMillis) }

    /// Share of two-sided time with ask < bid.
    public var crossedShare: Double? { twoSidedMillis == 0 ? nil : Double(crossedMillis) / Double(twoSidedMillis) }
}
