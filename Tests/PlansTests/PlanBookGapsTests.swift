import MarketData
import Plans
import Primitives
import Testing

extension Desk {
    /// The source is lost now; what comes from now on is kept.
    mutating func lose() {
        book.blind(Self.symbol, from: now, defers: true, because: .sourceDown, into: &out)
        lost = now
    }

    /// The gap from `lose` to now is answered.
    mutating func repair(_ bars: [RepairBar]?) {
        book.repair(Self.symbol, from: lost, to: now, bars: bars, received: now, into: &out)
    }

    mutating func see() { book.seeing(Self.symbol, received: now, into: &out) }

    mutating func silence() { book.blind(Self.symbol, from: now, defers: false, because: .silence, into: &out) }
}

/// Blindness and deferral (analytics.md 5, Blind spots), for a long and for its mirror image.
@Suite struct PlanBookGapsTests {
    /// A desk with one plan that entered at 100.
    private func entered(_ side: PlanSide, _ change: (inout Plan) -> Void = { _ in }) throws -> Desk {
        var desk = Desk(side: side)
        var plan = desk.plan()
        change(&plan)
        try desk.add(plan)
        desk.trade(100)
        _ = desk.take()
        return desk
    }

    // MARK: Telling

    @Test func everyOpenPlanSaysSoOnceAndAgain() throws {
        var desk = Desk()
        try desk.add(desk.plan())
        try desk.add(desk.plan(armAt: Day.at(60)))
        let over = try desk.add(desk.plan())
        try desk.book.cancel(over, into: &desk.out)
        var scenario = desk.plan()
        scenario.kind = .scenario
        try desk.add(scenario)
        _ = desk.take()
        desk.silence()
        #expect(desk.take() == ["→ armed silence 99 blind", "→ draft silence 99 blind"])
        desk.silence()
        #expect(desk.take() == [])
        // Worse: now events are lost.
        desk.lose()
        #expect(desk.take() == ["→ armed source_down 99 blind", "→ draft source_down 99 blind"])
        desk.silence()
        #expect(desk.take() == [])
        #expect(desk.book.isBlind(Desk.symbol))
        desk.repair([])
        #expect(desk.take() == [])
        desk.see()
        #expect(desk.take() == ["→ armed seeing 99", "→ draft seeing 99"])
        desk.see()
        #expect(desk.take() == [] && !desk.book.isBlind(Desk.symbol) && !desk.book.defersAny)
    }

    @Test func aNewPlanIsBlindFromItsCreation() throws {
        var desk = Desk()
        desk.silence()
        let plan = try desk.add(desk.plan())
        #expect(desk.take() == ["→ draft created 99 blind", "→ armed armed 99 blind"])
        #expect(try desk.book.snapshot(plan).blind == .blind)
        desk.see()
        #expect(try desk.book.snapshot(plan).blind == .sees)
    }

    @Test func otherInstrumentsGoOn() throws {
        var desk = try entered(.long)
        desk.book.blind(SymbolID(index: 8), from: desk.now, defers: true, because: .overload, into: &desk.out)
        desk.trade(101)
        #expect(desk.take() == ["target1 101"])
    }

    // MARK: Silence and lag: nothing is kept

    @Test(arguments: PlanSide.allCases) func theFirstXOfASilenceMayBeLate(_ side: PlanSide) throws {
        var desk = try entered(side)
        desk.silence()
        _ = desk.take()
        desk.trade(101.2, 102)
        #expect(desk.takeHits() == ["target1 101.2 uncertain", "target2 102"])
    }

    @Test(arguments: PlanSide.allCases) func aFirstXThatHitsNothingSettlesIt(_ side: PlanSide) throws {
        var desk = try entered(side)
        desk.silence()
        desk.trade(100.5)
        desk.see()
        desk.trade(101)
        #expect(desk.takeHits() == ["target1 101"])
    }

    @Test func thePairRuleNeedsOneMore() throws {
        var desk = Desk()
        try desk.add(desk.plan(.breakout, trigger: .doublebidask))
        desk.quote(enter: 99.9, leave: 99.8)
        desk.quote(enter: 99.9, leave: 99.8)
        desk.silence()
        desk.quote(enter: 100.01, leave: 100)
        #expect(desk.takeHits() == [])
        desk.quote(enter: 100.01, leave: 100)
        #expect(desk.takeHits() == ["entry 100.01 uncertain"])
    }

    @Test func aPlanMadeWhileBlindMayHaveMissedItsEntry() throws {
        var desk = Desk()
        try desk.add(desk.plan())
        desk.silence()
        try desk.add(desk.plan(.breakout))
        desk.trade(100.01)
        #expect(desk.takeHits() == ["entry 100.01 uncertain"])
    }

    // MARK: Deferral

    @Test(arguments: PlanSide.allCases) func whatComesIsKeptUntilItIsSeen(_ side: PlanSide) throws {
        var desk = try entered(side)
        desk.lose()
        _ = desk.take()
        desk.trade(101, 98)
        #expect(desk.book.heldEvents(Desk.symbol) == 2 && desk.book.openGaps(Desk.symbol) == 1)
        desk.repair([])
        #expect(desk.take() == [] && desk.book.openGaps(Desk.symbol) == 0)
        desk.trade(102)
        #expect(desk.take() == [])
        desk.see()
        // Bars told that nothing happened: nothing is uncertain.
        #expect(desk.take() == ["target1 101", "stop 98", "→ closed stop 99 blind"])
    }

    @Test(arguments: PlanSide.allCases) func withoutBarsTheCrossingHasAnUncertainTime(_ side: PlanSide) throws {
        var desk = try entered(side)
        desk.lose()
        _ = desk.take()
        let from = desk.now
        desk.trade(101.5, 102)
        desk.repair(nil)
        let to = desk.now
        #expect(desk.take() == ["→ entered unrepaired 99 gap"])
        desk.see()
        #expect(desk.take() == ["target1 101.5 uncertain", "target2 102", "→ entered seeing 99 gap"])
        let plan = try #require(desk.book.handles.first)
        #expect(try desk.book.snapshot(plan).blind == .gap(from: from, to: to))
        #expect(desk.book.gapCounts.gaps == 1 && desk.book.gapCounts.unrepaired == 1)
    }

    @Test func seeingWithoutRepairLeavesTheGap() throws {
        var desk = try entered(.long)
        desk.lose()
        let from = desk.now
        _ = desk.take()
        desk.trade(99)
        let to = desk.now
        desk.see()
        let expected = ["→ entered unrepaired 99 gap", "stop 99 uncertain", "→ closed stop 99 blind"]
        #expect(desk.take() == expected)
        let plan = try #require(desk.book.handles.first)
        #expect(try desk.book.snapshot(plan).blind == .gap(from: from, to: to))
        // An answer that comes too late is for no gap.
        desk.repair([])
        #expect(desk.book.gapCounts.strayRepairs == 1)
    }

    @Test func causesAreTold() throws {
        var desk = try entered(.long)
        desk.lose()
        desk.trade(101)
        let held = desk.now
        desk.wait(until: Day.close)
        desk.repair([])
        desk.out = []
        desk.see()
        var causes: [String] = []
        var cause = PlanCause.input
        for outcome in desk.out {
            switch outcome {
            case .because(let other): cause = other
            case .hit(let hit):
                switch cause {
                case .held(let event): causes.append("\(hit.kind) \(event.received == held)")
                case .timer(let due): causes.append("\(hit.kind) \(due == Day.close)")
                default: causes.append("\(hit.kind) of another cause")
                }
            default: break
            }
        }
        #expect(causes == ["target true", "expired true"])
        #expect(cause == .input)
    }

    /// Timers keep their place among the events: the same as if nothing had been kept.
    @Test(arguments: PlanSide.allCases) func timersKeepTheirPlace(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(.breakout, expiresAt: Day.at(10)))
        try desk.add(desk.plan(.breakout, armAt: Day.at(10), expiresAt: Day.at(20)))
        desk.trade(99.9)
        desk.lose()
        _ = desk.take()
        desk.trade(100.5)
        desk.wait(until: Day.at(10))
        #expect(desk.book.nextDue == Day.at(20))
        desk.trade(100.6)
        desk.wait(until: Day.at(30))
        #expect(desk.take() == [] && desk.book.nextDue == .distantFuture)
        desk.repair([])
        desk.see()
        #expect(desk.takeHits() == ["entry 100.5 gap", "expired 100.5", "entry 100.6 gap", "expired 100.6"])
    }

    @Test func aPlanMadeMeanwhileIsArmedAtItsPlace() throws {
        var desk = Desk()
        desk.lose()
        desk.trade(100)
        let plan = try desk.add(desk.plan())
        #expect(desk.take() == ["→ draft created 99 blind"])
        #expect(try desk.book.plan(plan).armAt == nil)
        // The trade before it isn't its own: 100.2 is the first x.
        desk.trade(100.2, 100)
        desk.repair([])
        desk.see()
        #expect(
            desk.take() == ["→ armed armed 99 blind", "entry 100", "→ entered entered 99 blind", "→ entered seeing 99"]
        )
    }

    @Test func commandsActAtOnce() throws {
        var desk = try entered(.long)
        let first = try #require(desk.book.handles.first)
        let second = try desk.add(desk.plan())
        desk.lose()
        _ = desk.take()
        desk.trade(99, 100)
        try desk.book.cancel(second, into: &desk.out)
        var plan = try desk.book.plan(first)
        plan.stop = price(98)
        try desk.book.amend(first, to: plan, at: desk.placement, received: desk.now, limitsLive: false, into: &desk.out)
        #expect(desk.take() == ["→ cancelled cancelled 99 blind", "→ entered amended 98 blind"])
        desk.trade(98)
        desk.repair([])
        desk.see()
        #expect(desk.takeHits() == ["stop 98"])
    }

    @Test func eachGapHasItsOwnAnswer() throws {
        var desk = try entered(.long)
        desk.lose()
        let first = desk.now
        desk.wait(until: Day.at(10))
        desk.trade(100.5)
        desk.wait(until: Day.at(20))
        desk.lose()
        desk.wait(until: Day.at(30))
        desk.trade(102)
        #expect(desk.book.openGaps(Desk.symbol) == 2)
        _ = desk.take()
        let early = [bar(Day.at(5), 100, 100.2, 99.9, 100.1)]
        desk.book.repair(Desk.symbol, from: first, to: Day.at(10), bars: early, received: desk.now, into: &desk.out)
        #expect(desk.take() == [])
        desk.repair([bar(Day.at(25), 100.6, 101.1, 100.6, 101)])
        #expect(desk.takeHits() == ["target1 101 repaired"])
        desk.see()
        #expect(desk.takeHits() == ["target2 102"])
    }

    private func bar(_ start: Instant, _ o: Double, _ h: Double, _ l: Double, _ c: Double) -> RepairBar {
        RepairBar(
            start: start,
            seconds: 1,
            session: .rth,
            open: price(o),
            high: price(h),
            low: price(l),
            close: price(c)
        )
    }

    @Test func tooMuchGivesTheRepairUp() throws {
        var desk = try entered(.long)
        desk.lose()
        _ = desk.take()
        for _ in 0..<PlanBook.heldLimit { desk.trade(100.5) }
        #expect(desk.take() == [] && desk.book.heldEvents(Desk.symbol) == PlanBook.heldLimit)
        desk.trade(101)
        #expect(desk.take() == ["→ entered unrepaired 99 gap", "target1 101"])
        #expect(desk.book.gapCounts.overflows == 1 && !desk.book.defersAny)
        // Blind it stays, but nothing is kept any more.
        #expect(desk.book.isBlind(Desk.symbol))
        desk.trade(102)
        desk.repair([])
        #expect(desk.takeHits() == ["target2 102"])
        desk.see()
        #expect(desk.take() == ["→ entered seeing 99 gap"])
    }

    @Test func onlyWhatAPlanTakesIsKept() throws {
        var desk = try entered(.long)
        desk.lose()
        desk.quote(enter: 100, leave: 100)
        #expect(desk.book.heldEvents(Desk.symbol) == 0)
        try desk.add(desk.plan(trigger: .mid))
        desk.quote(enter: 100, leave: 100)
        desk.trade(100)
        #expect(desk.book.heldEvents(Desk.symbol) == 2)
    }

    @Test func aHaltMeanwhileKeepsItsPlace() throws {
        var desk = Desk()
        try desk.add(desk.plan(.breakout, trigger: .doublebidask))
        desk.lose()
        desk.quote(enter: 100.01, leave: 100)
        desk.book.freeze(Desk.symbol)
        desk.quote(enter: 100.01, leave: 100)
        desk.book.unfreeze(Desk.symbol)
        desk.quote(enter: 100.02, leave: 100)
        desk.repair([])
        desk.see()
        // Before and after the halt there was one quote each: no pair.
        #expect(desk.takeHits() == [])
        desk.quote(enter: 100.02, leave: 100)
        #expect(desk.takeHits() == ["entry 100.02 uncertain"] || desk.take() == [])
    }

    // MARK: The preceding quote is kept only where it is needed

    @Test func theStandingQuoteIsTakenWhenTheFirstQuotePlanComes() throws {
        var desk = Desk()
        try desk.add(desk.plan())
        desk.quote(enter: 99, leave: 98)
        desk.quote(enter: 100.01, leave: 100)
        let standing = StandingQuote(quote: desk.makeQuote(enter: 100.01, leave: 100), session: Day.rth)
        try desk.add(desk.plan(.breakout, trigger: .doublebidask), standing: standing)
        desk.quote(enter: 100.01, leave: 100)
        #expect(desk.takeHits() == ["entry 100.01"])
    }

    @Test func afterAHaltTheStandingQuoteIsOld() throws {
        for quotes in 0...1 {
            var desk = Desk()
            try desk.add(desk.plan())
            desk.quote(enter: 100.01, leave: 100)
            let standing = StandingQuote(quote: desk.makeQuote(enter: 100.01, leave: 100), session: Day.rth)
            desk.book.freeze(Desk.symbol)
            desk.book.unfreeze(Desk.symbol)
            for _ in 0..<quotes { desk.quote(enter: 100.01, leave: 100) }
            try desk.add(desk.plan(.breakout, trigger: .doublebidask), standing: standing)
            desk.quote(enter: 100.01, leave: 100)
            #expect(desk.takeHits() == (quotes == 0 ? [] : ["entry 100.01"]))
        }
    }
}
