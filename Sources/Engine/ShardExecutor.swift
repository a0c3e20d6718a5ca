internal import Glibc

/// One thread that runs the jobs of one shard's actors, in order.
///
/// All actors of a shard share it, so a call from one to another neither hops nor queues (25–70 ns). Jobs wait in an
/// unbounded list, but whoever makes them is bounded: one drain a shard and the control plane's few calls.
package final class ShardExecutor: SerialExecutor, TaskExecutor, @unchecked Sendable {
    // Owner of the unchecked state: `mutex` guards `jobs`, `isStopping` and `jobCount`; `thread` is set once in init.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [UnownedJob] = []
    private var isStopping = false
    private var enqueued = 0
    private var thread = pthread_t()
    private let name: String

    /// - Parameter name: Stands in messages about isolation.
    package init(name: String) {
        self.name = name
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        let box = Unmanaged.passRetained(self)
        let status = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<ShardExecutor>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            },
            box.toOpaque()
        )
        precondition(status == 0, "pthread_create failed: \(status)")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(condition)
        mutex.deallocate()
        condition.deallocate()
    }

    /// How many jobs were ever enqueued; a test holds the drains against it.
    package var jobCount: Int {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return enqueued
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pthread_mutex_lock(mutex)
        jobs.append(job)
        enqueued += 1
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    package func checkIsolated() {
        precondition(isCurrent, "not on the executor of \(name)")
    }

    package func isIsolatingCurrentContext() -> Bool? { isCurrent }

    /// Ends the thread once every job enqueued so far has run, and waits for it.
    package func stop() {
        pthread_mutex_lock(mutex)
        let wasStopping = isStopping
        isStopping = true
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
        if !wasStopping { pthread_join(thread, nil) }
    }

    private var isCurrent: Bool { pthread_equal(pthread_self(), thread) != 0 }

    private func run() {
        var batch: [UnownedJob] = []
        while true {
            pthread_mutex_lock(mutex)
            while jobs.isEmpty, !isStopping { pthread_cond_wait(condition, mutex) }
            swap(&batch, &jobs)
            pthread_mutex_unlock(mutex)
            if batch.isEmpty { return }
            for job in batch {
                job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
            }
            batch.removeAll(keepingCapacity: true)
        }
    }
}
