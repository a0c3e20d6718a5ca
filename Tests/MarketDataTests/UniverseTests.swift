import MarketData
import Primitives
import Testing

@Suite struct UniverseTests {
    private let now = Instant(nanos: 1_764_086_400_000_000_000)

    private func contract(_ strike: Int) -> String {
        let digits = String(strike * 1_000)
        return "O:SPY251219C" + String(repeating: "0", count: 8 - digits.count) + digits
    }

    @Test func ranksConfigurationPlansWatchersChain() {
        var wishes = UniverseWishes()
        wishes.configured = ["QQQ", "SPY"]
        wishes.planned = ["IWM"]
        wishes.watched = ["AAPL": now, "MSFT": now.advanced(byNanos: -61_000_000_000)]
        wishes.chain = [contract(650)]
        var quotas = UniverseQuotas()
        quotas.bridgeLines = 4
        quotas.bridgeBooks = 1
        let selection = Universe.select(wishes, quotas: quotas, now: now)
        #expect(selection.bridgeLines == ["QQQ", "SPY", "IWM", "AAPL"])
        #expect(selection.bridgeBooks == ["QQQ"])
        #expect(selection.equities == ["QQQ", "SPY", "IWM", "AAPL"])
        #expect(selection.quotedContracts == [contract(650)])
        #expect(selection.underlyings == ["QQQ", "SPY", "IWM", "AAPL"])
        #expect(selection.unserved.isEmpty)
    }

    @Test func quotesOfContractsStopAtTheQuotaAndTellWhich() {
        var wishes = UniverseWishes()
        wishes.planned = [contract(700)]
        wishes.chain = (600..<610).map(contract)
        var quotas = UniverseQuotas()
        quotas.optionQuotes = 5
        let selection = Universe.select(wishes, quotas: quotas, now: now)
        // The plan's contract first, then the nearest of the chain.
        #expect(selection.quotedContracts == Set([700, 600, 601, 602, 603].map(contract)))
        #expect(selection.contracts.count == 11)
        #expect(Set(selection.unserved.keys) == Set((604..<610).map(contract)))
        #expect(selection.unserved[contract(604)] == "quotes of 5 contracts are subscribed already")
    }

    @Test func aContractBringsItsUnderlying() {
        var wishes = UniverseWishes()
        wishes.planned = ["O:SPXW251219P06500000"]
        let selection = Universe.select(wishes, quotas: UniverseQuotas(), now: now)
        #expect(selection.indices == ["I:SPX"])
        #expect(selection.contracts == ["O:SPXW251219P06500000"])
        #expect(selection.underlyings == ["SPX"])
    }

    @Test func whatIsNoSymbolIsTold() {
        var wishes = UniverseWishes()
        wishes.configured = ["SP Y"]
        let selection = Universe.select(wishes, quotas: UniverseQuotas(), now: now)
        #expect(selection.unserved["SP Y"] == "no symbol that any feed knows")
    }

    @Test func changesAtMostOnceASecondAndLingers() {
        var keeper = UniverseKeeper()
        var wishes = UniverseWishes()
        wishes.configured = ["SPY"]
        #expect(keeper.update(wishes, now: now)?.equities == ["SPY"])
        wishes.watched = ["QQQ": now]
        #expect(keeper.update(wishes, now: now.advanced(byNanos: 500_000_000)) == nil)
        let second = now.advanced(byNanos: 1_000_000_000)
        #expect(keeper.update(wishes, now: second)?.equities == ["SPY", "QQQ"])
        // The watcher leaves: nothing changes for half a minute.
        wishes.watched = [:]
        #expect(keeper.update(wishes, now: second.advanced(byNanos: 2_000_000_000)) == nil)
        let later = second.advanced(byNanos: 2_000_000_000 + UniverseKeeper.lingerNanos)
        #expect(keeper.update(wishes, now: later)?.equities == ["SPY"])
        #expect(keeper.update(wishes, now: later.advanced(byNanos: 5_000_000_000)) == nil)
    }

    @Test func whatLingersTakesNoPlaceFromWhatIsWanted() {
        var quotas = UniverseQuotas()
        quotas.optionQuotes = 1
        var keeper = UniverseKeeper(quotas: quotas)
        var wishes = UniverseWishes()
        wishes.chain = [contract(600)]
        _ = keeper.update(wishes, now: now)
        wishes.chain = [contract(601)]
        let next = keeper.update(wishes, now: now.advanced(byNanos: 1_000_000_000))
        #expect(next?.quotedContracts == [contract(601)])
        #expect(next?.contracts == [contract(600), contract(601)])
    }
}
