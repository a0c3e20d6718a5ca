import Bus
import MarketData
import Network
import Primitives
import Testing
import Wire

/// What only Redis has: its keys, users, epochs, old commands, and its absence.
@Suite(.serialized, .enabled(if: RedisServer.isInstalled)) struct RedisBusTests {
    private let plan = Channel(.plan, "p_7Q2")
    private let spy = Channel(.symbol, "SPY")

    @Test func keysAreThoseOfTheProtocol() async throws {
        try await withRedis { bus, server in
            var writer = EnvelopeWriter()
            try await bus.waitUntilUp()
            try await bus.gatewayBus.subscribe([plan])
            bus.gatewayBus.want([spy])
            let hit = writer.durable(plan, .hit, #"{"kind":"entry"}"#)
            bus.release([hit])
            try await bus.subscriber.heard.wait("it comes") { $0.messages.count == 1 }
            try await bus.engine.heard.wait("it is wanted") { $0.demands.count == 1 }
            let partition = plan.partition
            let text = String(decoding: hit.bytes, as: UTF8.self)
            let entry = try server.command(["XRANGE", "st:{p\(partition)}:log", "-", "+"])
            #expect(entry == "1-0\nch\nplan:p_7Q2\noff\n1\nfence\n0\nm\n" + text)
            let state = "st:{p\(partition)}:state:plan:p_7Q2"
            #expect(try server.command(["HGET", state, "hit.kind"]) == #""entry""#)
            #expect(try server.command(["HMGET", state, "ep", "off", "n", "t"]) == "e1\n1\n1\n1001")
            #expect(try server.command(["ZRANGE", "st:want", "0", "-1"]) == "symbol:SPY")
            #expect(try server.command(["PUBSUB", "CHANNELS"]) == "st:plan:p_7Q2")
            #expect(try server.command(["XINFO", "GROUPS", "st:cmd"]).hasPrefix("name\nengine\n"))
        }
    }

    @Test func whatWasCommittedAndNeverPublishedIsPublished() async throws {
        var writer = EnvelopeWriter()
        let all = (0..<10).map { writer.durable(plan, .hit, #"{"i":\#($0)}"#) }
        let log = FakeLog()
        log.commit(all)
        try await withRedis { bus, server in
            // The first engine got five of them out before it died.
            bus.release(Array(all[..<5]))
            try await bus.expectWholeLog(Array(all[..<5]))
            try await bus.gatewayBus.subscribe([plan])
            await bus.engineBus.stop()
            let engine = RecordingEngine()
            try await withEngine(server, engine, log) { _ in
                try await engine.heard.wait("it is complete") { $0.states.last == .up }
                try await bus.expectWholeLog(all)
                try await bus.subscriber.heard.wait("the rest comes") { $0.messages.count == 5 }
                #expect(bus.subscriber.heard.value.offsets(of: plan) == [6, 7, 8, 9, 10])
            }
        }
    }

    @Test func aCommitLogBehindTheBusNeedsAnotherEpoch() async throws {
        var writer = EnvelopeWriter()
        let all = (0..<10).map { writer.durable(plan, .hit, #"{"i":\#($0)}"#) }
        try await withRedis(options: { $0.heartbeatMillis = 50 }) { bus, server in
            bus.release(all)
            try await bus.expectWholeLog(all)
            await bus.engineBus.stop()
            let log = FakeLog()
            log.commit(Array(all[..<7]))
            let engine = RecordingEngine()
            try await withEngine(server, engine, log) { engineBus in
                try await engine.heard.wait("it is told") { $0.losses.map(\.sequences) == [8...10] }
                #expect(engine.heard.value.states.last == .degraded)
                // The engine declares a new epoch, and begins a log of it.
                var fresh = EnvelopeWriter()
                fresh.epoch = "e2"
                log.setEpoch("e2")
                log.compact(plan.partition, before: .max)
                let first = fresh.durable(plan, .status, "{}")
                log.commit([first])
                engineBus.release([first])
                try await engine.heard.wait("it is complete") { $0.states.last == .up }
                try await bus.expectWholeLog([first])
            }
        }
    }

    @Test func anotherEpochReplacesTheLog() async throws {
        var writer = EnvelopeWriter()
        let old = (0..<10).map { writer.durable(plan, .hit, #"{"i":\#($0)}"#) }
        try await withRedis { bus, server in
            bus.release(old)
            try await bus.expectWholeLog(old)
            await bus.engineBus.stop()
            let log = FakeLog()
            log.setEpoch("e2")
            var fresh = EnvelopeWriter()
            fresh.epoch = "e2"
            let new = (0..<3).map { fresh.durable(plan, .hit, #"{"j":\#($0)}"#) }
            log.commit(new)
            let engine = RecordingEngine()
            try await withEngine(server, engine, log) { _ in
                try await engine.heard.wait("it is complete") { $0.states.last == .up }
                let kept = try await bus.gatewayBus.log(of: plan.partition, from: 1, limit: 100)
                #expect(kept.map(\.bytes) == new.map(\.bytes))
                #expect(engine.heard.value.losses.isEmpty)
            }
        }
    }

    @Test func aHigherFenceShutsOut() async throws {
        var writer = EnvelopeWriter()
        try await withRedis(options: { $0.fence = 7 }) { bus, server in
            try await bus.waitUntilUp()
            let first = writer.durable(plan, .hit, "{}")
            bus.release([first])
            try await bus.expectWholeLog([first])
            let log = FakeLog()
            log.commit([first])
            let engine = RecordingEngine()
            try await withEngine(server, engine, log, { $0.fence = 6 }) { old in
                try await engine.heard.wait("it is up") { $0.states.last == .up }
                let second = writer.durable(plan, .hit, "{}")
                log.commit([second])
                old.release([second])
                try await engine.heard.wait("it is shut out") { $0.states.last == .down }
                try await bus.expectWholeLog([first])
            }
        }
    }

    /// Runs `body` with one more engine's end on the server.
    private func withEngine(
        _ server: RedisServer,
        _ engine: RecordingEngine,
        _ log: FakeLog,
        _ change: (inout RedisOptions) -> Void = { _ in },
        _ body: (RedisBus) async throws -> Void
    ) async throws {
        var options = RedisOptions(url: try RedisURL(server.url))
        options.heartbeatMillis = 50
        change(&options)
        let loop = EventLoop(name: "second-bus")
        loop.start()
        let bus = RedisBus(options: options, loop: loop, log: log)
        bus.start(engine: engine, subscriber: nil)
        var failure: (any Error)?
        do { try await body(bus) } catch { failure = error }
        await bus.stop()
        loop.stop()
        loop.join()
        if let failure { throw failure }
    }

    // MARK: Commands

    @Test func oldAndBrokenCommandsAreNotExecuted() async throws {
        try await withRedis { bus, server in
            try await bus.waitUntilUp()
            let good = ["op", "create", "id", "old", "owner", "local", "body", "{}"]
            try server.command(["XADD", "st:cmd", "NOMKSTREAM", "1-1"] + good)
            try server.command(["XADD", "st:cmd", "*", "op", "destroy", "id", "x", "owner", "local", "body", "{}"])
            try server.command(["XADD", "st:cmd", "*", "op", "create", "id", "with space", "owner", "o", "body", "{}"])
            try server.command(["XADD", "st:cmd", "*", "id", "x"])
            try server.command(["XADD", "st:cmd", "*"] + good.map { $0 == "old" ? "new" : $0 })
            try await bus.engine.heard.wait("the good one comes") { $0.commands.count == 1 }
            #expect(bus.engine.heard.value.commands.map(\.id) == ["new"])
            #expect(bus.counters.engine.malformed == 3 && bus.counters.engine.refusedCommands == 1)
            bus.engineBus.reply(to: "new", payload: Array("{}".utf8))
            try await server.wait(for: ["XPENDING", "st:cmd", "engine"]) { $0.hasPrefix("0") }
        }
    }

    @Test func aRestartedEngineGetsWhatWasNotAnswered() async throws {
        try await withRedis { bus, server in
            try await bus.waitUntilUp()
            let asking = Task { try await bus.gatewayBus.submit(command("c-9")) }
            try await bus.engine.heard.wait("it comes") { $0.commands.count == 1 }
            await bus.engineBus.stop()
            let engine = RecordingEngine()
            try await withEngine(server, engine, FakeLog()) { engineBus in
                try await engine.heard.wait("it comes again") { $0.commands.count == 1 }
                engineBus.reply(to: "c-9", payload: Array("{9}".utf8))
                #expect(try await asking.value == Array("{9}".utf8))
            }
        }
    }

    @Test func commandsSurviveAFlush() async throws {
        try await withRedis(options: { $0.heartbeatMillis = 50 }) { bus, server in
            try await bus.waitUntilUp()
            try server.command(["FLUSHALL"])
            let asking = Task { try await bus.gatewayBus.submit(command("after")) }
            try await bus.engine.heard.wait("it comes") { $0.commands.count == 1 }
            bus.engineBus.reply(to: "after", payload: [1])
            #expect(try await asking.value == [1])
        }
    }

    // MARK: Users and places

    @Test func usersMayDoWhatTheyNeedAndNoMore() async throws {
        let engineRule = try RedisUsers.rule("engine", password: "e-pass")
        let gatewayRule = try RedisUsers.rule("gateway", password: "g-pass")
        let server = try await RedisServer()
        defer { server.stop() }
        #expect(try server.command(["ACL", "SETUSER"] + engineRule) == "OK")
        #expect(try server.command(["ACL", "SETUSER"] + gatewayRule) == "OK")
        try server.command(["ACL", "SETUSER", "default", "off"])
        try await exerciseUsers(server)
        func gateway(_ command: String...) throws -> String {
            try server.command(command, user: "gateway", password: "g-pass")
        }
        #expect(try gateway("PUBLISH", "st:plan:p_7Q2", "x").hasPrefix("NOPERM"))
        #expect(try gateway("SET", "st:want", "x").hasPrefix("NOPERM"))
        #expect(try gateway("XADD", "st:{p1}:log", "*", "a", "b").hasPrefix("NOPERM"))
        #expect(try gateway("HSET", "st:{p1}:state:symbol:SPY", "a", "b").hasPrefix("NOPERM"))
        #expect(try gateway("EVAL", "return 1", "0").hasPrefix("NOPERM"))
        #expect(try gateway("GET", "other").hasPrefix("NOPERM"))
        #expect(try gateway("SUBSCRIBE", "other").hasPrefix("NOPERM"))
        #expect(try gateway("CONFIG", "GET", "*").hasPrefix("NOPERM"))
        func engine(_ command: String...) throws -> String {
            try server.command(command, user: "engine", password: "e-pass")
        }
        #expect(try engine("PUBLISH", "other", "x").hasPrefix("NOPERM"))
        #expect(try engine("SET", "other", "x").hasPrefix("NOPERM"))
        #expect(try engine("FLUSHALL").hasPrefix("NOPERM"))
        #expect(try engine("CONFIG", "GET", "*").hasPrefix("NOPERM"))
    }

    /// Everything that the buses do, as these users: no server error may come.
    private func exerciseUsers(_ server: RedisServer) async throws {
        let loop = EventLoop(name: "users")
        loop.start()
        let port = server.port
        var options = RedisOptions(url: try RedisURL("redis://engine:e-pass@127.0.0.1:\(port)/0"))
        options.demandPollMillis = 50
        options.heartbeatMillis = 50
        let log = FakeLog()
        let engine = RecordingEngine()
        let engineBus = RedisBus(options: options, loop: loop, log: log)
        engineBus.start(engine: engine, subscriber: nil)
        options.url = try RedisURL("redis://gateway:g-pass@127.0.0.1:\(port)")
        let subscriber = RecordingSubscriber()
        let gatewayBus = RedisBus(options: options, loop: loop)
        gatewayBus.start(engine: nil, subscriber: subscriber)
        try await engine.heard.wait("the engine is up") { $0.states.last == .up }
        try await subscriber.heard.wait("the gateway is up") { $0.states.last == .up }
        try await gatewayBus.subscribe([plan])
        gatewayBus.want([plan])
        try await engine.heard.wait("demand is heard") { [plan] in $0.demands == [[plan]] }
        var writer = EnvelopeWriter()
        engineBus.release([
            writer.durable(plan, .hit, "{}"), writer.conflatable(plan, .delta, "{}"),
            writer.state(plan, .snapshot, "{}"),
        ])
        try await subscriber.heard.wait("both come") { $0.messages.count == 2 }
        #expect(try await gatewayBus.hotState(of: [plan])[0]?.offset == 1)
        #expect(try await gatewayBus.log(of: plan.partition, from: 1, limit: 1).count == 1)
        let asking = Task { try await gatewayBus.submit(command("acl")) }
        try await engine.heard.wait("it comes") { $0.commands.count == 1 }
        engineBus.reply(to: "acl", payload: [7])
        #expect(try await asking.value == [7])
        gatewayBus.unsubscribe([plan])
        #expect(engineBus.counters().serverErrors == 0 && gatewayBus.counters().serverErrors == 0)
        await engineBus.stop()
        await gatewayBus.stop()
        loop.stop()
        loop.join()
    }

    @Test func aWrongPasswordIsToldWithoutIt() async throws {
        let engine = RecordingEngine()
        try await withRedis(
            ["--requirepass", "right"],
            engine: engine,
            options: { $0.url = try RedisURL($0.url.description.replacing("redis://", with: "redis://:wr0ng@")) }
        ) { bus, _ in
            try await engine.heard.wait("it is told") { $0.causes.contains { $0.contains("WRONGPASS") } }
            #expect(engine.heard.value.states.allSatisfy { $0 == .down })
            #expect(!engine.heard.value.causes.contains { $0.contains("wr0ng") })
            let error = await #expect(throws: BusError.self) { try await bus.gatewayBus.hotState(of: [plan]) }
            #expect(error?.description.contains("wr0ng") == false)
        }
    }

    @Test func worksOverAUnixSocketAndInAnotherDatabase() async throws {
        let engine = RecordingEngine()
        try await withRedis(
            engine: engine,
            options: { _ in },
            prepare: { _, _ in }
        ) { bus, server in
            try await bus.waitUntilUp()
            let log = FakeLog()
            let second = RecordingEngine()
            let url = try RedisURL("unix://\(server.socketPath)?db=3")
            try await withEngine(server, second, log, { $0.url = url }) { engineBus in
                try await second.heard.wait("it is up") { $0.states.last == .up }
                var writer = EnvelopeWriter()
                engineBus.release([writer.durable(plan, .hit, "{}")])
                let key = "st:{p\(plan.partition)}:log"
                try await server.wait(for: ["-n", "3", "XLEN", key]) { $0 == "1" }
                #expect(try server.command(["XLEN", key]) == "0")
            }
        }
    }

    @Test func withoutRedisTheEngineGoesOn() async throws {
        let loop = EventLoop(name: "alone")
        loop.start()
        var options = RedisOptions(url: try RedisURL("redis://127.0.0.1:1"))
        options.tailMessagesMax = 10
        options.limits.replyMillis = 100
        let log = FakeLog()
        let bus = RedisBus(options: options, loop: loop, log: log)
        let engine = RecordingEngine()
        let subscriber = RecordingSubscriber()
        bus.start(engine: engine, subscriber: subscriber)
        try await engine.heard.wait("it is told") { $0.states.last == .down }
        var writer = EnvelopeWriter()
        for _ in 0..<100 { bus.release([writer.durable(plan, .hit, "{}"), writer.conflatable(spy, .tick, "{}")]) }
        await #expect(throws: BusError.self) { try await bus.hotState(of: [plan]) }
        await #expect(throws: BusError.self) { try await bus.submit(command("c")) }
        await #expect(throws: BusError.self) { try await bus.subscribe([plan]) }
        await bus.stop()
        loop.stop()
        loop.join()
        let counters = bus.counters()
        #expect(counters.droppedConflatable == 100 && counters.appended == 0)
    }
}
