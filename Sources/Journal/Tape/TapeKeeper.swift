internal import Dispatch
internal import Glibc
package import Primitives

/// What happened to a tape's files, for the log.
package enum TapeEvent: Sendable, Equatable {
    /// Reading goes on in a new file; the old one is whole on the disk.
    case rotated(path: String)
    /// A segment is closed: bytes of text, bytes of the file.
    case closed(path: String, bytes: Int64, size: Int64)
    /// A segment is gone: it was older or more than what is kept.
    case removed(path: String, bytes: Int64)
    /// Closing or removing failed; the raw segment stays and it is tried again. Told once for each new reason.
    case failed(JournalError)
}

/// How much of a tape is kept.
package struct TapeRetention: Sendable, Equatable {
    /// Days of New York before that of the newest line; 0: all.
    package var keepDays: Int
    /// Bytes of all files; 0: all.
    package var keepBytes: Int64

    package init(keepDays: Int = 0, keepBytes: Int64 = 0) {
        self.keepDays = keepDays
        self.keepBytes = keepBytes
    }

    /// A closed segment, as retention sees it.
    package struct Segment: Sendable, Equatable {
        package var bytes: Int64
        /// Of its last line with one.
        package var lastN: Ordinal?
        package var lastDay: Int32

        package init(bytes: Int64, lastN: Ordinal?, lastDay: Int32) {
            self.bytes = bytes
            self.lastN = lastN
            self.lastDay = lastDay
        }
    }

    /// How many of the oldest segments may go: pure.
    ///
    /// `today` is the day of the newest line, `otherBytes` what isn't closed yet, `neededAfter` the ordinal behind which a
    /// restart reads: no segment with a later line goes, nor any behind it.
    package func surplus(_ segments: [Segment], today: Int32, otherBytes: Int64, neededAfter: Ordinal) -> Int {
        var total = segments.reduce(otherBytes) { $0 + $1.bytes }
        var count = 0
        for segment in segments {
            let isOld = keepDays > 0 && Int(segment.lastDay) < Int(today) - keepDays
            let isTooMuch = keepBytes > 0 && total > keepBytes
            guard isOld || isTooMuch, (segment.lastN ?? 0) <= neededAfter else { break }
            total -= segment.bytes
            count += 1
        }
        return count
    }
}

/// Closes the segments of a tape and removes those that needn't be kept, on a queue of its own.
///
/// It holds the directory's lock, and gives it back when its last work is done: a later writer never meets it at work.
/// Commits never wait for it. Any thread.
package final class TapeKeeper: @unchecked Sendable {
    // Owner of the unchecked state: `known`, `failure` and `owner` are the queue's; the rest is constant or locked.
    /// How it went so far.
    package struct Status: Sendable, Equatable {
        package var closed: Int64 = 0
        package var removed: Int64 = 0
        package var removedBytes: Int64 = 0
        package var failures: Int64 = 0
        /// Bytes of all files when it last looked.
        package var bytes: Int64 = 0

        package init() {}
    }

    private struct Wanted {
        var open = 0
        var newest = Instant.zero
        var neededAfter: Ordinal = 0
        var status = Status()
        var isAsked = false
        /// The directory is another's, or will be as soon as the queue is done with the segment that it is at.
        var isEnded = false
    }

    private let directory: String
    private let level: Int32
    private let retention: TapeRetention
    private let told: @Sendable (TapeEvent) -> Void
    private let queue = DispatchQueue(label: "tape-keeper", qos: .utility)
    private let wanted = Lock(Wanted())
    private var known: [Int: TapeIndex] = [:]
    private var failure: JournalError?
    private var owner: TapeOwner?

    init(
        directory: String,
        owner: TapeOwner,
        level: Int32,
        retention: TapeRetention,
        told: @escaping @Sendable (TapeEvent) -> Void
    ) {
        self.directory = directory
        self.owner = owner
        self.level = level
        self.retention = retention
        self.told = told
    }

    package var status: Status { wanted.withLock { $0.status } }

    /// A restart reads behind this ordinal: earlier segments may go, if they needn't be kept otherwise; until then none.
    package func needs(after n: Ordinal) {
        wanted.withLock { $0.neededAfter = n }
        ask()
    }

    /// Segment `open` is written now; all earlier ones are to be closed.
    func opened(_ open: Int, newest: Instant) {
        wanted.withLock {
            $0.open = open
            $0.newest = max($0.newest, newest)
        }
        ask()
    }

    func tell(_ event: TapeEvent) { told(event) }

    private func ask() {
        let isFirst = wanted.withLock { wanted in
            defer { wanted.isAsked = true }
            return !wanted.isAsked
        }
        if isFirst { queue.async { self.run() } }
    }

    /// Waits until what was asked is done, closes the segment that was open, and gives the directory back.
    ///
    /// - Returns: why it couldn't be closed; it stays raw then.
    func finish() -> JournalError? {
        queue.sync {
            wanted.withLock { $0.open += 1 }
            run()
            wanted.withLock { $0.isEnded = true }
            owner = nil
            return failure
        }
    }

    /// Gives the directory back behind the segment that is being closed now; what else was asked stays undone.
    ///
    /// Doesn't wait.
    func abandon() {
        wanted.withLock { $0.isEnded = true }
        queue.async { self.owner = nil }
    }

    private var isEnded: Bool { wanted.withLock { $0.isEnded } }

    private func run() {
        let (open, newest, neededAfter) = wanted.withLock { wanted in
            wanted.isAsked = false
            return (wanted.open, wanted.newest, wanted.neededAfter)
        }
        guard !isEnded else { return }
        do throws(JournalError) {
            try closeAll(before: open)
            try removeSurplus(open: open, newest: newest, neededAfter: neededAfter)
            failure = nil
        } catch {
            wanted.withLock { $0.status.failures += 1 }
            if failure != error { told(.failed(error)) }
            failure = error
        }
    }

    private func closeAll(before open: Int) throws(JournalError) {
        for name in try Files.names(in: directory) where name.hasSuffix(".jsonl.zst.tmp") {
            try Files.remove("\(directory)/\(name)")
        }
        var before = TapeIndex.Before()
        for (segment, path) in try TapeSegment.list(in: directory) where segment.number < open {
            guard !isEnded else { return }
            if path == segment.rawPath, !(try segment.settle()) {
                if let index = try segment.pack(level: level, before: before) {
                    known[segment.number] = index
                    wanted.withLock { $0.status.closed += 1 }
                    let size = Files.size(segment.compressedPath) ?? 0
                    told(.closed(path: segment.compressedPath, bytes: index.bytes, size: size))
                }
            }
            guard Files.size(segment.compressedPath) != nil else { continue }
            before = try index(of: segment).after
        }
    }

    private func index(of segment: TapeSegment) throws(JournalError) -> TapeIndex {
        if let index = known[segment.number] { return index }
        var index: TapeIndex
        do throws(JournalError) { index = try segment.index() } catch  where error.code != .unreadable {
            // Damaged later: what is after it is closed all the same; `tape verify` tells.
            index = TapeIndex()
            index.span.lastN = .max
        }
        index.blocks = []
        known[segment.number] = index
        return index
    }

    private func removeSurplus(open: Int, newest: Instant, neededAfter: Ordinal) throws(JournalError) {
        var closed: [(segment: TapeSegment, kept: TapeRetention.Segment)] = []
        var otherBytes: Int64 = 0
        var latest = newest
        for (segment, path) in try TapeSegment.list(in: directory) {
            let bytes = Files.size(path) ?? 0
            guard segment.number < open, path == segment.compressedPath else {
                otherBytes += bytes
                continue
            }
            let span = try index(of: segment).span
            latest = max(latest, span.lastTime ?? latest)
            let day = NewYorkDay.of(span.lastTime ?? .zero)
            closed.append((segment, TapeRetention.Segment(bytes: bytes, lastN: span.lastN, lastDay: day)))
        }
        let count = retention.surplus(
            closed.map(\.kept),
            today: NewYorkDay.of(latest),
            otherBytes: otherBytes,
            neededAfter: neededAfter
        )
        for (segment, kept) in closed.prefix(count) {
            guard !isEnded else { return }
            try Files.remove(segment.compressedPath)
            try Files.syncDirectory(directory)
            known[segment.number] = nil
            wanted.withLock {
                $0.status.removed += 1
                $0.status.removedBytes += kept.bytes
            }
            told(.removed(path: segment.compressedPath, bytes: kept.bytes))
        }
        let total = closed.dropFirst(count).reduce(otherBytes) { $0 + $1.kept.bytes }
        wanted.withLock { $0.status.bytes = total }
    }
}
