internal import Glibc
internal import Primitives

// The loop as the executor of actors, and ways for other threads to run something on it and get an answer.
extension EventLoop {
    /// Takes the next step of an actor that lives on this loop; any thread.
    package func enqueue(_ job: consuming ExecutorJob) {
        _ = post(.actor(UnownedJob(job)))
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    package func checkIsolated() { preconditionCurrent("isolation to an actor of the loop") }

    package func isIsolatingCurrentContext() -> Bool? { isCurrent }

    /// Runs `body` on the loop thread and waits for it; at once when already there.
    ///
    /// For set-up and shutdown from a plain thread; it blocks the caller.
    /// - Throws: `NetworkError.loopUnavailable`, or what `body` throws.
    @discardableResult
    package func sync<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
        if isCurrent { return try body() }
        let answer = Lock<Result<Value, any Error>?>(nil)
        let done = Signal()
        let posted = execute {
            let result = Result { try body() }
            answer.withLock { $0 = result }
            done.raise()
        }
        guard posted else { throw unavailable }
        done.wait()
        guard let result = answer.withLock({ $0 }) else { preconditionFailure("signalled without an answer") }
        return try result.get()
    }

    /// Runs `body` on the loop thread and suspends until it has.
    ///
    /// - Throws: `NetworkError.loopUnavailable`, or what `body` throws.
    @discardableResult
    package func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let posted = execute { continuation.resume(with: Result { try body() }) }
            if !posted { continuation.resume(throwing: unavailable) }
        }
    }

    private var unavailable: NetworkError {
        NetworkError(.loopUnavailable, place: name, cause: "the loop has ended or its queue is full")
    }
}

/// A one-time signal between two plain threads.
private final class Signal: @unchecked Sendable {
    // Unchecked: a POSIX semaphore is made for this.
    private let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        semaphore = .allocate(capacity: 1)
        semaphore.initialize(to: sem_t())
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func raise() { sem_post(semaphore) }

    func wait() {
        while sem_wait(semaphore) != 0 {}
    }
}
