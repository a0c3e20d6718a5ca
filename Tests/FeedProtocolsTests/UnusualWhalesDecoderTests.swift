import FeedProtocols
import Foundation
import MarketData
import Primitives
import Testing

private typealias Examples = UnusualWhalesExamples

@Suite struct UnusualWhalesDecoderTests {
    static let none = SymbolID(index: 0)
    static let time = Instant(millis: 1_764_086_400_412)

    @Test func anOptionTradeBecomesATrade() throws {
        var bench = UnusualWhalesBench()
        let decoded = try #require(bench.decode(Examples.trade).first)
        #expect(decoded.symbol == "O:SPY251219C00650000")
        let trade = Trade(
            symbol: Self.none,
            exchange: 302,
            time: Self.time,
            sequence: 0,
            price: Price(micros: 1_550_000),
            size: Size(shares: 25),
            conditions: conditions(209),
            idHash: fnv("a4dc6020-0611-4c23-b0bc-99944c7348ab")
        )
        #expect(decoded.event == .trade(trade))
        #expect(bench.decoder.counters.taken(.optionTrades) == 1 && bench.decoder.counters.malformed == 0)
    }

    @Test func anOptionTradesRecordHasAllFields() throws {
        guard case .optionTrade(let trade)? = records(Examples.trade).first else {
            Issue.record("no option trade")
            return
        }
        #expect(trade.id == "a4dc6020-0611-4c23-b0bc-99944c7348ab" && trade.underlying == "SPY")
        #expect(trade.contract == "SPY251219C00650000" && trade.executedAt == Self.time)
        #expect(trade.createdAt == Instant(millis: 1_764_086_400_461))
        #expect(trade.price.micros == 1_550_000 && trade.size.shares == 25 && trade.isCall == true)
        let decimals: [(ExactDecimal?, ExactDecimal)] = [
            (trade.premium, ExactDecimal(3_875)), (trade.bid, ExactDecimal(153, exponent: -2)),
            (trade.ask, ExactDecimal(155, exponent: -2)), (trade.smoothedBid, ExactDecimal(153, exponent: -2)),
            (trade.smoothedAsk, ExactDecimal(155, exponent: -2)),
            (trade.underlyingPrice, ExactDecimal(64_892, exponent: -2)), (trade.strike, ExactDecimal(650)),
            (trade.theoretical, ExactDecimal(154, exponent: -2)),
            (trade.impliedVolatility, ExactDecimal(1_264, exponent: -4)),
            (trade.delta, ExactDecimal(4_413, exponent: -4)), (trade.gamma, ExactDecimal(31, exponent: -3)),
            (trade.theta, ExactDecimal(-41, exponent: -2)), (trade.vega, ExactDecimal(19, exponent: -2)),
            (trade.rho, ExactDecimal(2, exponent: -2)),
        ]
        for (value, expected) in decimals { #expect(value == expected) }
        #expect(trade.expiry == CivilDate(20_251_219) && trade.openInterest == 4_100)
        #expect(trade.totals.all == 1_050 && trade.totals.ask == 600 && trade.totals.bid == 400)
        #expect(trade.totals.mid == 50 && trade.totals.noSide == 0 && trade.totals.multiLeg == 120)
        #expect(trade.totals.stockTied == 0)
        #expect(trade.tags == ["ask_side", "bullish", "etf"] && trade.reportFlags.isEmpty)
        #expect(trade.tradeCode == "auto" && trade.exchange == "XCBO")
    }

    @Test func aFlowAlertKeepsItsPremiums() throws {
        var bench = UnusualWhalesBench()
        let decoded = try #require(bench.decode(Examples.alert).first)
        #expect(decoded.symbol == "O:SPY251219C00650000")
        let alert = FlowAlert(
            symbol: Self.none,
            time: Self.time,
            start: Instant(millis: 1_764_086_400_100),
            idHash: fnv("29ed5829-e4ce-4934-876b-51985d2f9b70"),
            price: Price(micros: 1_550_000),
            bid: Price(micros: 1_530_000),
            ask: Price(micros: 1_550_000),
            underlyingPrice: Price(micros: 648_900_000),
            size: 500,
            volume: 1_060,
            openInterest: 4_100,
            totalPremium: 77_500_000_000,
            askPremium: 70_000_000_000,
            bidPremium: 0,
            flags: [.sweep, .singleLeg]
        )
        #expect(decoded.event == .flowAlert(alert))
        guard case .flowAlert(let record)? = records(Examples.alert).first else {
            Issue.record("no alert")
            return
        }
        #expect(record.rule == "RepeatedHits" && record.ticker == "SPY" && record.size == 500)
        #expect(record.startedAt == Instant(millis: 1_764_086_400_100) && record.endedAt == Self.time)
        #expect(record.volumeToInterest == ExactDecimal(0) && record.tradeCount == 1)
        #expect(record.tradeCodes == ["auto"] && record.exchanges == ["XCBO"])
        #expect(record.totals.ask == 52 && record.totals.mid == 5 && record.flags == [.sweep, .singleLeg])
    }

    @Test func theOtherDocumentedChannelsAreReadInFull() throws {
        guard case .price(let price)? = records(Examples.price).first,
            case .news(let news)? = records(Examples.news).first
        else {
            Issue.record("no price, or no news")
            return
        }
        #expect(price.ticker == "SPY" && price.close.micros == 648_920_000 && price.volume == 6_015_555)
        #expect(price.time == Instant(millis: 1_764_086_400_000))
        #expect(news.headline == "US Energy Secretary foresees more LNG deals" && news.source == "social-media")
        #expect(news.time == Instant(millis: 1_749_678_056_000) && news.tickers.isEmpty && !news.isTrumpPost)
        guard case .exposure(let gex)? = records(Examples.gex).first else {
            Issue.record("no exposure")
            return
        }
        #expect(gex.ticker == "SPY" && gex.price == ExactDecimal(64_892, exponent: -2))
        #expect(gex.interest.gamma == ExactDecimal(-26_244_498_031, exponent: -2) && gex.interest.delta == nil)
        #expect(gex.interest.charm == ExactDecimal(-167_792_653_994_305, exponent: -2))
        #expect(gex.volume.charm == ExactDecimal(-5_562_075_887_041, exponent: -1))
        #expect(gex.directed.vanna == ExactDecimal(-622_085_509, exponent: -2) && gex.directed.delta == nil)
        guard case .strikeExposure(let strike)? = records(Examples.strike).first else {
            Issue.record("no strike exposure")
            return
        }
        #expect(strike.strike == ExactDecimal(650) && strike.expiry == CivilDate(20_251_219))
        #expect(strike.calls.interest.gamma == ExactDecimal(15, exponent: -1))
        #expect(strike.puts.interest.gamma == ExactDecimal(-225, exponent: -2))
        #expect(strike.calls.bidVolume.vanna == ExactDecimal(12, exponent: -4))
        #expect(strike.puts.askVolume.charm == nil && strike.puts.volume.vanna == ExactDecimal(-1_500))
        guard case .equityPrint(let print)? = records(Examples.offLit).first else {
            Issue.record("no print")
            return
        }
        #expect(print.symbol == "AAPL" && print.isOffExchange && print.price.micros == 150_250_000)
        #expect(print.executedAt == Instant(millis: 1_727_015_400_000) && print.size.shares == 100)
        #expect(print.bid?.micros == 150_200_000 && print.askSize == 800 && !print.isRegular)
    }

    @Test func everyExampleIsCountedByItsChannel() {
        var bench = UnusualWhalesBench()
        let frames: [(String, UnusualWhalesChannelKind)] = [
            (Examples.trade, .optionTrades), (Examples.alert, .flowAlerts), (Examples.price, .price),
            (Examples.news, .news), (Examples.gex, .gex), (Examples.strike, .gexStrikeExpiry),
            (Examples.offLit, .offLitTrades), (Examples.halt, .tradingHalts),
        ]
        for (frame, kind) in frames {
            _ = bench.decode(frame)
            #expect(bench.decoder.counters.taken(kind) == 1)
        }
        #expect(bench.decoder.counters.malformed == 0 && bench.decoder.counters.brokenFrames == 0)
    }

    @Test func aHaltAndItsEndAreEvents() throws {
        var bench = UnusualWhalesBench()
        let halt = try #require(bench.decode(Examples.halt).first)
        let time = Instant(nanos: 1_764_086_400_500_000_000)
        let reason = Halt.pack("LUDP".utf8)
        #expect(halt.symbol == "ABCD")
        #expect(halt.event == .halt(Halt(symbol: Self.none, isHalted: true, time: time, reason: reason)))
        let bare = #"["trading_halts",{"symbol":"ABCD","state":"Resumed"}]"#
        #expect(bench.decode(bare).isEmpty && bench.decoder.counters.malformed(.missing) == 1)
        let stood = try #require(bench.decode(bare, received: Self.time).first)
        #expect(stood.event == .halt(Halt(symbol: Self.none, isHalted: false, time: Self.time)))
        // Neither the one nor the other: nobody may guess.
        #expect(bench.decode(#"["trading_halts",{"symbol":"ABCD","state":"T","time":1764086400}]"#).isEmpty)
        #expect(bench.decoder.counters.malformed(.range) == 1)
    }

    @Test(
        arguments: [
            ("auto", 209), ("SLAN", 227), ("slai", 228), ("isoi", 219), ("mlet", 232), ("mlat", 233), ("mfsl", 239),
            ("tlet", 240), ("cbmo", 246), ("exht", 248), ("late", 204), ("zzzz", 255),
        ] as [(String, Int64)]
    )
    func tradeCodesAreConditions(code: String, id: Int64) throws {
        var bench = UnusualWhalesBench()
        let frame = Examples.trade.replacingOccurrences(of: #""auto""#, with: "\"\(code)\"")
        guard case .trade(let trade)? = bench.decode(frame).first?.event else {
            Issue.record("no trade")
            return
        }
        #expect(trade.conditions == conditions(id))
    }

    @Test(
        arguments: [
            (#"["canc"]"#, 201), (#"["cnol"]"#, 207), (#"["cancelled"]"#, 201), (#"["LATE"]"#, 204), (#"["new"]"#, 255),
        ] as [(String, Int64)]
    )
    func aReportFlagCancels(flags: String, id: Int64) throws {
        var bench = UnusualWhalesBench()
        let frame = Examples.trade.replacingOccurrences(of: #""report_flags":[]"#, with: "\"report_flags\":\(flags)")
        guard case .trade(let trade)? = bench.decode(frame).first?.event else {
            Issue.record("no trade")
            return
        }
        #expect(trade.conditions == conditions(id, 209))
        let isCancel = TradeRules().classify(trade.conditions, .option, in: .rth).contains(.cancel)
        #expect(isCancel == (201...207).contains(id) && id % 2 == 1 || !isCancel)
    }

    @Test func acknowledgementsUnknownAndUndocumentedChannelsAreCounted() {
        var bench = UnusualWhalesBench()
        #expect(bench.decode(Examples.acknowledgement).isEmpty)
        #expect(bench.decode(#"["market_tide",[{"net_call_premium":"1"},7,null]]"#).isEmpty)
        #expect(bench.decode(#"["net_flow:SPY",{"x":1}]"#).isEmpty)
        #expect(bench.decode(#"["no_such:SPY",{"x":1}]"#).isEmpty)
        let counters = bench.decoder.counters
        #expect(counters.acknowledgements == 1 && counters.taken(.marketTide) == 1 && counters.taken(.netFlow) == 1)
        #expect(counters.unknown == 1 && counters.malformed == 0 && counters.brokenFrames == 0)
    }

    @Test func aBadElementDoesNotCostTheOthers() {
        var bench = UnusualWhalesBench()
        let payload = String(Examples.trade.dropFirst(#"["option_trades:SPY","#.count).dropLast())
        let bad = payload.replacingOccurrences(of: #""price":"1.55""#, with: #""price":"x""#)
        let frame = "[\"option_trades\" , [ \(payload),\(bad),7,{\"a\":},\(payload) ] , {\"extra\":1} ]"
        #expect(bench.decode(frame).count == 2)
        #expect(bench.decoder.counters.malformed(.type) == 1 && bench.decoder.counters.malformed(.syntax) == 2)
        #expect(bench.decoder.counters.brokenFrames == 0)
        // What stood whole before a break is taken.
        #expect(bench.decode("[\"option_trades\",[\(payload)").count == 1)
        #expect(bench.decoder.counters.brokenFrames == 1)
        for frame in ["", "[", "[]", "{}", "[1,2]", #"["price:SPY"]"#, #"["price:SPY","#] {
            #expect(bench.decode(frame).isEmpty)
        }
        #expect(bench.decoder.counters.brokenFrames + bench.decoder.counters.malformed >= 11)
    }

    @Test func aGreekInAnotherFormCostsNoTrade() {
        var bench = UnusualWhalesBench()
        let frame = Examples.trade.replacingOccurrences(of: #""0.4413""#, with: "{}")
        #expect(bench.decode(frame).count == 1)
        guard case .optionTrade(let trade)? = records(frame).first else {
            Issue.record("no trade")
            return
        }
        #expect(trade.delta == nil && trade.gamma == ExactDecimal(31, exponent: -3))
    }

    @Test func aFrameAboveTheLimitIsCounted() {
        var decoder = UnusualWhalesDecoder(frameLimit: 16)
        var symbols = SymbolTable()
        var batch = DecodedBatch()
        Array(Examples.trade.utf8).withUnsafeBytes { decoder.decode($0, symbols: &symbols, into: &batch) }
        #expect(batch.count == 0 && decoder.counters.oversizedFrames == 1)
    }

    @Test(
        arguments: [
            ("2025-11-25T16:00:00Z", 1_764_086_400_000_000_000),
            ("2025-11-25T16:00:00.412Z", 1_764_086_400_412_000_000),
            ("2025-11-25 11:00:00-05:00", 1_764_086_400_000_000_000),
            ("2024-02-29t00:00:00.1234567891z", 1_709_164_800_123_456_789),
            ("1971-01-01T00:00:00Z", 31_536_000_000_000_000),
        ] as [(String, Int64)]
    )
    func isoTimes(text: String, nanos: Int64) {
        let instant = Array(text.utf8).withUnsafeBytes { ISOTime.instant($0) }
        #expect(instant == Instant(nanos: nanos))
    }

    @Test(arguments: [
        "", "2025-11-25T16:00:00", "2025-02-29T16:00:00Z", "2025-11-25T24:00:00Z", "2025-11-25T16:00:00.Z",
        "2025-11-25T16:00:00Zx", "2025-13-25T16:00:00Z", "1025-11-25T16:00:00Z", "2025-11-25T16:00:00+5:00",
    ])
    func noIsoTimes(text: String) {
        #expect(Array(text.utf8).withUnsafeBytes { ISOTime.instant($0) } == nil)
    }

    @Test func isoTextEqualsFoundations() {
        var random = SeededGenerator(seed: 11)
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        for _ in 0..<200 {
            let millis = 31_536_000_000 + Int64(random.next() % 7_000_000_000_000)
            let text = ISOTime.text(Instant(millis: millis))
            #expect(text == formatter.string(from: Date(timeIntervalSince1970: Double(millis) / 1_000)))
            #expect(Array(text.utf8).withUnsafeBytes { ISOTime.instant($0) } == Instant(millis: millis))
        }
    }

    @Test func theTokenIsNeverSeen() {
        let token = UnusualWhalesToken("s3cret+/=")
        #expect(token.socketPath == "/socket?token=s3cret%2B%2F%3D" && token.authorization == "Bearer s3cret+/=")
        #expect("\(token)" == "***" && String(reflecting: token) == "***")
        let seen = token.redacted("GET /socket?token=s3cret%2B%2F%3D: s3cret+/= refused")
        #expect(seen == "GET /socket?token=***: *** refused")
        var dumped = ""
        dump([token], to: &dumped)
        #expect(!dumped.contains("s3cret"))
    }

    @Test func aChannelIsNeverFreeText() {
        #expect(UnusualWhalesChannel(.gex) == nil && UnusualWhalesChannel(.news, "SPY") == nil)
        #expect(UnusualWhalesChannel(.price, "S\"PY") == nil && UnusualWhalesChannel("nope") == nil)
        #expect(UnusualWhalesChannel("gex:BRK.B")?.ticker == "BRK.B")
        #expect(UnusualWhalesChannel("option_trades")?.description == "option_trades")
    }
}
