import Bus
import MarketData
import Primitives
import Testing
import Wire

/// What every bus must do: one suite over the memory twin and Redis.
@Suite(.serialized) struct MessageBusTests {
    private let plan = Channel(.plan, "p_7Q2")
    private let spy = Channel(.symbol, "SPY")

    @Test(arguments: BusKind.installed) func deliversInOrderPerChannel(kind: BusKind) async throws {
        try await withBus(kind) { bus in
            let plans = (0..<20).map { Channel(.plan, "p_\($0)") }
            try await bus.gatewayBus.subscribe(plans + [spy])
            var writer = EnvelopeWriter()
            var all: [Envelope] = []
            for i in 0..<1_000 {
                all.append(writer.durable(plans[i % 20], .hit, #"{"i":\#(i)}"#))
                all.append(writer.conflatable(spy, .tick, #"{"last":\#(i)}"#))
            }
            for batch in stride(from: 0, to: all.count, by: 100) { bus.release(Array(all[batch..<(batch + 100)])) }
            try await bus.subscriber.heard.wait("all messages come") { $0.messages.count == 2_000 }
            let heard = bus.subscriber.heard.value
            for plan in plans { #expect(heard.offsets(of: plan) == Array(1...50)) }
            #expect(heard.messages.filter { $0.channel == spy }.compactMap(\.header.revision) == Array(1...1_000))
            #expect(Set(heard.messages.map(\.bytes)) == Set(all.map(\.bytes)))
            try await bus.expectWholeLog(all)
        }
    }

    @Test(arguments: BusKind.installed) func deliversOnlyWhatIsSubscribed(kind: BusKind) async throws {
        try await withBus(kind) { bus in
            let other = Channel(.plan, "p_other")
            var writer = EnvelopeWriter()
            try await bus.gatewayBus.subscribe([plan, other])
            try await bus.gatewayBus.subscribe([plan])
            bus.release([writer.durable(plan, .hit, "{}"), writer.durable(other, .hit, "{}")])
            try await bus.subscriber.heard.wait("both come, once") { $0.messages.count == 2 }
            bus.gatewayBus.unsubscribe([other])
            try await bus.gatewayBus.subscribe([spy])
            bus.release([
                writer.durable(other, .hit, "{}"), writer.durable(plan, .hit, "{}"),
                writer.conflatable(spy, .tick, "{}"),
            ])
            try await bus.subscriber.heard.wait("the last comes") { $0.messages.last?.channel == spy }
            #expect(bus.subscriber.heard.value.messages.map(\.channel) == [plan, other, plan, spy])
            // Again subscribed: from now on.
            bus.gatewayBus.unsubscribe([plan])
            try await bus.gatewayBus.subscribe([plan])
            bus.release([writer.durable(plan, .hit, "{}")])
            try await bus.subscriber.heard.wait("subscribed again") { $0.offsets(of: plan) == [1, 2, 3] }
        }
    }

    @Test(arguments: BusKind.installed) func keepsTheHotState(kind: BusKind) async throws {
        try await withBus(kind) { bus in
            var writer = EnvelopeWriter()
            try await bus.gatewayBus.subscribe([plan, spy])
            bus.release([
                writer.conflatable(spy, .tick, #"{"last":1,"bid":0.5}"#),
                writer.conflatable(spy, .tick, #"{"last":2,"note":"a,}b"}"#),
                writer.conflatable(spy, .bar, #"{"c":7}"#),
                writer.durable(plan, .status, #"{"state":"armed","blind":null}"#),
                writer.conflatable(plan, .delta, #"{"price":145.1}"#),
                writer.durable(plan, .hit, #"{"kind":"entry"}"#),
            ])
            try await bus.subscriber.heard.wait("all come") { $0.messages.count == 6 }
            let states = try await bus.gatewayBus.hotState(of: [spy, Channel(.symbol, "NONE"), plan])
            let symbol = try #require(states[0])
            #expect(symbol.texts == ["tick": ["last": "2", "bid": "0.5", "note": #""a,}b""#], "bar": ["c": "7"]])
            #expect(symbol.epoch == "e1" && symbol.run == "r1" && symbol.revision == 3 && symbol.offset == 0)
            #expect(symbol.n == 3 && symbol.time == 1_003)
            #expect(states[1] == nil)
            let whole = try #require(states[2])
            #expect(whole.offset == 2 && whole.revision == 1 && whole.n == 6)
            #expect(
                whole.texts == [
                    "status": ["state": #""armed""#, "blind": "null"], "delta": ["price": "145.1"],
                    "hit": ["kind": #""entry""#],
                ]
            )
        }
    }

    @Test(arguments: BusKind.installed) func stateReplacesTheHotStateAndIsNotPublished(kind: BusKind) async throws {
        try await withBus(kind) { bus in
            var writer = EnvelopeWriter()
            try await bus.gatewayBus.subscribe([plan])
            bus.release([
                writer.durable(plan, .status, #"{"state":"armed"}"#),
                writer.conflatable(plan, .delta, #"{"price":1}"#),
                writer.state(plan, .snapshot, #"{"plan":{"id":"p_7Q2"},"hits":[]}"#),
                writer.durable(plan, .status, #"{"state":"live"}"#),
            ])
            try await bus.subscriber.heard.wait("the rest comes") { $0.messages.count == 3 }
            #expect(bus.subscriber.heard.value.messages.map(\.header.type) == [.status, .delta, .status])
            let state = try #require(try await bus.gatewayBus.hotState(of: [plan])[0])
            #expect(
                state.texts == [
                    "snapshot": ["plan": #"{"id":"p_7Q2"}"#, "hits": "[]"], "status": ["state": #""live""#],
                ]
            )
            #expect(state.offset == 2 && state.run == "r1" && state.revision == 1)
        }
    }

    @Test(arguments: BusKind.installed) func healthKeepsEachFeedsLastMessage(kind: BusKind) async throws {
        try await withBus(kind) { bus in
            let health = Channel(.health)
            var writer = EnvelopeWriter()
            try await bus.gatewayBus.subscribe([health])
            func told(_ feed: String, _ state: String, reason: String = "null") -> String {
                #"{"feed":"\#(feed)","state":"\#(state)","lagMs":null,"reason":\#(reason)}"#
            }
            let first = writer.durable(health, .health, told("a.stocks", "down", reason: #""cut, }""#))
            let rest = [
                writer.durable(health, .health, told("b", "up")),
                writer.durable(health, .health, told("a.stocks", "up")),
                writer.durable(health, .gap, #"{"feed":"b","kind":"gap","count":3}"#),
                // Names no feed: counted, passed on, and no feed's state.
                writer.durable(health, .health, #"{"state":"down"}"#),
                writer.durable(health, .health, told("c", "degraded")),
            ]
            bus.release([first])
            try await bus.subscriber.heard.wait("the first comes") { $0.messages.count == 1 }
            let before = try #require(try await bus.gatewayBus.hotState(of: [health])[0])
            #expect(before.texts == ["health": ["a.stocks": told("a.stocks", "down", reason: #""cut, }""#)]])
            bus.release(rest)
            // Repeated, and an older one: nothing changes.
            bus.engineBus.release([rest[4], first])
            try await bus.subscriber.heard.wait("all come") { $0.messages.count == 6 }
            let state = try #require(try await bus.gatewayBus.hotState(of: [health])[0])
            let wanted = ["a.stocks": told("a.stocks", "up"), "b": told("b", "up"), "c": told("c", "degraded")]
            #expect(state.texts == ["health": wanted] && state.offset == 6)
            try await bus.expectWholeLog([first] + rest)
        }
    }

    @Test(arguments: BusKind.installed) func anotherEpochBeginsAnotherState(kind: BusKind) async throws {
        try await withBus(kind) { bus in
            var writer = EnvelopeWriter()
            try await bus.gatewayBus.subscribe([spy])
            let first = writer.conflatable(spy, .tick, #"{"last":1}"#)
            writer.epoch = "e2"
            bus.release([first, writer.conflatable(spy, .bar, #"{"c":2}"#)])
            try await bus.subscriber.heard.wait("both come") { $0.messages.count == 2 }
            let state = try #require(try await bus.gatewayBus.hotState(of: [spy])[0])
            #expect(state.epoch == "e2" && state.texts == ["bar": ["c": "2"]])
        }
    }

    @Test(arguments: BusKind.installed) func aDuplicateIsShownOnce(kind: BusKind) async throws {
        try await withBus(kind) { bus in
            var writer = EnvelopeWriter()
            try await bus.gatewayBus.subscribe([plan])
            let first = [writer.durable(plan, .hit, #"{"i":1}"#), writer.durable(plan, .hit, #"{"i":2}"#)]
            bus.release(first)
            bus.engineBus.release(first)
            let last = writer.durable(plan, .hit, #"{"i":3}"#)
            bus.release([last])
            try await bus.subscriber.heard.wait("the last comes") { $0.lastOffsets[plan] == 3 }
            #expect(bus.subscriber.heard.value.offsets(of: plan) == [1, 2, 3])
            try await bus.expectWholeLog(first + [last])
        }
    }

    @Test(arguments: BusKind.installed) func aHoleIsFilledFromTheCommitLog(kind: BusKind) async throws {
        try await withBus(kind) { bus in
            var writer = EnvelopeWriter()
            try await bus.gatewayBus.subscribe([plan])
            let all = (1...50).map { writer.durable(plan, .hit, #"{"i":\#($0)}"#) }
            bus.log.commit(all)
            bus.engineBus.release(Array(all[..<3]))
            bus.engineBus.release(Array(all[40...]))
            try await bus.subscriber.heard.wait("the last comes") { $0.lastOffsets[plan] == 50 }
            #expect(bus.subscriber.heard.value.offsets(of: plan) == Array(1...50))
            try await bus.expectWholeLog(all)
            #expect(bus.engine.heard.value.losses.isEmpty)
        }
    }

    @Test(arguments: BusKind.installed) func whatTheCommitLogLostIsReported(kind: BusKind) async throws {
        try await withBus(kind) { bus in
            var writer = EnvelopeWriter()
            try await bus.gatewayBus.subscribe([plan])
            let all = (1...10).map { writer.durable(plan, .hit, #"{"i":\#($0)}"#) }
            bus.release(Array(all[..<2]))
            try await bus.subscriber.heard.wait("the first come") { $0.messages.count == 2 }
            bus.log.commit(Array(all[2...]))
            bus.log.compact(plan.partition, before: 6)
            bus.engineBus.release(Array(all[8...]))
            try await bus.subscriber.heard.wait("the last comes") { $0.lastOffsets[plan] == 10 }
            #expect(bus.subscriber.heard.value.offsets(of: plan) == [1, 2, 6, 7, 8, 9, 10])
            let losses = bus.engine.heard.value.losses
            #expect(losses.map(\.sequences) == [3...5] && losses.map(\.partition) == [plan.partition])
        }
    }

    @Test(arguments: BusKind.installed) func demandIsToldAndEnds(kind: BusKind) async throws {
        var limits = BusLimits()
        limits.wantMillis = 300
        try await withBus(kind, limits: limits) { bus in
            bus.gatewayBus.want([spy])
            try await bus.engine.heard.wait("one is wanted") { [spy] in $0.demands.last == [spy] }
            bus.gatewayBus.want([spy, plan])
            try await bus.engine.heard.wait("both are wanted") { [spy, plan] in $0.demands.contains([spy, plan]) }
            try await bus.engine.heard.wait("nothing is wanted") { $0.demands.last == [] }
        }
    }

    @Test(arguments: BusKind.installed) func stopEndsEverything(kind: BusKind) async throws {
        try await withBus(kind) { bus in
            try await bus.gatewayBus.subscribe([plan])
            let waiting = Task { try await bus.gatewayBus.submit(command("c1")) }
            try await bus.engine.heard.wait("the command comes") { $0.commands.count == 1 }
            await bus.stopBuses()
            await #expect(throws: BusError.self) { try await waiting.value }
            await #expect(throws: BusError.self) { try await bus.gatewayBus.hotState(of: [plan]) }
            await #expect(throws: BusError.self) { try await bus.gatewayBus.subscribe([spy]) }
        }
    }
}

func command(_ id: String, _ body: String = "{}") -> Command {
    Command(operation: .create, id: id, owner: "local", body: Array(body.utf8))
}

extension HotState {
    /// The parts as text.
    var texts: [String: [String: String]] {
        parts.mapValues { $0.mapValues { String(decoding: $0, as: UTF8.self) } }
    }
}
