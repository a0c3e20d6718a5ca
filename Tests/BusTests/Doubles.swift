import Bus
import Dispatch
import MarketData
import Primitives
import Wire

/// An engine's end that writes down what it hears, and answers commands where told to.
final class RecordingEngine: BusEngine {
    struct Heard: Sendable {
        var commands: [Command] = []
        var demands: [Set<Channel>] = []
        var states: [FeedState] = []
        var causes: [String] = []
        var losses: [DurableLoss] = []
    }

    let heard = Watched(Heard())
    /// Called on the bus's thread with each command.
    private let onCommand: @Sendable (Command) -> Void
    /// Called on the bus's thread with each change of the bus.
    private let onState: Lock<(@Sendable (FeedState) -> Void)?> = Lock(nil)

    init(onCommand: @escaping @Sendable (Command) -> Void = { _ in }) { self.onCommand = onCommand }

    func setOnState(_ body: @escaping @Sendable (FeedState) -> Void) { onState.withLock { $0 = body } }

    func commanded(_ command: Command) {
        heard.change { $0.commands.append(command) }
        onCommand(command)
    }

    func demanded(_ channels: Set<Channel>) { heard.change { $0.demands.append(channels) } }

    func busChanged(to state: FeedState, cause: String) {
        heard.change {
            $0.states.append(state)
            $0.causes.append(cause)
        }
        onState.withLock { $0 }?(state)
    }

    func durableLost(_ loss: DurableLoss) { heard.change { $0.losses.append(loss) } }
}

/// A gateway's end that writes down what it hears.
final class RecordingSubscriber: BusSubscriber {
    struct Heard: Sendable {
        var messages: [ReceivedMessage] = []
        var interruptions: [[Channel]] = []
        var states: [FeedState] = []

        /// The last durable message's offset of each channel; for waits, which look after each message.
        var lastOffsets: [Channel: Int64] = [:]

        /// The offsets of a channel's durable messages, as they came.
        func offsets(of channel: Channel) -> [Int64] {
            messages.filter { $0.channel == channel }.compactMap(\.header.offset)
        }
    }

    let heard = Watched(Heard())
    private let gate = Lock<Gate?>(nil)

    /// From the next message on, the bus's thread stands still until the gate is opened.
    func closeGate() -> Gate {
        let closed = Gate()
        gate.withLock { $0 = closed }
        return closed
    }

    func received(_ message: ReceivedMessage) {
        gate.withLock { $0 }?.pass()
        heard.change {
            $0.messages.append(message)
            if let offset = message.header.offset { $0.lastOffsets[message.channel] = offset }
        }
    }

    func interrupted(_ channels: [Channel]) { heard.change { $0.interruptions.append(channels.sorted()) } }

    func busChanged(to state: FeedState, cause: String) { heard.change { $0.states.append(state) } }
}

/// Something that holds threads until it is opened.
final class Gate: @unchecked Sendable {
    // Unchecked: the semaphore is made for this.
    private let semaphore = DispatchSemaphore(value: 0)

    func open() { semaphore.signal() }

    func pass() {
        semaphore.wait()
        semaphore.signal()
    }
}

/// A commit log in memory: keeps what it was given before the bus gets it.
final class FakeLog: DurableLog {
    private struct Content {
        var epoch = "e1"
        var messages: [Int: [Envelope]] = [:]
        var reads = 0
    }

    private let content = Lock(Content())

    var epoch: String { content.withLock { $0.epoch } }
    var reads: Int { content.withLock { $0.reads } }

    func setEpoch(_ epoch: String) { content.withLock { $0.epoch = epoch } }

    func commit(_ messages: [Envelope]) {
        content.withLock { content in
            for message in messages where message.outputClass == .durable {
                content.messages[message.channel.partition, default: []].append(message)
            }
        }
    }

    /// Forgets what stands before a sequence.
    func compact(_ partition: Int, before sequence: Int64) {
        content.withLock { $0.messages[partition]?.removeAll { $0.partitionSequence < sequence } }
    }

    func lastSequence(of partition: Int) -> Int64 {
        content.withLock { $0.messages[partition]?.last?.partitionSequence ?? 0 }
    }

    func messages(of partition: Int, from: Int64, limit: Int) throws -> [Envelope] {
        content.withLock { content in
            content.reads += 1
            let kept = content.messages[partition] ?? []
            return Array(kept.drop { $0.partitionSequence < from }.prefix(limit))
        }
    }
}

/// Writes envelopes as the Sequencer would: offsets a channel, sequences a partition, revisions a channel.
struct EnvelopeWriter {
    var epoch = "e1"
    var run = "r1"
    private var offsets: [Channel: Int64] = [:]
    private var sequences: [Int: Int64] = [:]
    private var revisions: [Channel: Int64] = [:]
    private var n: Ordinal = 0

    init() {}

    mutating func durable(_ channel: Channel, _ type: MessageType = .hit, _ payload: String) -> Envelope {
        offsets[channel, default: 0] += 1
        sequences[channel.partition, default: 0] += 1
        return envelope(
            channel,
            type,
            .durable,
            .durable(offset: offsets[channel, default: 0]),
            sequence: sequences[channel.partition, default: 0],
            payload
        )
    }

    mutating func conflatable(_ channel: Channel, _ type: MessageType = .tick, _ payload: String) -> Envelope {
        revisions[channel, default: 0] += 1
        let base = offsets[channel, default: 0]
        let revision = revisions[channel, default: 0]
        return envelope(
            channel,
            type,
            .conflatable,
            .conflatable(base: base, run: run, revision: revision),
            sequence: 0,
            payload
        )
    }

    mutating func state(_ channel: Channel, _ type: MessageType = .snapshot, _ payload: String) -> Envelope {
        let offset = offsets[channel, default: 0]
        return envelope(channel, type, .state, .snapshot(offset: offset), sequence: 0, payload)
    }

    private mutating func envelope(
        _ channel: Channel,
        _ type: MessageType,
        _ outputClass: OutputClass,
        _ position: Envelope.Position,
        sequence: Int64,
        _ payload: String
    ) -> Envelope {
        n += 1
        var bytes: [UInt8] = []
        Envelope.encode(
            channel: Array(channel.name.utf8),
            epoch: epoch,
            position: position,
            n: n,
            type: type,
            time: Instant(nanos: 1_000 + n),
            payload: Array(payload.utf8),
            into: &bytes
        )
        return Envelope(
            channel: channel,
            type: type,
            outputClass: outputClass,
            offset: offsets[channel, default: 0],
            partitionSequence: sequence,
            n: n,
            index: 0,
            bytes: bytes
        )
    }
}
