internal import CLibWebSockets
internal import Glibc
internal import Primitives
internal import Synchronization

/// One thread with one libuv loop: sockets, timers and jobs in turn.
///
/// Everything that lives on a loop (clients, servers, timers, a bus connection through `uvLoop`) is touched on its
/// thread only; other threads reach it with `execute`. Objects made for a loop are not locked: their methods say
/// "Loop thread only" and check it. An actor can live here too (`unownedExecutor`), as the loop is a `SerialExecutor`.
///
/// A turn of the loop: timers, sockets and jobs, then the turn hooks, then wait. Life: `init` → `start` → `stop` (any
/// thread, idempotent) → `join`.
package final class EventLoop: SerialExecutor, @unchecked Sendable {
    // Unchecked: `queue`, `identity` are synchronised; everything else is touched by the loop thread only, or before
    // the thread exists, or after it has been joined.

    /// The thread's name (at most 15 bytes are shown by the system).
    package let name: String
    let queue: Lock<JobQueue>
    /// `pthread_self` of the loop thread; 0 before it runs.
    private let identity = Atomic<UInt>(0)
    private let thread = Lock<pthread_t?>(nil)
    private let loop: UnsafeMutablePointer<uv_loop_t>
    private let wakeUp: UnsafeMutablePointer<uv_async_t>
    private let prepare: UnsafeMutablePointer<uv_prepare_t>
    private var batch: [Job] = []
    private var turnHooks: [(id: Int, body: () -> Void)] = []
    private var closers: [() -> Void] = []
    private var nextHook = 0
    private var isClosing = false
    private var timeIsUp = false
    private var finishers: [() -> Void] = []
    var timers: [ObjectIdentifier: TimerHandle] = [:]
    /// What the clients of this loop share, made by the first.
    var clientHub: ClientHub?

    /// Makes the loop; no thread yet.
    ///
    /// More than `jobLimit` waiting closures are refused and counted.
    package init(name: String, jobLimit: Int = 65_536) {
        self.name = name
        queue = Lock(JobQueue(limit: jobLimit))
        loop = .allocate(capacity: 1)
        wakeUp = .allocate(capacity: 1)
        prepare = .allocate(capacity: 1)
        loop.initialize(to: uv_loop_t())
        wakeUp.initialize(to: uv_async_t())
        prepare.initialize(to: uv_prepare_t())
        check(uv_loop_init(loop), "uv_loop_init")
        check(uv_async_init(loop, wakeUp, striketapeLoopWoken), "uv_async_init")
        check(uv_prepare_init(loop, prepare), "uv_prepare_init")
        let me = Unmanaged.passUnretained(self).toOpaque()
        wakeUp.pointee.data = me
        prepare.pointee.data = me
    }

    deinit {
        // A loop that ran was closed by its thread; one that never ran is closed here.
        if identity.load(ordering: .acquiring) == 0 { closeHandles() }
        // A handle that someone else left open still points into the loop: then the memory is left to the process.
        guard uv_loop_close(loop) != UV_EBUSY.rawValue else { return }
        loop.deallocate()
        wakeUp.deallocate()
        prepare.deallocate()
    }

    /// The `uv_loop_t*`, for other C libraries that share the loop (hiredis); for use on the loop thread only.
    package var uvLoop: UnsafeMutableRawPointer { UnsafeMutableRawPointer(loop) }

    /// Whether the caller runs on the loop thread.
    package var isCurrent: Bool { identity.load(ordering: .relaxed) == UInt(pthread_self()) }

    /// What it has done so far; any thread.
    package var counters: EventLoopCounters { queue.withLock { $0.counters } }

    /// Stops the process when called on another thread: what is loop-bound would race.
    package func preconditionCurrent(_ what: StaticString = #function) {
        precondition(isCurrent, "\(what) must be called on loop \(name)")
    }

    // MARK: Life

    /// Starts the thread, once; it keeps the loop alive until it ends.
    ///
    /// SIGPIPE is ignored in the whole process from here on: a peer that went away is an error of the write.
    package func start() {
        signal(SIGPIPE, SIG_IGN)
        thread.withLock { thread in
            precondition(thread == nil, "loop \(name) started twice")
            var id = pthread_t()
            let me = Unmanaged.passRetained(self).toOpaque()
            let status = pthread_create(
                &id,
                nil,
                { argument in
                    guard let argument else { preconditionFailure("loop thread without its loop") }
                    Unmanaged<EventLoop>.fromOpaque(argument).takeRetainedValue().run()
                    return nil
                },
                me
            )
            precondition(status == 0, "pthread_create failed: \(status)")
            thread = id
        }
    }

    /// Asks the loop to end: closers run, timers are cancelled, what was posted before is done.
    ///
    /// Any thread, idempotent.
    package func stop() {
        queue.withLock { queue in
            if queue.beginStop() { check(uv_async_send(wakeUp), "uv_async_send") }
        }
    }

    /// Waits until the thread has ended.
    ///
    /// Not on the loop thread. Idempotent.
    package func join() {
        precondition(!isCurrent, "loop \(name) can't wait for itself")
        thread.withLock { thread in
            guard let id = thread else { return }
            pthread_join(id, nil)
            thread = nil
        }
    }

    // MARK: Jobs

    /// Runs `job` on the loop thread, after what was posted before; any thread.
    ///
    /// - Returns: false when it was refused: `jobLimit` jobs wait, or the loop has ended. Counted.
    @discardableResult
    package func execute(_ job: @escaping @Sendable () -> Void) -> Bool { post(.closure(job)) }

    /// Posts and wakes, the wake under the lock, so that it can't hit a closed handle.
    func post(_ job: Job) -> Bool {
        queue.withLock { queue in
            switch queue.add(job) {
            case .refused: return false
            case .taken: return true
            case .takenWake:
                check(uv_async_send(wakeUp), "uv_async_send")
                return true
            }
        }
    }

    /// Adds a hook that runs at the end of each turn, before the loop waits: the place to flush what the turn brought.
    ///
    /// Loop thread only.
    /// - Returns: an id for `removeTurnHook`.
    package func addTurnHook(_ body: @escaping () -> Void) -> Int {
        preconditionCurrent()
        if turnHooks.isEmpty { check(uv_prepare_start(prepare, striketapeLoopTurnEnded), "uv_prepare_start") }
        nextHook += 1
        turnHooks.append((nextHook, body))
        return nextHook
    }

    /// Removes a hook; loop thread only.
    package func removeTurnHook(_ id: Int) {
        preconditionCurrent()
        turnHooks.removeAll { $0.id == id }
        if turnHooks.isEmpty { uv_prepare_stop(prepare) }
    }

    /// Adds what must close its own handles when the loop stops; they run last added first.
    ///
    /// `finally` runs when the loop has run dry, if it does. Loop thread only.
    package func addCloser(_ body: @escaping () -> Void, finally: (() -> Void)? = nil) {
        preconditionCurrent()
        closers.append(body)
        if let finally { finishers.append(finally) }
    }

    // MARK: Loop thread

    /// The longest that a stopping loop waits for others to close their handles.
    static var stopMillisMax: UInt64 { 3_000 }

    func endTurn() {
        for hook in turnHooks { hook.body() }
    }

    func woken() {
        runWaitingJobs()
        if queue.withLock({ $0.phase }) == .stopping { close() }
    }

    private func run() {
        identity.store(UInt(pthread_self()), ordering: .releasing)
        striketape_name_thread(name)
        uv_run(loop, UV_RUN_DEFAULT)
        // Some handle left after the time was up still points into what a finisher would free.
        if !timeIsUp { while let finisher = finishers.popLast() { finisher() } }
        finishers.removeAll()
        clientHub = nil
        queue.withLock { $0.end(unclosed: timeIsUp) }
        // The last jobs: posted between the end of the last turn and the end of the queue.
        runWaitingJobs()
        closeHandles()
    }

    private func runWaitingJobs() {
        queue.withLock { $0.take(into: &batch) }
        for job in batch {
            switch job {
            case .closure(let body): body()
            case .actor(let job): job.runSynchronously(on: asUnownedSerialExecutor())
            }
        }
        batch.removeAll(keepingCapacity: true)
    }

    /// Lets the loop run dry: it goes on until everybody's handles are closed, or the time is up.
    private func close() {
        guard !isClosing else { return }
        isClosing = true
        uv_unref(wakeUp.asHandle)
        while let closer = closers.popLast() { closer() }
        for timer in Array(timers.values) { timer.cancel() }
        turnHooks.removeAll()
        uv_prepare_stop(prepare)
        let deadline = schedule(afterMillis: Self.stopMillisMax, repeatMillis: 0) { [unowned self] in
            timeIsUp = true
            uv_stop(loop)
        }
        deadline.unref()
    }

    private func closeHandles() {
        for timer in Array(timers.values) { timer.cancel() }
        uv_close(wakeUp.asHandle, nil)
        uv_close(prepare.asHandle, nil)
        // One turn to run the close callbacks.
        uv_run(loop, UV_RUN_NOWAIT)
    }
}

/// A job was posted, or the loop shall stop.
@c(striketape_loop_woken)
private func striketapeLoopWoken(_ handle: UnsafeMutablePointer<uv_async_t>?) {
    guard let data = handle?.pointee.data else { preconditionFailure("async handle without its loop") }
    Unmanaged<EventLoop>.fromOpaque(data).takeUnretainedValue().woken()
}

/// The loop is about to wait.
@c(striketape_loop_turn_ended)
private func striketapeLoopTurnEnded(_ handle: UnsafeMutablePointer<uv_prepare_t>?) {
    guard let data = handle?.pointee.data else { preconditionFailure("prepare handle without its loop") }
    Unmanaged<EventLoop>.fromOpaque(data).takeUnretainedValue().endTurn()
}

/// Stops the process on a libuv call that can only fail when we use it wrongly or the system has no more descriptors.
func check(_ status: Int32, _ call: StaticString) {
    precondition(status >= 0, "\(call) failed: \(status)")
}

extension UnsafeMutablePointer {
    /// The same memory as the handle that every libuv structure begins with.
    var asHandle: UnsafeMutablePointer<uv_handle_t> {
        UnsafeMutableRawPointer(self).assumingMemoryBound(to: uv_handle_t.self)
    }
}
