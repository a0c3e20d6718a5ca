package import Primitives

/// Whether this process may use what only one may: asks, renews, and lets go in time.
///
/// Pure; a state machine. A lease that can't be renewed within half of its life is given up, whatever the reason, so that
/// two owners never overlap (architecture.md 11).
package struct LeaseKeeper: Sendable {
    /// What the shell does next.
    package enum Action: Hashable, Sendable {
        /// Ask for the lease, or renew it; the answer comes as `answered`.
        case ask
        /// It is ours: begin.
        case begin(token: Int64)
        /// It no longer is: end at once.
        case end(String)
        /// Somebody else has it, or nobody can be asked: say so, once a cause.
        case wait(String)
    }

    /// What an asking found.
    package enum Answer: Hashable, Sendable {
        case ours(token: Int64)
        case another
        case failed(String)
    }

    private enum State: Hashable, Sendable {
        case waiting(said: String?)
        case owning(token: Int64, renewed: Instant)
        case stopped
    }

    private var state = State.waiting(said: nil)
    private let lifeNanos: Int64
    private var isAsking = false

    /// - Parameter lifeNanos: how long the lease lives without a renewal.
    package init(lifeNanos: Int64) { self.lifeNanos = lifeNanos }

    /// How often `tick` wants to be called.
    package var tickNanos: Int64 { lifeNanos / 6 }

    package var isOwner: Bool {
        if case .owning = state { true } else { false }
    }

    package mutating func tick(now: Instant) -> [Action] {
        switch state {
        case .stopped: return []
        case .waiting: break
        case .owning(_, let renewed):
            if now.nanos(since: renewed) >= lifeNanos / 2 {
                state = .waiting(said: nil)
                return [.end("the lease could not be renewed in time")] + ask()
            }
        }
        return ask()
    }

    private mutating func ask() -> [Action] {
        guard !isAsking else { return [] }
        isAsking = true
        return [.ask]
    }

    /// An answer to an asking that began at `asked`: only from there on the lease's life counts.
    package mutating func answered(_ answer: Answer, asked: Instant) -> [Action] {
        isAsking = false
        switch (state, answer) {
        case (.stopped, _): return []
        case (.waiting, .ours(let token)):
            state = .owning(token: token, renewed: asked)
            return [.begin(token: token)]
        case (.waiting(let said), .another): return wait("another process has it", said)
        case (.waiting(let said), .failed(let cause)): return wait(cause, said)
        case (.owning(let token, _), .ours(let same)) where token == same:
            state = .owning(token: token, renewed: asked)
            return []
        case (.owning, .ours(let token)):
            // Lost and taken again between two renewals: another may have been there.
            state = .owning(token: token, renewed: asked)
            return [.end("the lease was lost for a moment"), .begin(token: token)]
        case (.owning, .another):
            state = .waiting(said: nil)
            return [.end("another process took it")]
        case (.owning, .failed): return []
        }
    }

    private mutating func wait(_ cause: String, _ said: String?) -> [Action] {
        state = .waiting(said: cause)
        return cause == said ? [] : [.wait(cause)]
    }

    /// Ends for good.
    package mutating func stop() { state = .stopped }
}
