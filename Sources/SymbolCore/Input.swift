public import MarketData
public import Primitives
internal import Wire

/// A numbered input of the engine (architecture.md 4): what the tape holds and what the symbol cores see.
///
/// Public only so that the door writes it in place: the compiler doesn't inline a `package` initialiser across modules.
@frozen
public struct Input: Sendable {
    /// What came.
    @frozen
    public enum Body: Sendable {
        /// An event of a feed.
        case market(MarketEvent)
        /// A grid line of receive time was crossed; `received` is the line.
        ///
        /// `delivering` says which feeds brought something within the last second: a symbol's silence means nothing while its
        /// whole feed is silent. None where receive time is the exchange's.
        case clock(delivering: FeedSet)
        /// Index into the batch's commands.
        case command(Int)
        /// Index into the batch's feed changes; every core hears them.
        case feed(Int)
        /// Index into the batch's repairs: what the provider's bars say of a gap.
        case repair(Int)
        /// Index into the batch's fetched trade rules; every core takes them.
        case rules(Int)
    }

    /// The place among all inputs.
    public var n: Ordinal
    /// Receive time, clamped non-decreasing.
    public var received: Instant
    /// Which instrument of its core the event is about: 0 the underlying's equity, 1 its index, from 2 its contracts.
    public var slot: UInt32
    /// Index of the core among all cores, in order of first sight.
    public var core: UInt32
    /// What came.
    public var body: Body
    /// Which feed brought a market event.
    public var source: FeedSource

    /// Makes one from its parts.
    @inlinable
    public init(
        n: Ordinal,
        received: Instant,
        core: UInt32,
        slot: UInt32,
        body: Body,
        source: FeedSource = .stocks
    ) {
        self.source = source
        self.n = n
        self.received = received
        self.core = core
        self.slot = slot
        self.body = body
    }
}

/// The first slots of every core.
package enum Slot {
    package static let equity: UInt32 = 0
    package static let index: UInt32 = 1
    package static let firstContract: UInt32 = 2
}
