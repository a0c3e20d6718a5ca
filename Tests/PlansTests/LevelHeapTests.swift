import Primitives
import Testing

@testable import Plans

@Suite struct LevelHeapTests {
    @Test func popsLowestFirstAndOnlyWhatIsReached() {
        for seed: UInt64 in 1...50 {
            var generator = SeededGenerator(seed: seed)
            var heap = LevelHeap()
            var model: [Int64] = []
            for _ in 0..<300 {
                if Int.random(in: 0..<3, using: &generator) > 0 {
                    let level = Int64.random(in: -20...20, using: &generator)
                    heap.push(Watch(level: level, slot: 0, generation: 0))
                    model.append(level)
                } else {
                    let value = Int64.random(in: -20...20, using: &generator)
                    let lowest = model.min()
                    let popped = heap.pop(upTo: value)?.level
                    #expect(popped == lowest.flatMap { $0 <= value ? $0 : nil }, "seed \(seed)")
                    if let popped, let index = model.firstIndex(of: popped) { model.remove(at: index) }
                }
                #expect(heap.nearest == model.min() ?? .max, "seed \(seed)")
                #expect(heap.count == model.count, "seed \(seed)")
            }
            heap.filter { $0.level % 2 == 0 }
            model.removeAll { $0 % 2 != 0 }
            var rest: [Int64] = []
            while let watch = heap.pop(upTo: .max) { rest.append(watch.level) }
            #expect(rest == model.sorted(), "seed \(seed)")
        }
    }
}
