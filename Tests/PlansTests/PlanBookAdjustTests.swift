import MarketData
import Primitives
import Testing

@testable import Plans

/// Corporate actions, busted trades, and plans that are forgotten.
@Suite struct PlanBookAdjustTests {
    private func half() throws -> PriceRatio { try #require(PriceRatio(1, over: 2)) }

    private func desk(_ side: PlanSide, _ change: (inout Plan) -> Void = { _ in }) throws -> (Desk, PlanHandle) {
        var desk = Desk(side: side)
        var plan = desk.plan(style: .swing, breakevenAfter: 1, trail: (after: 1, distance: 0.5))
        change(&plan)
        let handle = try desk.add(plan)
        _ = desk.take()
        return (desk, handle)
    }

    // MARK: Corporate actions

    @Test func everyPriceIsScaled() throws {
        var (desk, plan) = try desk(.long) {
            $0.entry.zone = PriceZone(low: Price(micros: 99_000_001), high: Price(micros: 101_000_000))
            $0.trail?.distance = Price(micros: 333_333)
        }
        let ratio = try #require(PriceRatio(1, over: 3))
        desk.book.adjust("SPY", by: ratio, received: desk.now, into: &desk.out)
        #expect(desk.take() == ["→ armed adjusted 33"])
        let new = try desk.book.plan(plan)
        #expect(new.version == 2 && new.entry.price.micros == 33_333_333 && new.stop.micros == 33_000_000)
        #expect(new.targets.map(\.price.micros) == [33_666_667, 34_000_000, 34_333_333])
        #expect(new.targets.map(\.fraction.micros) == [500_000, 300_000, 200_000])
        #expect(new.trail?.distance.micros == 111_111 && new.entry.zone?.low.micros == 33_000_000)
    }

    @Test func ratiosAreExactAndRoundHalfUp() {
        let cases: [(Int64, Int64, Int64, Int64?)] = [
            (1, 1, 2, 1), (3, 1, 2, 2), (5, 1, 4, 1), (6, 1, 4, 2), (100_000_000, 7, 13, 53_846_154), (-3, 1, 2, -2),
            (1_000_000_000_000_000, 2, 1, nil), (1_000_000_000_000_000, .max, .max, 1_000_000_000_000_000),
            (1_000_000_000_000_000, .max, 1, nil),
        ]
        for (value, numerator, denominator, expected) in cases {
            #expect(
                PriceRatio(numerator, over: denominator)?.scale(value) == expected,
                "\(value)·\(numerator)/\(denominator)"
            )
        }
        #expect(PriceRatio(0, over: 1) == nil && PriceRatio(1, over: -1) == nil)
    }

    /// The plan goes on in the new prices, and the step between them reaches nothing.
    @Test(arguments: PlanSide.allCases) func aSplitFiresNoStop(_ side: PlanSide) throws {
        let (before, after): (Double, Double) = (100, 50)
        var (desk, plan) = try desk(side)
        desk.trade(before, 101)
        #expect(desk.takeHits() == ["entry 100", "target1 101"])
        let old = try desk.book.snapshot(plan)
        desk.book.adjust("SPY", by: try half(), received: desk.now, into: &desk.out)
        let new = try desk.book.snapshot(plan)
        #expect(new.stop.micros * 2 == old.stop.micros && new.version == 2 && new.state == .entered)
        #expect(new.entryPrice.map { $0.micros * 2 } == old.entryPrice?.micros)
        #expect(new.favourable.map { $0.micros * 2 } == old.favourable?.micros)
        #expect(new.lastX.map { $0.micros * 2 } == old.lastX?.micros)
        desk.out = []
        // In half the prices the mirror of a short lies at half the middle.
        let x = { (long: Double) in side == .long ? price(long) : price(2 * after - long) }
        for next in [50.4, 50.6] {
            desk.tick()
            desk.feed(.trade(Trade(symbol: Desk.symbol, time: desk.now, price: x(next), size: Size(shares: 1))))
        }
        #expect(desk.takeHits() == [])
        desk.tick()
        desk.feed(.trade(Trade(symbol: Desk.symbol, time: desk.now, price: x(50.35), size: Size(shares: 1))))
        let hit = try #require(try desk.book.snapshot(plan).hits.last)
        #expect(hit.kind == .trail && hit.price == x(50.35) && hit.version == 2)
    }

    @Test func onlyOpenSwingAndLeapPlansOfTheUnderlying() throws {
        var desk = Desk()
        for style in PlanStyle.allCases { try desk.add(desk.plan(style: style)) }
        var other = desk.plan(style: .swing)
        other.symbol = "QQQ"
        try desk.add(other)
        var scenario = desk.plan(style: .leap)
        scenario.kind = .scenario
        try desk.add(scenario)
        let over = try desk.add(desk.plan(style: .leap))
        try desk.book.cancel(over, into: &desk.out)
        _ = desk.take()
        desk.book.adjust("SPY", by: try half(), received: desk.now, into: &desk.out)
        #expect(desk.take() == ["→ armed adjusted 49.5", "→ armed adjusted 49.5", "→ draft adjusted 49.5"])
        desk.book.adjust("IWM", by: try half(), received: desk.now, into: &desk.out)
        #expect(desk.take() == [])
    }

    @Test(arguments: PlanSide.allCases) func reviewFreezesUntilAnAmendment(_ side: PlanSide) throws {
        var (desk, plan) = try desk(side)
        desk.trade(100)
        _ = desk.take()
        desk.book.adjust("SPY", by: nil, received: desk.now, into: &desk.out)
        #expect(desk.take() == ["→ entered needs_review 99"])
        #expect(try desk.book.snapshot(plan).needsReview)
        desk.trade(50, 98, 105)
        #expect(desk.take() == [])
        desk.book.adjust("SPY", by: try half(), received: desk.now, into: &desk.out)
        #expect(desk.take() == [])
        var new = try desk.book.plan(plan)
        new.stop = mirrored(99.5, side)
        try desk.book.amend(plan, to: new, at: desk.placement, received: desk.now, into: &desk.out)
        #expect(desk.take() == ["→ draft amended 99.5", "→ armed armed 99.5"])
        desk.trade(100, 99.5)
        #expect(desk.takeHits() == ["entry 100", "stop 99.5"])
    }

    @Test func aFrozenPlanStillEnds() throws {
        for isDraft in [false, true] {
            var (desk, _) = try desk(.long) {
                $0.expiresAt = Day.at(100)
                $0.armAt = isDraft ? Day.at(50) : nil
            }
            desk.book.adjust("SPY", by: nil, received: desk.now, into: &desk.out)
            desk.wait(until: Day.at(60))
            desk.trade(100, 100)
            desk.out = []
            desk.wait(until: Day.at(100))
            #expect(desk.takeHits() == ["expired"])
            #expect(desk.book.openCount == 0)
        }
    }

    @Test func whatCanNotBeScaledNeedsReview() throws {
        var (tight, _) = try desk(.long) { $0.stop = Price(micros: 99_999_999) }
        tight.book.adjust("SPY", by: PriceRatio(1, over: 10), received: tight.now, into: &tight.out)
        #expect(tight.take() == ["→ armed needs_review 99.999999"])
        var (contract, _) = try desk(.long) {
            $0.contract = "O:SPY"
            $0.triggerOn = .contract
        }
        contract.book.adjust("SPY", by: try half(), received: contract.now, into: &contract.out)
        #expect(contract.take() == ["→ armed needs_review 99"])
    }

    @Test func whatIsKeptIsInOldPrices() throws {
        var (desk, _) = try desk(.long)
        desk.trade(100)
        desk.lose()
        desk.trade(101)
        _ = desk.take()
        desk.book.adjust("SPY", by: try half(), received: desk.now, into: &desk.out)
        #expect(desk.takeHits() == ["target1 101 uncertain"])
        #expect(desk.book.isBlind(Desk.symbol) && !desk.book.defersAny)
    }

    // MARK: Busts

    /// Remembers what a core remembers: the trade of each hit.
    private func remember(_ desk: inout Desk, _ trade: Trade) {
        for case .hit(let hit) in desk.out { desk.book.remember(hit, from: trade) }
    }

    private func trade(_ desk: Desk, _ x: Double, id: UInt64 = 0, sequence: Int64 = 0) -> Trade {
        Trade(
            symbol: Desk.symbol,
            exchange: 4,
            time: desk.now,
            sequence: sequence,
            price: price(x),
            size: Size(shares: 7),
            idHash: id
        )
    }

    @Test(arguments: [(0, 0), (77, 0), (0, 9), (77, 9)] as [(UInt64, Int64)])
    func aBustVoidsTheHitsOfItsTradeOnce(_ id: UInt64, _ sequence: Int64) throws {
        var desk = Desk()
        let first = try desk.add(desk.plan())
        try desk.add(desk.plan())
        let entry = trade(desk, 100, id: id, sequence: sequence)
        desk.out = []
        desk.feed(.trade(entry))
        remember(&desk, entry)
        desk.out = []
        var bust = TradeBust(
            symbol: Desk.symbol,
            exchange: 4,
            sequence: sequence,
            idHash: id,
            price: price(100),
            size: Size(shares: 7),
            time: entry.time,
            received: desk.now
        )
        var other = bust
        other.idHash = id == 0 ? 0 : 78
        other.sequence = sequence == 0 ? 0 : 10
        other.price = price(101)
        desk.book.void(other, into: &desk.out)
        #expect(desk.take() == [])
        // Named by id or sequence, the rest may be another's rounding.
        if id != 0 || sequence != 0 { bust.price = price(101) }
        desk.book.void(bust, into: &desk.out)
        #expect(desk.out.map(\.plan?.order) == [1, 2])
        guard case .voided(let void)? = desk.out.first else {
            Issue.record("nothing was voided")
            return
        }
        #expect(void.hit.isVoided && void.hit.kind == .entry && void.hit.index == 1 && void.bust == bust)
        let snapshot = try desk.book.snapshot(first)
        #expect(snapshot.state == .entered && snapshot.hits.map(\.isVoided) == [true])
        desk.out = []
        desk.book.void(bust, into: &desk.out)
        #expect(desk.take() == [] && desk.book.gapCounts.voided == 2)
    }

    @Test func hitsOfForgottenPlansAreCounted() throws {
        var desk = Desk()
        let plan = try desk.add(desk.plan())
        let entry = trade(desk, 100, sequence: 3)
        desk.feed(.trade(entry))
        remember(&desk, entry)
        try desk.book.cancel(plan, into: &desk.out)
        try desk.book.forget(plan)
        desk.out = []
        let bust = TradeBust(
            symbol: Desk.symbol,
            sequence: 3,
            price: price(100),
            size: Size(shares: 7),
            time: entry.time,
            received: desk.now
        )
        desk.book.void(bust, into: &desk.out)
        #expect(desk.take() == [] && desk.book.gapCounts.forgottenVoids == 1)
    }

    // MARK: Forgetting

    @Test func finishedPlansAreForgottenOldestFirst() throws {
        var book = PlanBook(limit: 2, finishedLimit: 3)
        let desk = Desk()
        var out: [PlanOutcome] = []
        var plan = desk.plan()
        for number in 0..<300 {
            plan.id = "p\(number)"
            let handle = try book.add(plan, at: desk.placement, received: desk.now, into: &out)
            try book.cancel(handle, into: &out)
            // Before it is said that all is out nothing is forgotten.
            #expect(book.handle(id: plan.id) == handle)
            book.forgetFinished()
            #expect(book.count == min(number + 1, 3) && book.openCount == 0)
            #expect(book.handle(id: "p\(number - 2)") != nil || number < 2)
            #expect(book.handle(id: "p\(number - 3)") == nil)
            guard number % 50 == 7 else { continue }
            var writer = StateWriter()
            book.save(to: &writer)
            var reader = StateReader(writer.finish())
            book = try PlanBook(restoring: &reader)
        }
    }
}
