import Analytics
import MarketData
import Primitives
import Testing

@Suite struct UnderlyingAnalyticsTests {
    @Test func beforeTheFirstEventAllIsUnknown() {
        let empty = UnderlyingAnalytics(kind: .equity).checkpoint(at: Example.at(10, 0))
        #expect(empty.vwap == nil && empty.open == nil && empty.twas == nil && empty.atr14 == nil)
        #expect(empty.rvSession == nil && empty.trades == 0 && empty.cumVolume == .zero && empty.source == .none)
    }

    @Test func onlyRegularHoursCount() {
        var symbol = UnderlyingAnalytics(kind: .equity)
        symbol.trade(90, at: Example.at(9, 29, 59.999))
        symbol.quote(99, 101, at: Example.at(9, 29, 59.999))
        symbol.trade(100, 10, at: Example.at(9, 30))
        symbol.trade(102, 30, at: Example.at(15, 59, 59.999))
        symbol.trade(120, at: Example.at(16, 0))
        let state = symbol.checkpoint(at: Example.at(16, 0))
        #expect(state.date == 20_260_202)
        #expect(state.trades == 2 && state.quotes == 0 && state.cumVolume == Size(shares: 40))
        #expect(state.open == Example.price(100) && state.high == Example.price(102))
        #expect(state.low == Example.price(100) && state.last == Example.price(102))
        #expect(state.vwap == 101.5 && state.source == .trades)
        #expect(state.twas == 2)
        #expect(symbol.lastTrade?.price == Example.price(120))
    }

    @Test func eachClassUpdatesItsOwn() {
        var symbol = UnderlyingAnalytics(kind: .equity)
        symbol.trade(50, 1, at: Example.at(9, 30), as: [])
        symbol.trade(60, 2, at: Example.at(9, 30), as: .counted)
        symbol.trade(70, 4, at: Example.at(9, 30), as: [.counted, .eligible])
        var state = symbol.checkpoint(at: Example.at(9, 31))
        #expect(state.trades == 3 && state.cumVolume == Size(shares: 6))
        #expect(state.high == Example.price(70) && state.low == Example.price(70) && state.vwap == 70)
        #expect(state.open == nil && state.last == nil)
        symbol.trade(0, 8, at: Example.at(9, 32))
        state = symbol.checkpoint(at: Example.at(9, 33))
        #expect(state.cumVolume == Size(shares: 14) && state.low == Example.price(70) && symbol.unpricedTrades == 1)
    }

    @Test func aTradeReceivedAfterTheEdgeStillBelongsBefore() {
        var symbol = UnderlyingAnalytics(kind: .equity)
        symbol.trade(100, at: Example.at(9, 59, 50))
        #expect(symbol.trade(101, at: Example.at(9, 59, 59), lateSeconds: 5) == Example.at(9, 59))
        #expect(symbol.bars.bar(359)?.close == Example.price(101))
        symbol.trade(102, at: Example.at(15, 59, 59), lateSeconds: 5)
        #expect(symbol.checkpoint(at: Example.at(17, 0)).last == Example.price(102))
    }

    @Test func timersFireInOrderAndAreStampedWithTheirBoundary() {
        var symbol = UnderlyingAnalytics(kind: .equity)
        let time = Example.at(9, 34, 50)
        let bands = PriceBands(
            symbol: Example.symbol,
            time: time,
            upper: Example.price(110),
            lower: Example.price(90)
        )
        symbol.trade(100, at: Example.at(9, 33))
        symbol.banded(bands, in: Example.rth, received: time)
        symbol.trade(110, at: time)
        symbol.quote(110, 0, at: time)
        var fired: [FiredTimer] = []
        while symbol.nextBoundary <= Example.at(9, 36) { fired.append(symbol.fireNextBoundary()) }
        #expect(fired.map(\.boundary) == [Example.at(9, 35), Example.at(9, 35, 5)])
        #expect(fired.map(\.minuteStart) == [Example.at(9, 34), nil])
        #expect(fired.map(\.five) == [0, nil])
        #expect(fired.map(\.isHaltSuspected) == [false, true])
        #expect(symbol.isHaltSuspected && symbol.nextBoundary == .distantFuture)
    }

    @Test func aCheckpointLeavesTheStateAlone() {
        var symbol = busy(seed: 9)
        let copy = symbol
        let first = symbol.checkpoint(at: Example.at(15, 0))
        #expect(symbol.checkpoint(at: Example.at(12, 0)).instant == Example.at(12, 0))
        #expect(symbol.checkpoint(at: Example.at(15, 0)) == first)
        symbol.trade(100, at: Example.at(15, 0))
        #expect(copy.checkpoint(at: Example.at(15, 0)) == first)
    }

    /// Some hours of random trades and quotes.
    private func busy(seed: UInt64) -> UnderlyingAnalytics {
        var random = SeededGenerator(seed: seed)
        var symbol = UnderlyingAnalytics(kind: .equity)
        var time = Example.at(9, 25)
        while time < Example.at(14, 0) {
            time = time.advanced(byNanos: Int64.random(in: 0...20_000, using: &random) * 1_000_000)
            let price = 100 + Double(Int.random(in: -100...100, using: &random)) / 100
            if Bool.random(using: &random) {
                symbol.trade(price, Int64.random(in: 1...500, using: &random), at: time)
            } else {
                symbol.quote(price - 0.01, price + 0.01, at: time)
            }
        }
        return symbol
    }

    @Test(arguments: [UInt64(1), 2])
    func stateReadsBackAndGoesOnAlike(seed: UInt64) throws {
        var symbol = busy(seed: seed)
        var writer = StateWriter()
        symbol.save(to: &writer)
        let bytes = writer.finish()
        var reader = StateReader(bytes)
        var restored = try UnderlyingAnalytics(restoring: &reader)
        #expect(reader.remaining == 0)
        for minute in 0..<60 {
            let time = Example.at(14, minute, 10)
            symbol.trade(101, 10, at: time)
            restored.trade(101, 10, at: time)
            symbol.quote(100, 101, at: time)
            restored.quote(100, 101, at: time)
        }
        #expect(symbol.checkpoint(at: Example.at(16, 0)) == restored.checkpoint(at: Example.at(16, 0)))
        #expect(symbol.sampler.statistics == restored.sampler.statistics)
        #expect(symbol.longWindow.statistics == restored.longWindow.statistics)
        for length in stride(from: 0, to: bytes.count, by: 997) {
            var cut = StateReader(Array(bytes[..<length]))
            #expect(throws: StateError.self) { _ = try UnderlyingAnalytics(restoring: &cut) }
        }
    }

    @Test func aNewDayStartsAnewAndOldEventsAreStray() {
        var symbol = busy(seed: 3)
        let next = Example.calendar.nextClose(after: Example.at(16, 0)).advanced(byNanos: -3_600_000_000_000)
        let closed = Example.at(20, 0)
        #expect(Example.calendar.session(at: closed) == .overnight)
        symbol.trade(55, 10, at: next)
        #expect(symbol.checkpoint(at: next).date == 20_260_203)
        #expect(symbol.checkpoint(at: next).trades == 1)
        symbol.traded(
            Example.trade(44, at: Example.at(15, 0)),
            as: .all,
            in: Example.rth,
            received: next
        )
        #expect(symbol.strayEvents == 1)
        #expect(symbol.checkpoint(at: next).low == Example.price(55))
    }

    @Test func closedTimeDoesNotEndTheDay() {
        var symbol = UnderlyingAnalytics(kind: .equity)
        let friday = NewYork.instant(CivilDate(20_260_206), hour: 15, minute: 0)
        let saturday = NewYork.instant(CivilDate(20_260_207), hour: 12, minute: 0)
        symbol.trade(100, at: friday)
        symbol.trade(90, at: saturday)
        #expect(symbol.day.date == 20_260_206)
        #expect(symbol.strayEvents == 1)
        // It is shown, though.
        #expect(symbol.lastTrade?.price == Example.price(90))
        #expect(symbol.checkpoint(at: saturday).last == Example.price(100))
    }
}

// Bars alone, and bars before trades.
@Suite struct UnderlyingBarsTests {
    @Test func barsAloneGiveTypicalPrices() throws {
        var symbol = UnderlyingAnalytics(kind: .equity)
        symbol.bar(99, 99, 99, 99, 1_000, at: Example.at(9, 29))
        #expect(symbol.bar(100, 103, 97, 100, 10, at: Example.at(9, 30)) == Example.at(9, 30))
        symbol.bar(100, 110, 104, 110, 30, at: Example.at(9, 31))
        let state = symbol.checkpoint(at: Example.at(9, 32))
        // Typical prices 100 and 108.
        #expect(state.vwap == 106 && state.source == .bars)
        #expect(abs(try #require(state.sigma) - 12.0.squareRoot()) < 1e-12)
        #expect(state.open == Example.price(100) && state.high == Example.price(110))
        #expect(state.low == Example.price(97) && state.last == Example.price(110))
        #expect(state.cumVolume == Size(shares: 40) && state.trades == 0)
    }

    @Test func aResentBarReplaces() {
        var symbol = UnderlyingAnalytics(kind: .equity)
        var straight = UnderlyingAnalytics(kind: .equity)
        symbol.bar(100, 103, 97, 100, 10, at: Example.at(9, 30))
        symbol.bar(100, 110, 104, 110, 30, at: Example.at(9, 31))
        #expect(symbol.bar(101, 102, 98, 101, 12, at: Example.at(9, 30)) == Example.at(9, 30))
        straight.bar(101, 102, 98, 101, 12, at: Example.at(9, 30))
        straight.bar(100, 110, 104, 110, 30, at: Example.at(9, 31))
        #expect(symbol.checkpoint(at: Example.at(9, 33)) == straight.checkpoint(at: Example.at(9, 33)))
        #expect(symbol.bars.counts.resentBars == 1)
    }

    @Test func tradesTakeOverWhereTheyBegin() {
        var symbol = UnderlyingAnalytics(kind: .equity)
        symbol.bar(100, 100, 100, 100, 10, at: Example.at(9, 30))
        symbol.bar(100, 100, 100, 100, 10, at: Example.at(9, 31))
        symbol.trade(106, 40, at: Example.at(9, 32, 30))
        symbol.bar(100, 106, 100, 106, 400, at: Example.at(9, 32))
        let state = symbol.checkpoint(at: Example.at(9, 33))
        #expect(state.vwap == 104 && state.source == .bars)
        #expect(state.cumVolume == Size(shares: 60) && state.open == Example.price(100))
        #expect(state.last == Example.price(106) && state.high == Example.price(106))
        // A late trade of an earlier minute takes that minute from the bars.
        symbol.trade(103, 20, at: Example.at(9, 31, 30), lateSeconds: 120)
        let later = symbol.checkpoint(at: Example.at(9, 34))
        #expect(later.cumVolume == Size(shares: 70))
        #expect(later.trades == 2)
    }

    @Test func withTradesBarsChangeNeitherVolumeNorVWAP() {
        var symbol = UnderlyingAnalytics(kind: .equity)
        symbol.trade(100, 10, at: Example.at(9, 30))
        symbol.bar(100, 100, 100, 100, 10, at: Example.at(9, 30))
        symbol.bar(100, 101, 100, 100, 99, at: Example.at(9, 31))
        let state = symbol.checkpoint(at: Example.at(9, 33))
        #expect(state.cumVolume == Size(shares: 10) && state.vwap == 100 && state.source == .trades)
        #expect(symbol.bars.bar(331)?.high == Example.price(101))
    }

    @Test func anIndexHasValuesAndBarsButNoVolume() {
        var symbol = UnderlyingAnalytics(kind: .index)
        for (minute, level) in [(30, 6_700.0), (31, 6_710), (32, 6_690)] {
            let time = Example.at(9, minute, 1)
            while symbol.nextBoundary <= time { _ = symbol.fireNextBoundary() }
            symbol.valued(
                PublishedValue(symbol: Example.symbol, time: time, value: Example.price(level)),
                in: Example.rth,
                received: time
            )
        }
        symbol.bar(6_700, 6_712, 6_700, 6_711, 0, at: Example.at(9, 31))
        let state = symbol.checkpoint(at: Example.at(9, 34))
        #expect(state.vwap == nil && state.cumVolume == .zero && state.trades == 0)
        #expect(state.open == Example.price(6_700) && state.high == Example.price(6_710))
        #expect(state.low == Example.price(6_690) && state.last == Example.price(6_690))
        #expect(state.rvSession != nil)
        #expect(symbol.bars.bar(331)?.close == Example.price(6_711))
        #expect(symbol.value?.value == Example.price(6_690))
    }

    @Test func fitsItsBudget() {
        // Bars and the long ring come on top; RVOL's table has what is left of 96 KiB.
        let bars = MinuteBars.limit * MemoryLayout<MinuteBar>.stride
        let ring = SpreadRing.window * MemoryLayout<Float>.stride
        #expect(MemoryLayout<UnderlyingAnalytics>.size + bars + ring <= 56 << 10)
    }
}
