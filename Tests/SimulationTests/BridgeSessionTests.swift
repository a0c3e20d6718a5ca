import MarketData
import Primitives
import Testing
import Wire

@testable import Simulation

/// The bridge's session machine against feeds.md 4.3.
@Suite struct BridgeSessionTests {
    /// A session on a model, moved by hand.
    struct World {
        var model: MarketModel
        var session = BridgeSession(epoch: "e1", openedWallNanos: 0)
        var wall: Int64 = 0

        init(rate: Double = 500) {
            model = MarketModel(Sample.options(rate: rate))
            _ = step(2)
        }

        var moment: BridgeSession.Moment { .init(wallNanos: wall, market: model.now) }

        mutating func say(_ text: String, moods: MoodSet = MoodSet()) -> [BridgeSession.Action] {
            session.received(Array(text.utf8), model, at: moment, moods: moods)
        }

        mutating func step(_ seconds: Double) -> [BridgeSession.Action] {
            var out: [BridgeSession.Action] = []
            for _ in 0..<Int(seconds * 10) {
                var events: [ModelEvent] = []
                model.advance(to: model.now.advanced(byNanos: 100_000_000), into: &events)
                wall += 100_000_000
                out += session.pump(events, model, at: moment)
            }
            return out
        }

        mutating func greet() -> [JSONValue] { World.events(say(#"{"op":"hello","v":1,"client":"t"}"#)) }

        static func events(_ actions: [BridgeSession.Action]) -> [JSONValue] {
            actions.flatMap { action -> [JSONValue] in
                guard case .send(let bytes) = action, let value = try? JSONParser.parse(bytes) else { return [] }
                return value.array ?? []
            }
        }
    }

    private static func fresh() -> World {
        var world = World()
        world.session = BridgeSession(epoch: "e1", openedWallNanos: world.wall)
        return world
    }

    @Test func helloComesFirst() {
        var world = Self.fresh()
        let hello = world.greet()
        #expect(hello.count == 1)
        #expect(hello.first?["ev"]?.string == "hello" && hello.first?["n"]?.integer == 1)
        #expect(hello.first?["epoch"]?.string == "e1" && hello.first?["hb_ms"]?.integer == 1_000)
        var other = Self.fresh()
        let otherSaid = other.say(#"{"op":"ping","id":"1"}"#)
        #expect(otherSaid == [.close(4_002, "hello expected")])
        var old = Self.fresh()
        let oldSaid = old.say(#"{"op":"hello","v":2}"#)
        #expect(oldSaid == [.close(4_000, "version 1 spoken")])
        var moody = Self.fresh()
        let moodySaid = moody.say(#"{"op":"hello","v":1}"#, moods: MoodSet(.versionMismatch))
        #expect(moodySaid == [.close(4_000, "version 1 spoken")])
        var late = Self.fresh()
        let waited = late.step(3.5)
        #expect(waited.contains(.close(4_002, "no hello")))
    }

    @Test func setSubUnsubSnapPing() {
        var world = Self.fresh()
        _ = world.greet()
        let set = World.events(
            world.say(
                #"{"op":"set","id":"s1","subs":[{"k":"STK:SPY:SMART:USD","l1":true,"depth":5,"bars":true},{"k":"IND:SPX:CBOE:USD","l1":true}]}"#
            )
        )
        #expect(set.map { $0["ev"]?.string } == ["ack", "snap", "book", "snap"])
        #expect(set[0]["ok"]?["STK:SPY:SMART:USD"]?["conid"]?.integer != nil)
        #expect(set[1]["b"]?.micros != nil && set[1]["mdt"]?.integer == 1)
        #expect(set[2]["b"]?.array?.count == 5)
        #expect(world.session.linesUsed == 3)
        let snap = World.events(world.say(#"{"op":"snap","id":"q","ks":["IND:SPX:CBOE:USD"]}"#))
        #expect(snap.map { $0["ev"]?.string } == ["snap"])
        let pong = World.events(world.say(#"{"op":"ping","id":"p42"}"#))
        #expect(pong.first?["ev"]?.string == "pong" && pong.first?["id"]?.string == "p42")
        _ = world.say(#"{"op":"unsub","id":"u","ks":["STK:SPY:SMART:USD"]}"#)
        #expect(world.session.linesUsed == 1)
        _ = world.say(#"{"op":"set","id":"s2","subs":[]}"#)
        #expect(world.session.linesUsed == 0)
    }

    @Test(arguments: [
        (#"{"k":"STK:NOPE:SMART:USD","l1":true}"#, Int64(200), "no_definition"),
        (#"{"k":"nonsense","l1":true}"#, 321, "bad_key"),
        (#"{"k":"OPT:SPY:20251125:x:C:SMART:USD","l1":true}"#, 321, "bad_key"),
    ]) func refusals(request: String, code: Int64, reason: String) {
        var world = Self.fresh()
        _ = world.greet()
        let answer = World.events(world.say(#"{"op":"sub","id":"a","subs":[\#(request)]}"#))
        let nack = answer.first { $0["ev"]?.string == "nack" }
        #expect(nack?["code"]?.integer == code && nack?["reason"]?.string == reason)
    }

    @Test func limitsOfLinesBooksAndBars() {
        var world = Self.fresh()
        _ = world.greet()
        let contracts = world.model.instruments.all.filter { $0.kind == .option && $0.ticker.hasPrefix("O:SPY") }
        let keys =
            contracts.map { contract in
                "OPT:SPY:\(contract.expiry):\(contract.strike.micros / 1_000_000):\(contract.isCall ? "C" : "P"):SMART:USD"
            }
            + world.model.instruments.all.filter { $0.kind == .option && $0.ticker.hasPrefix("O:QQQ") }.map {
                contract in
                "OPT:QQQ:\(contract.expiry):\(contract.strike.micros / 1_000_000):\(contract.isCall ? "C" : "P"):SMART:USD"
            }
        #expect(keys.count > 100)
        let subs = keys.map { #"{"k":"\#($0)","l1":true}"# }.joined(separator: ",")
        let answer = World.events(world.say(#"{"op":"set","id":"a","subs":[\#(subs)]}"#))
        #expect(world.session.linesUsed == 100)
        let nacks = answer.filter { $0["ev"]?.string == "nack" }
        #expect(nacks.count == keys.count - 100)
        #expect(nacks.allSatisfy { $0["reason"]?.string == "limit_lines" && $0["code"]?.integer == 101 })
        _ = world.say(#"{"op":"set","id":"b","subs":[]}"#)
        let books = (["STK:SPY:SMART:USD", "STK:QQQ:SMART:USD", "STK:AAPL:SMART:USD"] + [keys[0]])
            .map { #"{"k":"\#($0)","depth":5}"# }.joined(separator: ",")
        let depth = World.events(world.say(#"{"op":"sub","id":"c","subs":[\#(books)]}"#))
        #expect(depth.filter { $0["reason"]?.string == "limit_depth" && $0["code"]?.integer == 309 }.count == 1)
        var refused = 0
        for round in 0..<61 {
            _ = world.say(#"{"op":"set","id":"x","subs":[]}"#)
            let bars = World.events(
                world.say(#"{"op":"sub","id":"d\#(round)","subs":[{"k":"STK:SPY:SMART:USD","bars":true}]}"#)
            )
            refused += bars.filter { $0["reason"]?.string == "pacing" }.count
        }
        #expect(refused == 1)
    }

    @Test func numbersAreContiguousAndTheBookCanBeRebuilt() throws {
        var world = Self.fresh()
        var events = world.greet()
        events += World.events(
            world.say(#"{"op":"set","id":"s","subs":[{"k":"STK:SPY:SMART:USD","l1":true,"depth":5,"bars":true}]}"#)
        )
        events += World.events(world.step(30))
        #expect(events.compactMap { $0["n"]?.integer } == Array(1...Int64(events.count)))
        var kinds: [String: Int] = [:]
        for event in events { kinds[event["ev"]?.string ?? "?", default: 0] += 1 }
        for kind in ["q", "t", "d", "b5", "hb"] { #expect((kinds[kind] ?? 0) > 0, "\(kind): \(kinds)") }
        #expect(kinds["b5"] == 6 || kinds["b5"] == 5, "\(kinds)")
        #expect((kinds["q"] ?? 0) <= 121, "conflated to four a second")
        var book = BridgeBook()
        for event in events {
            switch event["ev"]?.string {
            case "book":
                func rows(_ key: String) -> [BridgeBook.Row] {
                    (event[key]?.array ?? []).compactMap { row in
                        guard let cells = row.array, let price = cells[0].micros, let size = cells[1].integer else {
                            return nil
                        }
                        return BridgeBook.Row(price: Price(micros: price), size: size, maker: cells[2].string ?? "")
                    }
                }
                (book.bids, book.asks) = (rows("b"), rows("a"))
            case "d":
                let operation = BridgeBook.Operation(
                    kind: Character(event["op"]?.string ?? "?"),
                    isBid: event["sd"]?.string == "b",
                    position: Int(event["pos"]?.integer ?? -1),
                    row: event["op"]?.string == "d"
                        ? nil
                        : BridgeBook.Row(
                            price: Price(micros: event["p"]?.micros ?? 0),
                            size: event["s"]?.integer ?? 0,
                            maker: event["mm"]?.string ?? ""
                        )
                )
                let isApplied = book.apply(operation)
                #expect(isApplied, "\(event)")
            default: break
            }
        }
        #expect(book == world.session.lines["STK:SPY:SMART:USD"]?.book)
        #expect(book.bids.count == 5 && zip(book.bids, book.bids.dropFirst()).allSatisfy { $0.price > $1.price })
    }

    @Test(
        arguments: [
            (Mood.connectivityLost, ["st"], "down"), (.restoredDataLost, ["st", "snap", "book"], "up"),
            (.restoredDataKept, ["st"], "up"), (.farmBroken, ["st"], "degraded"),
            (.farmOK, ["st", "snap", "book"], "up"),
            (.competingSession, ["err", "st"], "degraded"), (.barBust, ["err"], nil),
            (.depthReset, ["err", "book"], nil),
            (.login, ["st"], "login"), (.gap, ["gap", "snap", "book"], nil), (.sequenceHole, [], nil),
        ] as [(Mood, [String], String?)]
    ) func moods(mood: Mood, kinds: [String], state: String?) {
        var world = Self.fresh()
        _ = world.greet()
        _ = world.say(#"{"op":"set","id":"s","subs":[{"k":"STK:SPY:SMART:USD","l1":true,"depth":5,"bars":true}]}"#)
        let before = world.session.number
        let told = World.events(world.session.strike(mood, world.model, at: world.moment))
        #expect(told.map { $0["ev"]?.string ?? "" } == kinds)
        if let state { #expect(told.first { $0["ev"]?.string == "st" }?["ib"]?.string == state) }
        let after = World.events(world.step(3))
        let flows = after.contains { $0["ev"]?.string == "q" }
        #expect(flows == !["down", "degraded", "login"].contains(state ?? ""))
        #expect(after.contains { $0["ev"]?.string == "hb" })
        switch mood {
        case .sequenceHole: #expect(after.first?["n"]?.integer == before + 3)
        case .gap:
            #expect(told[0]["from"]?.integer == before && told[0]["to"]?.integer == before + 6)
            #expect(told[0]["n"]?.integer == before + 7)
        default: #expect((told + after).compactMap { $0["n"]?.integer } == Array(before..<world.session.number))
        }
        if mood == .farmBroken || mood == .connectivityLost || mood == .competingSession {
            let back = World.events(world.session.recover(from: mood, world.model, at: world.moment))
            #expect(back.contains { $0["ev"]?.string == "st" && $0["ib"]?.string == "up" })
            let then = World.events(world.step(3))
            #expect(then.contains { $0["ev"]?.string == "q" })
        }
    }
}
