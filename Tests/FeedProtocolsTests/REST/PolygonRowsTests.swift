import MarketData
import Primitives
import Testing

@testable import FeedProtocols

/// Every shape of feeds.md 2.1–2.5 against the values that it states.
@Suite struct PolygonRowsTests {
    private func tree(_ text: String) throws -> RESTTree { try #require(RESTTree(Array(text.utf8))) }

    private func dollars(_ text: String) throws -> Price { Price(micros: try #require(DecimalText.micros(text.utf8))) }

    @Test func bars() throws {
        let page = try BarPage(tree(RESTFixtures.bars))
        #expect(page.symbol == "SPY")
        #expect(page.isAdjusted == true)
        #expect(page.envelope.status == "OK")
        #expect(page.envelope.requestID == "6a7e466379af0a71039d60cc78e72282")
        #expect(page.envelope.next?.hasSuffix("cursor=bGltaXQ9Mg") == true)
        #expect(page.malformed.isEmpty)
        try #require(page.rows.count == 2)
        let first = page.rows[0]
        #expect(first.start == Instant(millis: 1_764_086_400_000))
        #expect(first.open == (try dollars("672.39")))
        #expect(first.high == (try dollars("672.5")))
        #expect(first.low == (try dollars("672.3")))
        #expect(first.close == (try dollars("672.42")))
        #expect(first.volume == Size(shares: 41_011))
        #expect(first.vwap == (try dollars("672.4012")))
        #expect(first.count == 512)
        #expect(page.rows[1].vwap == nil)
        #expect(page.rows[1].count == nil)
        #expect(page.rows[1].volume == Size(shares: 39_877))
    }

    @Test func emptyAndIndexBars() throws {
        let none = try BarPage(tree(RESTFixtures.noBars))
        #expect(none.rows.isEmpty)
        #expect(none.envelope.next == nil)
        let index = try BarPage(tree(RESTFixtures.indexBars))
        #expect(index.envelope.isDelayed)
        #expect(index.isAdjusted == nil)
        // Computed prices are rounded to the sixth decimal.
        #expect(index.rows[0].open == (try dollars("6723.551234")))
        #expect(index.rows[0].volume == nil)
    }

    @Test func aBadBarIsToldAndLeftOut() throws {
        let text =
            #"{"results":[{"o":1,"h":2,"l":1,"c":2,"t":1764086400000,"v":"3","otc":true},{"o":1,"h":2,"l":3,"c":2,"t":1},{"o":0,"h":2,"l":1,"c":2,"t":1},7,{"h":2}]}"#
        let page = try BarPage(tree(text))
        #expect(page.rows.map(\.volume) == [Size(shares: 3)])
        #expect(page.rows[0].isOverTheCounter)
        #expect(
            page.malformed == [
                FieldProblem("h", .range), FieldProblem("o", .range), FieldProblem("row", .type),
                FieldProblem("o", .missing),
            ]
        )
    }

    @Test func chain() throws {
        let page = try ChainPage(tree(RESTFixtures.chain))
        #expect(page.malformed.isEmpty)
        try #require(page.contracts.count == 2)
        let call = page.contracts[0]
        #expect(call.symbol == "O:SPY251219C00650000")
        #expect(call.isCall == true)
        #expect(!call.isEuropean)
        #expect(call.expiry == 20_251_219)
        #expect(call.strike == (try dollars("650")))
        #expect(call.sharesPerContract == Size(shares: 100))
        #expect(call.greeks == .init(delta: 0.4413, gamma: 0.031, theta: -0.41, vega: 0.19))
        #expect(call.impliedVolatility == 0.1264)
        #expect(call.openInterest == 4_100)
        #expect(call.breakEven == (try dollars("651.54")))
        #expect(call.day == nil)
        #expect(call.trade == nil)
        #expect(
            call.quote
                == .init(
                    bid: try dollars("1.53"),
                    ask: try dollars("1.55"),
                    bidSize: Size(shares: 17),
                    askSize: Size(shares: 24),
                    time: Instant(nanos: 1_764_086_400_123_456_789),
                    isDelayed: false
                )
        )
        #expect(call.underlying?.symbol == "SPY")
        #expect(call.underlying?.value == (try dollars("648.92")))
        let put = page.contracts[1]
        #expect(put.isCall == false)
        #expect(put.isEuropean)
        #expect(put.greeks == nil)
        #expect(put.impliedVolatility == nil)
        #expect(put.quote == nil)
        #expect(put.breakEven == .zero)
        #expect(put.openInterest == 12)
        #expect(put.underlying?.symbol == "I:SPX")
        #expect(put.underlying?.value == (try dollars("6723.55")))
    }

    @Test func chainRowsWithTradesAndDays() throws {
        let text =
            #"{"status":"DELAYED","results":[{"details":{"contract_type":"other","expiration_date":"2025-12-19","strike_price":"5.5","ticker":"O:X"},"greeks":{},"day":{"open":1,"high":2,"low":0.5,"close":1.5,"previous_close":1.4,"volume":7,"vwap":1.23456789,"last_updated":1764086400000000000},"last_trade":{"price":1.5,"size":2,"exchange":316,"conditions":[209,233],"sip_timestamp":1764086400123456789,"timeframe":"DELAYED"}},{"details":{"ticker":"O:Y","expiration_date":"soon","strike_price":1}}]}"#
        let page = try ChainPage(tree(text))
        #expect(page.envelope.isDelayed)
        #expect(page.malformed == [FieldProblem("expiration_date", .type)])
        let row = page.contracts[0]
        #expect(row.isCall == nil)
        #expect(row.greeks == nil)
        #expect(row.day?.vwap == Price(micros: 1_234_568))
        #expect(row.day?.volume == Size(shares: 7))
        #expect(row.trade?.isDelayed == true)
        #expect(row.trade?.exchange == 316)
        var ids: [UInt8] = []
        row.trade?.conditions.forEach { ids.append($0) }
        #expect(ids == [209, 233])
    }

    @Test func lastQuote() throws {
        let quote = try LastQuote(tree(RESTFixtures.lastQuote))
        #expect(quote.bid == (try dollars("672.415")))
        #expect(quote.ask == (try dollars("672.42")))
        #expect(quote.bidSize == Size(shares: 200))
        #expect(quote.askSize == Size(shares: 100))
        #expect(quote.bidExchange == 12)
        #expect(quote.askExchange == 8)
        #expect(quote.time == Instant(nanos: 1_764_086_400_123_456_789))
        #expect(quote.sequence == 83_480_742)
        #expect(quote.condition == 1)
        #expect(quote.tape == 1)
        #expect(throws: RESTProblem.self) { try LastQuote(tree(RESTFixtures.noBars)) }
    }

    @Test func reference() throws {
        let page = try ConditionPage(tree(RESTFixtures.conditions))
        #expect(page.rows.map(\.id) == [2, 37, 12, 62, 604])
        #expect(page.rows[0].updates == .init(highLow: false, openClose: false, volume: true))
        #expect(page.rows[3].updates == nil)
        #expect(page.rows[3].isLegacy)
        let rules = ConditionPage.rules(page.rows, .equity)
        #expect(rules.kind == .equity)
        #expect(rules.entries.map(\.id) == [2, 12, 37])
        #expect(ConditionPage.rules(page.rows, .option).entries.isEmpty)
        let venues = try ExchangePage(tree(RESTFixtures.exchanges))
        #expect(venues.rows.map(\.id) == [4, 316])
        #expect(venues.rows[0].type == "TRF")
        #expect(venues.rows[0].mic == "XADF")
        #expect(venues.rows[1].acronym == "NOM")
        #expect(venues.rows[1].mic == nil)
    }

    @Test func aLegacyRowGivesWay() throws {
        func row(_ isLegacy: Bool, _ allows: Bool) -> ConditionPage.Row {
            .init(
                id: 37,
                name: "",
                type: "",
                assetClass: "stocks",
                dataTypes: [],
                isLegacy: isLegacy,
                updates: .init(highLow: allows, openClose: allows, volume: true)
            )
        }
        for rows in [[row(false, true), row(true, false)], [row(true, false), row(false, true)]] {
            #expect(ConditionPage.rules(rows, .equity).entries.map(\.updatesLast) == [true])
        }
    }

    @Test func marketStatusAndHolidays() throws {
        let status = try MarketStatus(tree(RESTFixtures.now))
        #expect(status.market == .extendedHours)
        #expect(status.isEarlyHours)
        #expect(!status.isAfterHours)
        #expect(status.exchanges == ["nasdaq": .extendedHours, "nyse": .extendedHours, "otc": .closed])
        // 08:37:37 in New York.
        #expect(status.time == Instant(millis: 1_764_077_857_000))
        let page = try HolidayPage(tree(RESTFixtures.holidays))
        #expect(page.malformed.isEmpty)
        #expect(
            page.rows == [
                Holiday(date: 20_251_127, exchange: "NYSE", name: "Thanksgiving", status: .closed),
                Holiday(
                    date: 20_251_128,
                    exchange: "NASDAQ",
                    name: "Thanksgiving",
                    status: .earlyClose,
                    open: Instant(millis: 1_764_340_200_000),
                    close: Instant(millis: 1_764_352_800_000)
                ),
            ]
        )
        #expect(CalendarCheck(page.rows, calendar: SessionCalendar()).differences.isEmpty)
    }

    @Test func indices() throws {
        let page = try IndexPage(tree(RESTFixtures.indices))
        #expect(page.rows[0].value == (try dollars("6723.55")))
        #expect(page.rows[0].isDelayed)
        #expect(page.rows[0].previousClose == (try dollars("6705.12")))
        #expect(page.rows[1].error == "NOT_FOUND")
        #expect(page.rows[1].value == nil)
    }

    @Test func errorsSayWhatTheySay() throws {
        func words(_ text: String) -> String { PolygonREST.words(ofError: Array(text.utf8)) }
        #expect(
            words(RESTFixtures.notAuthorized)
                == "NOT_AUTHORIZED: You are not entitled to this data. Please upgrade your plan."
        )
        #expect(words(RESTFixtures.error) == "ERROR: Unknown API Key")
        #expect(words(RESTFixtures.plainNotFound) == "404 page not found")
        #expect(words("") == "")
        #expect(words("a\u{1B}[31mb") == "a [31mb")
        #expect(words(String(repeating: "x", count: 5_000)).utf8.count == 240)
        #expect(PolygonREST.problem(of: try tree(RESTFixtures.error)) == "ERROR: Unknown API Key")
        #expect(PolygonREST.problem(of: try tree(RESTFixtures.indexBars)) == nil)
        #expect(throws: RESTProblem.self) { try BarPage(tree(RESTFixtures.notAuthorized)) }
        #expect(throws: RESTProblem.self) { try HolidayPage(tree(RESTFixtures.error)) }
        #expect(throws: RESTProblem.self) { try MarketStatus(tree(RESTFixtures.error)) }
        #expect(throws: RESTProblem.self) { try BarPage(tree(#"{"results":7}"#)) }
    }
}
