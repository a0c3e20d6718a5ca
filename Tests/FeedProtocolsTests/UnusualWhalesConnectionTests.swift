import FeedProtocols
import MarketData
import Primitives
import Testing

private typealias Action = UnusualWhalesConnection.Action

/// Seconds since the test began, as an instant.
private func at(_ seconds: Double) -> Instant { Instant(nanos: 1_764_086_400_000_000_000 + Int64(seconds * 1e9)) }

private let token = "tok-SECRET/9"

/// The machine with the short hand that its tests need.
private struct Rig: ~Copyable {
    var machine = UnusualWhalesConnection(token: UnusualWhalesToken(token))

    mutating func timer(_ seconds: Double, isRegular: Bool = false, random: UInt64 = 0) -> [Action] {
        machine.timerFired(now: at(seconds), isRegular: isRegular, random: random)
    }

    mutating func closed(_ seconds: Double, random: UInt64 = 0) -> [Action] {
        machine.closed(attempt: machine.attempt, words: "1006", now: at(seconds), random: random)
    }

    mutating func frame(_ text: String, _ seconds: Double) -> [Action] {
        Array(text.utf8).withUnsafeBytes { machine.frameReceived($0, attempt: machine.attempt, now: at(seconds)) }
    }

    mutating func acknowledge(_ channel: String, _ seconds: Double) -> [Action] {
        frame("[\"\(channel)\",{\"response\":{},\"status\":\"ok\"}]", seconds)
    }

    mutating func data(_ channel: String, _ seconds: Double) -> [Action] {
        frame("[\"\(channel)\",{\"ticker\":\"SPY\"}]", seconds)
    }

    @discardableResult
    mutating func want(_ channels: [String], _ seconds: Double) -> [Action] {
        machine.channelsChanged(to: Set(channels.compactMap { UnusualWhalesChannel($0) }), now: at(seconds))
    }

    /// Opens the next socket and has these channels joined.
    mutating func live(_ channels: [String], _ seconds: Double) {
        want(channels, seconds)
        _ = machine.started(now: at(seconds))
        open(channels, seconds)
    }

    mutating func open(_ channels: [String], _ seconds: Double) {
        _ = machine.connected(attempt: machine.attempt, now: at(seconds))
        for channel in channels { _ = acknowledge(channel, seconds) }
    }
}

private func sent(_ actions: [Action]) -> [String] {
    actions.compactMap { if case .send(let text) = $0 { text } else { nil } }
}

private func feed(_ actions: [Action]) -> [FeedState] {
    actions.compactMap { if case .report(let state, _) = $0 { state } else { nil } }
}

private func refused(_ actions: [Action]) -> [String] {
    actions.compactMap { if case .refused(let channel, let cause) = $0 { "\(channel): \(cause)" } else { nil } }
}

private func join(_ channel: String) -> String { #"{"channel":"\#(channel)","msg_type":"join"}"# }
private func leave(_ channel: String) -> String { #"{"channel":"\#(channel)","msg_type":"leave"}"# }

@Suite struct UnusualWhalesConnectionTests {
    @Test func goesFromDialToLiveOneFrameAChannel() {
        var rig = Rig()
        rig.want(["option_trades:SPY", "flow-alerts", "gex:SPY"], 0)
        #expect(rig.machine.started(now: at(0)) == [.connect(attempt: 1)])
        #expect(rig.machine.phase == .dialling && rig.machine.deadline == at(10))
        let joins = sent(rig.machine.connected(attempt: 1, now: at(1)))
        #expect(joins == [join("flow-alerts"), join("gex:SPY"), join("option_trades:SPY")])
        #expect(rig.machine.phase == .joining && rig.machine.deadline == at(11))
        #expect(rig.acknowledge("flow-alerts", 2).isEmpty && rig.acknowledge("gex:SPY", 2).isEmpty)
        #expect(feed(rig.acknowledge("option_trades:SPY", 3)) == [.up])
        #expect(rig.machine.phase == .live && rig.machine.deadline == at(21))
    }

    @Test func neverMoreThanTwentyFramesASecond() {
        var rig = Rig()
        rig.want((0..<45).map { "gex:S\($0)" }, 0)
        _ = rig.machine.started(now: at(0))
        #expect(sent(rig.machine.connected(attempt: 1, now: at(1))).count == 20)
        #expect(rig.machine.deadline == at(2))
        #expect(sent(rig.timer(1.9)).isEmpty)
        #expect(sent(rig.timer(2)).count == 20)
        #expect(sent(rig.timer(3)).count == 5)
    }

    @Test func aDialInTimeOrTheNext() {
        var rig = Rig()
        _ = rig.machine.started(now: at(0))
        #expect(rig.timer(9.9).isEmpty)
        #expect(rig.timer(10).first == .close(code: 1000))
        #expect(rig.machine.phase == .waiting && rig.machine.deadline == at(15))
        #expect(rig.timer(15) == [.connect(attempt: 2)])
    }

    @Test(arguments: [401, 403])
    func aRefusedTokenHaltsUntilReloadAndIsSaidOnce(status: Int) {
        var rig = Rig()
        _ = rig.machine.started(now: at(0))
        let actions = rig.machine.upgradeRefused(attempt: 1, status: status, now: at(1), random: 0)
        #expect(rig.machine.phase == .halted && rig.machine.deadline == .distantFuture)
        #expect(feed(actions) == [.down] && actions.count == 2)
        #expect(rig.closed(2).isEmpty && rig.timer(1_000_000).isEmpty)
        #expect(rig.machine.reloaded(now: at(1_000_001)) == [.connect(attempt: 2)])
        let again = rig.machine.upgradeRefused(attempt: 2, status: 503, now: at(1_000_002), random: 0)
        #expect(rig.machine.phase == .waiting && feed(again).isEmpty)
    }

    @Test func backoffDoublesToAMinuteAndOnlySurvivalWithAnAnswerResetsIt() {
        var rig = Rig()
        rig.want(["flow-alerts"], 0)
        _ = rig.machine.started(now: at(0))
        var now = 0.0
        // Long life without an answer doesn't count, nor does an answer without long life.
        for (expected, isAnswered) in [(5.0, false), (10, true), (20, false), (40, true), (60, false), (60, true)] {
            _ = rig.machine.connected(attempt: rig.machine.attempt, now: at(now))
            if isAnswered { _ = rig.acknowledge("flow-alerts", now) }
            let life = isAnswered ? 9.0 : 11.0
            _ = rig.closed(now + life)
            #expect(rig.machine.deadline == at(now + life + expected))
            now += life + expected
            _ = rig.timer(now)
        }
        rig.open(["flow-alerts"], now)
        _ = rig.closed(now + 10)
        #expect(rig.machine.deadline == at(now + 15))
    }

    @Test func jitterIsATenthMoreAtMost() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<500 {
            var rig = Rig()
            _ = rig.machine.started(now: at(0))
            _ = rig.closed(0, random: random.next())
            #expect((at(5)...at(5.5)).contains(rig.machine.deadline))
        }
    }

    @Test func aMissingAnswerRefusesTheChannelAndKeepsTheRest() {
        var rig = Rig()
        rig.want(["flow-alerts", "gex:SPY"], 0)
        _ = rig.machine.started(now: at(0))
        _ = rig.machine.connected(attempt: 1, now: at(0))
        _ = rig.acknowledge("flow-alerts", 1)
        let actions = rig.timer(10)
        #expect(refused(actions) == ["gex:SPY: no acknowledgement"] && feed(actions) == [.up])
        #expect(rig.machine.phase == .live)
        // Late data shows that it was joined after all.
        #expect(rig.data("gex:SPY", 11).isEmpty)
        #expect(refused(rig.timer(20)).isEmpty)
    }

    @Test func anErrorAnswerRefusesWithItsWords() {
        var rig = Rig()
        rig.want(["gex:SPY"], 0)
        _ = rig.machine.started(now: at(0))
        _ = rig.machine.connected(attempt: 1, now: at(0))
        let words = #"["gex:SPY",{"status":"error","response":{"reason":"plan of \#(token)"}}]"#
        let actions = rig.frame(words, 1)
        #expect(refused(actions) == [#"gex:SPY: error: {"reason":"plan of ***"}"#])
        #expect(feed(actions) == [.degraded] && !"\(actions)".contains("SECRET"))
    }

    @Test func pingsAndFailsAfterTwoWithoutAnAnswer() {
        var rig = Rig()
        rig.live(["news"], 0)
        #expect(rig.timer(20) == [.ping])
        rig.machine.received(attempt: 1, now: at(21))
        #expect(rig.timer(40) == [.ping] && rig.timer(60) == [.ping])
        let actions = rig.timer(80)
        #expect(actions.contains(.close(code: 1000)) && feed(actions) == [.down])
        #expect(rig.machine.phase == .waiting)
    }

    @Test(arguments: [("gex:SPY", 30.0), ("price:SPY", 30), ("option_trades:SPY", 60), ("flow-alerts", 120)])
    func inRegularHoursASilentChannelIsJoinedAnewThenTheConnectionIs(channel: String, silence: Double) {
        var rig = Rig()
        rig.live([channel], 0)
        _ = rig.data(channel, 1)
        // Outside of them silence is normal, however long.
        for second in stride(from: 20.0, through: 400, by: 20) {
            rig.machine.received(attempt: 1, now: at(second))
            #expect(feed(rig.timer(second)).isEmpty)
        }
        var now = 400.0
        func wait(_ rig: inout Rig, _ seconds: Double) -> [Action] {
            let end = now + seconds
            var actions: [Action] = []
            while now < end {
                now = min(end, now + 5)
                rig.machine.received(attempt: rig.machine.attempt, now: at(now))
                actions += rig.timer(now, isRegular: true).filter { $0 != .ping }
            }
            return actions
        }
        #expect(wait(&rig, 5).isEmpty)
        #expect(wait(&rig, silence - 5).isEmpty)
        let stale = wait(&rig, 5)
        #expect(feed(stale) == [.degraded] && sent(stale) == [leave(channel), join(channel)])
        _ = rig.acknowledge(channel, now)
        #expect(rig.machine.phase == .live)
        let failed = wait(&rig, silence)
        #expect(feed(failed) == [.down] && rig.machine.phase == .waiting)
    }

    @Test func aChannelThatStaysSilentAfterAReconnectIsRefusedAndCostsNoSecond() {
        var rig = Rig()
        rig.live(["gex:SPY", "news"], 0)
        _ = rig.timer(0, isRegular: true)
        func silence(_ rig: inout Rig, from start: Double) -> [Action] {
            var actions: [Action] = []
            for step in 1...14 where rig.machine.phase == .live || rig.machine.phase == .joining {
                let now = start + Double(step) * 5
                rig.machine.received(attempt: rig.machine.attempt, now: at(now))
                let fired = rig.timer(now, isRegular: true)
                actions += fired
                if sent(fired).contains(join("gex:SPY")) { _ = rig.acknowledge("gex:SPY", now) }
            }
            return actions
        }
        // It never brought anything: no reason to believe that another socket would.
        let actions = silence(&rig, from: 0)
        #expect(refused(actions) == ["gex:SPY: no data in regular hours"] && rig.machine.phase == .live)
        #expect(feed(actions) == [.degraded, .up])
    }

    @Test func dataAgainIsUpAgain() {
        var rig = Rig()
        rig.live(["price:SPY"], 0)
        _ = rig.timer(0, isRegular: true)
        #expect(sent(rig.timer(30, isRegular: true)).count == 2)
        #expect(feed(rig.data("price:SPY", 31)) == [.up])
        #expect(sent(rig.timer(60, isRegular: true)).isEmpty)
        // And at the close what was stale is so no more.
        #expect(feed(rig.timer(61, isRegular: true)) == [.degraded])
        #expect(feed(rig.timer(62)) == [.up])
    }

    @Test func anIlliquidNamesTradesMayBeSilent() {
        var rig = Rig()
        rig.live(["option_trades:ABCD", "news", "off_lit_trades"], 0)
        for second in stride(from: 0.0, through: 600, by: 10) {
            rig.machine.received(attempt: 1, now: at(second))
            #expect(rig.timer(second, isRegular: true).allSatisfy { $0 == .ping })
        }
    }

    @Test func aGapOpensAtALossAndClosesAtTheFirstDataAfter() {
        var rig = Rig()
        rig.live(["flow-alerts"], 0)
        _ = rig.data("flow-alerts", 5)
        #expect(rig.closed(7).contains(.gapOpened(after: at(5))))
        _ = rig.timer(12)
        #expect(rig.closed(13).contains { if case .gapOpened = $0 { true } else { false } } == false)
        _ = rig.timer(23)
        rig.open(["flow-alerts"], 23)
        #expect(rig.data("flow-alerts", 24) == [.gapClosed(after: at(5), before: at(24))])
        #expect(rig.data("flow-alerts", 25).isEmpty)
    }

    @Test func wantsChangeWhileLive() {
        var rig = Rig()
        rig.live(["flow-alerts", "gex:SPY"], 0)
        #expect(sent(rig.want(["flow-alerts", "gex:QQQ"], 1)) == [leave("gex:SPY"), join("gex:QQQ")])
        #expect(rig.machine.phase == .live)
        #expect(rig.acknowledge("gex:SPY", 2).isEmpty && rig.acknowledge("gex:QQQ", 2).isEmpty)
        #expect(rig.machine.strayCount == 1)
        #expect(sent(rig.want(["flow-alerts", "gex:QQQ"], 3)).isEmpty)
        // The whole set is joined anew on the next socket.
        _ = rig.closed(4)
        _ = rig.timer(9)
        let joins = sent(rig.machine.connected(attempt: 2, now: at(9)))
        #expect(joins == [join("flow-alerts"), join("gex:QQQ")])
    }

    @Test func anOldSocketsWordChangesNothing() {
        var rig = Rig()
        rig.live(["news"], 0)
        _ = rig.closed(1)
        _ = rig.timer(6)
        #expect(rig.machine.closed(attempt: 1, words: "late", now: at(6), random: 0).isEmpty)
        #expect(rig.machine.connected(attempt: 1, now: at(6)).isEmpty && rig.machine.phase == .dialling)
    }

    @Test func stopClosesAndIsFinal() {
        var rig = Rig()
        rig.live(["news"], 0)
        #expect(rig.machine.stopped(now: at(1)).first == .close(code: 1000))
        #expect(rig.closed(2).isEmpty && rig.timer(3).isEmpty && rig.machine.reloaded(now: at(4)).isEmpty)
        #expect(rig.machine.started(now: at(5)).isEmpty && rig.machine.phase == .stopped)
    }

    @Test func theTokenShowsInNoCause() {
        var rig = Rig()
        rig.live(["news"], 0)
        let words = "closed: /socket?token=tok-SECRET%2F9 and \(token)"
        let actions = rig.machine.closed(attempt: 1, words: words, now: at(1), random: 0)
        #expect(actions == [.report(.down, cause: "closed: /socket?token=*** and ***")])
    }

    /// Random events against what must always hold.
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func holdsItsInvariantsInAnyOrderOfEvents(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var invariants = UnusualWhalesInvariants(token: token)
        for step in 0..<1_000 {
            if let breach = invariants.step(random.next(), random.next()) {
                Issue.record("seed \(seed) step \(step): \(breach)")
                return
            }
        }
    }
}
