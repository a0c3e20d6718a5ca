import MarketData
import Plans
import Primitives
import Testing

/// Rules 3 to 9 of analytics.md 5, a table each, for a long and for its mirror image.
@Suite struct PlanBookManageTests {
    /// A desk with one plan that entered at 100.
    private func entered(_ side: PlanSide, _ change: (inout Plan) -> Void = { _ in }) throws -> (Desk, PlanHandle) {
        var desk = Desk(side: side)
        var plan = desk.plan()
        change(&plan)
        let handle = try desk.add(plan)
        desk.trade(100)
        _ = desk.take()
        return (desk, handle)
    }

    // MARK: Rule 3, stop

    @Test(arguments: PlanSide.allCases) func theStopClosesEverythingLeft(_ side: PlanSide) throws {
        var (desk, plan) = try entered(side)
        desk.trade(99.000001)
        #expect(desk.take() == [])
        desk.trade(101, 99)
        #expect(desk.take() == ["target1 101", "stop 99", "→ closed stop 99"])
        let snapshot = try desk.book.snapshot(plan)
        #expect(snapshot.filled == Fraction(micros: 500_000))
        #expect(snapshot.remaining == .zero)
        desk.trade(102, 98)
        #expect(desk.take() == [])
    }

    @Test(arguments: PlanSide.allCases) func theStopHitsAtX(_ side: PlanSide) throws {
        var (desk, _) = try entered(side)
        desk.trade(97.5)
        #expect(desk.takeHits() == ["stop 97.5"])
    }

    @Test(arguments: PlanSide.allCases) func theEntrysOwnXNeitherStopsNorHits(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(.breakout))
        desk.trade(104)
        #expect(desk.takeHits() == ["entry 104 gap"])
        // In the same millisecond, but the next x.
        desk.trade(98)
        #expect(desk.takeHits() == ["stop 98"])
    }

    // MARK: Rule 4, targets

    @Test(arguments: PlanSide.allCases) func oneXMayHitSeveralTargetsInOrder(_ side: PlanSide) throws {
        var (desk, plan) = try entered(side)
        desk.trade(102.5)
        #expect(desk.take() == ["target1 102.5", "target2 102.5"])
        desk.trade(103)
        #expect(desk.take() == ["target3 103", "→ closed targets 99"])
        let hits = try desk.book.snapshot(plan).hits
        #expect(hits.map(\.index) == [1, 2, 3, 4])
        #expect(hits.map(\.remaining.micros) == [1_000_000, 500_000, 200_000, 0])
        #expect(hits.map(\.target) == [nil, 1, 2, 3])
    }

    @Test(arguments: PlanSide.allCases) func aRestStaysWhereFractionsDoNotFillOne(_ side: PlanSide) throws {
        let half = [PlanTarget(price: mirrored(101, side), fraction: Fraction(micros: 500_000))]
        var (desk, plan) = try entered(side) { $0.targets = half }
        desk.trade(101, 105)
        #expect(desk.take() == ["target1 101"])
        #expect(try desk.book.snapshot(plan).remaining == Fraction(micros: 500_000))
        desk.trade(99)
        #expect(desk.take() == ["stop 99", "→ closed stop 99"])
    }

    // MARK: Rule 5, break-even

    @Test(arguments: PlanSide.allCases) func breakevenGoesToTheEntrysX(_ side: PlanSide) throws {
        var desk = Desk(side: side)
        try desk.add(desk.plan(breakevenAfter: 1))
        desk.trade(99.5, 100.2)
        _ = desk.take()
        desk.trade(101)
        #expect(desk.take() == ["target1 101", "→ entered breakeven 100.2"])
        desk.trade(100.2)
        #expect(desk.take() == ["breakeven 100.2", "→ closed breakeven 100.2"])
    }

    @Test(arguments: PlanSide.allCases) func breakevenIsInForceFromTheNextX(_ side: PlanSide) throws {
        // Entered far above the first target: the x that hits it lies below the new stop, and doesn't stop.
        var desk = Desk(side: side)
        try desk.add(desk.plan(.breakout, breakevenAfter: 1))
        desk.trade(101.8, 101.5)
        #expect(desk.takeHits() == ["entry 101.8 gap", "target1 101.5"])
        desk.trade(101.6)
        #expect(desk.takeHits() == ["breakeven 101.6"])
    }

    @Test(arguments: PlanSide.allCases) func breakevenNeverLowersATrail(_ side: PlanSide) throws {
        var (desk, _) = try entered(side) {
            $0.trail = PlanTrail(after: 1, distance: price(0.5))
            $0.breakevenAfter = 2
        }
        desk.trade(101)
        #expect(desk.take() == ["target1 101", "→ entered trail 100.5"])
        desk.trade(102)
        #expect(desk.take() == ["target2 102", "→ entered trail 101.5"])
        desk.trade(101.5)
        #expect(desk.take() == ["trail 101.5", "→ closed trail 101.5"])
    }

    // MARK: Rule 6, trail

    @Test(arguments: PlanSide.allCases) func theTrailFollowsTheHighestX(_ side: PlanSide) throws {
        var (desk, _) = try entered(side) { $0.trail = PlanTrail(after: 1, distance: price(0.5)) }
        desk.trade(100.9)
        #expect(desk.take() == [])
        desk.trade(101.2)
        #expect(desk.take() == ["target1 101.2", "→ entered trail 100.7"])
        desk.trade(101, 101.2)
        #expect(desk.take() == [])
        desk.trade(101.200001)
        #expect(desk.take() == ["→ entered trail 100.700001"])
        desk.trade(100.7)
        #expect(desk.take() == ["trail 100.7", "→ closed trail 100.700001"])
    }

    @Test(arguments: PlanSide.allCases) func aTrailBehindTheStopMovesNothing(_ side: PlanSide) throws {
        var (desk, _) = try entered(side) { $0.trail = PlanTrail(after: 1, distance: price(2.5)) }
        desk.trade(101, 101.4)
        #expect(desk.take() == ["target1 101"])
        desk.trade(99)
        #expect(desk.takeHits() == ["stop 99"])
    }

    @Test(arguments: PlanSide.allCases) func aTrailThatStandsAtBreakevenIsBreakeven(_ side: PlanSide) throws {
        var (desk, _) = try entered(side) {
            $0.trail = PlanTrail(after: 1, distance: price(1))
            $0.breakevenAfter = 1
        }
        desk.trade(101)
        #expect(desk.take() == ["target1 101", "→ entered breakeven 100"])
        desk.trade(99.9)
        #expect(desk.takeHits() == ["breakeven 99.9"])
    }

    // MARK: Rule 7, expiry

    @Test(arguments: PlanStyle.allCases) func stylesExpireEachInItsWay(_ style: PlanStyle) throws {
        for expiresAt in [nil, Day.at(60), Day.close.advanced(byNanos: 3_600 * 1_000_000_000)] {
            var desk = Desk()
            try desk.add(desk.plan(style: style, expiresAt: expiresAt))
            let close = style.endsWithSession ? Day.close : .distantFuture
            #expect(desk.book.nextDue == min(close, expiresAt ?? .distantFuture), "\(style) \(expiresAt as Any)")
        }
    }

    @Test(arguments: PlanSide.allCases) func anExpiryHasItsBoundaryAndTheLastX(_ side: PlanSide) throws {
        var (desk, plan) = try entered(side)
        desk.trade(100.25)
        desk.wait(until: Day.close.advanced(byNanos: -1))
        #expect(desk.take() == [])
        desk.wait(until: Day.close.advanced(byNanos: 30_000_000))
        #expect(desk.take() == ["expired 100.25", "→ expired expired 99"])
        #expect(try desk.book.snapshot(plan).hits.last?.time == Day.close)
        #expect(desk.book.nextDue == .distantFuture)
        #expect(desk.book.openCount == 0)
    }

    @Test func anExpiryWithoutAnyXHasNoPrice() throws {
        var desk = Desk()
        desk.trade(100)
        try desk.add(desk.plan())
        _ = desk.take()
        desk.wait(until: Day.close)
        #expect(desk.take() == ["expired", "→ expired expired 99"])
    }

    @Test func timersGoByBoundaryThenArmThenExpireThenCreation() throws {
        var desk = Desk()
        let late = try desk.add(desk.plan(armAt: Day.at(1), expiresAt: Day.at(30)))
        let arming = try desk.add(desk.plan(armAt: Day.at(20), expiresAt: Day.at(40)))
        let early = try desk.add(desk.plan(expiresAt: Day.at(20)))
        let twin = try desk.add(desk.plan(expiresAt: Day.at(20)))
        desk.out = []
        desk.wait(until: Day.at(50))
        let hits = desk.out.compactMap { outcome -> (PlanHandle, Bool)? in
            switch outcome {
            case .hit(let hit): (hit.plan, true)
            case .status(let status): status.reason == .armed ? (status.plan, false) : nil
            case .voided, .because: nil
            }
        }
        #expect(hits.map(\.0) == [late, arming, early, twin, late, arming])
        #expect(hits.map(\.1) == [false, false, true, true, true, true])
    }

    // MARK: Rule 9, amend and cancel

    @Test func cancelTakesEffectBetweenTwoEvents() throws {
        var (desk, plan) = try entered(.long)
        try desk.book.cancel(plan, expected: 1, into: &desk.out)
        #expect(desk.take() == ["→ cancelled cancelled 99"])
        desk.trade(99, 101)
        desk.wait(until: Day.close)
        #expect(desk.take() == [])
        #expect(throws: PlanBookError.self) { try desk.book.cancel(plan, into: &desk.out) }
    }

    @Test(arguments: PlanSide.allCases) func anAmendedEntryStartsAnew(_ side: PlanSide) throws {
        var (desk, plan) = try entered(side)
        var new = try desk.book.plan(plan)
        new.entry.price = mirrored(100.4, side)
        try desk.book.amend(
            plan,
            to: new,
            expected: 1,
            at: desk.placement,
            received: desk.now,
            limitsLive: false,
            into: &desk.out
        )
        #expect(desk.take() == ["→ draft amended 99", "→ armed armed 99"])
        desk.trade(100.5)
        #expect(desk.take() == [])
        desk.trade(100.4)
        #expect(desk.takeHits() == ["entry 100.4"])
        let snapshot = try desk.book.snapshot(plan)
        #expect(snapshot.version == 2)
        #expect(snapshot.hits.map(\.version) == [1, 2])
        #expect(snapshot.hits.map(\.index) == [1, 2])
    }

    @Test(arguments: PlanSide.allCases) func anAmendedStopKeepsTheState(_ side: PlanSide) throws {
        var (desk, plan) = try entered(side)
        var new = try desk.book.plan(plan)
        new.stop = mirrored(99.5, side)
        try desk.book.amend(plan, to: new, at: desk.placement, received: desk.now, limitsLive: false, into: &desk.out)
        #expect(desk.take() == ["→ entered amended 99.5"])
        desk.trade(99.5)
        #expect(desk.takeHits() == ["stop 99.5"])
    }

    @Test func anAmendmentOfAnotherVersionOrOfHitTargetsIsRefused() throws {
        var (desk, plan) = try entered(.long)
        desk.trade(101)
        var new = try desk.book.plan(plan)
        new.targets[0].price = price(101.5)
        let placement = desk.placement
        let before = try desk.book.snapshot(plan)
        for (expected, code) in [(Int32(7), PlanBookError.Code.versionConflict), (1, .targetsHit)] {
            do throws(PlanBookError) {
                try desk.book.amend(
                    plan,
                    to: new,
                    expected: expected,
                    at: placement,
                    received: desk.now,
                    limitsLive: false,
                    into: &desk.out
                )
                Issue.record("\(code) was taken")
            } catch {
                #expect(error.code == code)
            }
        }
        #expect(try desk.book.snapshot(plan) == before)
    }
}
