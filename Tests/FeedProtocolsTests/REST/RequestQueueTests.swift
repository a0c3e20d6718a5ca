import FeedProtocols
import Primitives
import Testing

/// A queue with its time, as a shell would hold it.
private struct QueueWorld: ~Copyable {
    var queue: RequestQueue<RateWindow>
    var now = Instant(millis: 1_764_086_400_000)
    var sent: [(ticket: RequestTicket, attempt: Int, target: String)] = []
    var finished: [RequestTicket: RequestFailure?] = [:]
    var cancelled: [Int] = []
    var alerts: [String] = []

    init(rate: RateWindow = .perSecond(100), _ change: (inout RequestLimits) -> Void = { _ in }) {
        var limits = RequestLimits()
        change(&limits)
        queue = RequestQueue(rate: rate, limits: limits)
    }

    mutating func perform(_ actions: [RequestAction]) {
        for action in actions {
            switch action {
            case .send(let ticket, let attempt, let request): sent.append((ticket, attempt, request.target))
            case .cancel(_, let attempt): cancelled.append(attempt)
            case .finish(let ticket, let failure):
                #expect(finished[ticket] == nil, "finished twice")
                finished[ticket] = .some(failure)
            case .alert(let words): alerts.append(words)
            }
        }
    }

    mutating func submit(
        _ path: String = "x",
        _ priority: RequestPriority = .warmUp,
        within: Int64? = nil,
        entitlement: String = "e"
    ) -> RequestTicket {
        let request = RESTRequest([path], entitlement: entitlement)
        let (ticket, actions) = queue.submitted(request, priority, within: within, now: now)
        perform(actions)
        return ticket
    }

    /// Answers the last attempt that was sent.
    mutating func answer(_ status: Int, _ hint: RateHint = RateHint(), words: String = "") {
        guard let last = sent.last else { return }
        let actions = queue.answered(
            last.ticket,
            attempt: last.attempt,
            status: status,
            hint: hint,
            words: words,
            now: now
        )
        perform(actions)
    }

    mutating func fail(_ words: String) {
        guard let last = sent.last else { return }
        perform(queue.failed(last.ticket, attempt: last.attempt, words: words, now: now))
    }

    /// Goes to the queue's deadline.
    mutating func wait() {
        now = max(now, queue.deadline)
        perform(queue.timerFired(now: now))
    }

    mutating func pass(_ nanos: Int64) {
        now = now.advanced(byNanos: nanos)
        perform(queue.timerFired(now: now))
    }

    func outcome(_ ticket: RequestTicket) -> String {
        guard let outcome = finished[ticket] else { return "open" }
        return outcome.map { "\($0)" } ?? "answered"
    }
}

@Suite struct RequestQueueTests {
    private let millisecond: Int64 = 1_000_000

    @Test func anAnswerEndsARequest() {
        var world = QueueWorld()
        let ticket = world.submit()
        #expect(world.sent.map(\.target) == ["/x"])
        world.answer(200)
        #expect(world.outcome(ticket) == "answered")
        #expect(world.queue.deadline == .distantFuture)
        world.answer(200)
        #expect(world.queue.counters.late == 1)
    }

    @Test(arguments: [413, 429, 499, 500, 502, 503, 504])
    func triesAgainWithDoublingPauses(_ status: Int) {
        var world = QueueWorld()
        let ticket = world.submit()
        var pauses: [Int64] = []
        for _ in 0..<3 {
            world.answer(status)
            let before = world.now
            world.wait()
            pauses.append(world.now.nanos(since: before) / millisecond)
        }
        #expect(pauses == [100, 200, 400])
        #expect(world.sent.count == 4)
        world.answer(status, words: "busy")
        #expect(world.outcome(ticket) == "tried 4 times, last: status \(status): busy")
        #expect(world.queue.counters.retried == 3)
        #expect(world.queue.count == 0)
    }

    @Test(arguments: [400, 404, 405, 422, 501]) func otherStatusesEndAtOnce(_ status: Int) {
        var world = QueueWorld()
        let ticket = world.submit()
        world.answer(status, words: "404 page not found")
        #expect(world.outcome(ticket) == "status \(status): 404 page not found")
        #expect(world.sent.count == 1)
        #expect(world.alerts.isEmpty)
    }

    @Test func retryAfterHoldsAllBackAfter429() {
        var world = QueueWorld()
        let first = world.submit("a")
        world.answer(429, RateHint(retryAfterNanos: 2_000 * millisecond))
        let second = world.submit("b", .repair)
        #expect(world.sent.count == 1)
        let before = world.now
        world.wait()
        #expect(world.now.nanos(since: before) == 2_000 * millisecond)
        #expect(world.sent.map(\.target) == ["/a", "/b", "/a"])
        world.answer(200)
        #expect(world.outcome(first) == "answered")
        #expect(world.outcome(second) == "open")
        #expect(world.queue.counters.limited == 1)
    }

    @Test func retryAfterOfA503HoldsItsRequestOnly() {
        var world = QueueWorld()
        _ = world.submit("a")
        world.answer(503, RateHint(retryAfterNanos: 2_000 * millisecond))
        _ = world.submit("b")
        #expect(world.sent.map(\.target) == ["/a", "/b"])
    }

    @Test func a429WithoutAWordWaitsForAPermitOfTheRate() {
        var world = QueueWorld(rate: .perMinute(5))
        _ = world.submit()
        world.answer(429)
        let before = world.now
        world.wait()
        #expect(world.now.nanos(since: before) == 12_120 * millisecond)
        #expect(world.sent.count == 2)
    }

    @Test func repairGoesFirstInsideRateAndNumber() {
        var world = QueueWorld(rate: .perSecond(2)) { $0.concurrentMax = 2 }
        for path in ["a", "b", "c", "d"] { _ = world.submit(path) }
        _ = world.submit("r", .repair)
        #expect(world.sent.map(\.target) == ["/a", "/b"])
        world.answer(200)
        // A place is free, a permit isn't.
        #expect(world.sent.count == 2)
        world.wait()
        #expect(world.sent.map(\.target) == ["/a", "/b", "/r"])
        #expect(world.queue.count == 4)
    }

    @Test func headersOfTheAnswerDriveTheRate() {
        var world = QueueWorld(rate: .perMinute(120))
        _ = world.submit("a")
        world.answer(200, RateHint(remaining: 1, resetNanos: 5_000 * millisecond))
        for path in ["b", "c"] { _ = world.submit(path) }
        #expect(world.sent.map(\.target) == ["/a", "/b"])
        let before = world.now
        world.wait()
        #expect(world.now.nanos(since: before) == 5_000 * millisecond)
        #expect(world.sent.map(\.target) == ["/a", "/b", "/c"])
    }

    @Test func aRequestEndsAtItsDeadline() {
        var world = QueueWorld { $0.concurrentMax = 1 }
        let first = world.submit("a", within: 5_000 * millisecond)
        let second = world.submit("b", within: 1_000 * millisecond)
        world.wait()
        #expect(world.outcome(second) == "no answer in time")
        #expect(world.cancelled.isEmpty)
        world.wait()
        #expect(world.outcome(first) == "no answer in time")
        #expect(world.cancelled == [1])
        world.answer(200)
        #expect(world.queue.counters.late == 1)
    }

    @Test func aPauseBeyondTheDeadlineEndsItNow() {
        var world = QueueWorld()
        let ticket = world.submit(within: 1_000 * millisecond)
        world.answer(503, RateHint(retryAfterNanos: 60_000 * millisecond), words: "later")
        #expect(world.outcome(ticket) == "no answer in time, last: status 503: later")
    }

    @Test func aRefusedKeyIsSaidOnceAndNothingIsAskedAgain() {
        var world = QueueWorld { $0.concurrentMax = 1 }
        let first = world.submit("a")
        let second = world.submit("b")
        world.answer(401, words: "Unknown API Key")
        #expect(world.outcome(first) == "the key is refused: Unknown API Key")
        #expect(world.outcome(second) == "the key is refused: Unknown API Key")
        for _ in 0..<1_000 {
            _ = world.submit("c", .repair)
            world.pass(60_000 * millisecond)
        }
        #expect(world.sent.count == 1)
        #expect(world.alerts.count == 1)
        #expect(world.alerts[0].contains("configuration"))
        #expect(world.queue.counters.barred == 1_000)
        world.perform(world.queue.reloaded(now: world.now))
        _ = world.submit("d")
        #expect(world.sent.count == 2)
    }

    @Test func aPlanWithoutTheDataIsSaidOnceAndAskedAgainAfterAnHour() {
        var world = QueueWorld { $0.concurrentMax = 1 }
        let first = world.submit("a", .repair, entitlement: "seconds")
        let same = world.submit("b", .repair, entitlement: "seconds")
        let other = world.submit("c", .repair, entitlement: "minutes")
        let warmUp = world.submit("d", .warmUp, entitlement: "seconds")
        world.answer(403, words: "NOT_AUTHORIZED")
        #expect(world.outcome(first) == "not in the account's plan: NOT_AUTHORIZED")
        #expect(world.outcome(same) == "not in the account's plan: NOT_AUTHORIZED")
        world.answer(200)
        #expect(world.outcome(other) == "answered")
        world.answer(403)
        #expect(world.outcome(warmUp) == "not in the account's plan: ")
        #expect(world.alerts.count == 1)
        for _ in 0..<59 {
            world.pass(60_000 * millisecond)
            _ = world.submit("e", .repair, entitlement: "seconds")
        }
        #expect(world.sent.count == 3)
        world.pass(60_000 * millisecond)
        _ = world.submit("e", .repair, entitlement: "seconds")
        #expect(world.sent.count == 4)
        world.answer(403)
        #expect(world.alerts.count == 1)
    }

    @Test func anUnreachableHostIsSaidOnceUntilItAnswers() {
        var world = QueueWorld()
        for _ in 0..<3 {
            let ticket = world.submit()
            for _ in 0..<4 {
                world.fail("no route")
                if world.outcome(ticket) == "open" { world.wait() }
            }
            #expect(world.outcome(ticket) == "tried 4 times, last: no route")
        }
        #expect(world.alerts.count == 1)
        _ = world.submit()
        world.answer(200)
        _ = world.submit()
        for _ in 0..<4 {
            world.fail("no route")
            world.wait()
        }
        #expect(world.alerts.count == 2)
        #expect(world.sent.count == 17)
    }

    @Test func aFullQueueKeepsWhatIsUrgent() {
        var world = QueueWorld {
            $0.concurrentMax = 1
            $0.waitingMax = 3
        }
        let out = world.submit("a", .backfill)
        let old = world.submit("b", .backfill)
        let new = world.submit("c", .backfill)
        let refused = world.submit("d", .backfill)
        #expect(world.outcome(refused) == "too many requests wait")
        let repair = world.submit("r", .repair)
        #expect(world.outcome(new) == "made room for a more urgent request")
        #expect([out, old, repair].map { world.outcome($0) } == ["open", "open", "open"])
        #expect(world.queue.counters.refused == 1)
        #expect(world.queue.counters.displaced == 1)
    }

    @Test func redirectsAndLargeBodiesEndARequest() {
        var world = QueueWorld()
        let led = world.submit("a")
        world.answer(302)
        #expect(world.outcome(led) == "redirected (302), which is not followed")
        let large = world.submit("b")
        world.perform(world.queue.overflowed(large, attempt: 2, now: world.now))
        #expect(world.outcome(large) == "the body is too large")
        #expect(world.sent.count == 2)
    }

    @Test func cancelAndStop() {
        var world = QueueWorld { $0.concurrentMax = 1 }
        let first = world.submit("a")
        let second = world.submit("b")
        world.perform(world.queue.cancelled(first, now: world.now))
        #expect(world.outcome(first) == "cancelled")
        #expect(world.cancelled == [1])
        #expect(world.sent.map(\.target) == ["/a", "/b"])
        world.perform(world.queue.stopped(now: world.now))
        #expect(world.outcome(second) == "stopped")
        let late = world.submit("c")
        #expect(world.outcome(late) == "stopped")
        #expect(world.queue.deadline == .distantFuture)
    }

    /// Any events in any order: each request ends once, limits hold, and the queue comes to rest.
    @Test(arguments: 1...40) func randomSequencesHoldTheInvariants(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var world = QueueWorld(rate: .perSecond(5)) { $0.waitingMax = 12 }
        var tickets: [RequestTicket] = []
        var ended: Set<Int> = []
        for _ in 0..<400 {
            world.now = world.now.advanced(byNanos: Int64.random(in: 0..<200_000_000, using: &generator))
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<3:
                let priority = RequestPriority.allCases.randomElement(using: &generator) ?? .repair
                tickets.append(world.submit("p", priority, within: 4_000 * millisecond))
            case 3..<8:
                guard let one = world.sent.randomElement(using: &generator) else { continue }
                let status = [200, 200, 404, 429, 500, 403, 302, 0].randomElement(using: &generator) ?? 200
                let actions =
                    status == 0
                    ? world.queue.failed(one.ticket, attempt: one.attempt, words: "cut", now: world.now)
                    : world.queue.answered(one.ticket, attempt: one.attempt, status: status, now: world.now)
                ended.insert(one.attempt)
                world.perform(actions)
            default: world.perform(world.queue.timerFired(now: world.now))
            }
            let out = world.sent.count { !ended.contains($0.attempt) && !world.cancelled.contains($0.attempt) }
            #expect(out <= 4, "seed \(seed)")
            #expect(world.queue.count <= 12, "seed \(seed)")
        }
        var turns = 0
        while world.queue.deadline != .distantFuture, turns < 1_000 {
            world.wait()
            turns += 1
        }
        #expect(turns < 1_000, "seed \(seed)")
        #expect(tickets.allSatisfy { world.finished[$0] != nil }, "seed \(seed)")
        let counters = world.queue.counters
        #expect(counters.submitted == tickets.count)
        #expect(counters.answered + counters.failed == tickets.count)
    }
}
