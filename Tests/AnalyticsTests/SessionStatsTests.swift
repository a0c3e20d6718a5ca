import Analytics
import MarketData
import Primitives
import Testing

@Suite struct SessionStatsTests {
    private func stats(_ trades: [(Double, TradeClass)]) -> SessionStats {
        var stats = SessionStats()
        for (price, tradeClass) in trades { stats.traded(Example.price(price), Size(shares: 1), as: tradeClass) }
        return stats
    }

    @Test func nilBeforeTheFirstOfEachClass() {
        let odd = stats([(50, .counted)])
        #expect(odd.open == nil && odd.high == nil && odd.low == nil && odd.last == nil)
        #expect(odd.volume == Size(shares: 1) && odd.trades == 1)
        let late = stats([(50, [.counted, .eligible])])
        #expect(late.high == Example.price(50) && late.open == nil && late.last == nil)
    }

    @Test func aStretchFollowedByAnotherIsTheWhole() {
        var random = SeededGenerator(seed: 21)
        for round in 0..<500 {
            let trades = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                (
                    Double(Int.random(in: 1...9, using: &random)),
                    [TradeClass.all, .counted, [], [.counted, .eligible]].randomElement(using: &random) ?? .all
                )
            }
            let cut = Int.random(in: 0...trades.count, using: &random)
            let whole = stats(trades)
            let joined = stats(Array(trades[..<cut])).followed(by: stats(Array(trades[cut...])))
            if whole != joined { Issue.record("seed 21, round \(round): \(trades), cut at \(cut)") }
        }
    }
}
