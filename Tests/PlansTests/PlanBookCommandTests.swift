import MarketData
import Primitives
import Testing

@testable import Plans

@Suite struct PlanBookCommandTests {
    private func code(_ body: () throws -> Void) -> PlanBookError.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? PlanBookError)?.code
        }
    }

    @Test func keepsEveryFieldOfAPlan() throws {
        var desk = Desk()
        var plan = desk.plan(trail: (2, 0.25), armAt: Day.at(5), expiresAt: Day.at(500))
        plan.owner = "u_ä"
        plan.visibility = .basic
        plan.contract = "O:SPY131019C00145000"
        plan.entry.zone = PriceZone(low: price(99.9), high: price(100.1))
        plan.breakevenAfter = 3
        plan.size = Size(shares: 250)
        plan.rationale = "gap and go, über VWAP"
        let handle = try desk.add(plan)
        #expect(try desk.book.plan(handle) == plan)
        #expect(desk.book.handle(id: "p_0") == handle)
        #expect(try desk.book.id(handle) == "p_0")
        #expect(try desk.book.triggerInstrument(handle) == Desk.symbol)
        plan.rationale = nil
        plan.entry.zone = nil
        try desk.book.amend(handle, to: plan, at: desk.placement, received: desk.now, into: &desk.out)
        plan.version = 2
        #expect(try desk.book.plan(handle) == plan)
    }

    @Test func anIdIsTakenUntilForgotten() throws {
        var desk = Desk()
        let plan = desk.plan()
        let handle = try desk.add(plan)
        let placement = desk.placement
        var out: [PlanOutcome] = []
        #expect(
            code {
                _ = try desk.book.add(plan, at: placement, received: Day.at(0), limitsLive: false, into: &out)
            } == .duplicate
        )
        #expect(code { try desk.book.forget(handle) } == .notOpen)
        try desk.book.cancel(handle, into: &desk.out)
        #expect(desk.book.count == 1)
        try desk.book.forget(handle)
        #expect(desk.book.count == 0 && desk.book.openCount == 0)
        #expect(desk.book.handle(id: "p_0") == nil)
        #expect(code { _ = try desk.book.plan(handle) } == .unknown)
        let next = try desk.book.add(plan, at: placement, received: desk.now, into: &desk.out)
        // The slot is used again; the old handle still names nothing.
        #expect(next.slot == handle.slot && next != handle)
        #expect(code { _ = try desk.book.snapshot(handle) } == .unknown)
    }

    @Test func oneLivePlanPerSymbolStyleAndOwner() throws {
        var desk = Desk()
        var plan = desk.plan()
        func add(_ change: (inout Plan) -> Void) -> PlanBookError.Code? {
            plan.id += "x"
            change(&plan)
            let (new, placement, now) = (plan, desk.placement, desk.now)
            var out: [PlanOutcome] = []
            return code { _ = try desk.book.add(new, at: placement, received: now, into: &out) }
        }
        #expect(add { _ in } == nil)
        #expect(add { _ in } == .liveLimit)
        #expect(add { $0.kind = .scenario } == nil)
        #expect(add { $0.kind = .scenario } == nil)
        #expect(
            add {
                $0.kind = .live
                $0.style = .swing
            } == nil
        )
        #expect(add { $0.owner = "u_2" } == nil)
        #expect(add { $0.symbol = "QQQ" } == nil)
        #expect(add { $0.owner = "u_1" } == nil)
        // Once the first is over there is room for another.
        desk.wait(until: Day.close)
        #expect(
            add {
                $0.symbol = "SPY"
                $0.style = .intraday
            } == nil
        )
    }

    @Test func theBookHasALimit() throws {
        var book = PlanBook(limit: 2)
        let desk = Desk()
        var out: [PlanOutcome] = []
        var plan = desk.plan()
        for id in ["a", "b"] {
            plan.id = id
            _ = try book.add(plan, at: desk.placement, received: desk.now, limitsLive: false, into: &out)
        }
        plan.id = "c"
        #expect(
            code { _ = try book.add(plan, at: desk.placement, received: desk.now, limitsLive: false, into: &out) }
                == .full
        )
    }

    /// Lazy deletion is bounded: a plan amended and cancelled over and over leaves a checkpoint as small as a fresh one.
    @Test func churnLeavesNothingBehind() throws {
        func size(_ book: PlanBook) -> Int {
            var writer = StateWriter()
            book.save(to: &writer)
            return writer.finish().count
        }
        var desk = Desk()
        func turn(_ desk: inout Desk) throws {
            let plan = desk.plan()
            let handle = try desk.add(plan)
            desk.trade(99.5, 100.2, 101)
            try desk.book.cancel(handle, into: &desk.out)
            try desk.book.forget(handle)
            desk.out = []
        }
        // Ids of one length only, so that their room is used again.
        for _ in 0..<10 { try turn(&desk) }
        for _ in 0..<90 { try turn(&desk) }
        let before = size(desk.book)
        for _ in 0..<800 { try turn(&desk) }
        #expect(size(desk.book) <= before + 64)
        #expect(desk.book.nextDue == .distantFuture)
        #expect(desk.book.timers.count == 0)
        #expect(desk.book.index.watchCount < 1_000)
    }

    /// The same without any x that would clear lists.
    @Test func amendmentsLeaveNothingBehind() throws {
        for type in EntryType.allCases {
            var desk = Desk()
            // Another plan's timer is the next one, so that dead timers don't come up by themselves.
            try desk.add(desk.plan(expiresAt: Day.at(1)))
            let plan = desk.plan(type)
            let handle = try desk.add(plan)
            for turn: Int64 in 0..<2_000 {
                var new = try desk.book.plan(handle)
                new.entry.price = Price(micros: 100_000_000 + turn % 2)
                new.expiresAt = Day.at(100 + turn)
                try desk.book.amend(
                    handle,
                    to: new,
                    at: desk.placement,
                    received: desk.now,
                    limitsLive: false,
                    into: &desk.out
                )
                desk.out = []
            }
            #expect(desk.book.timers.count < 100)
            #expect(desk.book.index.watchCount < 100)
            #expect(try desk.book.snapshot(handle).version == 2_001)
        }
    }
}
