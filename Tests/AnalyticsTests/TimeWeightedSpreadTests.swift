import Analytics
import MarketData
import Primitives
import Testing

@Suite struct TimeWeightedSpreadTests {
    private func spread(_ quotes: [(Instant, Double, Double)], until: Instant) -> TimeWeightedSpread {
        var spread = TimeWeightedSpread()
        for (time, bid, ask) in quotes { spread.quoted(Example.quote(bid, ask, at: time), of: Example.day) }
        spread.advance(to: until, of: Example.day)
        return spread
    }

    @Test func theQuoteStandingAtTheOpenCountsFromThen() {
        let found = spread(
            [(Example.at(8, 0), 99, 101), (Example.at(9, 30, 1), 100, 101)],
            until: Example.at(9, 30, 4)
        )
        #expect(found.twoSidedMillis == 4_000)
        // $2 for one second, $1 for three.
        #expect(found.mean == 1.25)
    }

    @Test func nothingBeforeTheOpenOrAfterTheClose() {
        #expect(spread([(Example.at(8, 0), 99, 101)], until: Example.at(9, 30)).mean == nil)
        let late = spread([(Example.at(15, 59), 99, 101)], until: Example.at(19, 0))
        #expect(late.twoSidedMillis == 60_000)
        let post = spread([(Example.at(16, 0), 99, 101)], until: Example.at(19, 0))
        #expect(post.mean == nil)
    }

    @Test func theLastOfOneMillisecondCounts() {
        let time = Example.at(10, 0)
        let found = spread(
            [(time, 99, 101), (time.advanced(byNanos: 900_000), 100, 100)],
            until: Example.at(10, 0, 1)
        )
        #expect(found.mean == 0)
        #expect(found.lockedShare == 1)
    }

    @Test func oneSidedTimeIsLeftOutAndCrossedTimeCounts() throws {
        let found = spread(
            [
                (Example.at(10, 0), 100, 101), (Example.at(10, 1), 100, 0), (Example.at(10, 2), 101, 100),
                (Example.at(10, 3), 100, 100),
            ],
            until: Example.at(10, 4)
        )
        #expect(found.twoSidedMillis == 180_000)
        #expect(found.mean == 0)
        #expect(try #require(found.crossedShare) == 1.0 / 3)
        #expect(try #require(found.lockedShare) == 1.0 / 3)
    }

    @Test func anOlderQuoteStandsFromWhereTimeHasCome() {
        let found = spread(
            [(Example.at(10, 0), 100, 101), (Example.at(10, 1), 100, 102), (Example.at(10, 0, 30), 100, 103)],
            until: Example.at(10, 2)
        )
        #expect(found.mean == 2)
    }

    /// However the time is cut, the result is the same to the last bit.
    @Test(arguments: [UInt64(4), 5, 6])
    func readsInBetweenChangeNothing(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var whole = TimeWeightedSpread()
        var cut = TimeWeightedSpread()
        var time = Example.at(9, 29)
        for _ in 0..<5_000 {
            time = time.advanced(byNanos: Int64.random(in: 0...10_000, using: &random) * 1_000_000)
            let quote = Example.quote(150, 150 + Double(Int.random(in: -3...9, using: &random)) / 200, at: time)
            whole.quoted(quote, of: Example.day)
            for _ in 0..<3 {
                cut.advance(
                    to: time.advanced(byNanos: Int64.random(in: -5_000...0, using: &random) * 1_000_000),
                    of: Example.day
                )
            }
            cut.quoted(quote, of: Example.day)
        }
        #expect(whole.mean == cut.mean && whole.twoSidedMillis == cut.twoSidedMillis)
        #expect(whole.lockedMillis == cut.lockedMillis && whole.crossedMillis == cut.crossedMillis)
    }

    @Test func wildQuotesDontTrap() {
        var spread = TimeWeightedSpread()
        for time in [Int64.min, 0, .max, Example.at(12, 0).nanos] {
            let quote = Quote(
                symbol: Example.symbol,
                time: Instant(nanos: time),
                bid: Price(micros: .max),
                ask: Price(micros: 1),
                bidSize: .zero,
                askSize: .zero
            )
            spread.quoted(quote, of: Example.day)
            spread.quoted(quote, of: .none)
        }
        #expect(spread.twoSidedMillis <= 23_400_000)
    }
}
