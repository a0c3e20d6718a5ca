import FeedProtocols
import MarketData
import Primitives
import Testing

private func at(_ seconds: Double) -> Instant { Instant(nanos: 1_764_086_400_000_000_000 + Int64(seconds * 1e9)) }

@Suite struct UnusualWhalesBackfillTests {
    private static func row(_ id: String, _ seconds: Int) -> String {
        #"{"id":"\#(id)","option_chain":"SPY251219C00650000","created_at":"2025-11-25T16:00:0\#(seconds)Z","price":"1.5","total_size":3,"total_premium":"450","total_ask_side_prem":"450","total_bid_side_prem":"0","has_sweep":true}"#
    }

    private static func page(_ backfill: inout UnusualWhalesBackfill, _ body: String) -> UnusualWhalesBackfill.Page? {
        Array(body.utf8).withUnsafeBytes { backfill.answered($0) }
    }

    private static func admits(_ backfill: inout UnusualWhalesBackfill, _ frame: [UInt8]) -> Bool {
        frame.withUnsafeBytes { backfill.admit(frame: $0) }
    }

    @Test func asksWithAnOverlapAndGivesFramesOldestFirst() throws {
        var backfill = UnusualWhalesBackfill()
        let request = backfill.begin(after: at(100))
        #expect(
            request.path == "/api/option-trades/flow-alerts?limit=200&newer_than=2025-11-25T16:00:40.000Z"
        )
        let body = "{ \"data\" : [\(Self.row("b", 2)) , \(Self.row("a", 1))], \"x\":1 }"
        let page = try #require(Self.page(&backfill, body))
        #expect(page.next == nil && !backfill.isFilling && page.malformed == 0)
        #expect(page.frames.count == 2)
        var bench = UnusualWhalesBench()
        let events = page.frames.compactMap { bench.decode($0).first?.event }
        #expect(events.map(\.time) == [Instant(millis: 1_764_086_401_000), Instant(millis: 1_764_086_402_000)])
        guard case .flowAlert(let alert)? = events.first else {
            Issue.record("no alert")
            return
        }
        #expect(alert.idHash == fnv("a") && alert.totalPremium == 450_000_000 && alert.flags == .sweep)
    }

    @Test func anAlertIsGivenOnOnceLiveOrFetched() throws {
        var backfill = UnusualWhalesBackfill()
        let live = Array("[\"flow-alerts\",\(Self.row("a", 1))]".utf8)
        #expect(Self.admits(&backfill, live))
        #expect(!Self.admits(&backfill, live))
        _ = backfill.begin(after: at(0))
        let page = try #require(Self.page(&backfill, "{\"data\":[\(Self.row("b", 2)),\(Self.row("a", 1)),{},7]}"))
        #expect(page.frames.count == 1 && page.duplicates == 1 && page.malformed == 2)
        let late = Array("[\"flow-alerts\",\(Self.row("b", 2))]".utf8)
        #expect(!Self.admits(&backfill, late))
        // Other channels and what is broken aren't its business.
        for other in [UnusualWhalesExamples.trade, UnusualWhalesExamples.acknowledgement, "[\"flow-alerts\",[", "x"] {
            let frame = Array(other.utf8)
            #expect(Self.admits(&backfill, frame))
            #expect(Self.admits(&backfill, frame))
        }
    }

    @Test func aFullPageAsksForTheNextAndAWholeGapHasAnEnd() throws {
        var backfill = UnusualWhalesBackfill()
        _ = backfill.begin(after: at(-3_600))
        var number = 0
        func full() -> String {
            let rows = (0..<200).map { _ in
                number += 1
                return Self.row("n\(number)", 5)
            }
            return "[\(rows.joined(separator: ","))]"
        }
        var page = try #require(Self.page(&backfill, full()))
        let path = try #require(page.next?.path)
        #expect(path.hasSuffix("newer_than=2025-11-25T14:59:00.000Z&older_than=2025-11-25T16:00:05.000Z"))
        for _ in 2...UnusualWhalesBackfill.pagesMax { page = try #require(Self.page(&backfill, full())) }
        #expect(page.next == nil && page.isCut && !backfill.isFilling)
        #expect(Self.page(&backfill, "[]") == nil)
    }

    @Test func whatIsNoAnswerChangesNothing() {
        var backfill = UnusualWhalesBackfill()
        _ = backfill.begin(after: at(0))
        for body in ["", "{}", "{\"data\":{}}", "7", "{\"error\":\"x\"}"] { #expect(Self.page(&backfill, body) == nil) }
        #expect(backfill.isFilling)
        #expect(Self.page(&backfill, "{\"data\":[]}")?.frames.isEmpty == true && !backfill.isFilling)
    }

    @Test func theWindowIsBounded() {
        var backfill = UnusualWhalesBackfill()
        for id in 1...UInt64(UnusualWhalesBackfill.windowSize) { #expect(backfill.admit(id) == true) }
        #expect(backfill.admit(1) == false)
        #expect(backfill.admit(1_000_000) == true)
        let rest = [backfill.admit(1), backfill.admit(3), backfill.admit(0), backfill.admit(0)]
        #expect(rest == [true, false, true, true])
    }

    // MARK: Limits

    @Test func theLimiterAllowsSoManyInAnyMinute() {
        var limiter = HeaderLimiter()
        for second in 0..<120 { #expect(limiter.request(now: at(Double(second) / 10)) == nil) }
        #expect(limiter.request(now: at(12)) == at(60))
        #expect(limiter.request(now: at(59.99)) == at(60))
        #expect(limiter.request(now: at(60)) == nil)
        #expect(limiter.request(now: at(60)) == at(60.1))
    }

    @Test(
        arguments: [
            (200, [("X-UW-Req-Per-Minute-Remaining", "0"), ("x-uw-req-per-minute-reset", "4096")], 4.096),
            (200, [("x-uw-req-per-minute-remaining", "0")], 60), (429, [("Retry-After", "7")], 7), (429, [], 60),
            (429, [("x-uw-req-per-minute-reset", "42000")], 42), (200, [("x-uw-req-per-minute-remaining", "3")], 0),
            (429, [("Retry-After", "999999999")], 900), (429, [("Retry-After", "-5")], 0),
            (429, [("Retry-After", "Wed, 21 Oct")], 60), (200, [("x-uw-req-per-minute-remaining", "-1")], 60),
            (200, [("x-uw-req-per-minute-remaining", "0"), ("x-uw-req-per-minute-reset", "1764086409000")], 9),
        ] as [(Int, [(String, String)], Double)]
    )
    func theLimiterHeedsTheAnswer(status: Int, headers: [(String, String)], wait: Double) {
        var limiter = HeaderLimiter()
        limiter.answered(status: status, headers: headers.map { (name: $0.0, value: $0.1) }, now: at(0))
        #expect(limiter.request(now: at(0)) == (wait == 0 ? nil : at(wait)))
        #expect(limiter.request(now: at(wait)) == nil)
    }

    @Test func theLimiterKnowsTheDaysRest() {
        var limiter = HeaderLimiter()
        let headers = [(name: "x-uw-daily-req-count", value: "21"), (name: "x-uw-token-req-limit", value: "50000")]
        limiter.answered(status: 200, headers: headers, now: at(0))
        #expect(limiter.dailyRemaining == 49_979)
    }

    // MARK: Filter

    @Test func theFilterPassesWhatIsWanted() {
        let channels = ["option_trades", "flow-alerts", "gex:SPY", "off_lit_trades", "trading_halts"]
        var filter = UnusualWhalesFilter(
            channels: Set(channels.compactMap { UnusualWhalesChannel($0) }),
            tickers: ["SPY"]
        )
        func passes(_ frame: String) -> Bool { Array(frame.utf8).withUnsafeBytes { filter.passes($0) } }
        let wanted = [
            UnusualWhalesExamples.trade.replacingOccurrences("option_trades:SPY", "option_trades"),
            UnusualWhalesExamples.alert, UnusualWhalesExamples.gex, UnusualWhalesExamples.halt,
            #"["flow-alerts",{"response":{},"status":"ok"}]"#, #"["flow-alerts",{"ticker" : "S\u0050Y"}]"#,
            #"["off_lit_trades",[{"symbol":"AAPL"},{"symbol": "SPY"}]]"#, #"["off_lit_trades",[{"symbol":7}]]"#,
            #"["novel:SPY",{}]"#, "[", "",
        ]
        for frame in wanted { #expect(passes(frame), "\(frame)") }
        let others = [
            UnusualWhalesExamples.alert.replacingOccurrences("\"SPY\"", "\"AAPL\""), UnusualWhalesExamples.offLit,
            UnusualWhalesExamples.news, #"["gex:QQQ",{"ticker":"QQQ"}]"#, UnusualWhalesExamples.trade,
            #"["off_lit_trades",[{"symbol":"AAPL"},{"symbol":"SPYX"}]]"#,
        ]
        for frame in others { #expect(!passes(frame), "\(frame)") }
        #expect(filter.passed == UInt64(wanted.count) && filter.dropped == UInt64(others.count))
        filter.want(Set(["option_trades:SPY", "news"].compactMap { UnusualWhalesChannel($0) }), tickers: nil)
        #expect(passes(UnusualWhalesExamples.trade) && passes(UnusualWhalesExamples.news))
        #expect(!passes(UnusualWhalesExamples.alert))
    }
}

extension String {
    fileprivate func replacingOccurrences(_ of: String, _ with: String) -> String { replacing(of, with: with) }
}
