import MarketData
import Primitives
import Testing

@testable import Simulation

/// A small market for tests, at ten in the morning of a Tuesday.
enum Sample {
    static let start = NewYork.instant(CivilDate(20_251_125), hour: 10, minute: 0)

    static func options(seed: UInt64 = 1, rate: Double = 500, at start: Instant = start) -> ModelOptions {
        ModelOptions(seed: seed, symbols: ["SPY", "QQQ", "AAPL"], rate: rate, start: start)
    }

    static func run(
        _ options: ModelOptions,
        seconds: Int64,
        stepNanos: Int64 = 20_000_000
    ) -> (MarketModel, [ModelEvent]) {
        var model = MarketModel(options)
        var events: [ModelEvent] = []
        var time = options.start
        let end = time.advanced(byNanos: seconds * 1_000_000_000)
        while time < end {
            time = min(end, time.advanced(byNanos: stepNanos))
            model.advance(to: time, into: &events)
        }
        return (model, events)
    }
}

@Suite struct MarketModelTests {
    @Test(arguments: [UInt64(1), 2, 77]) func sameSeedSameEventsHoweverTimeIsCut(seed: UInt64) {
        let (_, fine) = Sample.run(Sample.options(seed: seed), seconds: 20, stepNanos: 3_000_000)
        let (_, coarse) = Sample.run(Sample.options(seed: seed), seconds: 20, stepNanos: 700_000_000)
        #expect(fine.count > 1_000, "seed \(seed)")
        #expect(fine == coarse, "seed \(seed)")
        let (_, other) = Sample.run(Sample.options(seed: seed + 1), seconds: 20)
        #expect(fine != other, "seed \(seed)")
    }

    @Test func theRateIsThatOfTheOptions() {
        let (model, _) = Sample.run(Sample.options(rate: 1_000), seconds: 60)
        let expected = 1_000 * 60 * MarketCurves.activity(30.0 / 390)
        let found = Double(model.quotes + model.trades)
        #expect(abs(found / expected - 1) < 0.2, "found \(found), expected \(expected)")
    }

    @Test func activityIsAUAndItsMeanIsOne() {
        let values = (0..<390).map { MarketCurves.activity((Double($0) + 0.5) / 390) }
        #expect(abs(values.reduce(0, +) / 390 - 1) < 0.05)
        #expect(values[0] > 2 * values[195])
        #expect(values[389] > 2 * values[195])
        let volatility = (0..<390).map { MarketCurves.volatility((Double($0) + 0.5) / 390) }
        #expect(volatility[0] > volatility[389] && volatility[389] > volatility[195])
        #expect(abs(volatility.reduce(0, +) / 390 - 1) < 0.1)
    }

    @Test func printsLieWithinTheirQuote() {
        let (model, events) = Sample.run(Sample.options(), seconds: 60)
        var quotes: [Int32: ModelQuote] = [:]
        var (checked, inside, odd, sizes) = (0, 0, 0, 0)
        for event in events {
            switch event {
            case .quote(let quote): quotes[quote.symbol] = quote
            case .trade(let trade):
                guard let quote = quotes[trade.symbol] else {
                    Issue.record("a print before any quote of \(model.instruments.all[Int(trade.symbol)].ticker)")
                    continue
                }
                #expect(trade.price >= min(quote.bid, quote.ask) && trade.price <= max(quote.bid, quote.ask))
                #expect(trade.bid == quote.bid && trade.ask == quote.ask)
                checked += 1
                if trade.price > quote.bid, trade.price < quote.ask { inside += 1 }
                if trade.size.micros < 100_000_000 { odd += 1 }
                if trade.size.micros % 1_000_000 != 0 { sizes += 1 }
            default: break
            }
        }
        #expect(checked > 1_000)
        #expect(inside > 0 && odd > checked / 5 && sizes > 0)
    }

    @Test func spreadsAreTicksMostlyTightSometimesLockedRarelyCrossed() {
        let (model, events) = Sample.run(Sample.options(rate: 3_000), seconds: 60)
        var (count, locked, crossed) = (0, 0, 0)
        var wide: [Int32: [Int64]] = [:]
        for case .quote(let quote) in events where Int(quote.symbol) < model.instruments.stockCount {
            count += 1
            let spread = quote.ask.micros - quote.bid.micros
            #expect(spread % StockState.tickMicros == 0)
            if spread == 0 { locked += 1 } else if spread < 0 { crossed += 1 }
            wide[quote.symbol, default: []].append(spread / StockState.tickMicros)
            #expect(quote.bidSize > 0 && quote.askSize > 0)
        }
        #expect(count > 10_000)
        #expect(locked > 0 && Double(locked) / Double(count) < 0.01)
        #expect(crossed < locked)
        let median = wide.mapValues { $0.sorted()[$0.count / 2] }
        #expect(median[0] == 1, "SPY \(median)")
        #expect((median[2] ?? 0) >= 1 && (median[2] ?? 0) <= 8, "AAPL \(median)")
        #expect(Set(wide[2] ?? []).count > 2, "spreads move")
    }

    @Test func signsCluster() {
        let (model, events) = Sample.run(Sample.options(rate: 2_000), seconds: 60)
        var last: [Int32: Int8] = [:]
        var (same, all) = (0, 0)
        for case .trade(let trade) in events where trade.side != 0 && Int(trade.symbol) < model.instruments.stockCount {
            if let before = last[trade.symbol] {
                all += 1
                if before == trade.side { same += 1 }
            }
            last[trade.symbol] = trade.side
        }
        #expect(all > 1_000)
        #expect((0.6..<0.8).contains(Double(same) / Double(all)))
    }

    @Test func sequencesGrowAndHaveHoles() {
        let (_, events) = Sample.run(Sample.options(), seconds: 30)
        var quotes: [Int32: Int64] = [:]
        var holes = 0
        for case .quote(let quote) in events {
            if let before = quotes[quote.symbol] {
                #expect(quote.sequence > before)
                if quote.sequence > before + 1 { holes += 1 }
            }
            quotes[quote.symbol] = quote.sequence
        }
        #expect(holes > 0)
    }

    @Test(arguments: [0.0, 0.05]) func barsEqualOwnPrints(lateShare: Double) throws {
        var options = Sample.options()
        options.lateShare = lateShare
        let (model, events) = Sample.run(options, seconds: 200)
        let rules = TradeRules()
        for length in [Int32(1), 60] {
            var expected: [Int32: [Int64: ModelBar]] = [:]
            for case .trade(let trade) in events {
                let kind: InstrumentKind = model.instruments.all[Int(trade.symbol)].kind == .option ? .option : .equity
                let allowed = rules.classify(trade.conditions, kind, in: .rth)
                let start = trade.time.nanos / (Int64(length) * 1_000_000_000) * Int64(length) * 1_000_000_000
                var bar =
                    expected[trade.symbol]?[start]
                    ?? ModelBar(symbol: trade.symbol, seconds: length, start: Instant(nanos: start))
                bar.add(trade.price, trade.size, allowed)
                expected[trade.symbol, default: [:]][start] = bar
            }
            var told: [Int32: [Int64: ModelBar]] = [:]
            var times = 0
            for case .bar(let bar) in events where bar.seconds == length {
                told[bar.symbol, default: [:]][bar.start.nanos] = bar
                times += 1
            }
            #expect(times > 10)
            for (symbol, bars) in expected {
                let answered = model.bars.bars(
                    of: symbol,
                    seconds: length,
                    from: options.start,
                    to: model.now,
                    now: model.now
                )
                let complete = bars.values.filter { $0.end <= model.now && $0.hasPrice }.sorted { $0.start < $1.start }
                #expect(answered == complete)
                guard model.instruments.all[Int(symbol)].kind != .index else { continue }
                for bar in complete where bar.end.advanced(byNanos: 1_000_000_000) < model.now {
                    var last = try #require(told[symbol]?[bar.start.nanos])
                    (last.dayVolume, last.dayVWAP, last.dayOpen) = (.zero, 0, .zero)
                    #expect(last == bar)
                }
            }
        }
    }

    @Test func indicesFollowTheirFunds() throws {
        let (model, events) = Sample.run(Sample.options(), seconds: 10)
        let index = try #require(model.instruments.byTicker["I:SPX"])
        var values: [Double] = []
        for case .index(let value) in events where value.symbol == index { values.append(value.value.dollars) }
        #expect(values.count >= 9)
        let spy = try #require(model.quote(of: 0)).mid
        #expect(abs((values.last ?? 0) / spy / 10.031 - 1) < 0.001)
    }

    @Test func contractsAreNearTheMoneyAndWorthWhatTheyShould() throws {
        let (model, events) = Sample.run(Sample.options(rate: 2_000), seconds: 20)
        var seen: Set<Int32> = []
        for case .quote(let quote) in events where model.instruments.all[Int(quote.symbol)].kind == .option {
            seen.insert(quote.symbol)
            #expect(quote.ask > quote.bid && quote.bid >= .zero)
        }
        #expect(seen.count > 50)
        for symbol in seen {
            let contract = model.instruments.all[Int(symbol)]
            let spot = model.spot(contract.underlying)
            let worth = contract.isCall ? spot - contract.strike.dollars : contract.strike.dollars - spot
            let quote = try #require(model.quote(of: symbol))
            #expect(quote.ask.dollars >= worth - spot * 0.003, "\(contract.ticker) at \(spot)")
        }
        #expect(model.instruments.byTicker.keys.contains { $0.hasPrefix("O:SPXW251125") })
    }

    @Test func alertsComeWherePremiumClusters() throws {
        let (model, events) = Sample.run(Sample.options(rate: 3_000), seconds: 120)
        var numbers: [Int] = []
        for case .alert(let number) in events { numbers.append(number) }
        #expect(!numbers.isEmpty)
        #expect(numbers == Array(0..<numbers.count))
        let first = try #require(model.alert(0))
        #expect(first.premium >= FlowCluster.premiumMin && first.trades.count >= FlowCluster.tradesMin)
    }

    @Test func aHaltBeginsAtTheBandAndEndsWithAReopeningPrint() throws {
        var model = MarketModel(Sample.options())
        var events: [ModelEvent] = []
        model.advance(to: Sample.start.advanced(byNanos: 2_000_000_000), into: &events)
        model.requestHalt(0, nanos: 20_000_000_000)
        events.removeAll()
        model.advance(to: Sample.start.advanced(byNanos: 40_000_000_000), into: &events)
        var halts: [Instant] = []
        for case .halt(let halt) in events { halts.append(halt.time) }
        #expect(halts.count == 2)
        let (from, to) = (try #require(halts.first), try #require(halts.last))
        #expect(to.nanos(since: from) >= 20_000_000_000)
        for case .trade(let trade) in events where trade.symbol == 0 && trade.time > from && trade.time < to {
            Issue.record("a print during the halt at \(trade.time)")
        }
        var reopened = false
        for case .trade(let trade) in events where trade.symbol == 0 && trade.conditions == ModelTrade.conditions(28) {
            reopened = true
        }
        #expect(reopened)
    }

    @Test func theDayHasAuctionsAndEnds() throws {
        let open = NewYork.instant(CivilDate(20_251_125), hour: 9, minute: 29)
        let (model, events) = Sample.run(
            Sample.options(rate: 20, at: open),
            seconds: 11 * 3_600,
            stepNanos: 60_000_000_000
        )
        #expect(model.hasEnded)
        var found: [UInt64: Int] = [:]
        for case .trade(let trade) in events where Int(trade.symbol) < 3 {
            found[trade.conditions.packed & 0xFF, default: 0] += 1
        }
        for id in [UInt64(25), 16, 8, 15] { #expect(found[id] == 3, "condition \(id)") }
        #expect((found[12] ?? 0) > 0)
        let day = model.bars.days[0]
        #expect(day.open.micros > 0 && day.high >= day.low && day.volume.micros > 0)
        var volumes = [0.0, 0.0, 0.0]
        let windows = [(0, 30), (150, 180), (360, 390)]
        for (place, window) in windows.enumerated() {
            for bar in model.bars.bars(
                of: 0,
                seconds: 60,
                from: model.day.open.advanced(byNanos: Int64(window.0) * 60_000_000_000),
                to: model.day.open.advanced(byNanos: Int64(window.1) * 60_000_000_000),
                now: model.now
            ) { volumes[place] += Double(bar.trades) }
        }
        #expect(volumes[0] > 1.3 * volumes[1] && volumes[2] > 1.2 * volumes[1], "\(volumes)")
    }

    @Test func historyJoinsTheModelsStart() throws {
        let model = MarketModel(Sample.options())
        let subject = try #require(model.subject(0))
        let today = model.history.minutes(of: subject, on: CivilDate(20_251_125))
        #expect(today.count == 360)
        #expect(abs((today.last?.close.dollars ?? 0) - subject.price) < 0.02)
        let friday = model.history.minutes(of: subject, on: CivilDate(20_251_121))
        let monday = model.history.minutes(of: subject, on: CivilDate(20_251_124))
        #expect(friday.count == 960 && monday.count == 960)
        #expect(abs((friday.last?.close.dollars ?? 0) - (monday.first?.open.dollars ?? 0)) < 0.02)
        #expect(model.history.minutes(of: subject, on: CivilDate(20_251_123)).isEmpty)
        for bar in monday { #expect(bar.high >= bar.low && bar.open <= bar.high && bar.close >= bar.low) }
    }
}
