package import Primitives

/// What is known of an underlying at an instant, at full precision; what isn't known is nil.
///
/// The fields of `replay --checkpoints` (architecture.md 8).
package struct SymbolCheckpoint: Hashable, Sendable {
    /// Trading day, yyyymmdd.
    package var date: Int32
    package var instant: Instant
    /// Counted volume since the open.
    package var cumVolume: Size
    package var vwap: Double?
    package var sigma: Double?
    package var source: VWAPSource
    /// Dollars, complete five-minute RTH bars.
    package var atr14: Double?
    package var open: Price?
    package var high: Price?
    package var low: Price?
    package var last: Price?
    /// RTH trade events of any condition.
    package var trades: Int64
    package var quotes: Int64
    /// Time-weighted spread in dollars.
    package var twas: Double?
    package var lockedShare: Double?
    package var crossedShare: Double?
    /// Volume against that of earlier sessions; nil without their history.
    package var rvol: Double?
    package var rvolMinute: Double?
    package var rvSession: Double?
    package var rv30: Double?
}
