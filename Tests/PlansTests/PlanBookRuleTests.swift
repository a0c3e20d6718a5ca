import MarketData
import Plans
import Primitives
import Testing

/// Rules 1 and 2 of analytics.md 5, a table each, for a long and for its mirror image.
@Suite struct PlanBookRuleTests {
    // MARK: Rule 1, arming

    @Test(arguments: PlanSide.allCases) func withoutArmAtAPlanIsArmedAtCreation(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan())
        #expect(desk.take() == ["→ draft created 99", "→ armed armed 99"])
        #expect(desk.book.nextDue == Day.close)
    }

    @Test(arguments: PlanSide.allCases) func anXBeforeArmingNeverCounts(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(armAt: Day.at(10)))
        desk.trade(100, 99.5, 100.5)
        #expect(desk.take() == ["→ draft created 99"])
        #expect(desk.book.nextDue == Day.at(10))
        desk.wait(until: Day.at(10).advanced(byNanos: -1))
        #expect(desk.take() == [])
        desk.wait(until: Day.at(10))
        #expect(desk.take() == ["→ armed armed 99"])
        // The side was not fixed by the x before: 99.5 fixes it now.
        desk.trade(99.5)
        #expect(desk.take() == [])
        desk.trade(100.5)
        #expect(desk.takeHits() == ["entry 100.5 gap"])
    }

    @Test func anArmAtThatHasPassedArmsAtOnce() throws {
        var desk = Desk()
        desk.now = Day.at(20)
        try desk.add(desk.plan(armAt: Day.at(20)))
        #expect(desk.take() == ["→ draft created 99", "→ armed armed 99"])
    }

    // MARK: Rule 2, touch

    @Test(arguments: PlanSide.allCases) func firstXAtTheEntryEnters(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan())
        _ = desk.take()
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
        desk.trade(100)
        #expect(desk.takeHits() == ["entry 100"])
    }

    @Test(arguments: PlanSide.allCases) func touchTellsAGapEitherWay(_ side: PlanSide) throws {
        for (first, x, hit) in [
            (100.5, 99.99, "entry 99.99"), (100.5, 99.989, "entry 99.989 gap"), (99.5, 100.01, "entry 100.01"),
            (99.5, 100.02, "entry 100.02 gap"),
        ] {
            var desk = Desk(side: side)
            try desk.add(desk.plan())
            desk.trade(first, x)
            #expect(desk.takeHits() == [hit])
        }
    }

    @Test(arguments: PlanSide.allCases) func anEntryAtOrBeyondTheStopInvalidates(_ side: PlanSide) throws {
        for x in [99.0, 98.5] {
            var desk = Desk(side: side)
            let plan = try desk.add(desk.plan())
            desk.trade(100.5)
            _ = desk.take()
            desk.trade(x)
            let text = x == 99 ? "99" : "98.5"
            #expect(desk.take() == ["invalidated \(text) gap", "→ invalidated gapped_through_stop 99"])
            #expect(try desk.book.state(plan) == .invalidated)
            desk.trade(100, 101)
            #expect(desk.take() == [])
        }
    }

    @Test(arguments: PlanSide.allCases) func beforeTheEntryTheStopIsNotLookedAt(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan())
        // From below: the stop is crossed on the way, which says nothing yet.
        desk.trade(98, 98.5, 99.5)
        #expect(desk.takeHits() == [])
        desk.trade(100)
        #expect(desk.takeHits() == ["entry 100"])
    }

    @Test(arguments: PlanSide.allCases) func slippageIsInR(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        let plan = try desk.add(desk.plan(.breakout, stop: 99.6))
        desk.trade(100.1)
        guard let hit = try desk.book.snapshot(plan).hits.first else {
            Issue.record("no hit")
            return
        }
        #expect(hit.slippageR == 0.25)
        #expect(hit.isGap)
        #expect(hit.rule == .breakout)
        #expect(hit.index == 1 && hit.version == 1 && hit.target == nil)
    }

    // MARK: Rule 2, breakout

    @Test(arguments: PlanSide.allCases) func breakoutNeedsATickBeyond(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(.breakout))
        desk.trade(99.5, 100, 100.009999)
        #expect(desk.takeHits() == [])
        desk.trade(100.01)
        #expect(desk.takeHits() == ["entry 100.01"])
    }

    @Test(arguments: PlanSide.allCases) func breakoutEntersAlsoIfBeyondWhenArmed(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(.breakout))
        desk.trade(100.02)
        #expect(desk.takeHits() == ["entry 100.02 gap"])
    }

    @Test(arguments: PlanSide.allCases) func aTargetAlreadyPassedDoesNotStopAnEntry(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(.breakout))
        desk.trade(101.5)
        // Targets are looked at from the next x on.
        #expect(desk.takeHits() == ["entry 101.5 gap"])
        desk.trade(101.5)
        #expect(desk.takeHits() == ["target1 101.5"])
    }

    // MARK: Rule 2, retest

    @Test(arguments: PlanSide.allCases) func retestGoesBeyondAndComesBack(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        desk.band = price(0.05)
        try desk.add(desk.plan(.retest))
        desk.trade(100.059999, 100.04)
        #expect(desk.takeHits() == [])
        desk.trade(100.06, 100.050001)
        #expect(desk.takeHits() == [])
        desk.trade(100.05)
        #expect(desk.takeHits() == ["entry 100.05"])
    }

    @Test(arguments: PlanSide.allCases) func retestTakesTheBandAsItStands(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        desk.band = price(0.2)
        try desk.add(desk.plan(.retest))
        desk.trade(100.1)
        desk.band = price(0.05)
        desk.trade(100.1)
        // Beyond with the smaller band; back within the band that stands when it comes back.
        desk.band = price(0.01)
        desk.trade(100.03)
        #expect(desk.takeHits() == [])
        desk.band = price(0.03)
        desk.trade(100.03)
        #expect(desk.takeHits() == ["entry 100.03"])
    }

    @Test(arguments: PlanSide.allCases) func retestComesBackOnALaterEvent(_ side: PlanSide) throws {
        // 0.1·ATR larger than a tick beyond itself can't make one x do both.
        var desk = Desk(side: side)
        desk.band = .zero
        try desk.add(desk.plan(.retest))
        desk.trade(100.01)
        #expect(desk.takeHits() == [])
        desk.trade(99.98)
        #expect(desk.takeHits() == ["entry 99.98 gap"])
    }

    @Test(arguments: PlanSide.allCases) func retestThroughTheStopInvalidates(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(.retest))
        desk.trade(100.5, 98.9)
        #expect(desk.takeHits() == ["invalidated 98.9 gap"])
    }
}
