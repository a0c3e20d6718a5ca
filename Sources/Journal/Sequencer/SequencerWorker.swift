internal import Glibc
internal import Wire

/// One turn after another, on the storage thread.
struct SequencerWorker {
    var core: SequencerCore
    private(set) var counters = Sequencer.Counters()
    private(set) var health = JournalHealth.durable

    private let store: any CommitStore
    private let sink: any MessageSink
    private let limits: Sequencer.Limits
    private let hooks: Sequencer.Hooks
    /// What a broken store didn't take yet.
    private var backlog = CommitGroup()
    /// The backlog was too long: the log would have a hole.
    private var isAbandoned = false
    private var lastFlush: Int64 = 0

    init(
        core: SequencerCore,
        store: any CommitStore,
        sink: any MessageSink,
        limits: Sequencer.Limits,
        hooks: Sequencer.Hooks
    ) {
        self.core = core
        self.store = store
        self.sink = sink
        self.limits = limits
        self.hooks = hooks
    }

    /// Commits and releases what is due.
    mutating func turn() {
        counters.pendingMax = max(counters.pendingMax, core.pendingCount)
        let turn = core.take()
        let isDurable = commit(turn.group)
        release(turn.items, isDurable: isDurable)
        counters.outputs = core.counters
        (counters.pending, counters.backlog) = (core.pendingCount, backlog.messages.count)
        if !turn.items.isEmpty { counters.turns += 1 }
        flushTape()
    }

    /// Whether the group is on the disk now.
    private mutating func commit(_ group: CommitGroup) -> Bool {
        guard !isAbandoned else {
            counters.abandoned += Int64(group.messages.count)
            return false
        }
        backlog.append(group)
        guard !backlog.isEmpty else { return true }
        let start = Self.nanos(CLOCK_MONOTONIC)
        if let error = hooks.sync() {
            fail(error)
            return false
        }
        do throws(JournalError) {
            try store.commit(backlog)
        } catch {
            fail(error)
            return false
        }
        counters.commits += 1
        hooks.committed(Self.nanos(CLOCK_MONOTONIC) - start)
        backlog = CommitGroup()
        change(to: .durable)
        return true
    }

    private mutating func fail(_ error: JournalError) {
        counters.failedCommits += 1
        if backlog.messages.count > limits.backlog {
            isAbandoned = true
            counters.abandoned += Int64(backlog.messages.count)
            backlog = CommitGroup()
        }
        change(to: .failing(error))
    }

    private mutating func change(to new: JournalHealth) {
        guard new != health else { return }
        health = new
        hooks.healthChanged(new)
    }

    private mutating func release(_ items: [SequencedTurn.Item], isDurable: Bool) {
        var messages: [Envelope] = []
        for item in items {
            switch item {
            case .message(var envelope):
                if !isDurable, envelope.outputClass == .durable {
                    envelope.markUndurable()
                    counters.undurable += 1
                }
                messages.append(envelope)
            case .reply(let command, let payload):
                if !messages.isEmpty { sink.release(messages) }
                messages.removeAll(keepingCapacity: true)
                sink.reply(to: command, payload: payload)
            case .request(let payload): sink.request(payload)
            }
        }
        if !messages.isEmpty { sink.release(messages) }
    }

    /// A commit has synced the tape already, but inputs without outputs must not stay in this process either.
    private mutating func flushTape() {
        let now = Self.nanos(CLOCK_MONOTONIC_COARSE) / 1_000_000
        guard now - lastFlush >= Int64(limits.idleMs) else { return }
        lastFlush = now
        if let error = hooks.flush() {
            change(to: .failing(error))
        } else if backlog.isEmpty, !isAbandoned {
            change(to: .durable)
        }
    }

    private static func nanos(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
