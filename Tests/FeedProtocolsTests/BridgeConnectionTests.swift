import FeedProtocols
import MarketData
import Primitives
import Testing

private typealias Action = BridgeConnection.Action

/// Seconds since the test began, as an instant.
private func at(_ seconds: Double) -> Instant { Instant(nanos: 1_764_086_400_000_000_000 + Int64(seconds * 1e9)) }

private func keys(_ names: String...) -> [BridgeKey] { names.compactMap { BridgeKey("STK:\($0):SMART:USD") } }

private func want(_ name: String, depth: Int = 0, bars: Bool = false, priority: Int = 5) -> BridgeSubscription? {
    BridgeKey("STK:\(name):SMART:USD").map { BridgeSubscription($0, depth: depth, bars: bars, priority: priority) }
}

/// The machine with the short hand that its tests need.
private struct Rig: ~Copyable {
    var machine = BridgeConnection()
    var number = 1

    mutating func send(_ ev: String, _ fields: String = "", _ seconds: Double) -> [Action] {
        defer { number += 1 }
        let rest = fields.isEmpty ? "" : "," + fields
        let frame = Array("[{\"ev\":\"\(ev)\",\"n\":\(number),\"tb\":1764086400000000\(rest)}]".utf8)
        return frame.withUnsafeBytes {
            machine.frameReceived($0, attempt: machine.attempt, now: at(seconds), random: middle)
        }
    }

    mutating func hello(_ seconds: Double, _ fields: String = "") -> [Action] {
        number = 1
        return send("hello", #""v":1,"epoch":"e1","ib":"up","hb_ms":1000"# + fields, seconds)
    }

    mutating func timer(_ seconds: Double) -> [Action] { machine.timerFired(now: at(seconds), random: middle) }

    mutating func closed(_ seconds: Double, code: UInt16? = 1006) -> [Action] {
        machine.closed(attempt: machine.attempt, code: code, words: "gone", now: at(seconds), random: middle)
    }

    mutating func want(_ wants: [BridgeSubscription?], _ seconds: Double) -> [Action] {
        machine.subscriptionsChanged(to: wants.compactMap { $0 }, now: at(seconds))
    }

    /// Dials, greets, and has these instruments acknowledged and shown.
    mutating func live(_ names: [String], _ seconds: Double) {
        _ = want(names.map { FeedProtocolsTests.want($0) }, seconds)
        _ = machine.started(now: at(seconds))
        open(names, seconds)
    }

    mutating func open(_ names: [String], _ seconds: Double) {
        _ = machine.connected(attempt: machine.attempt, now: at(seconds))
        _ = hello(seconds)
        for name in names {
            _ = send("ack", "\"id\":\"s1\",\"ok\":{\"STK:\(name):SMART:USD\":{}}", seconds)
            _ = send("snap", "\"k\":\"STK:\(name):SMART:USD\",\"b\":1,\"a\":2", seconds)
        }
    }
}

/// The random value that draws a delay's middle: 0.2 of a second above 0.8.
private let middle: UInt64 = 200_000_000

private func sent(_ actions: [Action]) -> [String] {
    actions.compactMap { if case .send(let text) = $0 { text } else { nil } }
}

private func feed(_ actions: [Action]) -> [FeedState] {
    actions.compactMap { if case .report(let state, _) = $0 { state } else { nil } }
}

@Suite struct BridgeConnectionTests {
    @Test func goesFromDialToLiveWithTheWholeSet() {
        var rig = Rig()
        _ = rig.want([want("SPY", depth: 5, bars: true, priority: 9), want("QQQ", priority: 8)], 0)
        #expect(rig.machine.started(now: at(0)) == [.connect(attempt: 1)])
        #expect(rig.machine.deadline == at(10))
        let first = rig.machine.connected(attempt: 1, now: at(1))
        #expect(sent(first) == [#"{"op":"hello","v":1,"client":"striketape-engine"}"#])
        #expect(rig.machine.phase == .hello && rig.machine.deadline == at(4))
        let greeted = rig.hello(2)
        #expect(
            sent(greeted) == [
                #"{"op":"set","id":"s1","subs":[{"k":"STK:SPY:SMART:USD","l1":true,"depth":5,"bars":true,"what":"TRADES","pri":9},{"k":"STK:QQQ:SMART:USD","l1":true,"pri":8}]}"#
            ]
        )
        #expect(greeted.contains(.stale(keys("QQQ", "SPY"))) && feed(greeted).isEmpty)
        #expect(rig.machine.phase == .subscribing && rig.machine.deadline == at(5))
        let ok = #""id":"s1","ok":{"STK:SPY:SMART:USD":{"conid":1},"STK:QQQ:SMART:USD":{}}"#
        #expect(feed(rig.send("ack", ok, 3)) == [.up] && rig.machine.phase == .live)
        #expect(rig.send("snap", #""k":"STK:SPY:SMART:USD","b":1,"a":2"#, 3) == [.fresh(keys("SPY"))])
        #expect(rig.machine.staleKeys == keys("QQQ"))
        // A snapshot that doesn't come by itself is asked for.
        #expect(rig.send("hb", #""ib":"up""#, 5.5).isEmpty && rig.send("hb", #""ib":"up""#, 7.5).isEmpty)
        #expect(sent(rig.timer(8)) == [#"{"op":"snap","id":"q2","ks":["STK:QQQ:SMART:USD"]}"#])
    }

    @Test func noHelloInTimeIsGivenUp() {
        var rig = Rig()
        _ = rig.machine.started(now: at(0))
        _ = rig.machine.connected(attempt: 1, now: at(1))
        #expect(rig.timer(3.9).isEmpty)
        #expect(rig.timer(4).first == .close(code: 4002))
        #expect(rig.machine.phase == .waiting && rig.machine.deadline == at(5))
        #expect(rig.timer(5) == [.connect(attempt: 2)])
        #expect(rig.timer(15).first == .close(code: 1000))
    }

    @Test func anotherVersionHalts() {
        var rig = Rig()
        _ = rig.machine.started(now: at(0))
        _ = rig.machine.connected(attempt: 1, now: at(0))
        let actions = rig.send("hello", #""v":2,"epoch":"e","ib":"up""#, 1)
        #expect(actions.first == .close(code: 4000) && feed(actions) == [.down] && rig.machine.phase == .halted)
        #expect(rig.timer(1_000).isEmpty && rig.machine.reloaded(now: at(1_001)) == [.connect(attempt: 2)])
    }

    @Test(
        arguments: [(4000, true), (4003, true), (1012, false), (1013, false), (4001, false), (nil, false)]
            as [(UInt16?, Bool)]
    )
    func closeCodesHaltOrAreTriedAgain(code: UInt16?, halts: Bool) {
        var rig = Rig()
        rig.live(["SPY"], 0)
        let actions = rig.closed(1, code: code)
        #expect(rig.machine.phase == (halts ? .halted : .waiting))
        #expect(feed(actions) == [.down] && actions.contains(.stale(keys("SPY"))))
        #expect(actions.contains { if case .alert = $0 { true } else { false } } == halts)
    }

    @Test(arguments: [(401, true), (403, true), (502, false)])
    func aRefusedUpgradeHaltsWhereTheTokenIsWrong(status: Int, halts: Bool) {
        var rig = Rig()
        _ = rig.machine.started(now: at(0))
        _ = rig.machine.upgradeRefused(attempt: 1, status: status, now: at(1), random: middle)
        #expect(rig.machine.phase == (halts ? .halted : .waiting))
    }

    @Test func backoffDoublesToFifteenSecondsAndSurvivalResetsIt() {
        var rig = Rig()
        _ = rig.machine.started(now: at(0))
        var now = 0.0
        for expected in [1.0, 2, 4, 8, 15, 15] {
            _ = rig.machine.connected(attempt: rig.machine.attempt, now: at(now))
            _ = rig.hello(now)
            let spread = UInt64(expected * 0.2 * 1e9)
            _ = rig.machine.closed(attempt: rig.machine.attempt, code: nil, words: "", now: at(now + 9), random: spread)
            #expect(rig.machine.deadline == at(now + 9 + expected))
            now += 9 + expected
            _ = rig.timer(now)
        }
        _ = rig.machine.connected(attempt: rig.machine.attempt, now: at(now))
        _ = rig.hello(now)
        _ = rig.closed(now + 10)
        #expect(rig.machine.deadline == at(now + 11))
    }

    @Test func silenceIsStaleAfterThreeSecondsAndTheEndAfterTen() {
        var rig = Rig()
        rig.live(["SPY"], 0)
        #expect(rig.machine.deadline == at(3))
        let stale = rig.timer(3)
        #expect(feed(stale) == [.degraded] && stale.contains(.stale(keys("SPY"))))
        #expect(rig.machine.deadline == at(10))
        let again = rig.send("hb", #""ib":"up""#, 4)
        #expect(feed(again) == [.up] && again.contains(.fresh(keys("SPY"))))
        _ = rig.timer(7)
        let ended = rig.timer(14)
        #expect(ended.contains(.close(code: 1000)) && feed(ended) == [.down] && rig.machine.phase == .waiting)
    }

    @Test func aHoleInTheSequenceEndsTheConnection() {
        var rig = Rig()
        rig.live(["SPY"], 0)
        rig.number += 1
        let actions = rig.send("hb", "", 1)
        #expect(actions.contains(.close(code: 4001)) && feed(actions) == [.down] && rig.machine.phase == .waiting)
        // On the next connection the numbers begin anew, and what was known of the epoch is offered.
        _ = rig.timer(3)
        let first = sent(rig.machine.connected(attempt: 2, now: at(3)))
        #expect(first == [#"{"op":"hello","v":1,"client":"striketape-engine","resume":"e1"}"#])
        #expect(sent(rig.hello(4)).first?.hasPrefix(#"{"op":"set","id":"s2""#) == true)
    }

    @Test func aGapMakesItsKeysStaleUntilTheirSnapshot() {
        var rig = Rig()
        rig.live(["QQQ", "SPY"], 0)
        let from = rig.number
        rig.number += 3
        let gap = rig.send("gap", "\"from\":\(from),\"to\":\(from + 2),\"ks\":[\"STK:SPY:SMART:USD\"]", 1)
        #expect(gap == [.stale(keys("SPY"))])
        #expect(rig.send("q", #""k":"STK:SPY:SMART:USD","b":1"#, 1).isEmpty)
        #expect(rig.send("snap", #""k":"STK:SPY:SMART:USD","b":1,"a":2"#, 1) == [.fresh(keys("SPY"))])
    }

    @Test func theBrokersStateIsTheFeeds() {
        var rig = Rig()
        rig.live(["QQQ", "SPY"], 0)
        let degraded = rig.send("st", #""ib":"degraded","code":2103,"msg":"farm","stale_ks":["STK:SPY:SMART:USD"]"#, 1)
        #expect(degraded.contains(.stale(keys("SPY"))))
        #expect(degraded.contains(.report(.degraded, cause: "the broker's data is degraded: farm (2103)")))
        #expect(rig.machine.hasBroker == true)
        let down = rig.send("st", #""ib":"down","code":1100,"msg":"lost""#, 2)
        #expect(feed(down) == [.down] && down.contains(.stale(keys("QQQ"))))
        #expect(rig.machine.hasBroker == false)
        let login = rig.send("st", #""ib":"login","msg":"Sunday""#, 3)
        #expect(login == [.alert("the broker's session needs a login: Sunday")])
        #expect(rig.send("st", #""ib":"login","msg":"Sunday""#, 3).isEmpty)
        // Up again: nothing is sure until it is said again, so it is asked for at once.
        #expect(feed(rig.send("st", #""ib":"up""#, 4)) == [.up] && rig.machine.hasBroker == true)
        let snap = #"{"op":"snap","id":"q2","ks":["STK:QQQ:SMART:USD","STK:SPY:SMART:USD"]}"#
        #expect(sent(rig.timer(4)) == [snap] && rig.machine.staleKeys == keys("QQQ", "SPY"))
    }

    @Test func degradedWithNothingSureIsDown() {
        var rig = Rig()
        rig.live(["QQQ", "SPY"], 0)
        let stale = #""ib":"degraded","code":2103,"stale_ks":["STK:QQQ:SMART:USD","STK:SPY:SMART:USD"]"#
        #expect(feed(rig.send("st", stale, 1)) == [.down])
        #expect(feed(rig.send("snap", #""k":"STK:SPY:SMART:USD","b":1,"a":2"#, 2)) == [.degraded])
        #expect(feed(rig.send("st", #""ib":"up","code":2104"#, 3)) == [.up])
    }

    @Test func refusalsAndMissingAnswersAreTold() {
        var rig = Rig()
        _ = rig.want([want("SPY"), want("QQQ"), want("IWM")], 0)
        _ = rig.machine.started(now: at(0))
        _ = rig.machine.connected(attempt: 1, now: at(0))
        _ = rig.hello(0)
        let nack = rig.send("nack", #""id":"s1","k":"STK:IWM:SMART:USD","code":200,"reason":"no_definition""#, 1)
        #expect(nack == keys("IWM").map { .refused($0, cause: "no_definition (200)") })
        _ = rig.send("ack", #""id":"s1","ok":{"STK:SPY:SMART:USD":{}}"#, 1)
        _ = rig.send("snap", #""k":"STK:SPY:SMART:USD","b":1,"a":2"#, 1)
        for second in 2...29 { _ = rig.send("hb", "", Double(second)) }
        let late = rig.timer(30)
        #expect(late.contains(.refused(keys("QQQ")[0], cause: "no answer from the bridge")) && feed(late) == [.up])
        #expect(rig.machine.staleKeys == keys("IWM", "QQQ") && sent(late).isEmpty)
    }

    @Test func whatTheLinesDontReachForIsTold() {
        var rig = Rig()
        let wants = [
            want("A", depth: 5, bars: true, priority: 9), want("B", depth: 5, priority: 8), want("C", priority: 7),
            want("D", depth: 1, priority: 1),
        ]
        _ = rig.want(wants, 0)
        _ = rig.machine.started(now: at(0))
        _ = rig.machine.connected(attempt: 1, now: at(0))
        let actions = rig.hello(0, #","limits":{"lines":4,"lines_used":0,"depth":1}"#)
        let names = actions.compactMap { action -> [String]? in
            guard case .unserved(let list) = action else { return nil }
            return list.map { "\($0.key) \($0.part)" }
        }
        #expect(names == [["STK:B:SMART:USD depth", "STK:D:SMART:USD quotes", "STK:D:SMART:USD depth"]])
        #expect(sent(actions).first?.contains("STK:D") == false)
        // A wish less, and all is served: said by an empty list.
        let fewer = rig.want([wants[0], wants[2]], 1)
        #expect(fewer.contains(.unserved([])) && sent(fewer).count == 1)
        #expect(sent(rig.want([wants[0], wants[2]], 2)).isEmpty)
    }

    @Test func aBookThatDoesNotFitAsksForASnapshot() {
        var rig = Rig()
        rig.live(["SPY"], 0)
        _ = rig.send("book", #""k":"STK:SPY:SMART:USD","b":[[1,1]],"a":[]"#, 1)
        let lost = #""k":"STK:SPY:SMART:USD","op":"d","sd":"a","pos":3"#
        #expect(rig.send("d", lost, 1) == [.stale(keys("SPY"))])
        #expect(sent(rig.timer(1)) == [#"{"op":"snap","id":"q2","ks":["STK:SPY:SMART:USD"]}"#])
        #expect(rig.send("d", lost, 1).isEmpty)
        // Broken events on and on ask again after a while only.
        #expect(rig.send("q", #""k":"STK:SPY:SMART:USD","b":{}"#, 1.1).isEmpty && rig.timer(1.2).isEmpty)
    }

    @Test func aGapInTimeOpensAtALossAndCloses() {
        var rig = Rig()
        rig.live(["SPY"], 0)
        #expect(rig.closed(2).contains(.gapOpened(after: at(0))))
        _ = rig.timer(3)
        _ = rig.machine.connected(attempt: 2, now: at(3))
        _ = rig.hello(3)
        let actions = rig.send("snap", #""k":"STK:SPY:SMART:USD","b":1,"a":2"#, 4)
        #expect(actions.contains(.gapClosed(after: at(0), before: at(4))))
    }

    @Test func anErrorIsToldOnceACode() {
        var rig = Rig()
        rig.live(["SPY"], 0)
        let words = #""code":10197,"msg":"competing live session","k":"STK:SPY:SMART:USD""#
        #expect(
            rig.send("err", words, 1) == [.alert("broker's error 10197: competing live session (STK:SPY:SMART:USD)")]
        )
        #expect(rig.send("err", words, 1).isEmpty)
        #expect(rig.send("err", #""code":2104,"msg":"farm OK""#, 1).isEmpty)
    }

    @Test func stopClosesAndIsFinal() {
        var rig = Rig()
        rig.live(["SPY"], 0)
        #expect(rig.machine.stopped(now: at(1)).first == .close(code: 1000))
        #expect(rig.closed(2).isEmpty && rig.timer(3).isEmpty && rig.machine.reloaded(now: at(4)).isEmpty)
        #expect(rig.machine.started(now: at(5)).isEmpty && rig.machine.phase == .stopped)
    }

    /// Random events against what must always hold.
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func holdsItsInvariantsInAnyOrderOfEvents(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var invariants = BridgeInvariants()
        for step in 0..<1_000 {
            if let breach = invariants.step(random.next(), random.next()) {
                Issue.record("seed \(seed) step \(step): \(breach)")
                return
            }
        }
    }
}
