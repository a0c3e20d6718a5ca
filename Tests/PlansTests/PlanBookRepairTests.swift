import MarketData
import Plans
import Primitives
import Testing

/// Repair from bars (analytics.md 5, rule 8), a table for each rule, for a long and for its mirror image.
@Suite struct PlanBookRepairTests {
    /// A bar by the prices that a long sees, `seconds` after the gap's start.
    private func bar(
        _ side: PlanSide,
        at second: Int64 = 10,
        _ open: Double,
        _ high: Double,
        _ low: Double,
        _ close: Double,
        seconds: Int32 = 1,
        session: SessionKind = .rth
    ) -> RepairBar {
        RepairBar(
            start: Day.at(second),
            seconds: seconds,
            session: session,
            open: mirrored(open, side),
            high: mirrored(side == .long ? high : low, side),
            low: mirrored(side == .long ? low : high, side),
            close: mirrored(close, side)
        )
    }

    /// Steps a plan through bars of a gap from 10 s to 20 s; `before` are the trades before it.
    private func hits(
        _ side: PlanSide,
        _ plan: (Desk) -> Plan = { $0.plan() },
        before: [Double],
        _ bars: [RepairBar],
        after: [Double] = []
    ) throws -> [String] {
        var desk = Desk(side: side)
        try desk.add(plan(desk))
        for x in before { desk.trade(x) }
        desk.wait(until: Day.at(10))
        desk.lose()
        _ = desk.take()
        desk.wait(until: Day.at(20))
        desk.repair(bars)
        for x in after { desk.trade(x) }
        desk.see()
        return desk.takeHits()
    }

    @Test(arguments: PlanSide.allCases) func aLevelInsideIsHitAtItsPrice(_ side: PlanSide) throws {
        let target = try hits(side, before: [100], [bar(side, 100.5, 101.2, 100.4, 101.1)])
        #expect(target == ["target1 101 repaired"])
        let several = try hits(side, before: [100], [bar(side, 100.5, 103, 100.4, 102)])
        #expect(several == ["target1 101 repaired", "target2 102 repaired", "target3 103 repaired"])
        let stop = try hits(side, before: [100], [bar(side, 99.5, 99.6, 98.7, 99.2)])
        #expect(stop == ["stop 99 repaired"])
    }

    @Test(arguments: PlanSide.allCases) func anOpenBeyondIsHitAtTheOpen(_ side: PlanSide) throws {
        #expect(try hits(side, before: [100], [bar(side, 98, 98.5, 97, 98)]) == ["stop 98 repaired"])
        #expect(try hits(side, before: [100], [bar(side, 101.4, 101.6, 101.2, 101.5)]) == ["target1 101.4 repaired"])
        // The open came first: nothing is ambiguous about a stop there, whatever came after.
        #expect(try hits(side, before: [100], [bar(side, 98, 104, 97, 98)]) == ["stop 98 repaired"])
    }

    @Test(arguments: PlanSide.allCases) func theStopCountsWhereBothWereReached(_ side: PlanSide) throws {
        let found = try hits(side, before: [100], [bar(side, 100.5, 101.2, 98.9, 101.1)])
        #expect(found == ["stop 99 repaired ambiguous"])
    }

    @Test(arguments: PlanSide.allCases) func barsGoInOrderOfTime(_ side: PlanSide) throws {
        let bars = [bar(side, at: 14, 100.9, 101.1, 98.5, 99), bar(side, at: 12, 100.2, 101, 100, 100.9)]
        let found = try hits(side, before: [100], bars)
        #expect(found == ["target1 101 repaired", "stop 99 repaired"])
    }

    @Test func theTimeIsTheBarsStart() throws {
        var desk = Desk()
        let plan = try desk.add(desk.plan())
        desk.trade(100)
        desk.lose()
        desk.wait(until: Day.at(20))
        desk.out = []
        let bar = bar(.long, at: 12, 100.2, 101, 100, 100.9)
        desk.repair([bar])
        #expect(desk.out.first == .because(.bar(bar)))
        #expect(desk.out.last == .because(.input))
        let hit = try #require(try desk.book.snapshot(plan).hits.last)
        #expect(hit.time == Day.at(12) && hit.isRepaired && hit.kind == .target)
    }

    // MARK: Entry

    @Test(arguments: PlanSide.allCases) func touchEntersAtE(_ side: PlanSide) throws {
        #expect(try hits(side, before: [99.5], [bar(side, 99.6, 100.4, 99.5, 100.2)]) == ["entry 100 repaired"])
        #expect(try hits(side, before: [100.5], [bar(side, 100.4, 100.5, 99.8, 100.2)]) == ["entry 100 repaired"])
        #expect(try hits(side, before: [99.5], [bar(side, 100.3, 100.4, 100.2, 100.2)]) == ["entry 100.3 gap repaired"])
        // No x before: the open fixes the side.
        #expect(try hits(side, before: [], [bar(side, 99.6, 100.4, 99.5, 100.2)]) == ["entry 100 repaired"])
        #expect(try hits(side, before: [], [bar(side, 100, 100.4, 99.5, 100.2)]) == ["entry 100 repaired"])
    }

    @Test(arguments: PlanSide.allCases) func breakoutAndRetestEnterAtTheirLevels(_ side: PlanSide) throws {
        let breakout = try hits(side, { $0.plan(.breakout) }, before: [99.5], [bar(side, 99.6, 100.4, 99.5, 100.2)])
        #expect(breakout == ["entry 100.01 repaired"])
        let opened = try hits(side, { $0.plan(.breakout) }, before: [99.5], [bar(side, 100.3, 100.4, 100.2, 100.2)])
        #expect(opened == ["entry 100.3 gap repaired"])
        let two = [bar(side, 100.005, 100.4, 100.005, 100.2), bar(side, at: 11, 100.2, 100.3, 99.7, 100.1)]
        #expect(try hits(side, { $0.plan(.retest) }, before: [99.5], two) == ["entry 100 repaired"])
        // One bar that goes beyond and may come back: it comes back in a later one, and says that it may be late.
        let one = [bar(side, 99.6, 100.4, 99.5, 100.2)]
        let late = try hits(side, { $0.plan(.retest) }, before: [99.5], one, after: [100])
        #expect(late == ["entry 100 ambiguous"])
    }

    @Test(arguments: PlanSide.allCases) func anOpenThroughTheStopInvalidates(_ side: PlanSide) throws {
        let found = try hits(side, before: [100.5], [bar(side, 98.5, 100.1, 98, 99)])
        #expect(found == ["invalidated 98.5 gap repaired"])
    }

    /// The stop in the bar of the entry counts, and is doubtful; targets don't count, and what follows says so.
    @Test(arguments: PlanSide.allCases) func theBarOfTheEntry(_ side: PlanSide) throws {
        let stopped = try hits(side, before: [100.5], [bar(side, 100.4, 100.5, 98.9, 99.5)])
        #expect(stopped == ["entry 100 repaired", "stop 99 repaired ambiguous"])
        let both = try hits(side, before: [99.5], [bar(side, 99.6, 101.2, 98.9, 99.5)])
        #expect(both == ["entry 100 repaired", "stop 99 repaired ambiguous"])
        // From below the high came later, but may be the entry's own x; from above it may have come before.
        let below = try hits(side, before: [99.5], [bar(side, 99.6, 101.2, 99.4, 101)], after: [101])
        #expect(below == ["entry 100 repaired", "target1 101 ambiguous"])
        let above = try hits(side, before: [100.5], [bar(side, 100.4, 101.2, 99.9, 100.5)], after: [101])
        #expect(above == ["entry 100 repaired", "target1 101 ambiguous"])
        // An open that enters is an x of its own: the rest of the bar came after it.
        let open = try hits(side, before: [99.5], [bar(side, 100, 101.2, 99.9, 100.5)], after: [102])
        #expect(open == ["entry 100 repaired", "target1 101 repaired", "target2 102"])
    }

    // MARK: Break-even and trail

    @Test(arguments: PlanSide.allCases) func aRaisedStopHoldsFromTheNextBarOn(_ side: PlanSide) throws {
        let plan = { (desk: Desk) in desk.plan(breakevenAfter: 1) }
        let next = [bar(side, 100.5, 101, 100.4, 100.6), bar(side, at: 11, 100.6, 100.7, 99.9, 100)]
        let found = try hits(side, plan, before: [100], next)
        #expect(found == ["target1 101 repaired", "breakeven 100 repaired"])
        // In the same bar it may have been: then all that follows is doubtful.
        let same = [bar(side, 100.5, 101, 99.9, 100.6), bar(side, at: 11, 100.6, 102, 100.5, 100.6)]
        let doubtful = try hits(side, plan, before: [100], same)
        #expect(doubtful == ["target1 101 repaired", "target2 102 repaired ambiguous"])
        // What the open did holds inside the bar.
        let open = try hits(side, plan, before: [100], [bar(side, 101, 101, 99.9, 100.6)])
        #expect(open == ["target1 101 repaired", "breakeven 100 repaired"])
    }

    @Test(arguments: PlanSide.allCases) func theTrailFollowsTheHighFromTheNextBarOn(_ side: PlanSide) throws {
        let plan = { (desk: Desk) in desk.plan(trail: (after: 1, distance: 0.5)) }
        let bars = [bar(side, 100.9, 101.8, 101.4, 101.7), bar(side, at: 11, 101.7, 101.75, 101.2, 101.3)]
        // The first opens at 100.9, so its low is no lower than what a bar can be.
        let first = [bar(side, 101.4, 101.8, 101.4, 101.7)] + bars.dropFirst()
        let found = try hits(side, plan, before: [100], first)
        #expect(found == ["target1 101.4 repaired", "trail 101.3 repaired"])
        let doubt = try hits(side, plan, before: [100], [bar(side, 101.4, 101.8, 101.2, 101.7)], after: [101.2])
        #expect(doubt == ["target1 101.4 repaired", "trail 101.2 ambiguous"])
    }

    // MARK: Which bars count

    @Test(arguments: PlanSide.allCases) func onlyBarsOfTheGapAndOfThePlansSessions(_ side: PlanSide) throws {
        let bars = [
            bar(side, at: 8, 100.5, 101.2, 100.4, 101.1), bar(side, at: 21, 100.5, 101.2, 100.4, 101.1),
            bar(side, at: 15, 100.5, 101.2, 100.4, 101.1, session: .pre),
        ]
        #expect(try hits(side, before: [100], bars) == [])
    }

    @Test(arguments: PlanSide.allCases) func aBarThatBeganBeforeTheGapHasNoOpen(_ side: PlanSide) throws {
        // Its open lies beyond the target, but would have hit it before the gap.
        let early = bar(side, at: 5, 100.2, 101.2, 100.1, 100.5, seconds: 10)
        #expect(try hits(side, before: [100], [early]) == ["target1 101 repaired"])
        // A plan that entered inside this bar: its extremes may be of before.
        var desk = Desk(side: side)
        try desk.add(desk.plan())
        desk.wait(until: Day.at(7))
        desk.trade(101.2, 100)
        desk.wait(until: Day.at(10))
        desk.lose()
        desk.out = []
        desk.repair([early])
        desk.see()
        #expect(desk.takeHits() == [])
        desk.trade(101)
        #expect(desk.takeHits() == ["target1 101 ambiguous"])
    }

    @Test(arguments: PlanSide.allCases) func ofABarThatEndsAfterTheGapOnlyWhatTheKeptDoNotShow(_ side: PlanSide) throws
    {
        for (high, expected) in [
            (101.2, ["target1 101.2 uncertain", "target2 102"]),
            (101.4, ["target1 101 repaired ambiguous", "target2 102 ambiguous"]),
        ] {
            var desk = Desk(side: side)
            try desk.add(desk.plan())
            desk.trade(100)
            desk.wait(until: Day.at(10))
            desk.lose()
            desk.out = []
            desk.wait(until: Day.at(20))
            let to = desk.now
            desk.trade(101.2)
            desk.wait(until: Day.at(22))
            desk.trade(102)
            let late = bar(side, at: 19, 100.1, high, 100.1, 100.5, seconds: 2)
            desk.book.repair(Desk.symbol, from: desk.lost, to: to, bars: [late], received: desk.now, into: &desk.out)
            desk.see()
            #expect(desk.takeHits() == expected)
        }
    }

    @Test func barsThatCanNotBeAreCounted() throws {
        var bad = bar(.long, at: 12, 100.5, 101.2, 100.4, 101.1)
        bad.low = price(101)
        var desk = Desk()
        try desk.add(desk.plan())
        desk.trade(100)
        desk.lose()
        desk.wait(until: Day.at(20))
        let twice = bar(.long, at: 14, 100.2, 100.3, 100.1, 100.2, seconds: 2)
        desk.repair([bad, twice, twice])
        #expect(desk.book.gapCounts.unfitBars == 2)
        #expect(desk.takeHits() == ["entry 100"])
    }

    // MARK: Timers

    @Test(arguments: PlanSide.allCases) func timersInTheGapKeepTheirPlaceAmongTheBars(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(.breakout, expiresAt: Day.at(12)))
        try desk.add(desk.plan(.breakout, armAt: Day.at(12)))
        desk.trade(99.5)
        desk.wait(until: Day.at(10))
        desk.lose()
        desk.wait(until: Day.at(20))
        desk.out = []
        let up = { bar(side, at: $0, 99.6, 100.4, 99.5, 100.2) }
        desk.repair([up(11), up(12)])
        #expect(desk.takeHits() == ["entry 100.01 repaired", "expired 100.2", "entry 100.01 repaired"])
        desk.see()
        #expect(desk.takeHits() == [])
    }

    @Test func anExpiryInsideABarMakesItDoubtful() throws {
        var desk = Desk()
        try desk.add(desk.plan(.breakout, expiresAt: Day.at(12)))
        desk.trade(99.5)
        desk.lose()
        desk.wait(until: Day.at(20))
        desk.out = []
        desk.repair([bar(.long, at: 10, 99.6, 100.4, 99.5, 100.2, seconds: 5)])
        desk.see()
        #expect(desk.takeHits() == ["entry 100.01 repaired ambiguous", "expired 100.2 ambiguous"])
    }

    // MARK: Quotes

    @Test func plansOnQuotesAreNotRepairedFromBars() throws {
        for trigger in [TriggerKind.mid, .bidask, .doublebidask] {
            var desk = Desk()
            let plan = try desk.add(desk.plan(.breakout, trigger: trigger))
            desk.quote(enter: 99.5, leave: 99.5)
            desk.lose()
            let from = desk.now
            desk.wait(until: Day.at(20))
            desk.quote(enter: 100.02, leave: 100.02)
            desk.quote(enter: 100.02, leave: 100.02)
            _ = desk.take()
            desk.repair([bar(.long, 99.6, 100.4, 99.5, 100.2)])
            #expect(desk.take() == ["→ armed unrepaired 99 gap"])
            desk.see()
            #expect(desk.takeHits() == ["entry 100.02 gap uncertain"])
            #expect(try desk.book.snapshot(plan).blind == .gap(from: from, to: desk.now))
        }
    }
}
