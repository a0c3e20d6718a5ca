internal import MarketData
package import Primitives

/// What became of asks for the same stretch of a symbol.
package struct RepairOutcome: Hashable, Sendable {
    /// The asks that it answers; each is answered once.
    package var asks: [Int64]
    package var symbol: String
    /// What was asked, together.
    package var from: Instant
    package var to: Instant
    /// Whether the bars fetched last are the answer.
    package var hasBars: Bool
    /// Whether the last bar reaches `to`; without it the end may be missing, or nothing was traded there.
    package var isCovered: Bool
    /// Why there are no bars, or why they may be short; empty where nothing is to be said.
    package var cause: String

    package init(
        asks: [Int64],
        symbol: String,
        from: Instant,
        to: Instant,
        hasBars: Bool,
        isCovered: Bool,
        cause: String
    ) {
        self.asks = asks
        self.symbol = symbol
        self.from = from
        self.to = to
        self.hasBars = hasBars
        self.isCovered = isCovered
        self.cause = cause
    }
}

/// What a `RepairBook` wants done.
package enum RepairAction: Hashable, Sendable {
    /// Get the bars of these windows: starts from `from` on, before `to`, both on a window's edge.
    case fetch(symbol: String, attempt: Int, seconds: Int, from: Instant, to: Instant)
    /// Give the attempt up.
    case cancel(attempt: Int)
    /// Tell who asked, with the bars of the symbol's last fetch where `hasBars`.
    case answer(RepairOutcome)
}

/// Asks for the bars of gaps: one fetch a symbol at a time, repeated until the bars reach the gap's end.
///
/// Pure. Second bars up to `secondsSpanMax`, minute bars beyond, and minute bars where the plan has no second bars. An ask
/// for a symbol that is waiting widens its stretch; one for a symbol under way joins it if it lies inside, else is next.
/// Every ask is answered once, by `answer` after it was made. The provider needs a moment to build the last bar: the
/// first fetch waits until `settle` after the gap's end, and bars that end too early are asked for again every `poll`
/// until `coverage` after the first ones came; then they are the answer, marked.
package struct RepairBook: ~Copyable {
    /// Limits in nanoseconds.
    package struct Limits: Sendable {
        /// Longer gaps are repaired from minute bars.
        package var secondsSpanMax: Int64 = 900_000_000_000
        /// Longer ones aren't repaired: five sessions are warm-up, not repair.
        package var spanMax: Int64 = 5 * 86_400_000_000_000
        /// Symbols at a time; above, refused.
        package var symbolsMax = 512
        package var settle: Int64 = 1_000_000_000
        package var poll: Int64 = 1_000_000_000
        package var coverage: Int64 = 5_000_000_000
        package var answer: Int64 = 30_000_000_000

        package init() {}
    }

    /// What it has seen; all only grow.
    package struct Counters: Hashable, Sendable {
        package var asked = 0
        package var refused = 0
        /// Asks that joined another one.
        package var joined = 0
        package var fetches = 0
        package var covered = 0
        /// Answered with bars that end before the gap does.
        package var uncovered = 0
        package var failed = 0

        package init() {}
    }

    private struct Stretch {
        var asks: [Int64]
        var from: Instant
        var to: Instant
        var due: Instant

        mutating func join(_ other: Stretch) {
            asks += other.asks
            from = min(from, other.from)
            to = max(to, other.to)
            due = min(due, other.due)
        }
    }

    private struct Repair {
        var stretch: Stretch
        var seconds: Int
        /// The fetch under way; nil while it waits.
        var attempt: Int?
        var notBefore: Instant
        /// Until when bars that end too early are asked for again; nil before the first came.
        var coverUntil: Instant?
        /// Asks that don't fit into the fetch under way.
        var next: Stretch?
    }

    package private(set) var counters = Counters()
    private let limits: Limits
    private var repairs: [String: Repair] = [:]
    private var nextAsk: Int64 = 1
    private var nextAttempt = 1
    private var clock = Instant.distantPast

    package init(limits: Limits = Limits()) { self.limits = limits }

    /// Symbols with an open ask.
    package var count: Int { repairs.count }

    /// When `timerFired` is due next.
    package var deadline: Instant {
        repairs.values.map { repair in
            let due = min(repair.stretch.due, repair.next?.due ?? .distantFuture)
            return repair.attempt == nil ? min(due, repair.notBefore) : due
        }.min() ?? .distantFuture
    }

    /// Somebody wants the bars of `from..<to`; the number names the ask in its answer.
    package mutating func asked(
        _ symbol: String,
        from: Instant,
        to: Instant,
        now: Instant
    ) -> (ask: Int64, actions: [RepairAction]) {
        let now = advance(now)
        let ask = nextAsk
        nextAsk += 1
        counters.asked += 1
        let stretch = Stretch(asks: [ask], from: from, to: to, due: now.advanced(byNanos: limits.answer))
        if let cause = objection(symbol, from, to) {
            counters.refused += 1
            return (ask, [.answer(outcome(symbol, stretch, cause: cause))])
        }
        guard var repair = repairs[symbol] else {
            repairs[symbol] = begin(stretch)
            return (ask, start(now))
        }
        counters.joined += 1
        if repair.attempt == nil, repair.coverUntil == nil {
            repair.stretch.join(stretch)
            repair.seconds = seconds(of: repair.stretch)
            repair.notBefore = max(repair.notBefore, to.advanced(byNanos: limits.settle))
        } else if from >= repair.stretch.from, to <= repair.stretch.to {
            repair.stretch.join(stretch)
        } else if repair.next == nil {
            repair.next = stretch
        } else {
            repair.next?.join(stretch)
        }
        repairs[symbol] = repair
        return (ask, start(now))
    }

    /// Bars came; `end` is where the last of them ends, nil where there is none.
    package mutating func fetched(
        _ symbol: String,
        attempt: Int,
        end: Instant?,
        now: Instant
    ) -> [RepairAction] {
        let now = advance(now)
        guard var repair = repairs[symbol], repair.attempt == attempt else { return [] }
        repair.attempt = nil
        let isCovered = end.map { $0 >= repair.stretch.to } ?? false
        let until = repair.coverUntil ?? now.advanced(byNanos: limits.coverage)
        let again = now.advanced(byNanos: limits.poll)
        if !isCovered, again < until, again < repair.stretch.due {
            repair.coverUntil = until
            repair.notBefore = again
            repairs[symbol] = repair
            return start(now)
        }
        if isCovered { counters.covered += 1 } else { counters.uncovered += 1 }
        var outcome = outcome(symbol, repair.stretch, cause: isCovered ? "" : "the bars end before the gap does")
        outcome.hasBars = true
        outcome.isCovered = isCovered
        goOn(symbol, repair)
        return [.answer(outcome)] + start(now)
    }

    /// A fetch brought nothing that can be used; `isForbidden`: the plan doesn't include these bars.
    package mutating func failed(
        _ symbol: String,
        attempt: Int,
        cause: String,
        isForbidden: Bool,
        now: Instant
    ) -> [RepairAction] {
        let now = advance(now)
        guard var repair = repairs[symbol], repair.attempt == attempt else { return [] }
        repair.attempt = nil
        if isForbidden, repair.seconds < 60, repair.coverUntil == nil {
            repair.seconds = 60
            repair.notBefore = now
            repairs[symbol] = repair
            return start(now)
        }
        counters.failed += 1
        goOn(symbol, repair)
        return [.answer(outcome(symbol, repair.stretch, cause: cause))] + start(now)
    }

    /// The timer of `deadline` fired.
    package mutating func timerFired(now: Instant) -> [RepairAction] {
        let now = advance(now)
        var actions: [RepairAction] = []
        for symbol in repairs.keys.sorted() {
            guard var repair = repairs[symbol] else { continue }
            if let next = repair.next, next.due <= now {
                repair.next = nil
                repairs[symbol] = repair
                counters.failed += 1
                actions.append(.answer(outcome(symbol, next, cause: "no bars in time")))
            }
            guard repair.stretch.due <= now else { continue }
            if let attempt = repair.attempt { actions.append(.cancel(attempt: attempt)) }
            counters.failed += 1
            actions.append(.answer(outcome(symbol, repair.stretch, cause: "no bars in time")))
            goOn(symbol, repair)
        }
        return actions + start(now)
    }

    /// Ends for good: everything open is answered.
    package mutating func stopped() -> [RepairAction] {
        var actions: [RepairAction] = []
        for symbol in repairs.keys.sorted() {
            guard let repair = repairs.removeValue(forKey: symbol) else { continue }
            if let attempt = repair.attempt { actions.append(.cancel(attempt: attempt)) }
            var stretch = repair.stretch
            if let next = repair.next { stretch.join(next) }
            counters.failed += 1
            actions.append(.answer(outcome(symbol, stretch, cause: "stopped")))
        }
        return actions
    }

    // MARK: Inside

    private mutating func advance(_ now: Instant) -> Instant {
        clock = max(clock, now)
        return clock
    }

    private func objection(_ symbol: String, _ from: Instant, _ to: Instant) -> String? {
        if Instrument(symbol) == nil { return "not a symbol" }
        if from >= to { return "an empty stretch" }
        if from.nanos < 0 || to.nanos(since: from) > limits.spanMax { return "too long a stretch" }
        if repairs[symbol] == nil, repairs.count >= limits.symbolsMax { return "too many repairs at a time" }
        if let open = repairs[symbol], open.stretch.asks.count + (open.next?.asks.count ?? 0) >= limits.symbolsMax {
            return "too many repairs of the symbol at a time"
        }
        return nil
    }

    private func seconds(of stretch: Stretch) -> Int {
        stretch.to.nanos(since: stretch.from) <= limits.secondsSpanMax ? 1 : 60
    }

    private func begin(_ stretch: Stretch) -> Repair {
        Repair(
            stretch: stretch,
            seconds: seconds(of: stretch),
            attempt: nil,
            notBefore: stretch.to.advanced(byNanos: limits.settle),
            coverUntil: nil,
            next: nil
        )
    }

    /// After an answer: what waits behind it, if anything.
    private mutating func goOn(_ symbol: String, _ repair: Repair) {
        repairs[symbol] = repair.next.map { begin($0) }
    }

    private func outcome(_ symbol: String, _ stretch: Stretch, cause: String) -> RepairOutcome {
        RepairOutcome(
            asks: stretch.asks,
            symbol: symbol,
            from: stretch.from,
            to: stretch.to,
            hasBars: false,
            isCovered: false,
            cause: cause
        )
    }

    /// Starts the fetches that are due, in the order of symbols.
    private mutating func start(_ now: Instant) -> [RepairAction] {
        var actions: [RepairAction] = []
        for symbol in repairs.keys.sorted() {
            guard var repair = repairs[symbol], repair.attempt == nil, repair.notBefore <= now else { continue }
            let attempt = nextAttempt
            nextAttempt += 1
            counters.fetches += 1
            repair.attempt = attempt
            repairs[symbol] = repair
            let window = Int64(repair.seconds) * 1_000_000_000
            let from = repair.stretch.from.nanos / window * window
            let to = (repair.stretch.to.nanos + window - 1) / window * window
            actions.append(
                .fetch(
                    symbol: symbol,
                    attempt: attempt,
                    seconds: repair.seconds,
                    from: Instant(nanos: from),
                    to: Instant(nanos: to)
                )
            )
        }
        return actions
    }
}
