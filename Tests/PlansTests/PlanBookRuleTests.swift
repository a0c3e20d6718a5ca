import MarketData
import Plans
import Primitives
import Testing

/// One table a rule of analytics.md 5, for a long and for its mirror image.
@Suite struct PlanBookRuleTests {
    // MARK: Rule 2, touch

    @Test(arguments: PlanSide.allCases) func firstXAtTheEntryEnters(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan())
        #expect(desk.take() == ["→ draft created 99", "→ armed armed 99"])
        desk.trade(100)
        #expect(desk.take() == ["entry 100", "→ entered entered 99"])
    }

    @Test(arguments: PlanSide.allCases) func firstXElsewhereOnlyFixesTheSide(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan())
        desk.trade(100.5, 100.01)
        #expect(desk.takeHits() == [])
        desk.trade(99.995)
        #expect(desk.takeHits() == ["entry 99.995"])

        desk = Desk(side: side)
        try desk.add(desk.plan())
        desk.trade(99.5, 99.99)
        #expect(desk.takeHits() == [])
        desk.trade(100.005)
        #expect(desk.takeHits() == ["entry 100.005"])
    }
}
