import MarketData
import Primitives
import Testing

@testable import Plans

@Suite struct PlanTableTests {
    /// Ids are found and lost as a dictionary would, through growth, removal and reuse of slots.
    @Test func findsPlansByTheirId() {
        for seed: UInt64 in 1...20 {
            var generator = SeededGenerator(seed: seed)
            var table = PlanTable()
            var model: [String: UInt32] = [:]
            for _ in 0..<600 {
                let id = "p_\(Int.random(in: 0..<150, using: &generator))"
                if let slot = model[id] {
                    #expect(table.slot(of: id) == slot, "seed \(seed)")
                    #expect(table.id(slot) == id, "seed \(seed)")
                    if Bool.random(using: &generator) {
                        table.remove(slot)
                        model[id] = nil
                    }
                } else {
                    #expect(table.slot(of: id) == nil, "seed \(seed)")
                    var plan = Desk().plan()
                    plan.id = id
                    plan.rationale = "of \(id)"
                    plan.targets.removeLast(Int.random(in: 0...2, using: &generator))
                    let slot = table.insert(plan, tick: price(0.01))
                    model[id] = slot
                    #expect(table.plan(slot) == plan, "seed \(seed)")
                }
                #expect(table.count == model.count, "seed \(seed)")
            }
            for (id, slot) in model {
                #expect(table.slot(of: id) == slot, "seed \(seed)")
                #expect(table.plan(slot).rationale == "of \(id)", "seed \(seed)")
            }
        }
    }

    /// What an armed plan costs in arrays; with its id, targets, one watch and one timer it must stay below 400 bytes.
    @Test func aRecordIsSmall() {
        #expect(MemoryLayout<PlanRecord>.stride <= 248)
        #expect(MemoryLayout<Watch>.stride == 16)
        #expect(MemoryLayout<Timer>.stride == 24)
        #expect(MemoryLayout<PlanTarget>.stride == 16)
    }
}
