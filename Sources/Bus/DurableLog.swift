package import Wire

/// The engine's commit log as the bus sees it: what a bus that lost messages is filled from.
///
/// Journal implements it. Calls come on a thread of the bus that may wait for the disk.
package protocol DurableLog: AnyObject, Sendable {
    /// The epoch of the log; another value than before says that the log was lost and a new one began.
    var epoch: String { get }

    /// The sequence of the partition's last committed message; 0 where there is none.
    func lastSequence(of partition: Int) -> Int64

    /// Committed messages of the partition, in order of sequence, the first being `from` or the oldest kept after it.
    ///
    /// - Parameters:
    ///   - partition: 0 to 15.
    ///   - from: the first sequence wanted, at least 1.
    ///   - limit: how many at most.
    /// - Returns: fewer than `limit`, or none, where the log ends.
    /// - Throws: what hindered the reading; the bus asks again later.
    func messages(of partition: Int, from: Int64, limit: Int) throws -> [Envelope]
}

/// Durable messages that the commit log can't give any more: the channels in them have a gap that the engine must
/// declare (a new epoch, or a note).
package struct DurableLoss: Sendable, Equatable {
    package var partition: Int
    /// The sequences that are missing.
    package var sequences: ClosedRange<Int64>
    package var cause: String

    package init(partition: Int, sequences: ClosedRange<Int64>, cause: String) {
        self.partition = partition
        self.sequences = sequences
        self.cause = cause
    }
}

/// An entry of the bus's durable log, as resume reads it.
package struct LogEntry: Sendable, Equatable {
    package var sequence: Int64
    package var channel: Channel
    package var offset: Int64
    /// The fencing token of the engine that wrote it.
    package var fence: Int64
    /// The envelope's JSON text.
    package var bytes: [UInt8]

    package init(sequence: Int64, channel: Channel, offset: Int64, fence: Int64, bytes: [UInt8]) {
        self.sequence = sequence
        self.channel = channel
        self.offset = offset
        self.fence = fence
        self.bytes = bytes
    }
}

/// A bus whose durable log can be read.
package protocol BusLogReader: AnyObject, Sendable {
    /// Entries of a partition from a sequence on, in order; empty where there are none (yet).
    func log(of partition: Int, from: Int64, limit: Int) async throws(BusError) -> [LogEntry]
}
