import MarketData
import Plans
import Primitives
import Testing

/// What each trigger kind takes x from, sessions, halts and order (analytics.md 5), for a long and for its mirror image.
@Suite struct PlanBookTriggerTests {
    // MARK: Kinds

    @Test(arguments: PlanSide.allCases) func lastTakesTradesAlone(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(trigger: .last))
        desk.quote(enter: 100, leave: 100)
        #expect(desk.takeHits() == [])
        desk.trade(100)
        #expect(desk.takeHits() == ["entry 100"])
        desk.quote(enter: 98, leave: 98)
        #expect(desk.takeHits() == [])
    }

    @Test(arguments: [TriggerKind.mid, .bidask, .doublebidask]) func quoteKindsTakeNoTrades(_ kind: TriggerKind) throws
    {
        var desk = Desk()
        try desk.add(desk.plan(trigger: kind))
        desk.trade(100, 100)
        #expect(desk.takeHits() == [])
        #expect(desk.book.hasQuotePlans(Desk.symbol))
    }

    @Test func midIsRoundedDown() throws {
        for side in PlanSide.allCases {
            var desk = Desk(side: side)
            try desk.add(desk.plan(.breakout, trigger: .mid))
            // Long: 100.01 is the level; (100.009998 + 100.010001) / 2 rounds down to 100.009999.
            desk.quote(enter: 100.010001, leave: 100.009998)
            let expected = side == .long ? [] : ["entry 100.01"]
            // A short's level 99.99: (99.989999 + 99.990002) / 2 rounds down to 99.99, which reaches it.
            #expect(desk.takeHits() == expected)
            desk.quote(enter: 100.010001, leave: 100.009999)
            #expect(desk.takeHits() == (side == .long ? ["entry 100.01"] : []))
        }
    }

    @Test(arguments: PlanSide.allCases) func bidaskEntersOnOneSideAndLeavesOnTheOther(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(.breakout, trigger: .bidask))
        desk.quote(enter: 100, leave: 99.9)
        #expect(desk.takeHits() == [])
        desk.quote(enter: 100.01, leave: 99)
        #expect(desk.takeHits() == ["entry 100.01"])
        // The entering side reaches the target, the leaving side doesn't.
        desk.quote(enter: 101.2, leave: 100.99)
        #expect(desk.takeHits() == [])
        desk.quote(enter: 101.2, leave: 101)
        #expect(desk.takeHits() == ["target1 101"])
        desk.quote(enter: 99.5, leave: 99)
        #expect(desk.takeHits() == ["stop 99"])
    }

    @Test(arguments: PlanSide.allCases) func unusableQuotesGiveNoX(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(.breakout, trigger: .bidask))
        // Crossed: a long's ask below its bid.
        desk.quote(enter: 100.5, leave: 100.6)
        #expect(desk.takeHits() == [])
        // Locked is usable.
        desk.quote(enter: 100.5, leave: 100.5)
        #expect(desk.takeHits() == ["entry 100.5 gap"])
    }

    // MARK: doublebidask

    @Test(arguments: PlanSide.allCases) func aPairOfQuotesConfirms(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(.breakout, trigger: .doublebidask))
        desk.quote(enter: 100.03, leave: 100)
        // The first of the session has no pair.
        #expect(desk.takeHits() == [])
        desk.quote(enter: 100.02, leave: 100)
        // The price is the completing quote's.
        #expect(desk.takeHits() == ["entry 100.02 gap"])
        desk.quote(enter: 101.2, leave: 101.1)
        #expect(desk.takeHits() == [])
        desk.quote(enter: 101, leave: 100.9)
        desk.quote(enter: 101.2, leave: 101.05)
        #expect(desk.takeHits() == [])
        desk.quote(enter: 101.2, leave: 101)
        #expect(desk.takeHits() == ["target1 101"])
    }

    @Test(arguments: PlanSide.allCases) func aLargerSizeConfirmsWhateverThePriceBefore(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(.breakout, trigger: .doublebidask))
        desk.quote(enter: 99, leave: 98.9, enterSize: 5)
        desk.quote(enter: 100.01, leave: 98.9, enterSize: 5)
        #expect(desk.takeHits() == [])
        desk.quote(enter: 99, leave: 98.9, enterSize: 5)
        // The other side's size doesn't help.
        desk.quote(enter: 100.01, leave: 99.5, enterSize: 5, leaveSize: 9)
        #expect(desk.takeHits() == [])
        desk.quote(enter: 99, leave: 98.9, enterSize: 5)
        desk.quote(enter: 100.01, leave: 99.5, enterSize: 6)
        #expect(desk.takeHits() == ["entry 100.01"])
        desk.quote(enter: 100, leave: 99, leaveSize: 2)
        #expect(desk.takeHits() == ["stop 99"])
    }

    @Test(arguments: PlanSide.allCases) func thePrecedingQuoteMayBeOlderThanThePlan(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        let quote = desk.makeQuote(enter: 100.02, leave: 100)
        try desk.add(
            desk.plan(.breakout, trigger: .doublebidask),
            standing: StandingQuote(quote: quote, session: Day.rth)
        )
        desk.quote(enter: 100.02, leave: 100)
        #expect(desk.takeHits() == ["entry 100.02 gap"])
    }

    @Test(arguments: PlanSide.allCases) func thePairIsOfOneSession(_ side: PlanSide) throws {
        for other in [Day.pre, Day.nextRTH] {
            var desk = Desk(side: side)
            let quote = desk.makeQuote(enter: 100.02, leave: 100)
            try desk.add(
                desk.plan(.breakout, trigger: .doublebidask),
                standing: StandingQuote(quote: quote, session: other)
            )
            desk.quote(enter: 100.02, leave: 100)
            #expect(desk.takeHits() == [])
            desk.quote(enter: 100.02, leave: 100)
            #expect(desk.takeHits() == ["entry 100.02 gap"])
        }
    }

    @Test(arguments: PlanSide.allCases) func unusableQuotesBetweenAreSkipped(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(.breakout, trigger: .doublebidask))
        desk.quote(enter: 100.02, leave: 100)
        desk.quote(enter: 99, leave: 100)
        desk.quote(enter: 100.02, leave: 100)
        #expect(desk.takeHits() == ["entry 100.02 gap"])
    }

    @Test(arguments: PlanSide.allCases) func theEntrysQuoteMayBeTheFirstOfAPair(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(.breakout, trigger: .doublebidask))
        desk.quote(enter: 100.02, leave: 98.9)
        desk.quote(enter: 100.02, leave: 98.9)
        #expect(desk.takeHits() == ["entry 100.02 gap"])
        desk.quote(enter: 100.02, leave: 98.8)
        #expect(desk.takeHits() == ["stop 98.8"])
    }

    @Test(arguments: PlanSide.allCases) func touchSideStaysOpenUntilConfirmedOrDifferent(_ side: PlanSide) throws {
        // E unconfirmed leaves it open, E again confirms.
        var desk = Desk(side: side)
        try desk.add(desk.plan(trigger: .doublebidask))
        desk.quote(enter: 100, leave: 99.9)
        #expect(desk.takeHits() == [])
        desk.quote(enter: 100, leave: 99.9)
        #expect(desk.takeHits() == ["entry 100"])

        // E unconfirmed, then another x fixes the side; the pair (E, below) doesn't enter from below.
        desk = Desk(side: side)
        try desk.add(desk.plan(trigger: .doublebidask))
        desk.quote(enter: 100, leave: 99.9)
        desk.quote(enter: 99.95, leave: 99.9)
        desk.quote(enter: 99.9, leave: 99.8)
        #expect(desk.takeHits() == [])
        desk.quote(enter: 100.01, leave: 99.9)
        desk.quote(enter: 100, leave: 99.9)
        #expect(desk.takeHits() == ["entry 100"])
    }

    @Test(arguments: PlanSide.allCases) func theTrailTakesTheHighestConfirmed(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(trigger: .doublebidask, trail: (1, 0.5)))
        desk.quote(enter: 100, leave: 99.9)
        desk.quote(enter: 100, leave: 99.9)
        desk.quote(enter: 101.3, leave: 101)
        desk.quote(enter: 101.3, leave: 101.2)
        _ = desk.take().filter { $0.hasPrefix("entry") }
        // 101.2 isn't confirmed yet: the trail stands at 100.5.
        desk.quote(enter: 101.7, leave: 101.6)
        #expect(desk.take() == ["→ entered trail 100.7"])
    }

    // MARK: Sessions, lateness, halts

    @Test func onlyThePlansSessionsGiveAnX() throws {
        var desk = Desk()
        try desk.add(desk.plan(style: .swing))
        let both = try desk.add(desk.plan(style: .swing, sessions: [.rth, .post]))
        desk.session = Day.pre
        desk.now = Day.at(-100)
        desk.trade(100)
        desk.session = Day.post
        desk.now = Day.close
        desk.trade(100)
        #expect(desk.out.last?.plan == both)
        #expect(desk.takeHits() == ["entry 100"])
        desk.session = Day.nextRTH
        desk.now = Day.nextRTH.start
        desk.trade(100)
        #expect(desk.takeHits() == ["entry 100"])
    }

    @Test func anEventReceivedAfterItsSessionGivesNoX() throws {
        var desk = Desk()
        try desk.add(desk.plan(style: .swing))
        desk.now = Day.close
        desk.trade(100)
        #expect(desk.takeHits() == [])
        #expect(desk.book.lateCount == 1)
    }

    @Test func pricesOutOfRangeGiveNoX() throws {
        var desk = Desk()
        try desk.add(desk.plan())
        for micros in [Int64.min, -1, 0, TriggerRules.priceLimit.micros + 1, .max] {
            desk.book.traded(
                Price(micros: micros),
                on: Desk.symbol,
                session: Day.rth,
                time: desk.now,
                received: desk.now,
                band: Price(micros: .max),
                into: &desk.out
            )
        }
        #expect(desk.takeHits() == [])
        #expect(desk.book.unfitPriceCount == 5)
    }

    @Test(arguments: PlanSide.allCases) func aHaltFreezesAndThePairStartsAnew(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(.breakout, trigger: .doublebidask))
        try desk.add(desk.plan())
        desk.quote(enter: 100.02, leave: 100)
        desk.book.freeze(Desk.symbol)
        desk.quote(enter: 100.02, leave: 100)
        desk.trade(100)
        #expect(desk.takeHits() == [])
        #expect(desk.book.frozenCount == 2)
        desk.book.unfreeze(Desk.symbol)
        desk.quote(enter: 100.02, leave: 100)
        #expect(desk.takeHits() == [])
        desk.quote(enter: 100.02, leave: 100)
        desk.trade(100)
        #expect(desk.takeHits() == ["entry 100.02 gap", "entry 100"])
    }

    @Test func timersGoOnInAHalt() throws {
        var desk = Desk()
        try desk.add(desk.plan())
        desk.book.freeze(Desk.symbol)
        desk.wait(until: Day.close)
        #expect(desk.takeHits() == ["expired"])
    }

    // MARK: Order

    @Test func hitsOfOneEventComeInOrderOfCreation() throws {
        var desk = Desk()
        let kinds: [TriggerKind] = [.bidask, .mid, .doublebidask, .mid, .bidask]
        var plans: [PlanHandle] = []
        desk.quote(enter: 100.5, leave: 100.5)
        for kind in kinds {
            plans.append(
                try desk.add(
                    desk.plan(.breakout, trigger: kind),
                    standing: StandingQuote(quote: desk.makeQuote(enter: 101, leave: 101), session: Day.rth)
                )
            )
        }
        desk.out = []
        desk.quote(enter: 100.5, leave: 100.5, enterSize: 2, leaveSize: 2)
        let entered = desk.out.filter { outcome in
            if case .hit = outcome { return true }
            return false
        }
        #expect(entered.map(\.plan) == plans)
    }

    @Test func scenariosAreFrozen() throws {
        var desk = Desk()
        var plan = desk.plan()
        plan.kind = .scenario
        let handle = try desk.add(plan)
        desk.trade(100, 101)
        desk.wait(until: Day.close)
        #expect(desk.take() == ["→ draft created 99"])
        #expect(try desk.book.state(handle) == .draft)
    }

    // MARK: Extremes

    @Test(arguments: PlanSide.allCases) func excursionsRunFromTheNextXOn(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        let plan = try desk.add(desk.plan())
        desk.trade(100)
        #expect(try desk.book.snapshot(plan).favourable == nil)
        desk.trade(100.3, 99.4, 100.1)
        let snapshot = try desk.book.snapshot(plan)
        #expect(snapshot.favourable == price(0.3))
        #expect(snapshot.adverse == price(0.6))
        desk.trade(98)
        #expect(try desk.book.snapshot(plan).adverse == price(2))
        desk.trade(90)
        #expect(try desk.book.snapshot(plan).adverse == price(2))
    }
}
