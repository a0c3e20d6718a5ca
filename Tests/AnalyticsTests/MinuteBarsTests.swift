import Analytics
import Foundation
import MarketData
import Primitives
import Testing

@Suite struct MinuteBarsTests {
    private func started() -> MinuteBars {
        var bars = MinuteBars()
        bars.start(Example.day)
        return bars
    }

    private func add(
        _ dollars: Double,
        _ shares: Int64,
        at time: Instant,
        as tradeClass: TradeClass = .all,
        to bars: inout MinuteBars
    ) -> Int? {
        bars.traded(Example.price(dollars), Size(shares: shares), as: tradeClass, at: time)
    }

    @Test func eachClassSetsItsOwn() throws {
        var bars = started()
        let time = Example.at(9, 30)
        #expect(add(100, 10, at: time, to: &bars) == nil)
        #expect(add(105, 20, at: time, as: [.counted, .eligible], to: &bars) == nil)
        #expect(add(90, 40, at: time, as: .counted, to: &bars) == nil)
        #expect(add(80, 80, at: time, as: [], to: &bars) == nil)
        #expect(add(101, 1, at: Example.at(9, 30, 59.999), to: &bars) == nil)
        let bar = try #require(bars.bar(330))
        #expect(bar.open == Example.price(100) && bar.high == Example.price(105))
        #expect(bar.low == Example.price(100) && bar.close == Example.price(101))
        #expect(bar.volume == Size(shares: 71))
        #expect(bars.bar(331) == nil && bars.bar(329) == nil)
        #expect(bars.fiveMinuteBar(0)?.volume == bar.volume && bars.fiveMinuteBar(0)?.high == bar.high)
        for window in [-1, 1, 77, 78, 1_000] { #expect(bars.fiveMinuteBar(window) == nil) }
    }

    @Test func completesAtItsEnd() {
        var bars = started()
        #expect(bars.nextBoundary == .distantFuture)
        _ = add(100, 1, at: Example.at(9, 31, 10), to: &bars)
        #expect(bars.nextBoundary == Example.at(9, 32))
        #expect(
            bars.fireNextBoundary() == CompletedBars(boundary: Example.at(9, 32), minute: 331, five: nil)
        )
        // The five-minute bar goes on without another trade.
        #expect(bars.nextBoundary == Example.at(9, 35))
        #expect(bars.fireNextBoundary() == CompletedBars(boundary: Example.at(9, 35), minute: nil, five: 0))
        #expect(bars.nextBoundary == .distantFuture)
        _ = add(100, 1, at: Example.at(9, 39, 10), to: &bars)
        #expect(bars.fireNextBoundary() == CompletedBars(boundary: Example.at(9, 40), minute: 339, five: 1))
        _ = add(100, 1, at: Example.at(8, 0), to: &bars)
        #expect(bars.counts.lateTrades == 1)
    }

    @Test func aLateTradeChangesItsBarAndTheATR() throws {
        var bars = started()
        for window in 0..<20 {
            let time = Example.at(9, 30).advanced(byNanos: Int64(window) * 300_000_000_000)
            _ = add(100 + Double(window % 3), 100, at: time, to: &bars)
            bars.advance(to: time.advanced(byNanos: 300_000_000_000))
        }
        let before = try #require(bars.atr.value)
        #expect(add(150, 7, at: Example.at(9, 31), to: &bars) == 331)
        #expect(bars.bar(331)?.volume == Size(shares: 7))
        #expect(try #require(bars.atr.value) > before)
        // The same day with that trade in time has the same ATR.
        var straight = started()
        for window in 0..<20 {
            let time = Example.at(9, 30).advanced(byNanos: Int64(window) * 300_000_000_000)
            _ = add(100 + Double(window % 3), 100, at: time, to: &straight)
            if window == 0 { _ = add(150, 7, at: Example.at(9, 31), to: &straight) }
            straight.advance(to: time.advanced(byNanos: 300_000_000_000))
        }
        #expect(straight.atr == bars.atr)
        #expect(straight.realisedVolatility() == bars.realisedVolatility())
    }

    @Test func theProvidersBarReplacesAndIsNeverCountedTwice() throws {
        var bars = started()
        let time = Example.at(9, 30)
        _ = add(100, 10, at: time, to: &bars)
        bars.advance(to: Example.at(9, 31))
        let provided = Example.bar(100, 102, 99, 101, 30, at: time)
        #expect(bars.replace(with: provided) == 330)
        #expect(bars.counts.differingBars == 1)
        // Again the same: nothing to say.
        #expect(bars.replace(with: provided) == nil)
        #expect(bars.counts.resentBars == 1)
        // Late trades that the bar included: our sum doesn't pass its volume.
        #expect(add(102, 15, at: time, to: &bars) == nil)
        #expect(add(101, 5, at: time, to: &bars) == nil)
        #expect(bars.bar(330)?.volume == Size(shares: 30))
        #expect(bars.bar(330)?.close == Example.price(101))
        // One more that it can't have included.
        #expect(add(103, 5, at: time, to: &bars) == 330)
        let bar = try #require(bars.bar(330))
        #expect(bar.volume == Size(shares: 35) && bar.high == Example.price(103) && bar.close == Example.price(103))
        #expect(bars.replace(with: Example.bar(100, 103, 99, 103, 35, at: time)) == nil)
    }

    /// Trades in any order, the provider's bar at any point between: volume is never above what was traded.
    @Test(arguments: [UInt64(1), 2, 3])
    func volumeNeverExceedsWhatWasTraded(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for round in 0..<500 {
            var bars = started()
            let time = Example.at(10, 0)
            let sizes = (0..<Int.random(in: 1...8, using: &random)).map { _ in
                Int64.random(in: 1...100, using: &random)
            }
            let total = sizes.reduce(0, +)
            let place = Int.random(in: 0...sizes.count, using: &random)
            for (index, size) in sizes.enumerated() {
                if index == place { _ = bars.replace(with: Example.bar(100, 101, 99, 100, total, at: time)) }
                _ = add(Double.random(in: 99...101, using: &random), size, at: time, to: &bars)
                if Bool.random(using: &random) { bars.advance(to: Example.at(10, 1)) }
            }
            if place == sizes.count { _ = bars.replace(with: Example.bar(100, 101, 99, 100, total, at: time)) }
            let isRight = bars.bar(360)?.volume == Size(shares: total) && bars.bar(360)?.high == Example.price(101)
            if !isRight { Issue.record("seed \(seed), round \(round)") }
        }
    }

    @Test func aSkewedClockKeepsTwoBarsForming() {
        var bars = started()
        _ = add(100, 1, at: Example.at(10, 1, 0), to: &bars)
        _ = add(101, 1, at: Example.at(10, 0, 59), to: &bars)
        _ = add(102, 1, at: Example.at(10, 1, 1), to: &bars)
        #expect(bars.fireNextBoundary().minute == 360)
        #expect(bars.fireNextBoundary().minute == 361)
        #expect(bars.counts.lateTrades == 0)
        #expect(bars.bar(361)?.volume == Size(shares: 2))
    }

    @Test func outsideTheDayIsCounted() {
        var bars = started()
        #expect(add(100, 1, at: Example.at(3, 59, 59), to: &bars) == nil)
        #expect(add(100, 1, at: Example.at(20, 0), to: &bars) == nil)
        #expect(bars.replace(with: Example.bar(1, 1, 1, 1, 1, at: .zero)) == nil)
        #expect(bars.counts.unplaced == 3)
        #expect(bars.bars.isEmpty)
        _ = add(100, 1, at: Example.at(19, 59, 59), to: &bars)
        #expect(bars.bars.count == MinuteBars.limit)
    }

    @Test func realisedVolatilityIsTheRootOfSquaredReturns() throws {
        var bars = started()
        let closes = (0..<40).map { 100 + Double($0 * 7 % 5) / 10 }
        for (index, close) in closes.enumerated() {
            _ = add(close, 1, at: Example.at(9, 30).advanced(byNanos: Int64(index) * 60_000_000_000), to: &bars)
        }
        #expect(bars.realisedVolatility() == nil)
        bars.advance(to: Example.at(10, 10))
        let squares = zip(closes, closes.dropFirst()).map { log($1 / $0) * log($1 / $0) }
        let whole = squares.reduce(0, +).squareRoot()
        let last = squares.suffix(30).reduce(0, +).squareRoot()
        #expect(abs(try #require(bars.realisedVolatility()) / whole - 1) < 1e-12)
        #expect(abs(try #require(bars.realisedVolatility(last: 30)) / last - 1) < 1e-12)
        #expect(bars.realisedVolatility(last: 40) == nil)
    }

    @Test func fitsItsBudget() {
        #expect(MemoryLayout<MinuteBar>.stride == 48)
        #expect(MemoryLayout<MinuteBar>.stride * MinuteBars.limit <= 48 << 10)
    }
}
