import Primitives
import Testing

@testable import Plans

@Suite struct TimerHeapTests {
    @Test func goesByBoundaryThenKindThenOrder() {
        for seed: UInt64 in 1...50 {
            var generator = SeededGenerator(seed: seed)
            var heap = TimerHeap()
            var model: [Timer] = []
            for order: UInt64 in 1...200 {
                let timer = Timer(
                    boundary: Instant(nanos: Int64.random(in: 0...9, using: &generator)),
                    isExpiry: Bool.random(using: &generator),
                    order: order,
                    slot: UInt32(order)
                )
                heap.push(timer)
                model.append(timer)
                #expect(heap.nextDue.nanos == model.map(\.boundary).min())
            }
            heap.filter { $0.order % 3 != 0 }
            model.removeAll { $0.order % 3 == 0 }
            model.sort { a, b in
                (a.boundary, a.isExpiry ? 1 : 0, a.order) < (b.boundary, b.isExpiry ? 1 : 0, b.order)
            }
            #expect(heap.pop(upTo: Instant(nanos: -1)) == nil)
            var popped: [Timer] = []
            while let timer = heap.pop(upTo: Instant(nanos: 9)) { popped.append(timer) }
            #expect(popped == model, "seed \(seed)")
            #expect(heap.nextDue == .distantFuture)
        }
    }
}
