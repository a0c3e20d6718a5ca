import MarketData
import Plans
import Primitives
import Testing

@Suite struct PlanDraftTests {
    private let context = PlanContext(owner: "u_1", now: Day.at(0))

    private func number(_ text: String) -> DraftNumber { DraftNumber(text: Array(text.utf8)) }

    /// The example of analytics.md 5.
    private var example: PlanDraft {
        var draft = PlanDraft()
        draft.id = "p_1"
        draft.visibility = "private"
        draft.symbol = "SPY"
        draft.triggerOn = "underlying"
        draft.side = "long"
        draft.style = "intraday"
        draft.kind = "live"
        draft.trigger = "last"
        draft.entryType = "touch"
        draft.entryPrice = number("145.10")
        draft.stopPrice = number("144.80")
        draft.targets = [
            DraftTarget(price: number("145.40"), fraction: number("0.5")),
            DraftTarget(price: number("145.70"), fraction: number("0.3")),
            DraftTarget(price: number("146.20"), fraction: number("0.2")),
        ]
        draft.breakevenAfter = number("1")
        draft.trailAfter = number("2")
        draft.trailDistance = number("0.25")
        draft.sessions = ["rth"]
        draft.armAt = .instant(Day.open)
        return draft
    }

    private func problems(_ change: (inout PlanDraft) -> Void) -> [PlanProblem] {
        var draft = example
        change(&draft)
        do throws(PlanRejection) {
            _ = try draft.validate(in: context)
            return []
        } catch {
            return error.problems
        }
    }

    private func fields(_ change: (inout PlanDraft) -> Void) -> [String] { problems(change).map(\.field) }

    @Test func takesTheExample() throws {
        let plan = try example.validate(in: context)
        #expect(plan.owner == "u_1" && plan.version == 1 && plan.symbol == "SPY")
        #expect(plan.entry == PlanEntry(type: .touch, price: price(145.1)))
        #expect(plan.stop == price(144.8))
        #expect(plan.targets.map(\.fraction.micros) == [500_000, 300_000, 200_000])
        #expect(plan.breakevenAfter == 1)
        #expect(plan.trail == PlanTrail(after: 2, distance: price(0.25)))
        #expect(plan.sessions == .rth && plan.armAt == Day.open && plan.expiresAt == nil)
        #expect(try PlanDraft(plan).validate(in: context) == plan)
    }

    @Test func fillsDefaults() throws {
        var draft = example
        draft.visibility = nil
        draft.triggerOn = nil
        draft.kind = nil
        draft.trigger = nil
        draft.sessions = nil
        draft.armAt = nil
        draft.breakevenAfter = nil
        draft.trailAfter = nil
        draft.trailDistance = nil
        let plan = try draft.validate(in: context)
        #expect(plan.visibility == .private && plan.triggerOn == .underlying && plan.kind == .live)
        #expect(plan.trigger == .last && plan.sessions == .rth && plan.breakevenAfter == nil && plan.trail == nil)

        draft.contract = "O:SPY131019C00145000"
        draft.triggerOn = "contract"
        #expect(try draft.validate(in: context).trigger == .doublebidask)
        #expect(try draft.validate(in: context).triggerSymbol == "O:SPY131019C00145000")
    }

    @Test func givesAnIdWhereThereIsNone() throws {
        var draft = example
        draft.id = nil
        var context = context
        #expect(throws: PlanRejection.self) { try draft.validate(in: context) }
        context.id = "p_new"
        #expect(try draft.validate(in: context).id == "p_new")
    }

    @Test func namesTheFieldOfEachRefusal() {
        #expect(fields { $0.id = "a b" } == ["id"])
        #expect(fields { $0.id = String(repeating: "x", count: 65) } == ["id"])
        #expect(fields { $0.visibility = "all" } == ["visibility"])
        #expect(fields { $0.symbol = nil } == ["symbol"])
        #expect(fields { $0.symbol = "S PY" } == ["symbol"])
        #expect(fields { $0.triggerOn = "contract" } == ["contract"])
        #expect(fields { $0.contract = "QQQ" } == ["contract"])
        #expect(fields { $0.contract = "O:QQQ131019C00145000" } == ["contract"])
        #expect(fields { $0.triggerOn = "me" } == ["triggerOn"])
        #expect(fields { $0.side = "up" } == ["side"])
        #expect(fields { $0.style = nil } == ["style"])
        #expect(fields { $0.kind = "draft" } == ["kind"])
        #expect(fields { $0.trigger = "ask" } == ["trigger"])
        #expect(fields { $0.entryType = "market" } == ["entry.type"])
        #expect(fields { $0.entryPrice = nil } == ["entry.price"])
        #expect(fields { $0.entryZone = [.micros(1)] } == ["entry.zone"])
        #expect(fields { $0.entryZone = [.micros(2), .micros(1)] } == ["entry.zone"])
        #expect(fields { $0.entryZone = [.micros(0), .micros(1)] } == ["entry.zone[0]"])
        #expect(fields { $0.stopPrice = nil } == ["stop.price"])
        #expect(fields { $0.targets = nil } == ["targets"])
        #expect(fields { $0.sessions = ["rth", "lunch"] } == ["sessions[1]"])
        #expect(fields { $0.sessions = [] } == ["sessions"])
        #expect(fields { $0.armAt = .unreadable("noon") } == ["armAt"])
        #expect(fields { $0.expiresAt = .instant(Day.open) } == ["expiresAt"])
        #expect(fields { $0.size = .micros(0) } == ["size"])
        #expect(fields { $0.rationale = String(repeating: "é", count: 2_001) } == ["rationale"])
        #expect(fields { $0.rationale = String(repeating: "é", count: 2_000) } == [])
    }

    @Test func levelsMustLieInOrder() {
        #expect(fields { $0.stopPrice = .micros(145_100_000) } == ["stop.price"])
        #expect(fields { $0.targets?[0].price = .micros(145_100_000) } == ["targets[0].price"])
        #expect(fields { $0.targets?[1].price = .micros(145_400_000) } == ["targets[1].price"])
        // A short with a long's levels: everything is on the wrong side.
        #expect(fields { $0.side = "short" }.first == "stop.price")
        #expect(fields { $0.side = "short" }.contains("targets[0].price"))
        #expect(
            fields {
                $0.side = "short"
                $0.stopPrice = .micros(145_200_000)
                $0.targets = [DraftTarget(price: .micros(145_000_000), fraction: .micros(1_000_000))]
                $0.trailAfter = .micros(1_000_000)
            } == []
        )
    }

    @Test func fractionsAreAboveZeroAndAtMostOneInAll() {
        #expect(fields { $0.targets?[1].fraction = .micros(0) } == ["targets[1].fraction"])
        #expect(fields { $0.targets?[1].fraction = .micros(-1) } == ["targets[1].fraction"])
        #expect(fields { $0.targets?[1].fraction = .micros(300_001) } == ["targets"])
        #expect(fields { $0.targets?[1].fraction = .micros(1) } == [])
        #expect(fields { $0.targets?[1].fraction = nil } == ["targets[1].fraction"])
    }

    @Test func managementNamesTargetsThatExist() {
        for bad: Int64 in [0, 4_000_000, 1_500_000, -1_000_000, .max] {
            #expect(fields { $0.breakevenAfter = .micros(bad) } == ["breakevenAfter"])
            #expect(fields { $0.trailAfter = .micros(bad) } == ["trail.after"])
        }
        #expect(fields { $0.trailDistance = .micros(0) } == ["trail.distance"])
        #expect(fields { $0.trailDistance = nil } == ["trail.distance"])
        #expect(fields { $0.trailAfter = nil } == ["trail.after"])
    }

    @Test func sixDecimalsAreTheMost() {
        #expect(fields { $0.entryPrice = number("145.1000000") } == [])
        #expect(fields { $0.entryPrice = number("145.1000001") } == ["entry.price"])
        #expect(
            problems { $0.entryPrice = number("145.1000001") }.first
                == PlanProblem(
                    field: "entry.price",
                    found: "\"145.1000001\"",
                    expected: "a number above 0, at most 1000000000, with at most 6 decimals"
                )
        )
        #expect(fields { $0.entryPrice = number("1e300") } == ["entry.price"])
        #expect(fields { $0.stopPrice = number("-1") } == ["stop.price"])
    }

    @Test func noMoreThanSixteenTargets() {
        func targets(_ count: Int) -> [DraftTarget] {
            (1...count).map { DraftTarget(price: .micros(146_000_000 + Int64($0)), fraction: .micros(10_000)) }
        }
        #expect(fields { $0.targets = targets(16) } == [])
        #expect(fields { $0.targets = targets(17) } == ["targets"])
    }

    @Test func anIndexHasNoQuoteTriggers() {
        for kind in TriggerKind.allCases {
            let found = fields {
                $0.symbol = "I:SPX"
                $0.trigger = kind.rawValue
            }
            #expect(found == (kind.usesQuotes ? ["trigger"] : []))
        }
    }

    @Test func anExpiryNeedsATimeToCome() {
        #expect(
            fields {
                $0.armAt = nil
                $0.expiresAt = .instant(Day.at(0))
            } == ["expiresAt"]
        )
        #expect(
            fields {
                $0.armAt = nil
                $0.expiresAt = .instant(Day.at(1))
            } == []
        )
    }

    @Test func allProblemsComeInOneError() {
        let problems = problems {
            $0.side = "up"
            $0.stopPrice = nil
            $0.targets?[0].fraction = .micros(2_000_000)
            $0.problems = [PlanProblem(field: "foo", found: "1", expected: "no such field")]
        }
        #expect(problems.map(\.field) == ["foo", "side", "stop.price", "targets[0].fraction"])
        #expect(
            PlanRejection(problems: Array(problems.prefix(2))).description
                == "foo: expected no such field, found 1; side: expected long | short, found \"up\""
        )
    }
}
