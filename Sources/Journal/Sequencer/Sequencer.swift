internal import Glibc
package import Primitives
package import Wire

/// Whether what is shown is on the disk.
package enum JournalHealth: Sendable, Equatable {
    case durable
    /// The tape or the store fails: messages are released marked `"durable":false`, and no new plan may be accepted.
    case failing(JournalError)
}

/// Orders, numbers and commits the shards' outputs before anyone sees them.
///
/// A thread of its own does one turn after another: it takes what was posted, syncs the tape, commits what is due in one
/// transaction, and releases to the sink. Turns group by themselves: what comes during a commit makes the next one.
/// A turn with only conflatable messages commits nothing.
///
/// When a commit fails its messages are released all the same, marked `"durable":false`, and are committed (without the
/// mark) as soon as it goes again, so the log has no hole. Beyond `Limits.backlog` the log is given up until a restart,
/// which derives the outputs again from the tape.
package final class Sequencer: OutputSink, Sendable {
    /// What may wait, and how long.
    package struct Limits: Sendable {
        /// Outputs posted and not yet taken; a poster of more waits.
        package var mailbox: Int
        /// Messages that wait for a broken store.
        package var backlog: Int
        /// How long the thread sleeps when nothing comes: the tape is handed to the kernel at least so often, and a
        /// broken store is tried again.
        package var idleMs: Int

        package init(mailbox: Int = 65_536, backlog: Int = 262_144, idleMs: Int = 100) {
            self.mailbox = mailbox
            self.backlog = backlog
            self.idleMs = idleMs
        }
    }

    /// What the storage thread calls.
    package struct Hooks: Sendable {
        /// Puts the tape on the disk, before each commit (`TapeWriter.sync`).
        package var sync: @Sendable () -> JournalError?
        /// Hands the tape to the kernel, at least every `idleMs` (`TapeWriter.flush`).
        package var flush: @Sendable () -> JournalError?
        /// Health changed.
        package var healthChanged: @Sendable (JournalHealth) -> Void
        /// A group is on the disk; how long tape and store took, in nanoseconds.
        package var committed: @Sendable (_ nanos: Int64) -> Void

        package init(
            sync: @escaping @Sendable () -> JournalError? = { nil },
            flush: @escaping @Sendable () -> JournalError? = { nil },
            healthChanged: @escaping @Sendable (JournalHealth) -> Void = { _ in },
            committed: @escaping @Sendable (_ nanos: Int64) -> Void = { _ in }
        ) {
            self.sync = sync
            self.flush = flush
            self.healthChanged = healthChanged
            self.committed = committed
        }

        /// The hooks of a run that records a tape.
        package init(
            tape: TapeWriter,
            healthChanged: @escaping @Sendable (JournalHealth) -> Void,
            committed: @escaping @Sendable (_ nanos: Int64) -> Void = { _ in }
        ) {
            self.init(
                sync: { tape.sync() },
                flush: { tape.flush() },
                healthChanged: healthChanged,
                committed: committed
            )
        }
    }

    /// How it went so far.
    package struct Counters: Sendable, Equatable {
        package var outputs = SequencerCore.Counters()
        package var turns: Int64 = 0
        package var commits: Int64 = 0
        package var failedCommits: Int64 = 0
        /// Messages released with `"durable":false`.
        package var undurable: Int64 = 0
        /// Messages that never came to the log: the backlog was full.
        package var abandoned: Int64 = 0
        /// Times that a poster had to wait.
        package var blockedPosts: Int64 = 0
        /// Batches posted after `close`.
        package var latePosts: Int64 = 0
        /// Outputs that wait for a shard to pass, and the most that did.
        package var pending: Int = 0
        package var pendingMax: Int = 0
        /// Messages that wait for a broken store.
        package var backlog: Int = 0
    }

    private struct Inbox {
        var posts: [(batch: OutputBatch, shard: Int, passed: Ordinal)] = []
        var passed: [Ordinal]
        var recordCount = 0
        /// The lowest ordinal with an output that isn't released.
        var earliest = Ordinal.max
        var isClosed = false
        var flushesAsked: Int64 = 0
        var flushesDone: Int64 = 0
        var counters = Counters()
        var health = JournalHealth.durable
    }

    private let inbox: Monitor<Inbox>
    private let limits: Limits
    private let thread: WorkerThread

    /// Reads where the store ends and starts the thread; the sink and the hooks are called on that thread.
    ///
    /// `shards` is how many shards post, `run` names this start of the engine.
    ///
    /// - Throws: what `CommitStore.load` throws.
    package convenience init(
        shards: Int,
        run: String,
        store: any CommitStore,
        sink: any MessageSink,
        limits: Limits = Limits(),
        hooks: Hooks = Hooks()
    ) throws(JournalError) {
        let state = try store.load()
        self.init(
            shards: shards,
            run: run,
            resuming: state,
            store: store,
            sink: sink,
            limits: limits,
            hooks: hooks
        )
    }

    /// Starts the thread with numbering going on behind a known state.
    package init(
        shards: Int,
        run: String,
        resuming state: CommittedState,
        store: any CommitStore,
        sink: any MessageSink,
        limits: Limits = Limits(),
        hooks: Hooks = Hooks()
    ) {
        let inbox = Monitor(Inbox(passed: Array(repeating: 0, count: shards)))
        self.inbox = inbox
        self.limits = limits
        let core = SequencerCore(shards: shards, run: run, resuming: state)
        thread = WorkerThread("storage") {
            var worker = SequencerWorker(core: core, store: store, sink: sink, limits: limits, hooks: hooks)
            Self.work(inbox, &worker, limits)
        }
    }

    package var counters: Counters { inbox.withLock { $0.counters } }

    package var health: JournalHealth { inbox.withLock { $0.health } }

    /// Takes a shard's outputs; waits while the mailbox is full.
    ///
    /// An empty batch only moves the watermark.
    package func post(_ batch: OutputBatch, shard: Int, passed: Ordinal) {
        let limit = limits.mailbox
        guard !batch.isEmpty else {
            inbox.withLock { box in advance(&box, shard, passed) }
            return
        }
        let earliest = batch.records.lazy.map(\.n).min() ?? .max
        inbox.wait { box in
            if box.recordCount < limit || box.isClosed { return true }
            box.counters.blockedPosts += 1
            return false
        } then: { box in
            guard !box.isClosed else {
                box.counters.latePosts += 1
                return
            }
            box.posts.append((batch, shard, passed))
            box.recordCount += batch.records.count
            box.earliest = min(box.earliest, earliest)
            advance(&box, shard, passed)
        }
    }

    private func advance(_ box: inout Inbox, _ shard: Int, _ passed: Ordinal) {
        box.passed[shard] = max(box.passed[shard], passed)
        if Self.hasWork(box, limits) { inbox.signal(.work) }
    }

    private static func hasWork(_ box: Inbox, _ limits: Limits) -> Bool {
        if box.isClosed || box.flushesAsked > box.flushesDone || box.recordCount * 2 >= limits.mailbox { return true }
        guard box.earliest < .max else { return false }
        return box.passed.allSatisfy { $0 >= box.earliest }
    }

    /// Waits until everything that was posted before and is due is released; for the end of a replay.
    ///
    /// Blocks; never from the sink or a hook.
    package func flush() {
        let ticket = inbox.withLock { box in
            box.flushesAsked += 1
            inbox.signal(.work)
            return box.flushesAsked
        }
        inbox.wait {
            $0.flushesDone >= ticket || $0.isClosed
        } then: { _ in
        }
    }

    /// Releases what is due, ends the thread; what is posted afterwards is counted and gone.
    package func close() {
        let wasOpen = inbox.withLock { box in
            defer { box.isClosed = true }
            inbox.signal(.work)
            return !box.isClosed
        }
        inbox.signal(.progress)
        if wasOpen { thread.join() }
    }

    private static func work(_ inbox: Monitor<Inbox>, _ worker: inout SequencerWorker, _ limits: Limits) {
        var posts: [(batch: OutputBatch, shard: Int, passed: Ordinal)] = []
        while true {
            let known = worker.core.earliestPending ?? .max
            let (passed, flush, isLast) = inbox.waitForWork(milliseconds: limits.idleMs) { box in
                hasWork(box, limits)
            } then: { box in
                swap(&posts, &box.posts)
                box.recordCount = 0
                box.earliest = known
                return (box.passed, box.flushesAsked, box.isClosed)
            }
            inbox.signal(.progress)
            for post in posts { worker.core.post(post.batch, shard: post.shard, passed: post.passed) }
            posts.removeAll(keepingCapacity: true)
            for (shard, ordinal) in passed.enumerated() { worker.core.pass(ordinal, shard: shard) }
            worker.turn()
            let earliest = worker.core.earliestPending ?? .max
            inbox.withLock { box in
                box.earliest = min(box.posts.lazy.flatMap { $0.batch.records.lazy.map(\.n) }.min() ?? .max, earliest)
                box.flushesDone = max(box.flushesDone, flush)
                let (blocked, late) = (box.counters.blockedPosts, box.counters.latePosts)
                box.counters = worker.counters
                box.counters.blockedPosts = blocked
                box.counters.latePosts = late
                box.health = worker.health
            }
            inbox.signal(.progress)
            if isLast { return }
        }
    }
}
