public import Primitives

/// What a feed writes to: one call a frame, on the feed loop thread.
///
/// The engine's ingest point implements it: it gives the frame's events their ordinals, records the frame, decodes it
/// and posts the events to the shards. A feed never sees the engine.
public protocol EventSink: AnyObject {
    /// Takes one whole text frame of `source`.
    ///
    /// The bytes are only valid during the call.
    func receive(frame: UnsafeRawBufferPointer, from source: FeedSource, at received: Instant) -> FrameOutcome

    /// Takes a change of a feed's state, with the latched cause.
    func feedChanged(_ source: FeedSource, to state: FeedState, cause: String, at received: Instant)
}

/// What was in a frame.
public struct FrameOutcome: Sendable {
    /// How many market events.
    public var eventCount: Int
    /// Exchange time of the first event, in order of arrival; nil where there was none.
    public var firstTime: Instant?
    /// Exchange time of the last event, in order of arrival; nil where there was none.
    public var lastTime: Instant?
    /// What the provider said about the connection itself; for the feed's connection machine.
    public var notices: [FeedNotice]

    /// What a frame held.
    public init(eventCount: Int, firstTime: Instant?, lastTime: Instant?, notices: [FeedNotice]) {
        self.eventCount = eventCount
        self.firstTime = firstTime
        self.lastTime = lastTime
        self.notices = notices
    }
}

/// A provider's word about the connection: `auth_success`, `subscribed to: T.SPY`.
public struct FeedNotice: Sendable, Equatable {
    /// The kind of notice: `connected`, `auth_success`, `success`, `max_connections`.
    public var status: String
    /// The provider's own words.
    public var message: String

    /// A notice as the provider sent it.
    public init(status: String, message: String) {
        self.status = status
        self.message = message
    }
}

/// How a feed, or the bus, is doing.
public enum FeedState: String, Sendable, CaseIterable {
    case up
    case degraded
    case down
}

/// Who may own something that only one process may have (a feed's connection, the engine): asked, and told when lost.
public protocol Lease: Sendable {
    /// Tries to take or renew; nil when another holds it. The token grows with every new owner.
    func acquire() async throws -> Int64?
    /// Gives it up.
    func release() async
}
