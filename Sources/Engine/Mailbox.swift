internal import Glibc
internal import MarketData
internal import Primitives

/// The bounded queue between the ingest point and a shard.
///
/// Policy when full: the writer waits (counted as a stall). Nothing is dropped or merged; the socket's own buffer and
/// then the provider feel it. One writer, one reader, any threads.
final class Mailbox: @unchecked Sendable {
    // Owner of the unchecked state: `mutex` guards everything below it.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let hasRoom = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// Batches that end with a control: what came later must not be applied before it.
    private var closed: [InputBatch] = []
    private var closedInputs = 0
    private var pending = InputBatch()
    private var isDraining = false
    private var stalls = 0

    /// Inputs that wait at most.
    let limit: Int

    init(limit: Int) {
        self.limit = limit
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(hasRoom, nil)
        pending.inputs.reserveCapacity(limit)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(hasRoom)
        mutex.deallocate()
        hasRoom.deallocate()
    }

    /// What a post leaves its writer to do.
    enum PostResult {
        /// The reader was asleep: wake it.
        case wake
        /// The reader is at work and will see it.
        case seen
        /// Nothing was posted and the reader is idle: it has passed everything.
        case idle
    }

    /// How often a writer had to wait for room.
    var stallCount: Int {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return stalls
    }

    /// Appends a batch; waits while there's no room for it.
    func post(_ batch: borrowing InputBatch) -> PostResult {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        if batch.isEmpty {
            pending.through = max(pending.through, batch.through)
            return isDraining ? .seen : .idle
        }
        if isTooFull(for: batch) {
            stalls += 1
            while isTooFull(for: batch) { pthread_cond_wait(hasRoom, mutex) }
        }
        pending.append(batch)
        if !batch.controls.isEmpty { close() }
        if isDraining { return .seen }
        isDraining = true
        return .wake
    }

    /// Swaps what waits for the reader's emptied batch; false ends the drain: nothing waited.
    func take(into batch: inout InputBatch) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        if !closed.isEmpty {
            batch = closed.removeFirst()
            closedInputs -= batch.inputs.count
            pthread_cond_signal(hasRoom)
            return true
        }
        let through = pending.through
        if pending.isEmpty, through <= batch.through {
            isDraining = false
            return false
        }
        batch.removeAll()
        swap(&pending, &batch)
        pending.through = through
        pthread_cond_signal(hasRoom)
        return true
    }

    private func isTooFull(for batch: borrowing InputBatch) -> Bool {
        let waiting = closedInputs + pending.inputs.count
        return waiting > 0 && waiting + batch.inputs.count > limit
    }

    private func close() {
        closed.append(pending)
        closedInputs += pending.inputs.count
        pending.removeAll()
    }
}
