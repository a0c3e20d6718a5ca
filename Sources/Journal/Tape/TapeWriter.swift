internal import Glibc
package import MarketData
package import Primitives
package import Wire

/// Writes the numbered inputs to the open segment of a tape directory.
///
/// The ingest thread appends (a copy into a buffer, no allocation after warm-up); the storage thread makes lines of what
/// waits, hands them to the kernel (`flush`) and to the disk (`sync`). On a full or broken disk what waits is kept and
/// written later; beyond `Limits.pending` lines are lost and counted. Any thread.
package final class TapeWriter: @unchecked Sendable {
    /// What may wait.
    package struct Limits: Sendable {
        /// Bytes of inputs: from here the appending thread writes itself, and with a broken disk lines are lost.
        package var pending: Int
        /// zstd level of a closed segment.
        package var level: Int32

        package init(pending: Int = 64 << 20, level: Int32 = 3) {
            self.pending = pending
            self.level = level
        }
    }

    /// How it went so far.
    package struct Status: Sendable, Equatable {
        /// Lines handed to the kernel.
        package var lines: Int64 = 0
        package var bytes: Int64 = 0
        /// Lines given up because the disk took none.
        package var lostLines: Int64 = 0
        /// Writes and syncs that failed.
        package var failures: Int64 = 0
        /// The failure that holds now, nil where all is well.
        package var failure: JournalError?
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

    private let limits: Limits
    private let waiting: Lock<Waiting>
    private let storage: StorageBox
    /// What was found at the start.
    package let recovery: Recovery

    // Owner of the unchecked state: `mutex`, held around every use of `value`; held through writes, which block.
    private final class StorageBox: @unchecked Sendable {
        private let mutex: UnsafeMutablePointer<pthread_mutex_t>
        private var value: Storage
        private let handle: File

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

        func with<Result>(_ body: (inout Storage, borrowing File) -> Result) -> Result {
            pthread_mutex_lock(mutex)
            defer { pthread_mutex_unlock(mutex) }
            return body(&value, handle)
        }
    }

    /// Opens the newest open segment of a directory and cuts off what is torn, or begins a new one.
    ///
    /// - Throws: `unreadable`, `unwritable`.
    package init(directory: String, limits: Limits = Limits()) throws(JournalError) {
        self.limits = limits
        try Files.makeDirectory(directory)
        let opened = try TapeSegment.openNewest(in: directory)
        recovery = opened.recovery
        waiting = Lock(Waiting())
        let handle = try File(opened.segment.rawPath, flags: O_WRONLY | O_APPEND | O_CREAT)
        try Files.syncDirectory(directory)
        var value = Storage(segment: opened.segment)
        value.status.bytes = try handle.size()
        storage = StorageBox(value, handle)
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

    /// The first line of a run.
    package func begin(_ meta: TapeMeta, at time: Instant) {
        append(.meta, n: 0, time: time, payload: TapeEncoder.meta(meta))
    }

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
        storage.with { value, handle in drain(&value, handle) }
    }

    /// `flush`, and waits until the disk has them: they survive the end of the machine.
    @discardableResult
    package func sync() -> JournalError? {
        storage.with { value, handle in
            if let error = drain(&value, handle) { return error }
            if let error = value.syncFailure { return error }
            guard let error = handle.syncData() else { return nil }
            value.syncFailure = error
            value.status.failures += 1
            value.status.failure = error
            return error
        }
    }

    private func drain(_ value: inout Storage, _ handle: borrowing File) -> JournalError? {
        guard !value.isClosed else { return nil }
        while true {
            if let error = writeText(&value, handle) { return error }
            let lines = value.inputs.encode(into: &value.text, limit: Self.chunk)
            if lines > 0 {
                value.lines = lines
                continue
            }
            value.inputs.removeAll()
            waiting.withLock { box in swap(&box.inputs, &value.inputs) }
            guard value.inputs.size > 0 else { return nil }
        }
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
        return storage.with { value, _ in
            guard !value.isClosed else { return nil }
            value.isClosed = true
            do throws(JournalError) {
                try value.segment.compress(level: limits.level)
                return nil
            } catch {
                value.status.failure = error
                return error
            }
        }
    }
}
