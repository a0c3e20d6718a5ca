import FeedProtocols
import Primitives
import Testing

private struct RepairWorld: ~Copyable {
    struct Fetch: Equatable {
        let symbol: String
        let attempt: Int
        let seconds: Int
        let from: Instant
        let to: Instant
    }

    var book: RepairBook
    var now: Instant
    var fetches: [Fetch] = []
    var answers: [RepairOutcome] = []
    var cancelled: [Int] = []

    init(now: Instant, _ change: (inout RepairBook.Limits) -> Void = { _ in }) {
        var limits = RepairBook.Limits()
        change(&limits)
        book = RepairBook(limits: limits)
        self.now = now
    }

    mutating func perform(_ actions: [RepairAction]) {
        for action in actions {
            switch action {
            case .fetch(let symbol, let attempt, let seconds, let from, let to):
                fetches.append(Fetch(symbol: symbol, attempt: attempt, seconds: seconds, from: from, to: to))
            case .cancel(let attempt): cancelled.append(attempt)
            case .answer(let outcome): answers.append(outcome)
            }
        }
    }

    mutating func ask(_ from: Instant, _ to: Instant) -> Int64 { ask("SPY", from, to) }

    mutating func ask(_ symbol: String, _ from: Instant, _ to: Instant) -> Int64 {
        let (ask, actions) = book.asked(symbol, from: from, to: to, now: now)
        perform(actions)
        return ask
    }

    mutating func wait() {
        now = max(now, book.deadline)
        perform(book.timerFired(now: now))
    }

    mutating func fetched(end: Instant?) {
        guard let last = fetches.last else { return }
        perform(book.fetched(last.symbol, attempt: last.attempt, end: end, now: now))
    }

    mutating func failed(_ cause: String, isForbidden: Bool = false) {
        guard let last = fetches.last else { return }
        let actions = book.failed(
            last.symbol,
            attempt: last.attempt,
            cause: cause,
            isForbidden: isForbidden,
            now: now
        )
        perform(actions)
    }
}

@Suite struct RepairBookTests {
    private let start = Instant(millis: 1_764_086_400_000)
    private let second: Int64 = 1_000_000_000

    private func at(_ seconds: Double) -> Instant { start.advanced(byNanos: Int64(seconds * 1e9)) }

    @Test func secondsForAShortGapWidenedToWholeBars() {
        var world = RepairWorld(now: at(20))
        let ask = world.ask(at(3.2), at(17.5))
        #expect(world.fetches == [.init(symbol: "SPY", attempt: 1, seconds: 1, from: at(3), to: at(18))])
        world.fetched(end: at(18))
        #expect(world.answers.map(\.asks) == [[ask]])
        #expect(world.answers[0].hasBars)
        #expect(world.answers[0].isCovered)
        #expect(world.answers[0].from == at(3.2))
        #expect(world.book.count == 0)
        #expect(world.book.deadline == .distantFuture)
    }

    @Test func minutesForALongGap() {
        var world = RepairWorld(now: at(2_000))
        _ = world.ask(at(10), at(911))
        #expect(world.fetches.map(\.seconds) == [60])
        #expect(world.fetches[0].from == at(0))
        #expect(world.fetches[0].to == at(960))
        var edge = RepairWorld(now: at(2_000))
        _ = edge.ask(at(10), at(910))
        #expect(edge.fetches.map(\.seconds) == [1])
    }

    @Test func waitsUntilTheProviderCanHaveTheLastBar() {
        var world = RepairWorld(now: at(17.6))
        _ = world.ask(at(3), at(17.5))
        #expect(world.fetches.isEmpty)
        world.wait()
        #expect(world.now == at(18.5))
        #expect(world.fetches.count == 1)
    }

    @Test func asksAgainUntilTheBarsReachTheEnd() {
        var world = RepairWorld(now: at(20))
        _ = world.ask(at(3), at(17.5))
        world.fetched(end: at(16))
        #expect(world.answers.isEmpty)
        world.wait()
        #expect(world.now == at(21))
        world.fetched(end: nil)
        world.wait()
        world.fetched(end: at(18))
        #expect(world.fetches.count == 3)
        #expect(world.answers.map(\.isCovered) == [true])
    }

    @Test func barsThatStayShortAreTheAnswerAndMarked() {
        var world = RepairWorld(now: at(20))
        _ = world.ask(at(3), at(17.5))
        for _ in 0..<20 where world.answers.isEmpty {
            world.fetched(end: at(16))
            if world.answers.isEmpty { world.wait() }
        }
        #expect(world.fetches.count == 5)
        #expect(world.answers.map(\.hasBars) == [true])
        #expect(world.answers.map(\.isCovered) == [false])
        #expect(world.answers[0].cause == "the bars end before the gap does")
        #expect(world.book.counters.uncovered == 1)
    }

    @Test func failuresAnswerWithTheirCause() {
        var world = RepairWorld(now: at(20))
        let ask = world.ask(at(3), at(17.5))
        world.failed("status 404")
        #expect(world.answers.map(\.asks) == [[ask]])
        #expect(!world.answers[0].hasBars)
        #expect(world.answers[0].cause == "status 404")
    }

    @Test func aPlanWithoutSecondBarsIsAskedForMinutes() {
        var world = RepairWorld(now: at(20))
        _ = world.ask(at(3), at(17.5))
        world.failed("not in the plan", isForbidden: true)
        #expect(world.fetches.map(\.seconds) == [1, 60])
        #expect(world.fetches[1].to == at(60))
        world.failed("not in the plan", isForbidden: true)
        #expect(world.answers.map(\.cause) == ["not in the plan"])
        #expect(world.book.count == 0)
    }

    @Test func everyAskIsAnsweredInTime() {
        var world = RepairWorld(now: at(20))
        let ask = world.ask(at(3), at(17.5))
        let next = world.ask(at(3), at(19))
        world.wait()
        #expect(world.now == at(50))
        #expect(world.answers.map(\.asks) == [[next], [ask]])
        #expect(world.answers.allSatisfy { $0.cause == "no bars in time" })
        #expect(world.cancelled == [1])
        #expect(world.book.count == 0)
        world.fetched(end: at(18))
        #expect(world.answers.count == 2)
    }

    @Test func asksOfASymbolJoin() {
        var world = RepairWorld(now: at(17.6))
        let first = world.ask(at(3), at(17.5))
        let wider = world.ask(at(1), at(17.7))
        world.wait()
        #expect(world.fetches == [.init(symbol: "SPY", attempt: 1, seconds: 1, from: at(1), to: at(18))])
        let inside = world.ask(at(5), at(9))
        let outside = world.ask(at(5), at(18.9))
        let further = world.ask(at(18), at(19.9))
        world.fetched(end: at(18))
        #expect(world.answers.map(\.asks) == [[first, wider, inside]])
        world.wait()
        #expect(world.fetches.last == .init(symbol: "SPY", attempt: 2, seconds: 1, from: at(5), to: at(20)))
        world.fetched(end: at(20))
        #expect(world.answers.last?.asks == [outside, further])
        #expect(world.book.counters.joined == 4)
    }

    @Test func limitsRefuseAtOnce() {
        var world = RepairWorld(now: at(100)) { $0.symbolsMax = 2 }
        _ = world.ask("A", at(1), at(2))
        _ = world.ask("B", at(1), at(2))
        _ = world.ask("C", at(1), at(2))
        _ = world.ask("O:BAD", at(1), at(2))
        _ = world.ask("A", at(2), at(2))
        _ = world.ask("A", at(0), at(6 * 86_400))
        #expect(
            world.answers.map(\.cause) == [
                "too many repairs at a time", "not a symbol", "an empty stretch", "too long a stretch",
            ]
        )
        #expect(world.book.counters.refused == 4)
        #expect(world.fetches.count == 2)
        for _ in 0..<10 { _ = world.ask("A", at(1), at(2)) }
        #expect(world.answers.last?.cause == "too many repairs of the symbol at a time")
    }

    @Test func stopAnswersAll() {
        var world = RepairWorld(now: at(100))
        let a = world.ask("A", at(1), at(2))
        let later = world.ask("A", at(1), at(90))
        let b = world.ask("B", at(1), at(2))
        world.perform(world.book.stopped())
        #expect(world.answers.map(\.asks) == [[a, later], [b]])
        #expect(world.answers.allSatisfy { $0.cause == "stopped" })
        #expect(world.cancelled == [1, 2])
    }

    /// Any events in any order: each ask is answered once.
    @Test(arguments: 1...40) func randomSequencesAnswerOnce(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var world = RepairWorld(now: at(0)) { $0.symbolsMax = 3 }
        var asks: [Int64] = []
        for _ in 0..<300 {
            world.now = world.now.advanced(byNanos: Int64.random(in: 0..<3 * second, using: &generator))
            switch Int.random(in: 0..<6, using: &generator) {
            case 0..<2:
                let symbol = ["A", "B", "C", "D"].randomElement(using: &generator) ?? "A"
                let to = world.now.advanced(byNanos: -Int64.random(in: 0..<5 * second, using: &generator))
                let from = to.advanced(byNanos: -Int64.random(in: 0..<1_200 * second, using: &generator))
                asks.append(world.ask(symbol, from, to))
            case 2..<4:
                guard let one = world.fetches.randomElement(using: &generator) else { continue }
                let end = Bool.random(using: &generator) ? one.to : one.from
                world.perform(world.book.fetched(one.symbol, attempt: one.attempt, end: end, now: world.now))
            case 4:
                guard let one = world.fetches.randomElement(using: &generator) else { continue }
                let isForbidden = Bool.random(using: &generator)
                let actions = world.book.failed(
                    one.symbol,
                    attempt: one.attempt,
                    cause: "x",
                    isForbidden: isForbidden,
                    now: world.now
                )
                world.perform(actions)
            default: world.perform(world.book.timerFired(now: world.now))
            }
            #expect(world.book.count <= 3, "seed \(seed)")
        }
        for _ in 0..<100 where world.book.count > 0 { world.wait() }
        #expect(world.answers.flatMap(\.asks).sorted() == asks, "seed \(seed)")
    }
}
