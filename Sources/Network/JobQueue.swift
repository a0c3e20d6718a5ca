internal import Primitives

/// A piece of work for a loop thread.
enum Job: Sendable {
    /// A closure from `execute`.
    case closure(@Sendable () -> Void)
    /// The next step of an actor that lives on the loop.
    case actor(UnownedJob)
}

/// What a loop has done, for metrics.
package struct EventLoopCounters: Sendable, Equatable {
    /// Jobs run.
    package var executed = 0
    /// Closures refused because `jobLimit` of them waited, or the loop had ended.
    package var refused = 0
    /// Actor jobs that came after the loop had ended; their tasks never go on.
    package var lateActorJobs = 0
    /// The longest that the queue has been.
    package var waitingMax = 0
    /// Whether the loop ended before all its handles were closed: what they point to is left to the process.
    package var endedUnclosed = false
}

/// The bounded queue between any thread and the loop thread.
///
/// Policy at the limit: closures are refused and counted, the caller decides. Actor jobs are taken always: each stands
/// for a suspended task, so their number is bounded by that of the tasks, and a refused one would hang its task.
struct JobQueue: Sendable {
    enum Phase: Sendable {
        case open
        /// Stopping: what belongs to the loop is closing and may still post.
        case stopping
        case ended
    }

    let limit: Int
    private(set) var phase = Phase.open
    private(set) var counters = EventLoopCounters()
    private var waiting: [Job] = []

    init(limit: Int) { self.limit = limit }

    enum Answer: Sendable {
        /// Taken; the loop must be woken.
        case takenWake
        /// Taken; the loop has been woken before.
        case taken
        case refused
    }

    mutating func add(_ job: Job) -> Answer {
        switch job {
        case .closure where phase == .ended || waiting.count >= limit:
            counters.refused += 1
            return .refused
        case .actor where phase == .ended:
            counters.lateActorJobs += 1
            return .refused
        case .closure, .actor:
            waiting.append(job)
            counters.waitingMax = max(counters.waitingMax, waiting.count)
            return waiting.count == 1 ? .takenWake : .taken
        }
    }

    /// Swaps what waits for an empty array with room.
    mutating func take(into batch: inout [Job]) {
        swap(&waiting, &batch)
        counters.executed += batch.count
    }

    /// Whether this call began the stop.
    mutating func beginStop() -> Bool {
        guard phase == .open else { return false }
        phase = .stopping
        return true
    }

    mutating func end(unclosed: Bool) {
        phase = .ended
        counters.endedUnclosed = unclosed
    }
}
