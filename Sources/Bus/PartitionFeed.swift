internal import Wire

/// Which durable message of a partition is sent to the bus next, and from where; pure.
///
/// Three sources, in order of sequence: what the commit log still holds and memory doesn't, the bounded tail of what was
/// released, and what didn't fit the tail (the commit log again). One cursor, `next`, goes through them; a bus that
/// misses something only sets it back. Every sequence accepted is confirmed by the bus, or reported as lost.
struct PartitionFeed {
    /// The limits of one partition.
    struct Limits {
        var window: Int
        var tailMessages: Int
        var tailBytes: Int
        var page: Int
        /// Entries that the bus keeps: an empty log is filled with that many.
        var logEntries: Int
    }

    /// A message to send.
    struct Sending {
        var message: Envelope
        /// The top of the log that this message replaces.
        var replacing: Int64?
        /// Comes from the commit log, or was sent before.
        var isRefill: Bool
        /// Was on the bus before: isn't published again.
        var wasShown: Bool
        var generation: UInt32
    }

    /// What to do next.
    enum Step {
        case send(Sending)
        /// Read the commit log from this sequence on, at most so many; then `read(_:generation:)`.
        case read(from: Int64, limit: Int, generation: UInt32)
        case nothing
    }

    /// What came of the top that the bus said.
    enum TopOutcome: Equatable {
        case accepted
        /// The bus holds more of this epoch than the commit log: nothing can be appended until there is a new epoch.
        case ahead(ClosedRange<Int64>)
    }

    private let limits: Limits
    /// Every sequence up to here is on the bus, as far as this connection knows.
    private(set) var acked: Int64 = 0
    private(set) var next: Int64 = 1
    /// The top that the bus's log must have, as far as the answers go.
    private(set) var knownTop: Int64 = 0
    /// The highest sequence accepted.
    private(set) var newest: Int64 = 0
    /// Every sequence up to here was published at some time.
    private var shown: Int64 = 0
    /// Released and not yet confirmed, without holes.
    private var tail: ArraySlice<Envelope> = []
    private var tailBytes = 0
    /// Read from the commit log and not yet sent.
    private var page: ArraySlice<Envelope> = []
    /// The last sequence that is left to the commit log before the tail takes over.
    private var logEnd: Int64 = 0
    private var isReading = false
    /// Answers to what was sent in an earlier generation don't count.
    private(set) var generation: UInt32 = 0
    private var replacing: Int64?
    /// The feed has caught up once this sequence is confirmed.
    private var target: Int64 = 0
    /// Sequences below this were sent before, or come from the commit log.
    private var refillEnd: Int64 = 0
    /// Losses up to here were told.
    private var lostEnd: Int64 = 0
    private(set) var isOnline = false
    /// Durable messages that weren't kept in memory.
    private(set) var spilled: Int64 = 0

    init(limits: Limits) { self.limits = limits }

    /// Whether the bus lacks something that it should have: conflatable messages that rest on it must not pass.
    var isBehind: Bool { !isOnline || acked < target }

    /// Whether nothing more is sent until the bus confirms.
    var isWindowFull: Bool { next - 1 - acked >= Int64(limits.window) }

    /// Whether everything accepted was sent.
    var isDrained: Bool { isOnline && next > newest }

    var pending: Int64 { max(0, newest - acked) }

    // MARK: Events

    /// The commit log's last sequence, once, before anything is released.
    mutating func began(at last: Int64) {
        newest = max(newest, last)
        acked = newest
        next = newest + 1
        target = newest
    }

    /// The engine released a durable message.
    ///
    /// - Returns: false where it was accepted before.
    mutating func released(_ message: Envelope) -> Bool {
        let sequence = message.partitionSequence
        guard sequence > newest else { return false }
        let follows: Bool =
            if let last = tail.last { last.partitionSequence == newest } else { next > newest || logEnd == newest }
        let isKept =
            sequence == newest + 1 && follows && tail.count < limits.tailMessages
            && tailBytes + message.bytes.count <= limits.tailBytes
        newest = sequence
        if isKept {
            tail.append(message)
            tailBytes += message.bytes.count
        } else {
            spilled += 1
            target = newest
        }
        return true
    }

    /// Messages up to this sequence were released and not kept.
    mutating func spilled(upTo sequence: Int64) {
        guard sequence > newest else { return }
        spilled += sequence - newest
        newest = sequence
        target = newest
    }

    /// The connection was lost: what was sent and not confirmed is unknown.
    mutating func wentOffline() {
        isOnline = false
        generation += 1
        page = []
        isReading = false
    }

    /// The bus said what the top of its log is.
    ///
    /// - Parameters:
    ///   - top: the sequence of the log's last entry, 0 where it is empty.
    ///   - isOtherEpoch: the log there is of another epoch than the commit log, and is to be replaced.
    /// - Returns: whether the feed can go on from there.
    mutating func foundTop(_ top: Int64, isOtherEpoch: Bool) -> TopOutcome {
        if !isOtherEpoch, top > newest {
            isOnline = false
            return .ahead((newest + 1)...top)
        }
        generation += 1
        page = []
        isReading = false
        logEnd = 0
        isOnline = true
        knownTop = top
        refillEnd = next
        if top == 0 || isOtherEpoch {
            // An empty log begins where its length allows; the first message says that it knows.
            next = max(1, newest - Int64(limits.logEntries) + 1)
            acked = next - 1
            replacing = next > 1 || isOtherEpoch ? top : nil
        } else {
            next = top + 1
            acked = top
            replacing = nil
            shown = max(shown, top)
        }
        target = newest
        dropConfirmed()
        return .accepted
    }

    /// The bus has the message; a duplicate counts as well.
    mutating func confirmed(_ sequence: Int64, generation: UInt32) {
        guard generation == self.generation, sequence > acked else { return }
        acked = sequence
        knownTop = sequence
        shown = max(shown, sequence)
        dropConfirmed()
    }

    /// The commit log gave these.
    ///
    /// - Returns: the sequences that it can't give any more.
    mutating func read(_ messages: [Envelope], generation: UInt32) -> ClosedRange<Int64>? {
        guard generation == self.generation, isReading else { return nil }
        isReading = false
        page = messages.drop { $0.partitionSequence < next }.prefix { $0.partitionSequence <= logEnd }[...]
        let first = page.first?.partitionSequence ?? logEnd + 1
        guard first > next else { return nil }
        let missing = next...(first - 1)
        // The log jumps: what follows takes the place of what came before, so that the bus's log has no silent hole.
        replacing = replacing ?? (next - 1)
        next = first
        defer { lostEnd = max(lostEnd, missing.upperBound) }
        return missing.upperBound > lostEnd ? max(missing.lowerBound, lostEnd + 1)...missing.upperBound : nil
    }

    /// The commit log couldn't be read; it will be asked again at the next step.
    mutating func readFailed(generation: UInt32) {
        guard generation == self.generation else { return }
        isReading = false
    }

    // MARK: The cursor

    /// What to do next; again until it says nothing.
    mutating func step() -> Step {
        guard isOnline, next <= newest else { return .nothing }
        guard !isWindowFull else {
            // What rests on these must wait as well, so it is dropped: the engine repeats it once this has caught up.
            target = max(target, newest)
            return .nothing
        }
        if let first = tail.first?.partitionSequence, next >= first, next - first < Int64(tail.count) {
            return .send(sending(tail[tail.startIndex + Int(next - first)], fromLog: false))
        }
        if let message = page.first, message.partitionSequence == next {
            page = page.dropFirst()
            return .send(sending(message, fromLog: true))
        }
        guard !isReading else { return .nothing }
        let tailStart = tail.first?.partitionSequence ?? 0
        logEnd = tailStart > next ? tailStart - 1 : newest
        isReading = true
        let limit = Int(min(Int64(limits.page), logEnd - next + 1))
        return .read(from: next, limit: limit, generation: generation)
    }

    private mutating func sending(_ message: Envelope, fromLog: Bool) -> Sending {
        let sending = Sending(
            message: message,
            replacing: replacing,
            isRefill: fromLog || next < refillEnd,
            wasShown: next <= shown,
            generation: generation
        )
        replacing = nil
        next += 1
        return sending
    }

    private mutating func dropConfirmed() {
        while let first = tail.first, first.partitionSequence <= acked {
            tailBytes -= first.bytes.count
            tail = tail.dropFirst()
        }
        // A slice keeps what was dropped until it is reallocated.
        if tail.isEmpty { tail.removeAll(keepingCapacity: true) }
    }
}
