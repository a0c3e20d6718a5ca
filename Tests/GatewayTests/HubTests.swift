import Bus
import Gateway
import MarketData
import Primitives
import Testing
import Wire

@Suite struct HubTests {
    private static let spy = Channel(.symbol, "SPY")
    private static let plan = Channel(.plan, "p_1")
    private static let mine = Channel(.plans, "local")

    @Test func snapshotThenEverythingAfterIt() throws {
        var world = HubWorld()
        var client = try world.connect()
        world.conflatable(Self.spy, .tick, [("last", "100"), ("bid", "99.9")])
        world.subscribe(client, [ChannelRequest(name: "symbol:SPY")])
        world.work(answering: false)
        #expect(Set(world.joins) == [Self.spy, Channel(.health)])
        // The bus has subscribed but the state isn't read: messages of that time are held.
        world.subscribed.insert(Self.spy)
        world.conflatable(Self.spy, .tick, [("last", "101")])
        world.work()
        world.conflatable(Self.spy, .tick, [("last", "102")])
        try world.flush(&client)
        #expect(client.subscribed == ["symbol:SPY"])
        #expect(client.log.first == "symbol:SPY snapshot 0")
        #expect(client.fields[Self.spy] == ["tick.last": "102", "tick.bid": "99.9"])
        #expect(world.hub.counters.known == 1)
    }

    @Test func eachDurableMessageOnceAndDerivedFieldsFollow() throws {
        var world = HubWorld()
        world.planState(Self.plan, owner: "local", state: "armed", hits: 0)
        world.conflatable(Self.spy, .tick, [("last", "100.5")])
        var client = try world.connect()
        world.subscribe(client, [ChannelRequest(name: "plan:p_1"), ChannelRequest(name: "plans")])
        world.work()
        try world.flush(&client)
        #expect(client.subscribed == ["plan:p_1", "plans:local"])
        #expect(client.fields[Self.plan]?["delta.price"] == "100.5")
        world.durable(Self.plan, .hit, [("plan", "\"p_1\""), ("version", "1"), ("i", "1"), ("kind", "\"note\"")])
        world.durable(Self.mine, .hit, [("plan", "\"p_1\"")])
        world.conflatable(Self.spy, .tick, [("last", "101")])
        try world.flush(&client)
        #expect(client.durable == [Self.plan: [1], Self.mine: [1]])
        #expect(client.fields[Self.plan]?["delta.price"] == "101")
        #expect(client.fields[Self.plan]?["delta.distanceR"] == #"{"entry":-1.0,"stop":-2.0,"targets":[1.0]}"#)
        // The value that is read now lacks the hit, and names it beside: the snapshot has it nevertheless.
        world.work()
        var late = try world.connect()
        world.subscribe(late, [ChannelRequest(name: "plan:p_1")])
        try world.flush(&late)
        #expect(late.fields[Self.plan]?["snapshot.hits"]?.contains(#""i":1"#) == true)
        #expect(late.offsets[Self.plan] == 1)
    }

    @Test func aPlanOfAnotherAndNoneAnswerAlike() throws {
        var world = HubWorld(symbols: ["SPY"])
        world.planState(Self.plan, owner: "somebody", state: "armed", hits: 0)
        var client = try world.connect()
        let names = ["plan:p_1", "plan:p_none", "plans:somebody", "symbol:NONE", "rubbish", "symbol:SPY"]
        world.subscribe(client, names.map { ChannelRequest(name: $0) })
        world.work()
        try world.flush(&client)
        #expect(client.errors == names.dropLast().map { "unknown_channel \($0)" })
        #expect(client.subscribed == ["symbol:SPY"])
    }

    @Test func aSlowSubscriberCostsNothingAndGetsTheNewest() throws {
        var world = HubWorld()
        var (fast, slow) = (try world.connect(), try world.connect())
        for client in [fast.id, slow.id] {
            world.hub.requested(.subscribe(id: .null, [ChannelRequest(name: "symbol:SPY")]), by: client, now: 0)
        }
        world.work()
        try world.flush(&fast)
        try world.flush(&slow)
        for price in 1...5_000 {
            world.conflatable(Self.spy, .tick, [("last", "\(price)"), ("f\(price % 3)", "\(price)")])
            try world.flush(&fast)
        }
        #expect(world.hub.pendingBytes(of: slow.id) == 0)
        try world.flush(&slow)
        #expect(fast.fields == slow.fields)
        #expect(slow.log.count == 2 && fast.log.count == 5_001)
        #expect(world.hub.counters.encoded == 2, "one snapshot, one merged message; the rest passed on")
    }

    @Test func subscribersShareOneEncodedMessage() throws {
        var world = HubWorld()
        world.planState(Self.plan, owner: "local", state: "armed", hits: 0)
        var clients: [TestClient] = []
        for _ in 0..<20 { clients.append(try world.connect()) }
        for client in clients { world.subscribe(client, [ChannelRequest(name: "plan:p_1")]) }
        world.work()
        for index in clients.indices { try world.flush(&clients[index]) }
        let before = world.hub.counters.encoded
        world.conflatable(Self.spy, .tick, [("last", "101")])
        for index in clients.indices { try world.flush(&clients[index]) }
        #expect(world.hub.counters.encoded == before + 1)
        #expect(clients.allSatisfy { $0.fields[Self.plan]?["delta.price"] == "101" })
    }

    @Test func aFullReserveClosesWith4008() throws {
        var limits = HubLimits()
        limits.pendingBytes = 1_000
        var world = HubWorld(limits: limits)
        let client = try world.connect()
        var other = try world.connect()
        for id in [client.id, other.id] {
            world.hub.requested(.subscribe(id: .null, [ChannelRequest(name: "plans")]), by: id, now: 0)
        }
        world.work()
        var out: [UInt8] = []
        _ = world.hub.flush(client.id, now: 0, wall: .zero, into: &out)
        try world.flush(&other)
        for _ in 0..<20 {
            world.durable(Self.mine, .hit, [("plan", "\"p_1\"")])
            try world.flush(&other)
        }
        let closing = world.hub.takeClosing()
        #expect(closing.map(\.id) == [client.id] && closing.map(\.code) == [.tooSlow])
        #expect(world.hub.counters.closedSlow == 1)
        #expect(other.durable[Self.mine] == Array(1...20))
        world.hub.closed(client.id, now: 0)
        #expect(world.hub.connectionCount == 1 && world.hub.subscriptionCount == 1)
    }

    @Test func aLostDurableMessageIsAGapAndASnapshot() throws {
        var world = HubWorld()
        world.planState(Self.plan, owner: "local", state: "armed", hits: 0)
        var client = try world.connect()
        world.subscribe(client, [ChannelRequest(name: "plan:p_1")])
        world.work()
        try world.flush(&client)
        world.durable(Self.plan, .note, [("text", "1")])
        world.durable(Self.plan, .note, [("text", "2")], lost: true)
        world.durable(Self.plan, .note, [("text", "3")])
        world.planState(Self.plan, owner: "local", state: "armed", hits: 3)
        world.work()
        try world.flush(&client)
        #expect(client.durable[Self.plan] == [1, 3])
        #expect(client.gaps == ["plan:p_1 2–2"])
        #expect(client.log.last == "plan:p_1 snapshot 3")
        #expect(world.hub.counters.holes == 1)
    }

    @Test func aNewEpochIsToldAndReadAnew() throws {
        var world = HubWorld()
        world.planState(Self.plan, owner: "local", state: "armed", hits: 0)
        var client = try world.connect()
        world.subscribe(client, [ChannelRequest(name: "plan:p_1")])
        world.work()
        try world.flush(&client)
        world.newEpoch(Self.plan)
        world.durable(Self.plan, .note, [("text", "1")])
        world.planState(Self.plan, owner: "local", state: "armed", hits: 1)
        world.work()
        try world.flush(&client)
        #expect(client.gaps == ["plan:p_1 1–-1"])
        #expect(client.epochs[Self.plan] == "e1" && client.offsets[Self.plan] == 1)
    }

    @Test func anInterruptionIsReadAnewWithoutAGapWhereNothingWasLost() throws {
        var world = HubWorld()
        var client = try world.connect()
        world.subscribe(client, [ChannelRequest(name: "symbol:SPY")])
        world.work()
        try world.flush(&client)
        world.conflatable(Self.spy, .tick, [("last", "7")], lost: true)
        world.hub.interrupted([Self.spy], now: 0)
        world.work()
        try world.flush(&client)
        #expect(client.fields[Self.spy] == ["tick.last": "7"] && client.gaps.isEmpty)
    }

    @Test func ratesAreKeptAndTheNewestIsSent() throws {
        var world = HubWorld()
        var client = try world.connect()
        world.subscribe(client, [ChannelRequest(name: "symbol:SPY", maxRate: 4)])
        world.work()
        try world.flush(&client)
        var sent = 0
        for step in 1...110 {
            world.now += 10_000_000
            world.conflatable(Self.spy, .tick, [("last", "\(step)")])
            world.hub.tick(now: world.now)
            let before = client.log.count
            for id in world.hub.takeReady() where id == client.id { try world.flush(&client) }
            sent += client.log.count - before
        }
        #expect(sent == 4)
        world.now += 250_000_000
        world.hub.tick(now: world.now)
        #expect(world.hub.takeReady() == [client.id])
        try world.flush(&client)
        #expect(client.fields[Self.spy]?["tick.last"] == "110")
    }

    @Test func theBusThatGoesAwayIsSaid() throws {
        var world = HubWorld()
        var client = try world.connect()
        world.subscribe(client, [ChannelRequest(name: "health")])
        world.work()
        try world.flush(&client)
        world.hub.busChanged(to: .down, cause: "refused", since: .zero, now: 0)
        try world.flush(&client)
        #expect(client.fields[Channel(.health)]?["health.state"] == "\"down\"")
        world.hub.requested(.subscribe(id: .number("2"), [ChannelRequest(name: "symbol:SPY")]), by: client.id, now: 0)
        world.work(answering: false)
        world.joins.removeAll()
        world.hub.joinFailed(Self.spy, "the bus is away", now: 0)
        try world.flush(&client)
        #expect(client.errors == ["unavailable symbol:SPY"])
    }

    @Test func aGatewayThatStartsLateShowsEveryFeed() throws {
        let health = Channel(.health)
        func told(_ feed: String, _ state: String) -> [(String, String)] {
            [("feed", "\"\(feed)\""), ("state", "\"\(state)\"")]
        }
        var world = HubWorld()
        world.durable(health, .health, told("a.stocks", "up"))
        world.durable(health, .health, told("b", "down"))
        world.durable(health, .gap, [("feed", "\"b\""), ("kind", "\"gap\"")])
        // As written before each feed had a field of its own.
        world.truths[health]?.state.parts["health"]?["state"] = Array("\"up\"".utf8)
        var early = try world.connect()
        world.subscribe(early, [ChannelRequest(name: "health")])
        world.work()
        try world.flush(&early)
        let shown = [
            "health.a.stocks": #"{"feed":"a.stocks","state":"up"}"#, "health.b": #"{"feed":"b","state":"down"}"#,
        ]
        #expect(early.fields[health] == shown)
        // The live path joins what was read, and the ledger passes by.
        world.durable(health, .health, told("b", "up"))
        world.durable(health, .gap, [("feed", "\"b\""), ("kind", "\"duplicate\"")])
        try world.flush(&early)
        #expect(early.durable[health] == [4, 5])
        // What was missed while the bus was away is read again, and its own entry stays.
        world.hub.busChanged(to: .down, cause: "refused", since: .zero, now: 0)
        world.durable(health, .health, told("a.stocks", "degraded"), lost: true)
        world.hub.interrupted([health], now: 0)
        world.work()
        var late = try world.connect()
        world.subscribe(late, [ChannelRequest(name: "health")])
        world.work()
        try world.flush(&late)
        #expect(late.fields[health]?["health.a.stocks"] == #"{"feed":"a.stocks","state":"degraded"}"#)
        #expect(late.fields[health]?["health.b"] == #"{"feed":"b","state":"up"}"#)
        #expect(late.fields[health]?["health.bus"]?.contains(#""state":"down""#) == true)
        #expect(late.fields[health]?.count == 3)
    }

    @Test func whatNobodyWatchesIsLeftAfterTheGraceTime() throws {
        var world = HubWorld()
        world.planState(Self.plan, owner: "local", state: "armed", hits: 0)
        let client = try world.connect()
        world.subscribe(client, [ChannelRequest(name: "plan:p_1")])
        world.work()
        let watched = [Channel(.health), Self.plan, Self.spy, Channel(.bands, "SPY")]
        #expect(Set(world.hub.watchedChannels) == Set(watched))
        world.hub.closed(client.id, now: 0)
        world.hub.tick(now: 1)
        #expect(world.hub.channelCount == 4)
        world.hub.tick(now: 6_000_000_000)
        world.hub.tick(now: 12_000_000_000)
        #expect(world.hub.channelCount == 1)
        #expect(Set(world.hub.takeBusRequests().leave) == Set(watched.dropFirst()))
    }

    @Test func limitsAreKept() throws {
        var limits = HubLimits()
        limits.connections = 1
        limits.subscriptionsPerConnection = 2
        var world = HubWorld(limits: limits)
        var client = try world.connect()
        #expect(world.hub.connected(user: "x") == nil)
        world.subscribe(client, ["symbol:A", "symbol:B", "symbol:C", "symbol:A"].map { ChannelRequest(name: $0) })
        world.work()
        try world.flush(&client)
        #expect(client.errors == ["too_many symbol:C", "too_many symbol:A"])
        #expect(client.subscribed == ["symbol:A", "symbol:B"])
    }
}
