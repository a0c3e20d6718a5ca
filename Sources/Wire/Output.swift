package import Primitives

/// The position among the outputs of one input (docs/decisions/0004).
package typealias OutputIndex = UInt64

/// How a message travels.
package enum OutputClass: UInt8, Sendable {
    /// Numbered without holes and committed before anyone sees it.
    case durable
    /// Only the newest value of each field counts.
    case conflatable
    /// A channel's whole value, for readers that join: replaces the hot state, isn't published and isn't in a digest.
    case state
    /// The answer to the command whose id stands in place of the channel.
    case reply
    /// What a core wants to know, for whoever runs the engine: bars of a gap. The channel is the symbol.
    case request
}

/// The outputs of a run of inputs of one shard, in order of (`n`, index).
///
/// One arena for all texts, so that a batch costs no allocation once its buffers have grown.
package struct OutputBatch: Sendable {
    /// One output; `channel` and `payload` are ranges of `bytes`.
    package struct Record: Sendable {
        /// The ordinal of the input that caused it.
        package var n: Ordinal
        /// The position among the outputs of that input: the core's number in the upper half, a count in the lower.
        package var index: OutputIndex
        package var type: MessageType
        package var outputClass: OutputClass
        /// The event's time, or the boundary of a timer.
        package var time: Instant
        package var channel: Range<Int>
        /// The JSON object `d`.
        package var payload: Range<Int>
    }

    package private(set) var records: [Record] = []
    package var bytes: [UInt8] = []

    package init() {}

    package var isEmpty: Bool { records.isEmpty }

    /// Appends an output whose channel name and payload the closures write.
    package mutating func append(
        n: Ordinal,
        index: OutputIndex,
        type: MessageType,
        outputClass: OutputClass,
        time: Instant,
        channel: (inout [UInt8]) -> Void,
        payload: (inout [UInt8]) -> Void
    ) {
        let start = bytes.count
        channel(&bytes)
        let middle = bytes.count
        payload(&bytes)
        records.append(
            Record(
                n: n,
                index: index,
                type: type,
                outputClass: outputClass,
                time: time,
                channel: start..<middle,
                payload: middle..<bytes.count
            )
        )
    }

    /// Appends a copy of another batch's record.
    package mutating func append(_ record: Record, of other: OutputBatch) {
        var copy = record
        let start = bytes.count
        bytes.append(contentsOf: other.bytes[record.channel])
        let middle = bytes.count
        bytes.append(contentsOf: other.bytes[record.payload])
        copy.channel = start..<middle
        copy.payload = middle..<bytes.count
        records.append(copy)
    }

    /// The channel's name of a record (the command's id for a reply).
    package func channelName(_ record: Record) -> String { String(decoding: bytes[record.channel], as: UTF8.self) }

    /// Sorts by (`n`, index): slices of several symbols meet here.
    package mutating func sort() {
        records.sort { ($0.n, $0.index) < ($1.n, $1.index) }
    }

    package mutating func removeAll() {
        records.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: true)
    }
}

/// What the shards hand their outputs to; the Sequencer implements it.
package protocol OutputSink: AnyObject, Sendable {
    /// Takes a shard's outputs and the ordinal up to which the shard has applied every input of its own.
    ///
    /// Any thread; batches of one shard come in order. May block the caller while the sink is full: outputs are never
    /// dropped.
    func post(_ batch: OutputBatch, shard: Int, passed: Ordinal)
}
