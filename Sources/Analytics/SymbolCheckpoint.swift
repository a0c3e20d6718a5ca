package import Primitives

/// What is known of an underlying at an instant, at full precision; what isn't known is nil.
///
/// The fields of `replay --checkpoints` (architecture.md 8).
package struct SymbolCheckpoint: Hashable, Sendable {
    /// Trading day, yyyymmdd.
    package var date: Int32
    /// Everything before it is in.
    package var instant: Instant
    /// Counted volume since the open.
    package var cumVolume: Size
    /// Session VWAP in dollars.
    package var vwap: Double?
    /// Standard deviation of price by volume, dollars.
    package var sigma: Double?
    /// What VWAP and session statistics were made of.
    package var source: VWAPSource
    /// Dollars, complete five-minute RTH bars.
    package var atr14: Double?
    /// First *last* trade in RTH.
    package var open: Price?
    /// Highest eligible trade in RTH.
    package var high: Price?
    /// Lowest eligible trade in RTH.
    package var low: Price?
    /// Last trade of class *last* in RTH.
    package var last: Price?
    /// RTH trade events of any condition.
    package var trades: Int64
    /// RTH quote events.
    package var quotes: Int64
    /// Time-weighted spread in dollars.
    package var twas: Double?
    /// Share of two-sided time with ask = bid.
    package var lockedShare: Double?
    /// Share of two-sided time with ask < bid.
    package var crossedShare: Double?
    /// Volume against that of earlier sessions; nil without their history.
    package var rvol: Double?
    /// The same of the last minute alone.
    package var rvolMinute: Double?
    /// Realised volatility of one-minute closes, the session so far.
    package var rvSession: Double?
    /// Realised volatility of the last 30 one-minute returns.
    package var rv30: Double?
}
