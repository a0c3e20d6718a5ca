internal import Glibc

/// A mutex around a value, with two conditions: for the one thread that works, and for those who wait for it.
///
/// `Primitives.Lock` with waiting. Any thread.
final class Monitor<Value>: @unchecked Sendable {
    /// Who waits.
    enum Condition {
        /// The working thread, for work.
        case work
        /// Everybody else, for room or for the end of a turn.
        case progress
    }

    // Owner of the unchecked state: the mutex; `value` is touched only by its holder.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let work: UnsafeMutablePointer<pthread_cond_t>
    private let progress: UnsafeMutablePointer<pthread_cond_t>
    private var value: Value

    init(_ value: Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        work = .allocate(capacity: 1)
        progress = .allocate(capacity: 1)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        let status = pthread_mutex_init(mutex, nil) | pthread_cond_init(work, &attributes)
        precondition(status | pthread_cond_init(progress, nil) == 0, "pthread initialisation failed")
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(progress)
        pthread_cond_destroy(work)
        pthread_mutex_destroy(mutex)
        progress.deallocate()
        work.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` with exclusive access; it may wait inside.
    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&value)
    }

    /// Waits until `isTrue` holds, then runs `body`, all under the lock.
    func wait<Result>(until isTrue: (inout Value) -> Bool, then body: (inout Value) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !isTrue(&value) { pthread_cond_wait(progress, mutex) }
        return body(&value)
    }

    /// Waits for work until `isTrue` holds or the time is over, then runs `body`, all under the lock.
    func waitForWork<Result>(
        milliseconds: Int,
        until isTrue: (inout Value) -> Bool,
        then body: (inout Value) -> Result
    ) -> Result {
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        deadline.tv_nsec += milliseconds % 1000 * 1_000_000
        deadline.tv_sec += milliseconds / 1000 + deadline.tv_nsec / 1_000_000_000
        deadline.tv_nsec %= 1_000_000_000
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !isTrue(&value) {
            if pthread_cond_timedwait(work, mutex, &deadline) == ETIMEDOUT { break }
        }
        return body(&value)
    }

    /// Wakes who waits; allowed inside and outside the lock.
    func signal(_ condition: Condition) {
        switch condition {
        case .work: pthread_cond_signal(work)
        case .progress: pthread_cond_broadcast(progress)
        }
    }
}

/// A thread of its own for blocking work.
final class WorkerThread: @unchecked Sendable {
    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    // Written once, by `init`; read by `join`, which is called once.
    private var thread = pthread_t()

    /// Starts it; `name` has at most 15 bytes.
    init(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(Start(name, body))
        let status = pthread_create(&thread, nil, workerMain, start.toOpaque())
        precondition(status == 0, "pthread_create failed: \(status)")

        func workerMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
            guard let argument else { preconditionFailure("a thread without its start") }
            let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
            WorkerThread.nameCurrent(start.name)
            start.body()
            return nil
        }
    }

    /// What tools show for the thread; the C function for it isn't among the ones that Swift sees.
    private static func nameCurrent(_ name: String) {
        let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        let bytes = Array(name.utf8)
        _ = write(descriptor, bytes, bytes.count)
        close(descriptor)
    }

    /// Waits until it has ended.
    func join() { pthread_join(thread, nil) }
}
