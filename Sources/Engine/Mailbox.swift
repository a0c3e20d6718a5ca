internal import Glibc
internal import MarketData
internal import Primitives

/// The bounded queue between the ingest point and a shard.
///
/// Batches pass by swapping buffers, emptied ones come back; small ones that wait grow together up to `batchLimit`, so
/// that the reader never gets more than its cache holds. Policy when full: the writer waits (counted as a stall).
/// Nothing is dropped or merged; the socket's own buffer and then the provider feel it. One writer, one reader, any
/// threads.
final class Mailbox: @unchecked Sendable {
    // Owner of the unchecked state: `mutex` guards everything below it.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let hasRoom = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// In order of posting; one with a control ends there, because what came later must not be applied before it.
    private var waiting: [InputBatch] = []
    private var waitingInputs = 0
    /// Emptied buffers; the last used is the next, while the caches still hold it.
    private var spare: [InputBatch] = []
    /// The newest ordinal that a post told of, with inputs or without.
    private var through: Ordinal = 0
    private var isDraining = false
    private var stalls = 0

    /// Inputs that wait at most.
    let limit: Int
    /// Inputs that batches grow together to at most.
    private let batchLimit: Int

    init(limit: Int, batchLimit: Int) {
        self.limit = limit
        self.batchLimit = batchLimit
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(hasRoom, nil)
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

    /// Takes a batch and gives back an empty one; waits while there's no room for it.
    func post(_ batch: inout InputBatch) -> PostResult {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        if batch.isEmpty {
            through = max(through, batch.through)
            return isDraining ? .seen : .idle
        }
        if isTooFull(for: batch) {
            stalls += 1
            while isTooFull(for: batch) { pthread_cond_wait(hasRoom, mutex) }
        }
        // Not before there's room: the reader passes what it's told of.
        through = max(through, batch.through)
        waitingInputs += batch.inputs.count
        if let last = waiting.indices.last, waiting[last].controls.isEmpty,
            waiting[last].inputs.count + batch.inputs.count <= batchLimit
        {
            waiting[last].append(batch)
            batch.removeAll()
        } else {
            var empty = spare.popLast() ?? InputBatch()
            swap(&empty, &batch)
            waiting.append(empty)
        }
        if isDraining { return .seen }
        isDraining = true
        return .wake
    }

    /// Swaps the next batch for the reader's used one; false ends the drain: nothing waited.
    func take(into batch: inout InputBatch) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        if waiting.isEmpty, through <= batch.through {
            isDraining = false
            return false
        }
        batch.removeAll()
        if !waiting.isEmpty {
            var next = waiting.removeFirst()
            swap(&next, &batch)
            spare.append(next)
            waitingInputs -= batch.inputs.count
            pthread_cond_signal(hasRoom)
        }
        // What was told behind the last batch has passed with it.
        if waiting.isEmpty { batch.through = through }
        return true
    }

    private func isTooFull(for batch: borrowing InputBatch) -> Bool {
        waitingInputs > 0 && waitingInputs + batch.inputs.count > limit
    }
}
