package import MarketData
package import Primitives
internal import Wire

/// A numbered input of the engine (architecture.md 4): what the tape holds and what the symbol cores see.
@frozen
package struct Input: Sendable {
    /// What came.
    @frozen
    package enum Body: Sendable {
        case market(MarketEvent)
        /// A grid line of receive time was crossed; `received` is the line.
        case clock
        /// Index into the batch's commands.
        case command(Int)
        /// A feed's state changed; for the core of the feeds (`health`).
        case feed(Int)
    }

    package var n: Ordinal
    /// Receive time, clamped non-decreasing.
    package var received: Instant
    /// Which instrument of its core the event is about: 0 the underlying's equity, 1 its index, from 2 its contracts.
    package var slot: UInt32
    /// Index of the core among all cores, in order of first sight.
    package var core: UInt32
    package var body: Body

    @inlinable
    package init(n: Ordinal, received: Instant, core: UInt32, slot: UInt32, body: Body) {
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
