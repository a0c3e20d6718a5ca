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
/// committed before the end of the process, and the plans' snapshots. At most `heldMax` are held; what is beyond, the bus
/// gets as it gets what it lost: durable messages from the commit log, snapshots when it is up.
final class BusSink: MessageSink {
    private let log: StoreLog
    private let bus: any MessageBus
    /// nil once the bus takes messages.
    private let held: Lock<[Envelope]?>
    /// Who fetches what the cores want; nil before the feeds are there, and where none are.
    private let requested = Lock<(@Sendable ([UInt8]) -> Void)?>(nil)
    /// Which contracts have open plans.
    let roster = PlanRoster()
    private let droppedCount = Lock<Int64>(0)
    private let heldMax: Int
    /// Held around every release, so that what is released again can't overtake what is new.
    private let gate = Lock(())

    init(log: StoreLog, bus: any MessageBus, heldMax: Int = 65_536) {
        self.log = log
        self.bus = bus
        self.heldMax = heldMax
        held = Lock([])
    }

    /// How many were beyond `heldMax`.
    var dropped: Int64 { droppedCount.withLock { $0 } }

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
            guard let count = held?.count else { return false }
            let room = max(0, heldMax - count)
            held?.append(contentsOf: messages.prefix(room))
            if messages.count > room { droppedCount.withLock { $0 += Int64(messages.count - room) } }
            return true
        }
        if !isHeld { gate.withLock { _ in bus.release(messages) } }
    }

    func reply(to command: String, payload: [UInt8]) { bus.reply(to: command, payload: payload) }

    /// A core's wish from before the feeds are there comes to nothing: its deadline answers it.
    func request(_ payload: [UInt8]) { requested.withLock { $0 }?(payload) }

    /// Whom the cores' wishes go to from now on.
    func connect(_ target: @escaping @Sendable ([UInt8]) -> Void) { requested.withLock { $0 = target } }
}
