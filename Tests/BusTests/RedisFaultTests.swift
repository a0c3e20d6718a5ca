import Bus
import Glibc
import MarketData
import Primitives
import Testing
import Wire

/// Redis dies, freezes, forgets and cuts (reliability.md R5–R8): durable messages have no hole and no double.
@Suite(.serialized, .enabled(if: RedisServer.isInstalled)) struct RedisFaultTests {
    private let plans = (0..<12).map { Channel(.plan, "p_\($0)") }
    private let spy = Channel(.symbol, "SPY")

    /// Quick to notice and to come back.
    private static func quick(_ options: inout RedisOptions) {
        options.heartbeatMillis = 100
        options.backoffMillisMax = 100
    }

    /// Durable messages over all plans, and a conflatable one each.
    private func batch(_ writer: inout EnvelopeWriter, _ count: Int) -> [Envelope] {
        (0..<count).flatMap { i in
            [
                writer.durable(plans[i % plans.count], .hit, #"{"i":\#(i)}"#),
                writer.conflatable(spy, .tick, #"{"last":\#(i)}"#),
            ]
        }
    }

    private func waitForState(_ bus: Harness, _ state: FeedState, after count: Int) async throws {
        try await bus.engine.heard.wait("the engine hears \(state.rawValue)") {
            $0.states.count > count && $0.states.last == state
        }
    }

    @Test(arguments: [4_096, 8]) func r5KilledAndStartedAgain(tail: Int) async throws {
        try await withRedis(
            options: {
                Self.quick(&$0)
                $0.tailMessagesMax = tail
            }
        ) { bus, server in
            var writer = EnvelopeWriter()
            try await bus.waitUntilUp()
            try await bus.gatewayBus.subscribe(plans + [spy])
            var all = batch(&writer, 500)
            bus.release(all)
            try await bus.subscriber.heard.wait("everything comes") { $0.messages.count == 1_000 }
            server.crash()
            try await bus.engine.heard.wait("the engine hears it") { $0.states.last == .down }
            try await bus.subscriber.heard.wait("the gateway hears it") { $0.states.last == .down }
            let away = batch(&writer, 500)
            bus.release(away)
            all += away
            try server.start()
            try await bus.engine.heard.wait("the log is complete") { $0.states.last == .up }
            try await bus.subscriber.heard.wait("it is told") { [plans, spy] in
                $0.interruptions == [(plans + [spy]).sorted()] && $0.states.last == .up
            }
            try await bus.expectWholeLog(all)
            // And goes on.
            let after = batch(&writer, 24)
            bus.release(after)
            try await bus.subscriber.heard.wait("the last comes") { $0.messages.last?.bytes == after.last?.bytes }
            try await bus.expectWholeLog(all + after)
            let counters = bus.counters
            #expect(counters.engine.droppedConflatable >= 500 && counters.engine.reconnects >= 1)
            #expect(tail > 100 || (counters.engine.spilled > 0 && bus.log.reads > 0))
            #expect(counters.engine.lost == 0 && counters.engine.malformed == 0)
            let last = plans.map { plan in (all + after).last { $0.channel == plan }?.offset ?? 0 }
            #expect(try await bus.gatewayBus.hotState(of: plans).map { $0?.offset ?? 0 } == last)
        }
    }

    @Test func r6FrozenAndThawed() async throws {
        try await withRedis(
            options: {
                Self.quick(&$0)
                $0.deadMillis = 700
            }
        ) { bus, server in
            var writer = EnvelopeWriter()
            try await bus.waitUntilUp()
            try await bus.gatewayBus.subscribe(plans)
            var all: [Envelope] = []
            for _ in 0..<3 {
                let first = batch(&writer, 100)
                bus.release(first)
                server.signal(SIGSTOP)
                let second = batch(&writer, 100)
                bus.release(second)
                all += first + second
                try await bus.engine.heard.wait("it is noticed") { $0.states.last == .down }
                let third = batch(&writer, 100)
                bus.release(third)
                all += third
                server.signal(SIGCONT)
                try await bus.engine.heard.wait("the log is complete") { $0.states.last == .up }
            }
            try await bus.expectWholeLog(all)
        }
    }

    @Test func r6ShortFreezeIsNotALoss() async throws {
        try await withRedis { bus, server in
            var writer = EnvelopeWriter()
            try await bus.waitUntilUp()
            try await bus.gatewayBus.subscribe(plans)
            server.signal(SIGSTOP)
            let all = batch(&writer, 2_000)
            bus.release(all)
            server.signal(SIGCONT)
            let last = all[all.count - 2]
            try await bus.subscriber.heard.wait("the last comes") { $0.messages.last?.bytes == last.bytes }
            try await bus.expectWholeLog(all)
            #expect(bus.counters.engine.reconnects == 0)
            for plan in plans {
                let sent = all.filter { $0.channel == plan }.map(\.offset)
                #expect(bus.subscriber.heard.value.offsets(of: plan) == sent)
            }
        }
    }

    @Test func r7SlowSubscriberIsCutAndResynchronised() async throws {
        try await withRedis(
            ["--client-output-buffer-limit", "pubsub 256kb 128kb 1"],
            options: Self.quick
        ) { bus, server in
            var writer = EnvelopeWriter()
            try await bus.waitUntilUp()
            try await bus.gatewayBus.subscribe(plans)
            let text = String(repeating: "x", count: 20_000)
            let gate = bus.subscriber.closeGate()
            let all = (0..<2_000).map { writer.durable(plans[$0 % plans.count], .note, #"{"text":"\#(text)"}"#) }
            bus.release(all)
            try await bus.engine.heard.wait("the engine isn't held up") { $0.states.last == .up }
            try await server.waitForLogs(of: all.count)
            gate.open()
            try await bus.subscriber.heard.wait("the cut is told", seconds: 40) { [plans] in
                $0.interruptions.contains(plans.sorted()) && $0.states.last == .up
            }
            try await bus.expectWholeLog(all)
            #expect(bus.counters.gateway.reconnects >= 1)
            let last = writer.durable(plans[3], .note, "{}")
            bus.release([last])
            try await bus.subscriber.heard.wait("it goes on") { $0.messages.last?.bytes == last.bytes }
        }
    }

    @Test func r8KilledSubscribersComeBack() async throws {
        try await withRedis(options: Self.quick) { bus, server in
            var writer = EnvelopeWriter()
            try await bus.waitUntilUp()
            try await bus.gatewayBus.subscribe(plans)
            for round in 1...5 {
                #expect(try server.command(["CLIENT", "KILL", "TYPE", "pubsub"]) == "1")
                try await bus.subscriber.heard.wait("the cut is told") { [plans] in
                    $0.interruptions == Array(repeating: plans.sorted(), count: round) && $0.states.last == .up
                }
                let message = writer.durable(plans[0], .hit, "{}")
                bus.release([message])
                try await bus.subscriber.heard.wait("it delivers again") { $0.messages.last?.bytes == message.bytes }
            }
            #expect(bus.counters.gateway.reconnects == 5)
        }
    }

    @Test func cutPublisherDoublesNothing() async throws {
        try await withRedis(options: Self.quick) { bus, server in
            var writer = EnvelopeWriter()
            try await bus.waitUntilUp()
            try await bus.gatewayBus.subscribe(plans)
            var all: [Envelope] = []
            for _ in 0..<20 {
                let more = batch(&writer, 200)
                all += more
                bus.release(more)
                _ = try server.command(["CLIENT", "KILL", "TYPE", "normal"])
            }
            try await bus.expectWholeLog(all)
            // The subscriber's connection held: it saw each message once, in order.
            for plan in plans {
                let sent = all.filter { $0.channel == plan }.map(\.offset)
                try await bus.subscriber.heard.wait("the last of \(plan)") { $0.lastOffsets[plan] == sent.last }
                #expect(bus.subscriber.heard.value.offsets(of: plan) == sent)
            }
            #expect(bus.counters.engine.reconnects > 0)
        }
    }

    @Test func whatRestsOnAMessageComesBehindIt() async throws {
        let seed = UInt64.random(in: 0..<1_000_000)
        var random = SeededGenerator(seed: seed)
        try await withRedis(options: Self.quick) { bus, server in
            var writer = EnvelopeWriter()
            try await bus.waitUntilUp()
            try await bus.gatewayBus.subscribe(plans)
            let first = plans.flatMap { [writer.durable($0, .hit, "{}"), writer.conflatable($0, .delta, "{}")] }
            bus.release(first)
            try await bus.subscriber.heard.wait("the first come") { $0.messages.count == first.count }
            try server.command(["FLUSHALL"])
            for round in 0..<30 {
                var more: [Envelope] = []
                for i in 0..<100 {
                    let plan = plans[Int.random(in: 0..<plans.count, using: &random)]
                    more.append(writer.durable(plan, .hit, #"{"i":\#(i)}"#))
                    more.append(writer.conflatable(plan, .delta, #"{"price":\#(i)}"#))
                    if i % 10 == 0 { more.append(writer.state(plan, .snapshot, #"{"i":\#(i)}"#)) }
                }
                bus.release(more)
                if round % 5 == 1 { try server.command(["FLUSHALL"]) }
                if round % 5 == 3 { try server.command(["CLIENT", "KILL", "TYPE", "normal"]) }
            }
            let last = plans.map { writer.durable($0, .hit, "{}") }
            bus.release(last)
            try await bus.subscriber.heard.wait("the last of each comes", seconds: 40) { heard in
                last.allSatisfy { heard.lastOffsets[$0.channel] == $0.offset }
            }
            var seen: [Channel: Int64] = [:]
            var rested = 0
            for message in bus.subscriber.heard.value.messages {
                if let offset = message.header.offset {
                    // Shown, then forgotten by the server before its answer came: shown again, known by its offset.
                    if offset <= seen[message.channel] ?? 0 { continue }
                    #expect(offset == (seen[message.channel] ?? 0) + 1, "seed \(seed)")
                    seen[message.channel] = offset
                } else {
                    rested += 1
                    #expect(message.header.base == seen[message.channel], "seed \(seed)")
                }
            }
            #expect(rested >= plans.count && bus.counters.engine.holes > 0)
            // In the end the bus is whole again, and the engine knows since when.
            try await bus.engine.heard.wait("it is up") { $0.states.last == .up }
        }
    }

    @Test func flushedServerIsRefilledAlsoWhileIdle() async throws {
        try await withRedis(options: Self.quick) { bus, server in
            var writer = EnvelopeWriter()
            try await bus.waitUntilUp()
            try await bus.gatewayBus.subscribe(plans)
            let all = batch(&writer, 300)
            bus.release(all)
            try await bus.expectWholeLog(all)
            // Idle: the regular look at the logs' tops finds it.
            let idle = bus.engine.heard.value.states.count
            try server.command(["FLUSHALL"])
            try await waitForState(bus, .up, after: idle + 1)
            try await bus.expectWholeLog(all)
            // Busy: the script finds the hole.
            try server.command(["FLUSHALL"])
            let more = batch(&writer, 300)
            bus.release(more)
            try await bus.expectWholeLog(all + more)
            // What was shown before isn't shown again.
            for plan in plans {
                let sent = (all + more).filter { $0.channel == plan }.map(\.offset)
                try await bus.subscriber.heard.wait("the last of \(plan)") { $0.lastOffsets[plan] == sent.last }
                #expect(bus.subscriber.heard.value.offsets(of: plan) == sent)
            }
            #expect(bus.counters.engine.holes > 0 && bus.counters.engine.refilled > 0)
        }
    }

    @Test func anEmptyServerGetsTheEndOfALongLog() async throws {
        var writer = EnvelopeWriter()
        let all = (0..<500).map { writer.durable(plans[0], .hit, #"{"i":\#($0)}"#) }
        try await withRedis(
            options: { $0.limits.logEntriesMax = 100 },
            prepare: { bus, _ in bus.log.commit(all) }
        ) { bus, server in
            try await bus.waitUntilUp()
            let kept = try await bus.gatewayBus.log(of: plans[0].partition, from: 1, limit: 1_000)
            #expect(kept.map(\.sequence) == Array(401...500))
            let next = writer.durable(plans[0], .hit, "{}")
            bus.release([next])
            try await server.waitForLogs(of: 101)
            #expect(bus.engine.heard.value.losses.isEmpty)
        }
    }

    @Test func scriptsAreLoadedAgain() async throws {
        try await withRedis { bus, server in
            var writer = EnvelopeWriter()
            try await bus.waitUntilUp()
            var all = batch(&writer, 100)
            bus.release(all)
            try await bus.expectWholeLog(all)
            try server.command(["SCRIPT", "FLUSH"])
            let more = batch(&writer, 100)
            bus.release(more)
            all += more
            try await bus.expectWholeLog(all)
        }
    }

    @Test func aFullServerIsFilledLater() async throws {
        try await withRedis(options: Self.quick) { bus, server in
            var writer = EnvelopeWriter()
            try await bus.waitUntilUp()
            try server.command(["CONFIG", "SET", "maxmemory", "1"])
            let all = batch(&writer, 100)
            let heard = bus.engine.heard.value.states.count
            bus.release(all)
            try await waitForState(bus, .degraded, after: heard)
            #expect(bus.engine.heard.value.causes.last?.contains("OOM") == true)
            try server.command(["CONFIG", "SET", "maxmemory", "0"])
            try await waitForState(bus, .up, after: heard + 1)
            try await bus.expectWholeLog(all)
        }
    }

    @Test func randomFaultsLeaveTheLogWhole() async throws {
        let seed = UInt64.random(in: 0..<1_000_000)
        var random = SeededGenerator(seed: seed)
        try await withRedis(
            options: {
                Self.quick(&$0)
                $0.tailMessagesMax = 64
                $0.windowMessages = 32
                $0.pageMessages = 16
            }
        ) { bus, server in
            var writer = EnvelopeWriter()
            try await bus.waitUntilUp()
            try await bus.gatewayBus.subscribe(plans)
            var all: [Envelope] = []
            for _ in 0..<40 {
                let more = batch(&writer, Int.random(in: 1...120, using: &random))
                all += more
                bus.release(more)
                switch Int.random(in: 0..<6, using: &random) {
                case 0: _ = try server.command(["CLIENT", "KILL", "TYPE", "normal"])
                case 1: _ = try server.command(["CLIENT", "KILL", "TYPE", "pubsub"])
                case 2: _ = try server.command(["FLUSHALL"])
                case 3: _ = try server.command(["SCRIPT", "FLUSH"])
                case 4:
                    server.crash()
                    try server.start()
                default: break
                }
            }
            try await server.waitUntilItAnswers()
            try await bus.expectWholeLog(all)
            #expect(bus.engine.heard.value.losses.isEmpty, "seed \(seed)")
        }
    }
}
