import MarketData
import Primitives
import Testing

@Suite struct SymbolTableTests {
    @Test func givesDenseStableIds() {
        var table = SymbolTable()
        let names = (0..<5_000).map { "S\($0)" }
        for (index, name) in names.enumerated() { #expect(table.intern(name)?.index == UInt32(index)) }
        for (index, name) in names.enumerated() { #expect(table.intern(name)?.index == UInt32(index)) }
        #expect(table.count == names.count)
        #expect(table.instrument(SymbolID(index: 17)).symbol == "S17")
    }

    @Test func refusesAboveItsLimitAndCounts() {
        var table = SymbolTable(limit: 2)
        #expect(table.intern("A") != nil)
        #expect(table.intern("B") != nil)
        #expect(table.intern("C") == nil)
        #expect(table.refusedCount == 1)
        #expect(table.intern("A")?.index == 0)
    }

    @Test func readsOptionsFromTheEnd() throws {
        let option = try #require(Instrument("O:SPXW210108P03800000"))
        #expect(option.kind == .option)
        #expect(option.underlying == "SPX")
        #expect(option.strike == Price(micros: 3_800_000_000))
        #expect(!option.isCall)
        #expect(option.expiry == 20_210_108)
        #expect(Instrument("I:SPX")?.underlying == "SPX")
        #expect(Instrument("O:SPY") == nil)
        #expect(Instrument("a b") == nil)
    }
}
