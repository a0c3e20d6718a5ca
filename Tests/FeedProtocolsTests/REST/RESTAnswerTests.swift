import FeedProtocols
import MarketData
import Primitives
import Testing

@Suite struct RESTAnswerTests {
    private let from = Instant(millis: 1_764_086_400_000)

    private func decode(
        _ url: String,
        _ body: String?,
        source: String = PolygonREST.sourceName
    ) -> (RESTAnswer, [String]) {
        var symbols = SymbolTable()
        let bytes = body.map { Array($0.utf8) }
        let answer =
            bytes.map { bytes in
                bytes.withUnsafeBytes { RESTAnswer.decode(source: source, url: url, body: $0, symbols: &symbols) }
            } ?? RESTAnswer.decode(source: source, url: url, body: nil, symbols: &symbols)
        return (answer, (0..<symbols.count).map { symbols.instrument(SymbolID(index: UInt32($0))).symbol })
    }

    private func barsURL(_ span: PolygonREST.Span = .minute, minutes: Int64 = 2, _ symbol: String = "SPY") -> String {
        PolygonREST.bars(symbol, span, from: from, to: from.advanced(byNanos: minutes * 60_000_000_000)).target
    }

    @Test func barsAsTheyWereAskedFor() throws {
        let (answer, symbols) = decode(barsURL(), RESTFixtures.bars)
        guard case .bars(let symbol, let start, let end, let seconds, let bars?) = answer else {
            Issue.record("\(answer)")
            return
        }
        #expect(symbols == ["SPY"])
        #expect(symbol == SymbolID(index: 0))
        #expect(start == from)
        #expect(end == from.advanced(byNanos: 120_000_000_000))
        #expect(seconds == 60)
        #expect(bars.map(\.close) == [Price(micros: 672_420_000), Price(micros: 672_510_000)])
        #expect(bars.allSatisfy { $0.seconds == 60 && $0.symbol == symbol })
        #expect(bars[0].volume == Size(shares: 41_011))
        #expect(bars[1].vwap == .zero)
    }

    @Test func barsOutsideAreLeftOutAndTheLastOfEqualStartsCounts() {
        func bar(_ millis: Int64, _ close: Int) -> String { #"{"t":\#(millis),"o":1,"h":9,"l":1,"c":\#(close)}"# }
        let start = from.nanos / 1_000_000
        let rows = [
            bar(start + 60_000, 3), bar(start, 1), bar(start - 60_000, 9), bar(start + 120_000, 9), bar(start, 2),
        ]
        let (answer, _) = decode(barsURL(), #"{"ticker":"SPY","results":[\#(rows.joined(separator: ","))]}"#)
        guard case .bars(_, _, _, _, let bars?) = answer else {
            Issue.record("\(answer)")
            return
        }
        #expect(bars.map(\.close) == [Price(micros: 2_000_000), Price(micros: 3_000_000)])
    }

    @Test func barsThatCouldNotBeHadOrHadNone() {
        for body in [nil, "null"] {
            let (answer, _) = decode(barsURL(.second), body)
            let to = from.advanced(byNanos: 120_000_000_000)
            #expect(answer == .bars(symbol: SymbolID(index: 0), from: from, to: to, seconds: 1, bars: nil))
        }
        guard case .bars(_, _, _, _, let bars) = decode(barsURL(), RESTFixtures.noBars).0 else {
            Issue.record("no bars")
            return
        }
        #expect(bars == [])
    }

    @Test func datesInTheURL() {
        let (answer, _) = decode("/v2/aggs/ticker/SPY/range/1/day/2025-11-24/2025-11-25", nil)
        guard case .bars(_, let start, let end, let seconds, nil) = answer else {
            Issue.record("\(answer)")
            return
        }
        #expect(seconds == 86_400)
        #expect(start == NewYork.instant(CivilDate(20_251_124), seconds: 0))
        #expect(NewYork.instant(CivilDate(20_251_126), seconds: 0).nanos(since: end) < 1_000_000)
    }

    @Test func whatCannotBeTrustedIsMalformed() {
        let cases: [(String, String?)] = [
            (barsURL(), "{"), (barsURL(), #"{"ticker":"QQQ","results":[]}"#), (barsURL(), RESTFixtures.notAuthorized),
            (barsURL(), #"{"results":[{"t":1764086400000,"o":1,"h":1,"l":1}]}"#), ("", nil), ("https://h/x", "{}"),
            ("/v2/aggs/ticker/SPY/range/5/minute/1/2", nil), ("/v2/aggs/ticker/SPY/range/1/minute/2/1", nil),
            ("/v2/aggs/ticker/O:BAD/range/1/minute/1/2", nil),
            ("/v2/aggs/ticker/SPY/range/1/minute/-5/99999999999999999", nil),
            ("/v2/last/nbbo/QQQ", RESTFixtures.lastQuote), ("/v2/last/nbbo", RESTFixtures.lastQuote),
            ("/v1/marketstatus/upcoming", "{}"),
        ]
        for (url, body) in cases {
            guard case .malformed = decode(url, body).0 else {
                Issue.record("\(url) \(body ?? "nil"): \(decode(url, body).0)")
                continue
            }
        }
    }

    @Test func theOtherAnswers() {
        let (quote, symbols) = decode("/v2/last/nbbo/SPY", RESTFixtures.lastQuote)
        guard case .lastQuote(let last) = quote else {
            Issue.record("\(quote)")
            return
        }
        #expect(symbols == ["SPY"])
        #expect(last.bid == Price(micros: 672_415_000))
        #expect(last.askSize == Size(shares: 100))
        #expect(last.isUsable)
        guard case .conditions(let rules) = decode(PolygonREST.conditions(.equity).target, RESTFixtures.conditions).0
        else {
            Issue.record("no conditions")
            return
        }
        let applied = rules.applied(to: TradeRules())
        #expect(applied.classify(Conditions(packed: 37), .equity, in: .rth) == [.counted, .eligible])
        #expect(applied.classify(Conditions(packed: 37 | 2 << 8), .equity, in: .rth) == .counted)
        guard case .holidays(let days) = decode(PolygonREST.holidays.target, RESTFixtures.holidays).0 else {
            Issue.record("no holidays")
            return
        }
        #expect(days.count == 2)
        #expect(decode(PolygonREST.exchanges(.equity).target, RESTFixtures.exchanges).0 == .other)
        #expect(decode(PolygonREST.marketStatus.target, RESTFixtures.now).0 == .other)
        #expect(decode(PolygonREST.holidays.target, "null").0 == .unavailable)
        #expect(decode(PolygonREST.marketStatus.target, nil).0 == .unavailable)
        #expect(decode("/api/darkpool/SPY", "{}", source: "uw").0 == .other)
    }

    /// Whatever stands on a tape is answered, never trapped on: each fixture cut, and with bytes exchanged.
    @Test func noBytesTrap() {
        let urls = [
            barsURL(), "/v2/last/nbbo/SPY", PolygonREST.conditions(.equity).target, PolygonREST.holidays.target,
        ]
        let seed: UInt64 = 11
        var generator = SeededGenerator(seed: seed)
        let alphabet = Array(#"{}[]",:0123456789.eE+-\u"#.utf8)
        var answered = 0
        for text in RESTFixtures.json {
            for _ in 0..<150 {
                var bytes = Array(text.utf8)
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let place = Int.random(in: 0..<bytes.count, using: &generator)
                    bytes[place] = alphabet.randomElement(using: &generator) ?? 0
                }
                if Bool.random(using: &generator) {
                    bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
                }
                for url in urls {
                    var symbols = SymbolTable(limit: 2)
                    let read = bytes.withUnsafeBytes { body in
                        RESTAnswer.decode(source: "polygon.rest", url: url, body: body, symbols: &symbols)
                    }
                    if case .other = read { Issue.record("seed \(seed): \(url) is nobody's") }
                    answered += 1
                }
                _ = BoundedPages.read(bytes)
            }
        }
        #expect(answered == RESTFixtures.json.count * 150 * urls.count)
    }
}

/// The readers that the engine doesn't use, over any bytes.
private enum BoundedPages {
    static func read(_ bytes: [UInt8]) -> Int {
        _ = PolygonREST.words(ofError: bytes)
        guard let tree = RESTTree(bytes) else { return 0 }
        let chain = (try? ChainPage(tree))?.contracts.count ?? 0
        let indices = (try? IndexPage(tree))?.rows.count ?? 0
        let venues = (try? ExchangePage(tree))?.rows.count ?? 0
        let status = (try? MarketStatus(tree)) == nil ? 0 : 1
        return chain + indices + venues + status + (RESTPages.joined([bytes, bytes])?.count ?? 0)
    }
}
