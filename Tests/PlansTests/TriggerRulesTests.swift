import MarketData
import Plans
import Primitives
import Testing

@Suite struct TriggerRulesTests {
    private func quote(_ bid: Double, _ ask: Double) -> Quote {
        Quote(
            symbol: SymbolID(index: 1),
            time: .zero,
            bid: price(bid),
            ask: price(ask),
            bidSize: Size(shares: 1),
            askSize: Size(shares: 1)
        )
    }

    @Test func aBadPrintIsBeyondTheNBBOByBothMeasures() {
        let cent = price(0.01)
        let nbbo = quote(99.9, 100)
        // Half a percent of 100 is 0.5; exactly that isn't more.
        #expect(!TriggerRules.isBadPrint(price(100.5), prevailing: nbbo, tick: cent))
        #expect(TriggerRules.isBadPrint(price(100.500001), prevailing: nbbo, tick: cent))
        // Of 99.9 it is 0.4995.
        #expect(!TriggerRules.isBadPrint(price(99.4005), prevailing: nbbo, tick: cent))
        #expect(TriggerRules.isBadPrint(price(99.400499), prevailing: nbbo, tick: cent))
        #expect(!TriggerRules.isBadPrint(price(99.95), prevailing: nbbo, tick: cent))
        // Far in percent, but within two ticks.
        let cheap = quote(1, 1.01)
        #expect(!TriggerRules.isBadPrint(price(1.03), prevailing: cheap, tick: cent))
        #expect(TriggerRules.isBadPrint(price(1.030001), prevailing: cheap, tick: cent))
    }

    @Test func withoutAUsableQuoteNothingIsFiltered() {
        #expect(!TriggerRules.isBadPrint(price(500), prevailing: nil, tick: price(0.01)))
        #expect(!TriggerRules.isBadPrint(price(500), prevailing: quote(100.1, 100), tick: price(0.01)))
        #expect(TriggerRules.isBadPrint(Price(micros: .max), prevailing: quote(99, 100), tick: price(0.01)))
        #expect(TriggerRules.isBadPrint(Price(micros: .min), prevailing: quote(99, 100), tick: price(0.01)))
    }

    @Test func theMidIsRoundedDown() {
        #expect(TriggerRules.mid(quote(100, 100.000001)) == price(100))
        #expect(TriggerRules.mid(quote(100, 100.000003)) == price(100.000001))
        #expect(TriggerRules.mid(quote(99.99, 100.01)) == price(100))
    }

    @Test func theBandIsATenthRoundedHalfUp() {
        #expect(TriggerRules.retestBand(atr: 0.5) == price(0.05))
        // 0.1 · 0.000025 = 2.5 micros.
        #expect(TriggerRules.retestBand(atr: 0.000025) == Price(micros: 3))
        #expect(TriggerRules.retestBand(atr: 0.000024) == Price(micros: 2))
        for unknown in [nil, Double.nan, -1, 0, .infinity] {
            #expect(TriggerRules.retestBand(atr: unknown) == .zero)
        }
        #expect(TriggerRules.retestBand(atr: 1e300) == TriggerRules.priceLimit)
    }
}
