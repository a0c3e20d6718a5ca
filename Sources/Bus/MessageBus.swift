package import MarketData
package import Wire

/// What carries messages from the engine to everyone: Redis, or the in-memory twin of the same meaning.
///
/// One type serves both ends; a process may use one end or both. All callbacks come on the bus's own thread, in the
/// order in which the engine released, per channel. Durable messages survive a bus that is away: they wait in the commit
/// log and are appended in order when it is back.
package protocol MessageBus: MessageSink {
    /// Connects, and keeps connected until `stop`.
    ///
    /// - Parameters:
    ///   - engine: hears commands and demand; nil in a process without an engine.
    ///   - subscriber: hears messages; nil in a process without a gateway.
    func start(engine: (any BusEngine)?, subscriber: (any BusSubscriber)?)

    /// Ends every connection; nothing is called afterwards.
    func stop() async

    /// Starts to deliver the channels' messages to the subscriber; a channel already subscribed is left as it is.
    ///
    /// - Returns: once the bus has confirmed, so that a state read afterwards leaves no gap.
    func subscribe(_ channels: [Channel]) async throws(BusError)

    /// Ends the delivery.
    func unsubscribe(_ channels: [Channel])

    /// The channels' last whole values, nil where there is none.
    func hotState(of channels: [Channel]) async throws(BusError) -> [HotState?]

    /// Says that somebody watches these channels now; counts for 60 s and is said again by whoever still watches.
    func want(_ channels: [Channel])

    /// What it did so far; any thread, may wait for a turn of the bus.
    func counters() -> BusCounters

    /// Sends a command to the engine and waits for its answer's payload (Wire `Command`), 5 s at most.
    func submit(_ command: Command) async throws(BusError) -> [UInt8]
}

/// The engine's end.
package protocol BusEngine: AnyObject, Sendable {
    /// A command came; the answer goes through `MessageSink.reply`.
    func commanded(_ command: Command)
    /// The set of channels that somebody watches changed.
    func demanded(_ channels: Set<Channel>)
    /// The bus itself went down or came back; on `up` the engine's log is complete again.
    ///
    /// `down`: not connected. `degraded`: connected, and the log is being completed from the commit log; conflatable
    /// messages may be dropped. `up`: the log is complete; as conflatable messages and states may have been lost since
    /// the last `up`, the engine publishes the state of what is wanted again.
    func busChanged(to state: FeedState, cause: String)
    /// Durable messages are missing on the bus and in the commit log: their channels have a gap.
    func durableLost(_ loss: DurableLoss)
}

extension BusEngine {
    /// An engine that doesn't tell its users has it in the counter `lost` alone.
    package func durableLost(_ loss: DurableLoss) {}
}

/// The gateway's end.
package protocol BusSubscriber: AnyObject, Sendable {
    /// A message of a subscribed channel.
    ///
    /// Durable messages come in order, and again from an earlier one where the bus forgot what it had shown before it
    /// could confirm: drop an offset that is known.
    func received(_ message: ReceivedMessage)
    /// Delivery was cut for these channels and is up again: what was missed is unknown, so re-read the hot state.
    func interrupted(_ channels: [Channel])
    /// The bus went down or came back.
    func busChanged(to state: FeedState, cause: String)
}

/// A message as the bus delivers it; the header fields are read from the envelope.
package struct ReceivedMessage: Sendable {
    package var channel: Channel
    package var header: EnvelopeHeader
    /// The whole envelope's JSON text.
    package var bytes: [UInt8]

    package init(channel: Channel, header: EnvelopeHeader, bytes: [UInt8]) {
        self.channel = channel
        self.header = header
        self.bytes = bytes
    }
}

/// A channel's last whole value.
package struct HotState: Sendable, Equatable {
    package var channel: Channel
    package var epoch: String
    /// The last durable offset that the value includes.
    package var offset: Int64
    /// The engine start and the revision of the last conflatable message included; empty and 0 where there was none.
    package var run: String
    package var revision: Int64
    /// Ordinal and time of the last message included.
    package var n: Int64
    package var time: Int64
    /// Message type name → its fields, as JSON texts: `tick` → `last` → `145.1`; on `health` each feed's whole last
    /// message: `health` → `uw` → `{"feed":…}`.
    package var parts: [String: [String: [UInt8]]]

    package init(
        channel: Channel,
        epoch: String,
        offset: Int64,
        run: String,
        revision: Int64,
        n: Int64,
        time: Int64,
        parts: [String: [String: [UInt8]]]
    ) {
        self.channel = channel
        self.epoch = epoch
        self.offset = offset
        self.run = run
        self.revision = revision
        self.n = n
        self.time = time
        self.parts = parts
    }
}

/// Why the bus couldn't do what was asked.
package struct BusError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure.
    package enum Code: String, Sendable {
        case unavailable
        case timedOut
        case refused
        case tooMany
    }

    package let code: Code
    /// What was asked, and what came instead; holds no secret.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "bus \(code.rawValue): \(message)" }
}
