internal import Glibc
package import MarketData
package import Primitives
package import Wire

/// Writes the numbered inputs to the open segment of a tape directory, one segment after another.
///
/// The ingest thread appends (a copy into a buffer, no allocation after warm-up); the storage thread makes lines of what
/// waits, hands them to the kernel (`flush`) and to the disk (`sync`), and begins a new segment with each day of New York
/// and at a size; a queue of its own closes the old one (`TapeKeeper`). On a full or broken disk what waits is kept and
/// written later; beyond `Limits.pending` lines are lost and counted. Any thread.
package final class TapeWriter: @unchecked Sendable {
    /// What may wait.
    package struct Limits: Sendable {
        /// Bytes of inputs: from here the appending thread writes itself, and with a broken disk lines are lost.
        package var pending: Int
        /// zstd level of a closed segment.
        package var level: Int32
        /// Bytes of text at which a segment ends.
        package var segmentBytes: Int64
        package var retention: TapeRetention
        /// Whether an appending thread writes itself when `pending` is reached, or the line is lost at once: what must never
        /// make the feed thread wait for a disk.
        package var waits: Bool

        package init(
            pending: Int = 64 << 20,
            level: Int32 = 3,
            segmentBytes: Int64 = 256 << 20,
            retention: TapeRetention = TapeRetention(),
            waits: Bool = true
        ) {
            self.pending = pending
            self.level = level
            self.segmentBytes = segmentBytes
            self.retention = retention
            self.waits = waits
        }
    }

    /// How it went so far.
    package struct Status: Sendable, Equatable {
        /// Lines handed to the kernel.
        package var lines: Int64 = 0
        /// Bytes of the open segment.
        package var bytes: Int64 = 0
        /// Segments begun since the start, the first not counted.
        package var rotations: Int64 = 0
        /// Lines given up because the disk took none.
        package var lostLines: Int64 = 0
        /// Writes and syncs that failed.
        package var failures: Int64 = 0
        /// The failure that holds now, nil where all is well.
        package var failure: JournalError?

        package init() {}
    }

    /// What was found in the directory.
    package struct Recovery: Sendable, Equatable {
        /// The open segment was already there.
        package var isContinued = false
        /// Bytes behind the last good line, cut off.
        package var droppedBytes: Int64 = 0
        /// Where they are kept if they were more than one torn line.
        package var keptAside: String?
        /// Of the last good line of the open segment.
        package var lastOrdinal: Ordinal?
        package var lastTime: Instant?
        /// Of its first line.
        package var identity: TapeReader.Identity?
    }

    /// Encoded lines on their way to the kernel; guarded by the storage lock.
    private struct Storage {
        var inputs = TapeInputs()
        var text: [UInt8] = []
        var written = 0
        var lines: Int64 = 0
        var segment: TapeSegment
        var pace: TapePace
        /// The first line of every segment.
        var meta: TapeMeta?
        var status = Status()
        var isClosed = false
        /// Once the kernel has failed to sync, a later success says nothing about what it dropped: it stays.
        var syncFailure: JournalError?
    }

    private struct Waiting {
        var inputs = TapeInputs()
        var lost: Int64 = 0
    }

    /// Bytes of text handed to the kernel at once.
    private static let chunk = 1 << 18
    /// How long a start waits for a former writer of the same directory: about the time that closing a segment takes.
    private static let ownerWaitMillis = 10_000

    private let limits: Limits
    private let waiting: Lock<Waiting>
    private let storage: StorageBox
    /// Closes segments and removes old ones.
    package let keeper: TapeKeeper
    /// What was found at the start.
    package let recovery: Recovery

    // Owner of the unchecked state: `mutex`, held around every use of `value`; held through writes, which block.
    private final class StorageBox: @unchecked Sendable {
        private let mutex: UnsafeMutablePointer<pthread_mutex_t>
        private var value: Storage
        private var handle: File

        init(_ value: Storage, _ handle: consuming File) {
            self.value = value
            self.handle = handle
            mutex = .allocate(capacity: 1)
            let status = pthread_mutex_init(mutex, nil)
            precondition(status == 0, "pthread_mutex_init failed: \(status)")
        }

        deinit {
            pthread_mutex_destroy(mutex)
            mutex.deallocate()
        }

        func with<Result>(_ body: (inout Storage, inout File) -> Result) -> Result {
            pthread_mutex_lock(mutex)
            defer { pthread_mutex_unlock(mutex) }
            return body(&value, &handle)
        }
    }

    /// Opens the newest open segment of a directory and cuts off what is torn, or begins a new one.
    ///
    /// - Parameters:
    ///   - directory: made where it isn't there; this writer's alone until it is closed, abandoned or gone.
    ///   - limits: what may wait, and what is kept.
    ///   - trusted: lines up to this ordinal needn't be looked at again.
    ///   - told: hears of files closed and removed, on the keeper's queue.
    /// - Throws: `unreadable`, `unwritable`, the latter also where another writer has the directory: after 10 s, or at once
    ///   where `Limits.waits` is false.
    package init(
        directory: String,
        limits: Limits = Limits(),
        trusted: Ordinal? = nil,
        told: @escaping @Sendable (TapeEvent) -> Void = { _ in }
    ) throws(JournalError) {
        self.limits = limits
        try Files.makeDirectory(directory)
        let owner = try TapeOwner(directory, waitMillis: limits.waits ? Self.ownerWaitMillis : 0)
        let opened = try TapeSegment.openNewest(in: directory, trusted: trusted)
        recovery = opened.recovery
        waiting = Lock(Waiting())
        let handle = try File(opened.segment.rawPath, flags: O_WRONLY | O_APPEND | O_CREAT)
        try Files.syncDirectory(directory)
        var value = Storage(segment: opened.segment, pace: TapePace(segmentBytes: limits.segmentBytes))
        value.status.bytes = try handle.size()
        if value.status.bytes > 0 {
            value.pace.resume(try Self.firstTime(opened.segment.rawPath), last: recovery.lastTime)
        }
        keeper = TapeKeeper(
            directory: directory,
            owner: owner,
            level: limits.level,
            retention: limits.retention,
            told: told
        )
        keeper.opened(opened.segment.number, newest: recovery.lastTime ?? .zero)
        storage = StorageBox(value, handle)
    }

    deinit { keeper.abandon() }

    /// The time of the first line that belongs to a day, else of any input; nil where there is none.
    private static func firstTime(_ path: String) throws(JournalError) -> Instant? {
        let reader = TapeReader([path], policy: .skipLine)
        var found: Instant?
        while let line = try reader.next() {
            if case .meta = line { continue }
            found = line.time
            if line.time > Instant(nanos: 40_000_000_000_000_000) { break }
        }
        return found
    }

    /// The open segment's path.
    package var path: String { storage.with { value, _ in value.segment.rawPath } }

    package var status: Status {
        let lost = waiting.withLock { $0.lost }
        return storage.with { value, _ in
            var status = value.status
            status.lostLines = lost
            return status
        }
    }

    /// The first line of a run, and of each segment that it begins later.
    package func begin(_ meta: TapeMeta, at time: Instant) {
        goOn(meta)
        append(.meta, n: 0, time: time, payload: TapeEncoder.meta(meta))
    }

    /// The first line of each segment begun later, on a tape that is gone on with.
    package func goOn(_ meta: TapeMeta) { storage.with { value, _ in value.meta = meta } }

    /// A frame as received; `n` is that of its first event.
    package func frame(_ bytes: UnsafeRawBufferPointer, n: Ordinal, source: FeedSource, at time: Instant) {
        append(.frame, source: source, n: n, time: time, payload: bytes)
    }

    package func clock(n: Ordinal, at time: Instant) {
        append(.clock, n: n, time: time, payload: UnsafeRawBufferPointer(start: nil, count: 0))
    }

    package func command(_ command: Command, n: Ordinal, at time: Instant) {
        append(.command, n: n, time: time, payload: TapeEncoder.command(command))
    }

    /// A feed's state, or the bus's (`bus`).
    package func feed(source: String, state: FeedState, cause: String, n: Ordinal, at time: Instant) {
        append(.feed, n: n, time: time, payload: TapeEncoder.feed(source, state, cause))
    }

    package func rest(source: String, url: String, body: [UInt8], n: Ordinal, at time: Instant) {
        append(.rest, n: n, time: time, payload: TapeEncoder.rest(source, url, body))
    }

    // MARK: Lines on their way

    private func append(_ kind: TapeInputs.Head.Kind, n: Ordinal, time: Instant, payload: [UInt8]) {
        payload.withUnsafeBytes { append(kind, n: n, time: time, payload: $0) }
    }

    private func append(
        _ kind: TapeInputs.Head.Kind,
        source: FeedSource = .stocks,
        n: Ordinal,
        time: Instant,
        payload: UnsafeRawBufferPointer
    ) {
        let isFull = waiting.withLock { box in
            if box.inputs.size + payload.count > limits.pending { return true }
            box.inputs.append(kind, source: source, n: n, time: time, payload: payload)
            return false
        }
        guard isFull else { return }
        guard limits.waits else {
            waiting.withLock { $0.lost += 1 }
            return
        }
        // The storage thread is behind: this thread writes, and if the disk takes nothing the line is lost.
        flush()
        waiting.withLock { box in
            guard box.inputs.size + payload.count <= limits.pending else {
                box.lost += 1
                return
            }
            box.inputs.append(kind, source: source, n: n, time: time, payload: payload)
        }
    }

    /// Hands every line appended before to the kernel: it survives the end of this process.
    ///
    /// - Returns: why not, where some weren't taken; they are kept for the next call.
    @discardableResult
    package func flush() -> JournalError? {
        storage.with { value, handle in drain(&value, &handle) }
    }

    /// `flush`, and waits until the disk has them: they survive the end of the machine.
    @discardableResult
    package func sync() -> JournalError? {
        storage.with { value, handle in
            if let error = drain(&value, &handle) { return error }
            return put(&value, handle)
        }
    }

    private func drain(_ value: inout Storage, _ handle: inout File) -> JournalError? {
        guard !value.isClosed else { return nil }
        while true {
            if let error = writeText(&value, handle) { return error }
            value.pace.fileBytes = value.status.bytes
            let lines = value.inputs.encode(into: &value.text, limit: Self.chunk, pace: &value.pace)
            if lines > 0 {
                value.lines = lines
                continue
            }
            if value.inputs.nextHead != nil {
                if let error = rotate(&value, &handle) { return error }
                continue
            }
            value.inputs.removeAll()
            waiting.withLock { box in swap(&box.inputs, &value.inputs) }
            guard value.inputs.size > 0 else { return nil }
        }
    }

    /// Begins the next segment; where that fails the old one goes on.
    ///
    /// The old one is put on the disk first: later syncs are of the new one only.
    private func rotate(_ value: inout Storage, _ handle: inout File) -> JournalError? {
        if let error = put(&value, handle) { return error }
        let next = TapeSegment(directory: value.segment.directory, number: value.segment.number + 1)
        do throws(JournalError) {
            let opened = try File(next.rawPath, flags: O_WRONLY | O_APPEND | O_CREAT | O_EXCL)
            try Files.syncDirectory(next.directory)
            handle = opened
        } catch {
            value.status.failures += 1
            value.pace.postpone()
            keeper.tell(.failed(error))
            return nil
        }
        value.segment = next
        value.status.bytes = 0
        value.status.rotations += 1
        value.pace.rotated()
        if let meta = value.meta {
            let payload = TapeEncoder.meta(meta)
            let head = TapeInputs.Head(meta: payload.count, time: value.pace.lastTime)
            payload.withUnsafeBytes { TapeEncoder.append(head, $0, to: &value.text) }
            value.lines = 1
        }
        keeper.tell(.rotated(path: next.rawPath))
        keeper.opened(next.number, newest: value.pace.lastTime)
        return nil
    }

    /// Waits until the disk has what the kernel has.
    private func put(_ value: inout Storage, _ handle: borrowing File) -> JournalError? {
        if let error = value.syncFailure { return error }
        guard let error = handle.syncData() else { return nil }
        value.syncFailure = error
        value.status.failures += 1
        value.status.failure = error
        return error
    }

    private func writeText(_ value: inout Storage, _ handle: borrowing File) -> JournalError? {
        guard value.written < value.text.count else { return nil }
        let (count, error) = value.text.withUnsafeBytes {
            handle.write(UnsafeRawBufferPointer(rebasing: $0[value.written...]))
        }
        value.written += count
        value.status.bytes += Int64(count)
        value.status.failure = error
        guard error == nil else {
            value.status.failures += 1
            return error
        }
        value.text.removeAll(keepingCapacity: true)
        value.written = 0
        value.status.lines += value.lines
        return nil
    }

    /// Writes what waits and makes the segment a compressed one; the writer takes nothing afterwards.
    ///
    /// - Returns: why not; the raw segment stays then and is gone on with at the next start.
    @discardableResult
    package func close() -> JournalError? {
        if let error = sync() { return error }
        let wasOpen = storage.with { value, _ in
            defer { value.isClosed = true }
            return !value.isClosed
        }
        guard wasOpen else { return nil }
        guard let error = keeper.finish() else { return nil }
        storage.with { value, _ in value.status.failure = error }
        return error
    }

    /// Leaves the directory to the next writer as the end of this process would: what the kernel hasn't got is gone.
    ///
    /// Doesn't wait. The keeper finishes the segment that it is closing now; until then the next writer waits.
    package func abandon() {
        storage.with { value, _ in value.isClosed = true }
        keeper.abandon()
    }
}
