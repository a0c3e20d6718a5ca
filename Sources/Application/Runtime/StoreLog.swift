internal import Bus
internal import Journal
internal import Primitives
internal import Wire

/// The commit log as the bus reads it, to refill what Redis lost.
final class StoreLog: DurableLog {
    let epoch: String
    private let store: any CommitStore
    /// The last sequence by partition, as released; the store alone would have to be asked each time.
    private let sequences: Lock<[Int64]>

    init(store: any CommitStore, state: CommittedState) {
        self.store = store
        epoch = state.epoch
        sequences = Lock(state.partitionSequences)
    }

    /// Notes what was released, before the bus sees it.
    func released(_ messages: [Envelope]) {
        sequences.withLock { sequences in
            for message in messages where message.outputClass == .durable {
                let partition = message.channel.partition
                sequences[partition] = max(sequences[partition], message.partitionSequence)
            }
        }
    }

    func lastSequence(of partition: Int) -> Int64 { sequences.withLock { $0[partition] } }

    func messages(of partition: Int, from: Int64, limit: Int) throws -> [Envelope] {
        try store.messages(ofPartition: partition, after: from - 1, limit: limit).map(\.envelope)
    }
}

/// What the Sequencer releases to: the bus, with the log's position moved first.
///
/// Until the bus has an engine's end, which is after recovery, messages are held: a recovery releases what had not been
/// committed before the end of the process, and the plans' snapshots.
final class BusSink: MessageSink {
    private let log: StoreLog
    private let bus: any MessageBus
    /// nil once the bus takes messages.
    private let held: Lock<[Envelope]?>
    /// Who fetches what the cores want; nil before the feeds are there, and where none are.
    private let requested = Lock<(@Sendable ([UInt8]) -> Void)?>(nil)
    /// Which contracts have open plans.
    let roster = PlanRoster()
    /// Held around every release, so that what is released again can't overtake what is new.
    private let gate = Lock(())

    init(log: StoreLog, bus: any MessageBus) {
        self.log = log
        self.bus = bus
        held = Lock([])
    }

    /// The bus has started: what was held goes out first.
    func open() {
        held.withLock { messages in
            if let messages { bus.release(messages) }
            messages = nil
        }
    }

    /// Releases again what a bus forgot; `messages` is asked for while nothing new is released.
    func releaseAgain(_ messages: () throws -> [Envelope]) throws {
        try gate.withLock { _ in bus.release(try messages()) }
    }

    func release(_ messages: [Envelope]) {
        log.released(messages)
        roster.released(messages)
        let isHeld = held.withLock { held in
            held?.append(contentsOf: messages)
            return held != nil
        }
        if !isHeld { gate.withLock { _ in bus.release(messages) } }
    }

    func reply(to command: String, payload: [UInt8]) { bus.reply(to: command, payload: payload) }

    /// A core's wish from before the feeds are there comes to nothing: its deadline answers it.
    func request(_ payload: [UInt8]) { requested.withLock { $0 }?(payload) }

    /// Whom the cores' wishes go to from now on.
    func connect(_ target: @escaping @Sendable ([UInt8]) -> Void) { requested.withLock { $0 = target } }
}
