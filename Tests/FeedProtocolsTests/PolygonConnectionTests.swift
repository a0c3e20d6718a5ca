import FeedProtocols
import MarketData
import Primitives
import Testing

private typealias Action = PolygonConnection.Action

/// Seconds since the test began, as an instant.
private func at(_ seconds: Double) -> Instant { Instant(nanos: 1_764_086_400_000_000_000 + Int64(seconds * 1e9)) }

/// With a quote in it, for the auth frame's escapes.
private let key = "k-SECRET\"9"

/// The machine with the short hand that its tests need.
private struct Rig: ~Copyable {
    var machine = PolygonConnection(key: PolygonKey(key))

    mutating func status(_ status: String, _ message: String = "", _ seconds: Double) -> [Action] {
        machine.statusReceived(
            ProviderStatus(status: status, message: message),
            attempt: machine.attempt,
            now: at(seconds),
            random: middle
        )
    }

    mutating func timer(_ seconds: Double, isRegular: Bool = false) -> [Action] {
        machine.timerFired(now: at(seconds), isRegular: isRegular, random: middle)
    }

    mutating func closed(_ seconds: Double, random: UInt64 = middle) -> [Action] {
        machine.closed(attempt: machine.attempt, words: "1006", now: at(seconds), random: random)
    }

    mutating func data(_ seconds: Double) -> [Action] {
        machine.dataReceived(attempt: machine.attempt, first: at(seconds), last: at(seconds), now: at(seconds))
    }

    /// Dials and greets, up to the auth frame.
    mutating func open(_ seconds: Double) {
        _ = machine.started(now: at(seconds))
        _ = machine.connected(attempt: machine.attempt, now: at(seconds))
        _ = status("connected", "Connected Successfully", seconds)
    }

    /// All the way to live with these pairs.
    mutating func live(_ pairs: [String], _ seconds: Double) {
        want(pairs, seconds)
        open(seconds)
        _ = status("auth_success", "authenticated", seconds)
        for pair in pairs { _ = status("success", "subscribed to: \(pair)", seconds) }
    }

    @discardableResult
    mutating func want(_ pairs: [String], _ seconds: Double) -> [Action] {
        machine.subscriptionsChanged(to: Set(pairs.compactMap { PolygonSubscription($0) }), now: at(seconds))
    }
}

/// The random value that draws a delay's middle: 0.2 of a second above 0.8.
private let middle: UInt64 = 200_000_000

private func sent(_ actions: [Action]) -> [String] {
    actions.compactMap { if case .send(let frame) = $0 { frame.text } else { nil } }
}

private func feed(_ actions: [Action]) -> [FeedState] {
    actions.compactMap { if case .report(let state, _) = $0 { state } else { nil } }
}

@Suite struct PolygonConnectionTests {
    @Test func goesFromDialToLiveInTheDocumentedOrder() {
        var rig = Rig()
        rig.want(["Q.SPY", "T.SPY", "AM.*", "V.I:SPX"], 0)
        #expect(rig.machine.started(now: at(0)) == [.connect(attempt: 1)])
        #expect(rig.machine.phase == .dialling && rig.machine.deadline == at(10))
        #expect(rig.machine.connected(attempt: 1, now: at(1)).isEmpty)
        #expect(rig.machine.phase == .hello && rig.machine.deadline == at(6))
        #expect(
            sent(rig.status("connected", "Connected Successfully", 2)) == [#"{"action":"auth","params":"k-SECRET\"9"}"#]
        )
        #expect(rig.machine.phase == .authenticating && rig.machine.deadline == at(12))
        #expect(
            sent(rig.status("auth_success", "authenticated", 3))
                == [#"{"action":"subscribe","params":"V.I:SPX,AM.*,T.SPY,Q.SPY"}"#]
        )
        #expect(rig.machine.phase == .subscribing && rig.machine.deadline == at(8))
        #expect(rig.status("success", "subscribed to: V.I:SPX", 3).isEmpty)
        #expect(rig.status("success", "subscribed to: AM.*,T.SPY", 3).isEmpty)
        #expect(feed(rig.status("success", "subscribed to: Q.SPY", 4)) == [.up])
        #expect(rig.machine.phase == .live)
    }

    @Test func givesUpADialAndAGreetingInTime() {
        var rig = Rig()
        _ = rig.machine.started(now: at(0))
        #expect(rig.timer(9.9).isEmpty)
        #expect(rig.timer(10).first == .close(code: 1000))
        #expect(rig.machine.phase == .waiting && rig.machine.deadline == at(11))
        #expect(rig.timer(11) == [.connect(attempt: 2)])
        _ = rig.machine.connected(attempt: 2, now: at(12))
        #expect(sent(rig.timer(17)).count == 1)
        #expect(rig.machine.deadline == at(22))
        #expect(rig.timer(22).first == .close(code: 1000))
        #expect(rig.machine.phase == .waiting)
    }

    @Test func aNudgedGreetingSendsTheKeyOnce() {
        var rig = Rig()
        _ = rig.machine.started(now: at(0))
        _ = rig.machine.connected(attempt: 1, now: at(0))
        #expect(sent(rig.timer(5)).count == 1)
        #expect(rig.status("connected", "", 6).isEmpty)
        #expect(rig.machine.phase == .authenticating)
        _ = rig.timer(16)
        #expect(rig.machine.phase == .waiting)
    }

    @Test(arguments: ["auth_failed"])
    func aRefusedKeyHaltsUntilReload(status: String) {
        var rig = Rig()
        rig.open(0)
        let actions = rig.status(status, "no key \(key) here", 1)
        #expect(rig.machine.phase == .halted && rig.machine.deadline == .distantFuture)
        #expect(actions.first == .close(code: 1000) && feed(actions) == [.down])
        #expect(!"\(actions)".contains("SECRET"))
        #expect(rig.closed(2).isEmpty)
        #expect(rig.timer(1_000_000).isEmpty)
        #expect(rig.machine.reloaded(now: at(1_000_001)) == [.connect(attempt: 2)])
    }

    @Test func theCapCoolsLongerEachTime() {
        var rig = Rig()
        _ = rig.machine.started(now: at(0))
        var now = 0.0
        for expected in [60.0, 120, 240, 300, 300] {
            _ = rig.machine.connected(attempt: rig.machine.attempt, now: at(now))
            _ = rig.status("connected", "", now)
            _ = rig.status("auth_success", "", now)
            let actions = rig.status("max_connections", "Maximum number of websocket connections exceeded. ", now + 1)
            #expect(actions.first == .close(code: 1000))
            #expect(rig.machine.phase == .cooling)
            #expect(rig.machine.deadline == at(now + 1 + expected))
            #expect(rig.closed(now + 1).isEmpty)
            now += 1 + expected
            #expect(rig.timer(now) == [.connect(attempt: rig.machine.attempt)])
        }
    }

    @Test func backoffDoublesAndOnlySurvivalResetsIt() {
        var rig = Rig()
        _ = rig.machine.started(now: at(0))
        var now = 0.0
        for expected in [1.0, 2, 4, 8, 16, 30, 30] {
            _ = rig.machine.connected(attempt: rig.machine.attempt, now: at(now))
            _ = rig.status("connected", "", now)
            _ = rig.status("auth_success", "", now)
            let spread = UInt64(expected * 0.2 * 1e9)
            _ = rig.closed(now + 9, random: spread)
            #expect(rig.machine.deadline == at(now + 9 + expected))
            now += 9 + expected
            _ = rig.timer(now)
        }
        _ = rig.machine.connected(attempt: rig.machine.attempt, now: at(now))
        _ = rig.status("connected", "", now)
        _ = rig.status("auth_success", "", now)
        _ = rig.closed(now + 10)
        #expect(rig.machine.deadline == at(now + 11))
    }

    @Test func jitterStaysWithinAFifth() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<1_000 {
            var rig = Rig()
            _ = rig.machine.started(now: at(0))
            _ = rig.closed(0, random: random.next())
            #expect((at(0.8)...at(1.2)).contains(rig.machine.deadline))
        }
    }

    @Test func aMissingAcknowledgementIsAskedForOnceMoreThenRefused() throws {
        var rig = Rig()
        rig.want(["T.SPY", "NOI.IBM"], 0)
        rig.open(0)
        _ = rig.status("auth_success", "", 0)
        _ = rig.status("success", "subscribed to: T.SPY", 1)
        _ = rig.status("error", "not authorized", 1)
        #expect(sent(rig.timer(5)) == [#"{"action":"subscribe","params":"NOI.IBM"}"#])
        let actions = rig.timer(10)
        let pair = try #require(PolygonSubscription(.imbalance, "IBM"))
        #expect(actions.contains(.refused(pair, cause: "error: not authorized")))
        #expect(feed(actions) == [.up] && rig.machine.phase == .live)
    }

    @Test func staysConnectedOnErrorAndReportsAStrangeStatusOnce() {
        var rig = Rig()
        rig.live(["T.SPY"], 0)
        #expect(rig.status("error", "invalid params", 1) == [.alert("error: invalid params")])
        #expect(rig.status("novel", "x", 1) == [.alert("unknown status novel: x")])
        #expect(rig.status("novel", "y", 1).isEmpty)
        #expect(rig.machine.phase == .live)
    }

    @Test func theLatchedCauseIsThatSocketsOnly() {
        var rig = Rig()
        rig.live(["T.SPY"], 0)
        _ = rig.status("error", "kicked", 1)
        #expect(rig.closed(2).contains(.report(.down, cause: "error: kicked (1006)")))
        _ = rig.timer(3)
        rig.machine.received(attempt: 1, now: at(3))
        #expect(rig.machine.closed(attempt: 1, words: "late", now: at(3), random: 0).isEmpty)
        _ = rig.machine.connected(attempt: 2, now: at(3))
        _ = rig.status("connected", "", 3)
        _ = rig.status("auth_success", "", 3)
        _ = rig.status("success", "subscribed to: T.SPY", 3)
        #expect(rig.closed(4).contains(.report(.down, cause: "1006")))
    }

    @Test func pingsAndFailsInSilence() {
        var rig = Rig()
        rig.live(["T.SPY"], 0)
        #expect(rig.machine.deadline == at(25))
        #expect(rig.timer(25) == [.ping])
        #expect(rig.machine.deadline == at(30))
        rig.machine.received(attempt: 1, now: at(26))
        #expect(rig.machine.deadline == at(50))
        #expect(rig.timer(50) == [.ping])
        #expect(rig.timer(56).first == .close(code: 1000))
        #expect(rig.machine.phase == .waiting)
    }

    @Test func inRegularHoursSilenceOfDataIsStaleThenFails() {
        var rig = Rig()
        rig.live(["T.SPY"], 0)
        // Before the open silence is normal, however long.
        for second in stride(from: 20.0, through: 300, by: 20) {
            rig.machine.received(attempt: 1, now: at(second))
            #expect(feed(rig.timer(second)).isEmpty)
        }
        rig.machine.received(attempt: 1, now: at(301))
        #expect(feed(rig.timer(301, isRegular: true)).isEmpty)
        #expect(feed(rig.timer(311, isRegular: true)) == [.degraded])
        #expect(feed(rig.data(312)) == [.up])
        #expect(feed(rig.timer(322, isRegular: true)) == [.degraded])
        rig.machine.received(attempt: 1, now: at(371))
        #expect(feed(rig.timer(372, isRegular: true)) == [.down])
        #expect(rig.machine.phase == .waiting)
    }

    @Test func aGapOpensAtALossAndClosesAtTheFirstEventAfter() {
        var rig = Rig()
        rig.live(["T.SPY"], 0)
        _ = rig.data(5)
        #expect(rig.closed(7).contains(.gapOpened(after: at(5))))
        _ = rig.timer(8)
        #expect(rig.closed(9).contains { if case .gapOpened = $0 { true } else { false } } == false)
        _ = rig.timer(13)
        _ = rig.machine.connected(attempt: rig.machine.attempt, now: at(13))
        _ = rig.status("connected", "", 13)
        _ = rig.status("auth_success", "", 13)
        #expect(rig.data(14) == [.gapClosed(after: at(5), before: at(14))])
        #expect(rig.data(15).isEmpty)
    }

    @Test func manyPairsGoInFramesOfTwoHundred() {
        var rig = Rig()
        rig.want((0..<450).map { "Q.S\($0)" }, 0)
        rig.open(0)
        let frames = sent(rig.status("auth_success", "", 0))
        #expect(frames.map { $0.split(separator: ",").count - 1 } == [200, 200, 50])
        #expect(sent(rig.want(["Q.S0", "T.A"], 1)).filter { $0.contains("unsubscribe") }.count == 3)
    }

    @Test func stopClosesAndIsFinal() {
        var rig = Rig()
        rig.live(["T.SPY"], 0)
        #expect(rig.machine.stopped(now: at(1)).first == .close(code: 1000))
        #expect(rig.closed(2).isEmpty && rig.timer(3).isEmpty && rig.machine.reloaded(now: at(4)).isEmpty)
        #expect(rig.machine.started(now: at(5)).isEmpty && rig.machine.phase == .stopped)
    }

    @Test func aSubscriptionIsNeverFreeText() {
        #expect(PolygonSubscription(.trade, "A,Q.B") == nil)
        #expect(PolygonSubscription(.trade, "A\"") == nil)
        #expect(PolygonSubscription("QQ.SPY") == nil)
        #expect(PolygonSubscription("T.BRK.B")?.symbol == "BRK.B")
    }

    /// Random events against what must always hold.
    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func holdsItsInvariantsInAnyOrderOfEvents(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var invariants = ConnectionInvariants(key: "k-SECRET9")
        for step in 0..<2_000 {
            if let breach = invariants.step(random.next(), random.next()) {
                Issue.record("seed \(seed) step \(step): \(breach)")
                return
            }
        }
    }
}
