public import Primitives

/// What is known of an underlying at an instant, at full precision; what isn't known is nil.
///
/// The fields of `replay --checkpoints` (architecture.md 8).
public struct SymbolCheckpoint: Hashable, Sendable {
    /// Trading day, yyyymmdd.
    public var date: Int32
    /// Everything before it is in.
    public var instant: Instant
    /// Counted volume since the open.
    public var cumVolume: Size
    /// Session VWAP in dollars.
    public var vwap: Double?
    /// Standard deviation of price by volume, dollars.
    public var sigma: Double?
    /// What VWAP and session statistics were made of.
    public var source: VWAPSource
    /// Dollars, complete five-minute RTH bars.
    public var atr14: Double?
    /// First *last* trade in RTH.
    public var open: Price?
    /// Highest eligible trade in RTH.
    public var high: Price?
    /// Lowest eligible trade in RTH.
    public var low: Price?
    /// Last trade of class *last* in RTH.
    public var last: Price?
    /// RTH trade events of any condition.
    public var trades: Int64
    /// RTH quote events.
    public var quotes: Int64
    /// Time-weighted spread in dollars.
    public var twas: Double?
    /// Share of two-sided time with ask = bid.
    public var lockedShare: Double?
    /// Share of two-sided time with ask < bid.
    public var crossedShare: Double?
    /// Volume against that of earlier sessions; nil without their history.
    public var rvol: Double?
    /// The same of the last minute alone.
    public var rvolMinute: Double?
    /// Realised volatility of one-minute closes, the session so far.
    public var rvSession: Double?
    /// Realised volatility of the last 30 one-minute returns.
    public var rv30: Double?
}
