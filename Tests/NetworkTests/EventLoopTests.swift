import Network
import Primitives
import Testing

@Suite struct EventLoopTests {
    @Test func jobsOfOneThreadRunInOrderOnTheLoopThread() throws {
        try withLoop { loop in
            let seen = Lock<[Int]>([])
            for number in 0..<1_000 {
                let taken = loop.execute {
                    loop.preconditionCurrent()
                    seen.withLock { $0.append(number) }
                }
                #expect(taken)
            }
            try loop.sync {}
            #expect(seen.withLock { $0 } == Array(0..<1_000))
            #expect(loop.counters.executed == 1_001)
            #expect(!loop.isCurrent)
        }
    }

    @Test func aFullQueueRefusesAndCounts() throws {
        let loop = EventLoop(name: "full", jobLimit: 3)
        // Not started: nothing is taken out.
        #expect((0..<5).map { _ in loop.execute {} } == [true, true, true, false, false])
        #expect(loop.counters.refused == 2)
        #expect(loop.counters.waitingMax == 3)
        loop.start()
        loop.stop()
        loop.join()
        #expect(loop.counters.executed == 3)
    }

    @Test func stopIsIdempotentAndRunsWhatWasPosted() throws {
        let loop = EventLoop(name: "stop")
        loop.start()
        let ran = Lock(0)
        for _ in 0..<10 { loop.execute { ran.withLock { $0 += 1 } } }
        loop.stop()
        loop.stop()
        loop.join()
        loop.join()
        loop.stop()
        #expect(ran.withLock { $0 } == 10)
        #expect(!loop.execute {})
        #expect(throws: NetworkError.self) { try loop.sync {} }
    }

    @Test func aLoopThatNeverRanIsFreed() {
        weak var gone: EventLoop?
        do {
            let loop = EventLoop(name: "idle")
            gone = loop
        }
        #expect(gone == nil)
    }

    @Test func timersFireInOrderRepeatAndCancel() async throws {
        let loop = EventLoop(name: "timers")
        loop.start()
        let fired: [String] = await withCheckedContinuation { continuation in
            loop.execute {
                let log = Log()
                loop.schedule(after: 2_000_000) { log.entries.append("second") }
                loop.schedule(after: 0) { log.entries.append("first") }
                let cancelled = loop.schedule(after: 1_000_000) { log.entries.append("cancelled") }
                cancelled.cancel()
                cancelled.cancel()
                #expect(!cancelled.isArmed)
                var rounds = 0
                var repeating: TimerHandle?
                repeating = loop.schedule(after: 5_000_000, repeating: 1_000_000) {
                    rounds += 1
                    log.entries.append("round")
                    guard rounds == 3 else { return }
                    repeating?.cancel()
                    continuation.resume(returning: log.entries)
                }
            }
        }
        #expect(fired == ["first", "second", "round", "round", "round"])
        loop.stop()
        loop.join()
    }

    @Test func armedTimersDoNotHoldUpTheStop() throws {
        let loop = EventLoop(name: "armed")
        loop.start()
        let fired = Lock(false)
        try loop.sync { _ = loop.schedule(after: 3_600_000_000_000) { fired.withLock { $0 = true } } }
        loop.stop()
        loop.join()
        #expect(!fired.withLock { $0 })
    }

    @Test func turnHooksRunAfterTheJobsOfATurn() async throws {
        let loop = EventLoop(name: "hooks")
        loop.start()
        let log: [String] = await withCheckedContinuation { continuation in
            loop.execute {
                let log = Log()
                var id = 0
                id = loop.addTurnHook {
                    log.entries.append("hook")
                    loop.removeTurnHook(id)
                    continuation.resume(returning: log.entries)
                }
                log.entries.append("job")
            }
        }
        #expect(log == ["job", "hook"])
        loop.stop()
        loop.join()
    }

    @Test func closersRunInReverseOrderAtTheStop() throws {
        let loop = EventLoop(name: "closers")
        loop.start()
        let order = Lock<[Int]>([])
        try loop.sync {
            for number in 1...3 { loop.addCloser { order.withLock { $0.append(number) } } }
        }
        loop.stop()
        loop.join()
        #expect(order.withLock { $0 } == [3, 2, 1])
    }

    @Test func anActorLivesOnTheLoop() async throws {
        let loop = EventLoop(name: "actor")
        loop.start()
        let resident = Resident(loop)
        for _ in 0..<100 { await resident.step() }
        #expect(await resident.steps == 100)
        let seen = try await loop.run { resident.assumeIsolated { $0.steps } }
        #expect(seen == 100)
        loop.stop()
        loop.join()
    }

    @Test func clocksAreSane() {
        let first = SystemClock.monotonicNanos()
        #expect(SystemClock.monotonicNanos() >= first)
        // 2020-01-01: a wall clock in nanoseconds, not in another unit.
        #expect(SystemClock.wall().nanos > 1_577_836_800_000_000_000)
    }
}

/// Runs `body` with a loop that is stopped afterwards.
private func withLoop(_ body: (EventLoop) throws -> Void) throws {
    let loop = EventLoop(name: "test")
    loop.start()
    defer {
        loop.stop()
        loop.join()
    }
    try body(loop)
}

private final class Log {
    var entries: [String] = []
}

private actor Resident {
    private let loop: EventLoop
    private(set) var steps = 0
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ loop: EventLoop) { self.loop = loop }

    func step() {
        loop.preconditionCurrent()
        steps += 1
    }
}
