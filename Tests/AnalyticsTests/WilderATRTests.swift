import Analytics
import Primitives
import Testing

@Suite struct WilderATRTests {
    private func bar(_ high: Int64, _ low: Int64, _ close: Int64) -> (Price, Price, Price) {
        (Price(micros: high * 10_000), Price(micros: low * 10_000), Price(micros: close * 10_000))
    }

    @Test func seededWithTheMeanOfFourteen() throws {
        var atr = WilderATR()
        for index in 0..<14 {
            #expect(atr.value == nil && atr.tenthMicros == 0)
            // Ranges 1…14 cents, each around the close before.
            let (high, low, close) = bar(10_000 + Int64(index) + 1, 10_000, 10_000)
            atr.add(high: high, low: low, close: close)
        }
        #expect(abs(try #require(atr.value) - 0.075) < 1e-12)
        #expect(atr.tenthMicros == 7_500)
        let (high, low, close) = bar(10_010, 10_000, 10_005)
        atr.add(high: high, low: low, close: close)
        let next: Double = (13 * 0.075 + 0.10) / 14
        #expect(abs(try #require(atr.value) - next) < 1e-12)
        // 0.00767857…, half up.
        #expect(atr.tenthMicros == 7_679)
    }

    @Test func gapsCountInTheTrueRange() throws {
        var up = WilderATR()
        var down = WilderATR()
        for index in 0..<14 {
            let (high, low, close) = bar(10_001, 10_000, 10_000)
            let gap = bar(index == 13 ? 10_100 : 10_001, index == 13 ? 10_090 : 10_000, 10_000)
            up.add(high: gap.0, low: gap.1, close: gap.2)
            let fall = index == 13 ? bar(9_910, 9_900, 9_900) : (high, low, close)
            down.add(high: fall.0, low: fall.1, close: fall.2)
        }
        let wanted: Double = (13 * 0.01 + 1) / 14
        #expect(abs(try #require(up.value) - wanted) < 1e-12)
        #expect(abs(try #require(down.value) - wanted) < 1e-12)
    }

    @Test func roundsHalfUp() {
        var atr = WilderATR()
        // 14 ranges of 5 micros: ATR 5e-6, a tenth 0.5e-6.
        for _ in 0..<14 { atr.add(high: Price(micros: 105), low: Price(micros: 100), close: Price(micros: 100)) }
        #expect(atr.tenthMicros == 1)
    }

    @Test func absurdPricesDontTrap() {
        var atr = WilderATR()
        for index in 0..<40 {
            let price = Price(micros: index % 2 == 0 ? .max : .min)
            atr.add(high: price, low: Price(micros: 1), close: price)
        }
        #expect(atr.tenthMicros >= 0)
    }
}
