import Analytics
import MarketData
import Primitives
import Testing

@Suite struct ContractAnalyticsTests {
    @Test func fitsItsBudget() {
        #expect(MemoryLayout<ContractAnalytics>.stride <= 128)
        // An array's header is 32 bytes.
        #expect(MemoryLayout<ContractAnalytics>.stride + 32 + MemoryLayout<ContractQuotes>.stride <= 384)
    }

    @Test func tradesAndCancels() {
        var contract = ContractAnalytics()
        contract.traded(
            Example.trade(2, 5, at: Example.at(9, 0)),
            as: .all,
            in: Example.calendar.window(at: Example.at(9, 0))
        )
        #expect(contract.last == Example.price(2) && contract.volume == .zero && contract.open == nil)
        contract.traded(Example.trade(2.5, 5, at: Example.at(9, 31)), as: .all, in: Example.rth)
        contract.traded(Example.trade(3, 7, at: Example.at(9, 32)), as: .counted, in: Example.rth)
        contract.traded(Example.trade(2.5, 5, at: Example.at(9, 33)), as: .cancel, in: Example.rth)
        contract.traded(Example.trade(2, 1, at: Example.at(9, 34)), as: .all, in: Example.rth)
        #expect(contract.open == Example.price(2.5) && contract.high == Example.price(2.5))
        #expect(contract.low == Example.price(2) && contract.last == Example.price(2))
        #expect(contract.volume == Size(shares: 8) && contract.trades == 3 && contract.cancels == 1)
        #expect(contract.quoteDetail == nil && contract.stability == nil && contract.mid == nil)
    }

    @Test func quotesGiveStabilityAndSpread() throws {
        var contract = ContractAnalytics()
        for step in 0..<10 {
            let time = Example.at(10, 0).advanced(byNanos: Int64(step) * 250_000_000)
            contract.quoted(Example.quote(1.9, 2.1, at: time), in: Example.rth, received: time)
        }
        #expect(contract.stability == 1 && contract.quotes == 10)
        #expect(contract.mid == 2)
        #expect(abs(try #require(contract.spreadFraction) - 0.1) < 1e-12)
        #expect(abs(try #require(contract.timeWeightedSpread(at: Example.at(11, 0), of: Example.day)) - 0.2) < 1e-12)
        contract.advance(to: Example.at(10, 5), of: Example.day)
        #expect(contract.statistics?.samples == 40)
        contract.quoted(Example.quote(0, 2.1, at: Example.at(11, 0)), in: Example.rth, received: Example.at(11, 0))
        #expect(contract.mid == nil && contract.bid == nil && contract.ask == Example.price(2.1))
        #expect(contract.quoteDetail?.sampler.oneSidedQuotes == 1)
    }

    @Test func aNewDayStartsAnew() {
        var contract = ContractAnalytics()
        let next = NewYork.instant(CivilDate(20_260_203), hour: 10, minute: 0)
        contract.traded(Example.trade(2, 5, at: Example.at(10, 0)), as: .all, in: Example.rth)
        contract.quoted(Example.quote(1, 2, at: Example.at(10, 0)), in: Example.rth, received: Example.at(10, 0))
        contract.quoted(Example.quote(1, 3, at: next), in: Example.calendar.window(at: next), received: next)
        #expect(contract.volume == .zero && contract.open == nil && contract.last == Example.price(2))
        #expect(contract.date == 20_260_203 && contract.quotes == 1)
        contract.traded(Example.trade(9, 5, at: Example.at(10, 0)), as: .all, in: Example.rth)
        #expect(contract.strayEvents == 1 && contract.last == Example.price(2))
    }

    @Test func stateReadsBack() throws {
        for hasQuotes in [false, true] {
            var contract = ContractAnalytics()
            contract.traded(Example.trade(2, 5, at: Example.at(10, 0)), as: .all, in: Example.rth)
            for step in 0..<(hasQuotes ? 20 : 0) {
                let time = Example.at(10, 0, Double(step))
                contract.quoted(Example.quote(1, 2 + Double(step % 3), at: time), in: Example.rth, received: time)
            }
            var writer = StateWriter()
            contract.save(to: &writer)
            let bytes = writer.finish()
            var reader = StateReader(bytes)
            let restored = try ContractAnalytics(restoring: &reader)
            #expect(restored.last == contract.last && restored.volume == contract.volume)
            #expect(restored.statistics == contract.statistics && (restored.quoteDetail != nil) == hasQuotes)
            var cut = StateReader(Array(bytes.dropLast()))
            #expect(throws: StateError.self) { _ = try ContractAnalytics(restoring: &cut) }
        }
    }
}
