package import Primitives
package import Wire

/// Where an output stands: the input that caused it, and its place among that input's outputs.
package struct OutputPosition: Sendable, Hashable, Comparable {
    package var n: Ordinal
    package var index: OutputIndex

    package init(n: Ordinal, index: OutputIndex) {
        self.n = n
        self.index = index
    }

    package static func < (a: OutputPosition, b: OutputPosition) -> Bool { (a.n, a.index) < (b.n, b.index) }
}

/// What the log holds already: where numbering goes on.
package struct CommittedState: Sendable, Equatable {
    /// The log's name; a new one only for a new log.
    package var epoch: String
    /// The last offset of each channel.
    package var offsets: [Channel: Int64]
    /// The last sequence of each partition.
    package var partitionSequences: [Int64]
    /// The last committed output.
    package var last: OutputPosition?

    package init(
        epoch: String,
        offsets: [Channel: Int64] = [:],
        partitionSequences: [Int64] = Array(repeating: 0, count: CommittedState.partitions),
        last: OutputPosition? = nil
    ) {
        self.epoch = epoch
        self.offsets = offsets
        self.partitionSequences = partitionSequences
        self.last = last
    }

    /// How many partitions the log has (protocol.md 5).
    package static let partitions = 16
}

/// A durable message as it is kept.
package struct StoredMessage: Sendable, Equatable {
    package var channel: Channel
    package var offset: Int64
    package var partitionSequence: Int64
    package var epoch: String
    package var n: Ordinal
    package var index: OutputIndex
    package var type: MessageType
    package var time: Instant
    /// The envelope's JSON text.
    package var bytes: [UInt8]

    package init(_ envelope: Envelope, epoch: String, time: Instant) {
        channel = envelope.channel
        offset = envelope.offset
        partitionSequence = envelope.partitionSequence
        self.epoch = epoch
        n = envelope.n
        index = envelope.index
        type = envelope.type
        self.time = time
        bytes = envelope.bytes
    }

    package init(
        channel: Channel,
        offset: Int64,
        partitionSequence: Int64,
        epoch: String,
        n: Ordinal,
        index: OutputIndex,
        type: MessageType,
        time: Instant,
        bytes: [UInt8]
    ) {
        self.channel = channel
        self.offset = offset
        self.partitionSequence = partitionSequence
        self.epoch = epoch
        self.n = n
        self.index = index
        self.type = type
        self.time = time
        self.bytes = bytes
    }

    /// As it was released.
    package var envelope: Envelope {
        Envelope(
            channel: channel,
            type: type,
            outputClass: .durable,
            offset: offset,
            partitionSequence: partitionSequence,
            n: n,
            index: index,
            bytes: bytes
        )
    }
}

/// The latest whole value of a plan.
package struct StoredPlan: Sendable, Equatable {
    package var id: String
    package var owner: String
    package var symbol: String
    package var state: String
    package var version: Int64
    /// The last durable offset of the plan's channel that the snapshot includes.
    package var offset: Int64
    package var n: Ordinal
    package var time: Instant
    /// The snapshot's payload `d`.
    package var snapshot: [UInt8]

    package init(
        id: String,
        owner: String,
        symbol: String,
        state: String,
        version: Int64,
        offset: Int64,
        n: Ordinal,
        time: Instant,
        snapshot: [UInt8]
    ) {
        self.id = id
        self.owner = owner
        self.symbol = symbol
        self.state = state
        self.version = version
        self.offset = offset
        self.n = n
        self.time = time
        self.snapshot = snapshot
    }
}

/// What is committed at once: all or nothing.
package struct CommitGroup: Sendable, Equatable {
    /// In the engine's order.
    package var messages: [StoredMessage] = []
    /// At most one a plan is kept: the last.
    package var plans: [StoredPlan] = []

    package init() {}

    package var isEmpty: Bool { messages.isEmpty && plans.isEmpty }

    /// Adds a later group.
    mutating func append(_ later: CommitGroup) {
        messages.append(contentsOf: later.messages)
        plans.append(contentsOf: later.plans)
    }
}

/// The durable log and the plan store.
///
/// One writer, the Sequencer's storage thread; reads from any thread. Every call may block.
package protocol CommitStore: AnyObject, Sendable {
    /// What is there at the start.
    func load() throws(JournalError) -> CommittedState

    /// Makes a group durable before it returns.
    ///
    /// - Throws: `unwritable`; nothing of the group is there then.
    func commit(_ group: CommitGroup) throws(JournalError)

    /// The messages of a channel behind an offset, in order, at most `limit`.
    func messages(of channel: Channel, after offset: Int64, limit: Int) throws(JournalError) -> [StoredMessage]

    /// The messages of a partition behind a sequence, in order, at most `limit`: what refills the bus.
    func messages(ofPartition partition: Int, after sequence: Int64, limit: Int) throws(JournalError) -> [StoredMessage]

    /// The last message of a channel.
    func latest(of channel: Channel) throws(JournalError) -> StoredMessage?

    /// A plan's latest snapshot.
    func plan(_ id: String) throws(JournalError) -> StoredPlan?

    /// An owner's plans in order of id, behind `id`, at most `limit`.
    func plans(of owner: String, after id: String, limit: Int) throws(JournalError) -> [StoredPlan]

    /// All plans in order of id, behind `id`, at most `limit`.
    func plans(after id: String, limit: Int) throws(JournalError) -> [StoredPlan]
}
