package import MarketData
package import Primitives

/// What a feed tells the process around it, beside what goes to the engine.
package enum FeedEvent: Sendable {
    /// An instrument or channel brings nothing: the provider didn't acknowledge it, or refused it.
    case refused(pair: String, cause: String)
    /// A person should look; said once.
    case alert(String)
    /// Events between these times are missing; `before` is nil while the gap stands open.
    case gap(after: Instant, before: Instant?)
    /// What didn't fit into the provider's quota now; the whole list.
    case unserved([String])
}

/// What a feed's shell has done so far, for metrics.
package struct FeedCounters: Sendable, Equatable {
    /// Connections begun.
    package var attempts: Int64 = 0
    /// Handshakes done.
    package var connections: Int64 = 0
    package var frames: Int64 = 0
    package var bytes: Int64 = 0
    /// Frames of something nobody wants, dropped before they were queued.
    package var filtered: Int64 = 0
    package var alerts: Int64 = 0
    package var refusals: Int64 = 0

    package init() {}
}

/// A feed's shell as whoever composes the process sees it; feed loop thread only.
package protocol MarketFeed: AnyObject {
    var source: FeedSource { get }
    /// The machine's word for where it is.
    var phaseName: String { get }
    /// Connected and everything asked for acknowledged.
    var isLive: Bool { get }
    var counters: FeedCounters { get }
    func start()
    /// Ends for good, with a close frame so that the provider frees the slot.
    func stop()
    /// Takes what is to be subscribed to from now on.
    func want(_ selection: UniverseSelection)
}
