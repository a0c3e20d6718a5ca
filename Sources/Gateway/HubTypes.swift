package import Wire

/// A subscriber's place in the hub; a place that is used again has a new generation.
package struct ConnectionID: Hashable, Sendable {
    package let index: Int32
    package let generation: UInt32
}

/// How much the hub keeps; what is above is refused or closed, and counted.
package struct HubLimits: Sendable {
    package var connections = 10_000
    package var subscriptionsPerConnection = 500
    /// Subscribe requests of one connection that wait for the bus.
    package var waitingRequestsPerConnection = 16
    /// Durable messages, gaps and answers that wait for one subscriber: above it the connection is closed (4008).
    package var pendingBytes = 65_536
    package var pendingMessages = 1_024
    /// A frame is ended by the message that reaches this size.
    package var frameBytes = 65_536
    package var channels = 100_000
    /// Messages held for one channel while its state is being read.
    package var heldMessages = 1_024
    package var heldBytes = 262_144
    /// How long a channel that nobody watches stays subscribed.
    package var graceNanos: Int64 = 5_000_000_000
    /// Durable messages that a channel's state contains and that don't come within this are lost.
    package var lostNanos: Int64 = 1_000_000_000
    /// The first wait before a channel's state is read again after a failure; doubled up to a second.
    package var rereadNanos: Int64 = 20_000_000

    package init() {}
}

/// WebSocket close codes (protocol.md 3), with what a client should do.
package enum CloseCode: UInt16, Sendable {
    case tooBig = 1009
    case restart = 1012
    case overload = 1013
    case badFrame = 4001
    case unauthorised = 4003
    case unknownPath = 4004
    case tooSlow = 4008
    case rateLimited = 4009

    /// The close frame's text: at most 123 bytes.
    package var reason: String {
        switch self {
        case .tooBig: "message too big: at most 65536 bytes; don't reconnect with it"
        case .restart: "restart: reconnect after a short random wait"
        case .overload: "too many connections: reconnect later"
        case .badFrame: "bad frame: expected one JSON object; don't repeat it"
        case .unauthorised: "unauthorised: send a valid auth first"
        case .unknownPath: "unknown path: don't reconnect here"
        case .tooSlow: "too slow: reconnect and resume"
        case .rateLimited: "too many messages: reconnect later"
        }
    }
}

/// What the hub wants of the bus; the shell does it and reports back.
package struct BusRequests: Sendable, Equatable {
    /// Subscribe, then read the states: `Hub.joined` or `Hub.joinFailed`.
    package var join: [Channel] = []
    /// Read the states: `Hub.joined` or `Hub.joinFailed`.
    package var read: [Channel] = []
    package var leave: [Channel] = []

    package init() {}

    package var isEmpty: Bool { join.isEmpty && read.isEmpty && leave.isEmpty }
}

/// What the hub has done so far.
package struct HubCounters: Sendable, Equatable {
    package var connectionsAccepted: UInt64 = 0
    package var connectionsRefused: UInt64 = 0
    package var messagesIn: UInt64 = 0
    /// Messages of channels that nobody has here any more.
    package var strays: UInt64 = 0
    /// Messages that the state read already contained.
    package var known: UInt64 = 0
    /// Holes in offsets or revisions, and new runs or epochs: each makes the state be read again.
    package var holes: UInt64 = 0
    /// Messages that were dropped because too many came while a state was read; a hole follows and is seen.
    package var heldDropped: UInt64 = 0
    package var statesRead: UInt64 = 0
    package var readFailures: UInt64 = 0
    /// Plan states whose form could not be read.
    package var malformedPlans: UInt64 = 0
    package var gapsSent: UInt64 = 0
    package var messagesOut: UInt64 = 0
    package var framesOut: UInt64 = 0
    package var bytesOut: UInt64 = 0
    /// Texts that the gateway encoded itself: snapshots, merged and derived messages.
    package var encoded: UInt64 = 0
    package var requestErrors: UInt64 = 0
    package var closedSlow: UInt64 = 0

    package init() {}
}

/// Something that can be refused to a subscriber, as the code of an `error` answer.
package enum RefusalCode: String, Sendable {
    /// No such channel, or not the asker's: both answer alike.
    case unknownChannel = "unknown_channel"
    case tooMany = "too_many"
    case unavailable
    case unauthorised
}
