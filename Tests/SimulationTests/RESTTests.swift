import MarketData
import Primitives
import Testing
import Wire

@testable import Simulation

@Suite struct PolygonRESTTests {
    private static func get(
        _ target: String,
        _ model: MarketModel,
        moods: MoodSet = MoodSet(),
        key: String? = "k",
        shown: String? = "k"
    ) -> (status: Int, json: JSONValue, body: String) {
        let headers = shown.map { ["authorization": "Bearer \($0)"] } ?? [:]
        let rest = PolygonREST(model: model, key: key, moods: moods, base: "http://127.0.0.1:1")
        let answer = rest.answer(SimulatedRequest(target: target, headers: headers))
        return (
            answer.status, (try? JSONParser.parse(answer.body)) ?? .null, String(decoding: answer.body, as: UTF8.self)
        )
    }

    private static func millis(_ instant: Instant) -> Int64 { instant.nanos / 1_000_000 }

    @Test(arguments: [("second", Int64(1)), ("minute", 60)]) func barsAreThoseOfTheTicks(
        span: String,
        length: Int64
    ) throws {
        var options = Sample.options()
        options.lateShare = 0.02
        let (model, events) = Sample.run(options, seconds: 150)
        for ticker in ["SPY", "AAPL", "I:SPX"] {
            let symbol = try #require(model.instruments.byTicker[ticker])
            var expected: [Int64: ModelBar] = [:]
            for event in events {
                let (time, price, size, allowed): (Instant, Price, Size, TradeClass)
                switch event {
                case .trade(let trade) where trade.symbol == symbol:
                    (time, price, size) = (trade.time, trade.price, trade.size)
                    allowed = TradeRules().classify(trade.conditions, .equity, in: .rth)
                case .index(let value) where value.symbol == symbol:
                    (time, price, size, allowed) = (value.time, value.value, .zero, .all)
                default: continue
                }
                let start = time.nanos / (length * 1_000_000_000) * length * 1_000
                expected[
                    start,
                    default: ModelBar(symbol: symbol, seconds: Int32(length), start: Instant(millis: start))
                ]
                .add(price, size, allowed)
            }
            let complete = expected.values.filter { $0.hasPrice && $0.end <= model.now }.sorted { $0.start < $1.start }
            let target =
                "/v2/aggs/ticker/\(ticker)/range/1/\(span)/\(Self.millis(options.start))/\(Self.millis(model.now))"
            let rows = try #require(Self.get(target + "?limit=50000", model).json["results"]?.array)
            #expect(rows.count == complete.count && rows.count > 1)
            for (row, bar) in zip(rows, complete) {
                #expect(row["t"]?.integer == Self.millis(bar.start))
                #expect(row["o"]?.micros == bar.open.micros && row["h"]?.micros == bar.high.micros)
                #expect(row["l"]?.micros == bar.low.micros && row["c"]?.micros == bar.close.micros)
                if ticker == "I:SPX" {
                    #expect(row["v"] == nil)
                } else {
                    #expect(row["v"]?.micros == bar.volume.micros)
                }
            }
        }
    }

    @Test func pagesJoinToTheWhole() throws {
        let (model, _) = Sample.run(Sample.options(), seconds: 61)
        let whole = try #require(
            Self.get("/v2/aggs/ticker/SPY/range/1/minute/2025-11-20/2025-11-25?limit=50000", model).json["results"]?
                .array
        )
        #expect(whole.count == 3 * 960 + 361)
        var rows: [JSONValue] = []
        var next: String? = "/v2/aggs/ticker/SPY/range/1/minute/2025-11-20/2025-11-25?limit=700"
        var pages = 0
        while let target = next, pages < 20 {
            let page = Self.get(target, model)
            rows += page.json["results"]?.array ?? []
            next = page.json["next_url"]?.string.map { String($0.dropFirst("http://127.0.0.1:1".count)) }
            pages += 1
        }
        #expect(pages == 5)
        #expect(rows == whole)
    }

    @Test func multiplesDescendingDaysAndEmptiness() throws {
        let (model, _) = Sample.run(Sample.options(), seconds: 301)
        let five = try #require(
            Self.get("/v2/aggs/ticker/SPY/range/5/minute/2025-11-25/2025-11-25?limit=50000", model).json["results"]?
                .array
        )
        #expect(five.allSatisfy { ($0["t"]?.integer ?? 1) % 300_000 == 0 })
        #expect(five.count == 73)
        let down = try #require(
            Self.get("/v2/aggs/ticker/SPY/range/1/minute/2025-11-25/2025-11-25?sort=desc&limit=3", model).json[
                "results"
            ]?.array
        )
        #expect(down.count == 3 && (down[0]["t"]?.integer ?? 0) > (down[2]["t"]?.integer ?? 0))
        let days = try #require(
            Self.get("/v2/aggs/ticker/SPY/range/1/day/2025-11-17/2025-11-25", model).json["results"]?.array
        )
        #expect(days.count == 7)
        #expect(days.first?["t"]?.integer == Self.millis(NewYork.instant(CivilDate(20_251_117), seconds: 0)))
        let empty = Self.get("/v2/aggs/ticker/SPY/range/1/minute/2025-11-22/2025-11-23", model)
        #expect(empty.json["resultsCount"]?.integer == 0 && empty.json["results"] == nil)
        #expect(
            Self.get("/v2/aggs/ticker/NOPE/range/1/minute/2025-11-22/2025-11-23", model).json["resultsCount"]?.integer
                == 0
        )
        #expect(Self.get("/v2/aggs/ticker/SPY/range/x/minute/1/2", model).status == 400)
    }

    @Test func theChainIsFilteredSortedAndPaged() throws {
        let (model, _) = Sample.run(Sample.options(rate: 2_000), seconds: 10)
        let first = Self.get("/v3/snapshot/options/SPY", model)
        #expect(first.json["results"]?.array?.count == 10)
        #expect(first.json["next_url"]?.string != nil)
        let calls = try #require(
            Self.get(
                "/v3/snapshot/options/SPY?contract_type=call&expiration_date=2025-11-25&sort=strike_price&limit=250",
                model
            )
            .json["results"]?.array
        )
        #expect(calls.count == 17)
        let strikes = calls.compactMap { $0["details"]?["strike_price"]?.micros }
        #expect(strikes == strikes.sorted() && strikes.count == 17)
        let above = try #require(
            Self.get(
                "/v3/snapshot/options/SPY?strike_price.gte=\(strikes[8] / 1_000_000)&contract_type=call&limit=250",
                model
            )
            .json["results"]?.array
        )
        #expect(above.allSatisfy { ($0["details"]?["strike_price"]?.micros ?? 0) >= strikes[8] })
        for row in calls {
            guard let quote = row["last_quote"], let ticker = row["details"]?["ticker"]?.string else { continue }
            let symbol = try #require(model.instruments.byTicker[ticker])
            #expect(quote["bid"]?.micros == model.quote(of: symbol)?.bid.micros)
            #expect(quote["timeframe"]?.string == "REAL-TIME")
        }
        let index = try #require(Self.get("/v3/snapshot/options/I:SPX?limit=250", model).json["results"]?.array)
        #expect(index.first?["underlying_asset"]?["value"] != nil)
        let contracts = try #require(
            Self.get("/v3/reference/options/contracts?underlying_ticker=SPY&limit=1000", model).json["results"]?.array
        )
        #expect(contracts.count == 68)
    }

    @Test func quotesIndicesAndReference() throws {
        let (model, _) = Sample.run(Sample.options(), seconds: 10)
        let last = Self.get("/v2/last/nbbo/SPY", model).json["results"]
        let quote = try #require(model.quote(of: 0))
        #expect(last?["p"]?.micros == quote.bid.micros && last?["P"]?.micros == quote.ask.micros)
        #expect(last?["s"]?.integer == Int64(quote.bidSize) && last?["t"]?.integer == quote.time.nanos)
        let rows = try #require(
            Self.get("/v3/snapshot/indices?ticker.any_of=I:SPX,I:NOPE", model).json["results"]?.array
        )
        #expect(rows[0]["value"]?.micros != nil && rows[1]["error"]?.string == "NOT_FOUND")
        let conditions = try #require(
            Self.get("/v3/reference/conditions?asset_class=stocks&limit=1000", model).json["results"]?.array
        )
        let oddLot = conditions.first { $0["id"]?.integer == 37 }?["update_rules"]?["consolidated"]
        #expect(oddLot?["updates_volume"]?.bool == true && oddLot?["updates_high_low"]?.bool == false)
        #expect(
            (Self.get("/v3/reference/exchanges?asset_class=options", model).json["results"]?.array?.count ?? 0) > 10
        )
        let now = Self.get("/v1/marketstatus/now", model).json
        #expect(now["market"]?.string == "open" && now["serverTime"]?.string == "2025-11-25T10:00:10-05:00")
        let days = try #require(Self.get("/v1/marketstatus/upcoming", model).json.array)
        #expect(days.first?["date"]?.string == "2025-11-27" && days.first?["status"]?.string == "closed")
        let early = days.first { $0["date"]?.string == "2025-11-28" }
        #expect(early?["close"]?.string == "2025-11-28T18:00:00.000Z")
    }

    @Test(arguments: [
        (MoodSet(), "x", 401), (MoodSet(.rateLimited), "k", 429), (MoodSet(.serverError), "k", 500),
        (MoodSet(.notEntitled), "k", 403), (MoodSet(.authFailure), "k", 401), (MoodSet(), "k", 200),
    ]) func refusals(moods: MoodSet, key: String, status: Int) {
        let model = MarketModel(Sample.options())
        #expect(Self.get("/v1/marketstatus/now", model, moods: moods, shown: key).status == status)
        #expect(Self.get("/v1/marketstatus/now", model, shown: nil).status == 401)
        #expect(Self.get("/v9/nothing", model).body.contains("404 page not found"))
    }

    @Test func delayedSaysSo() {
        let (model, _) = Sample.run(Sample.options(), seconds: 70)
        let answer = Self.get(
            "/v2/aggs/ticker/SPY/range/1/minute/2025-11-25/2025-11-25?sort=desc&limit=1",
            model,
            moods: MoodSet(.delayed)
        )
        #expect(answer.json["status"]?.string == "DELAYED")
        #expect((answer.json["results"]?.array?.first?["t"]?.integer ?? 0) <= Self.millis(Sample.start) - 14 * 60_000)
    }
}

@Suite struct FlowRESTTests {
    @Test func alertsNewestFirstAndOnlyNewer() throws {
        let (model, _) = Sample.run(Sample.options(rate: 3_000), seconds: 120)
        var rest = FlowREST()
        func get(_ query: String, wall: Int64 = 0) -> SimulatedAnswer {
            rest.answer(
                SimulatedRequest(
                    target: "/api/option-trades/flow-alerts" + query,
                    headers: ["authorization": "Bearer t"]
                ),
                model,
                key: "t",
                wallNanos: wall
            )
        }
        let all = try #require(try JSONParser.parse(get("?limit=200").body)["data"]?.array)
        #expect(all.count == min(200, model.alerts.count) && all.count > 2)
        let times = all.compactMap { $0["end_time"]?.integer }
        #expect(times == times.sorted(by: >))
        let middle = times[times.count / 2]
        let newer = try #require(try JSONParser.parse(get("?limit=200&newer_than=\(middle)").body)["data"]?.array)
        #expect(newer.count <= all.count && newer.allSatisfy { ($0["end_time"]?.integer ?? 0) >= middle })
        let known = all.compactMap { $0["id"]?.string }
        for alert in newer { #expect(known.contains(alert["id"]?.string ?? "?")) }
        #expect(get("?limit=201").status == 422)
        #expect(get("?newer_than=soon").status == 422)
    }

    @Test func theMinuteHasAHundredAndTwentyCalls() {
        let model = MarketModel(Sample.options())
        var rest = FlowREST()
        let request = SimulatedRequest(target: "/api/option-trades/flow-alerts", headers: ["authorization": "Bearer t"])
        for call in 1...120 {
            let answer = rest.answer(request, model, key: nil, wallNanos: Int64(call) * 1_000_000)
            #expect(answer.status == 200)
            #expect(answer.headers["x-uw-req-per-minute-remaining"] == String(120 - call))
        }
        let refused = rest.answer(request, model, key: nil, wallNanos: 1_000_000_000)
        #expect(refused.status == 429 && refused.headers["retry-after"] == "60")
        let later = rest.answer(request, model, key: nil, wallNanos: 61_000_000_000)
        #expect(later.status == 200)
        var other = FlowREST()
        let stranger = other.answer(request, model, key: "x", wallNanos: 0)
        #expect(stranger.status == 401)
    }
}
