import Bus
import Gateway
import Primitives
import Testing
import Wire

/// Random sequences: whatever is lost, late, cut or slow, a subscriber ends with the state, and has had every durable
/// message once or was told of a gap (`TestClient` refuses holes and doubles as they come).
@Suite struct HubRandomTests {
    private static let symbols = ["SPY", "QQQ"]
    private static let plans = ["p_1", "p_2"]
    private static let channels =
        symbols.map { Channel(.symbol, $0) } + plans.map { Channel(.plan, $0) } + [Channel(.plans, "local")]

    private struct Player: ~Copyable {
        var world: HubWorld
        var clients: [TestClient] = []
        var hits = ["p_1": 0, "p_2": 0]
        var random: SeededGenerator

        init(seed: UInt64) throws {
            random = SeededGenerator(seed: seed)
            var limits = HubLimits()
            limits.heldMessages = 8
            limits.frameBytes = 2_000
            limits.graceNanos = 100_000_000
            limits.pendingBytes = 1_000_000
            limits.pendingMessages = 100_000
            world = HubWorld(limits: limits)
            for plan in HubRandomTests.plans {
                world.planState(Channel(.plan, plan), owner: "local", state: "armed", hits: 0)
            }
            for _ in 0..<3 { clients.append(try world.connect()) }
        }

        mutating func pick<T>(_ values: [T]) -> T { values[Int.random(in: values.indices, using: &random)] }

        mutating func publish(lossy: Bool = true) {
            let lost = lossy && Int.random(in: 0..<20, using: &random) == 0
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                let field = pick(["last", "bid", "ask"])
                let price = Int.random(in: 90...110, using: &random)
                world.conflatable(
                    Channel(.symbol, pick(HubRandomTests.symbols)),
                    .tick,
                    [(field, "\(price)")],
                    lost: lost
                )
            case 6..<8: hit(pick(HubRandomTests.plans), lost: lost)
            case 8:
                world.conflatable(
                    Channel(.plan, pick(HubRandomTests.plans)),
                    .delta,
                    [("maeR", "\(world.n)")],
                    lost: lost
                )
            default: world.durable(Channel(.plans, "local"), .hit, [("n", "\(world.n)")], lost: lost)
            }
        }

        mutating func hit(_ plan: String, lost: Bool) {
            let count = hits[plan, default: 0] + 1
            hits[plan] = count
            let fields = [("version", "1"), ("i", "\(count)"), ("kind", "\"note\""), ("price", "null")]
            world.durable(Channel(.plan, plan), .hit, fields, lost: lost)
            // Mostly at once; sometimes a read falls between.
            if Int.random(in: 0..<4, using: &random) > 0 { complete(plan) }
        }

        mutating func complete(_ plan: String) {
            world.planState(Channel(.plan, plan), owner: "local", state: "armed", hits: hits[plan, default: 0])
        }

        mutating func step() throws {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<45: publish()
            case 45..<60:
                world.work(answering: false)
                let waiting = world.joins.count + world.reads.count
                if waiting > 0 { world.answerOne(at: Int.random(in: 0..<waiting, using: &random)) }
            case 60..<85: try flush(Int.random(in: clients.indices, using: &random))
            case 85..<91: subscribe()
            case 91..<93: unsubscribe()
            case 93..<97: advance()
            case 97: interrupt()
            case 98: failRead()
            default: restart()
            }
        }

        mutating func flush(_ index: Int) throws { try world.flush(&clients[index]) }

        private mutating func subscribe() {
            let channel = pick(HubRandomTests.channels)
            let rate: Double? = Int.random(in: 0..<3, using: &random) == 0 ? 10 : nil
            world.subscribe(
                clients[Int.random(in: 0..<3, using: &random)],
                [ChannelRequest(name: channel.name, maxRate: rate)]
            )
        }

        private mutating func unsubscribe() {
            let client = Int.random(in: 0..<3, using: &random)
            let request = ChannelRequest(name: pick(HubRandomTests.channels).name)
            world.hub.requested(.unsubscribe(id: .null, [request]), by: clients[client].id, now: world.now)
        }

        private mutating func advance() {
            world.now += Int64.random(in: 1...200_000_000, using: &random)
            world.hub.tick(now: world.now)
        }

        /// The connection to the bus was cut; what is published before it is up again is lost.
        private mutating func interrupt() {
            let cut = Array(world.subscribed).sorted()
            let kept = world.subscribed
            world.subscribed = []
            for _ in 0..<Int.random(in: 0..<5, using: &random) { publish() }
            world.subscribed = kept
            world.hub.interrupted(cut, now: world.now)
        }

        private mutating func failRead() {
            world.work(answering: false)
            guard !world.reads.isEmpty else { return }
            world.hub.joinFailed(world.reads.removeFirst(), "random", now: world.now)
        }

        /// The engine starts again, or a channel's log is lost.
        private mutating func restart() {
            if Bool.random(using: &random) {
                world.run += "'"
            } else {
                let channel = pick(HubRandomTests.channels.filter { $0.kind != .symbol })
                world.newEpoch(channel)
            }
        }

        /// One lossless message a channel shows the last hole; then everything is answered and read.
        mutating func finish() throws {
            for plan in HubRandomTests.plans {
                hit(plan, lost: false)
                complete(plan)
                world.conflatable(Channel(.plan, plan), .delta, [("maeR", "7")])
            }
            for symbol in HubRandomTests.symbols {
                world.conflatable(Channel(.symbol, symbol), .tick, [("last", "100")])
            }
            world.durable(Channel(.plans, "local"), .hit, [("n", "0")])
            world.settleAll()
            for _ in 0..<20 {
                world.now += 200_000_000
                world.hub.tick(now: world.now)
                for index in clients.indices { try flush(index) }
            }
        }
    }

    @Test(arguments: 1...100)
    func everySubscriberEndsWithTheState(_ seed: Int) throws {
        var player = try Player(seed: UInt64(seed))
        for _ in 0..<600 { try player.step() }
        try player.finish()
        for client in player.clients {
            for channel in Self.channels { check(player.world, client, channel, seed) }
        }
        #expect(player.world.hub.counters.closedSlow == 0)
    }

    private func check(_ world: borrowing HubWorld, _ client: TestClient, _ channel: Channel, _ seed: Int) {
        guard world.hub.isSubscribed(client.id, to: channel), let truth = world.truths[channel] else { return }
        let place = Comment(
            rawValue: "seed \(seed), \(channel), \(client.log.filter { $0.contains(channel.name) }.suffix(15))"
        )
        #expect(client.epochs[channel] == truth.state.epoch, place)
        #expect(client.offsets[channel] == truth.state.offset, place)
        switch channel.kind {
        case .symbol:
            var expected: [String: String] = [:]
            for (name, text) in truth.state.parts["tick"] ?? [:] {
                expected["tick.\(name)"] = String(decoding: text, as: UTF8.self)
            }
            #expect(client.fields[channel] == expected, place)
        case .plan:
            #expect(client.fields[channel]?["delta.price"] == "100", place)
            #expect(client.fields[channel]?["delta.maeR"] == "7", place)
        default: break
        }
    }
}
