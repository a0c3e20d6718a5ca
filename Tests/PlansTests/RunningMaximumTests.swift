import Primitives
import Testing

@testable import Plans

@Suite struct RunningMaximumTests {
    @Test func knowsTheHighestSinceEachStart() {
        for seed: UInt64 in 1...100 {
            var generator = SeededGenerator(seed: seed)
            var maximum = RunningMaximum()
            var starts: [(start: UInt64, highest: Int64?)] = []
            for sequence: UInt64 in 1...400 {
                let value = Int64.random(in: -50...50, using: &generator)
                maximum.record(value)
                for index in starts.indices { starts[index].highest = max(starts[index].highest ?? value, value) }
                for _ in 0..<Int.random(in: 0...2, using: &generator) {
                    maximum.open(at: sequence)
                    starts.append((sequence, nil))
                }
                while !starts.isEmpty, Int.random(in: 0..<5, using: &generator) < 4, starts.count > 10 {
                    let gone = starts.remove(at: Int.random(in: 0..<starts.count, using: &generator))
                    #expect(maximum.close(gone.start) == gone.highest, "seed \(seed)")
                }
                for (start, highest) in starts { #expect(maximum.highest(since: start) == highest, "seed \(seed)") }
                // Never more than one element a start, and twice that with those not yet dropped.
                #expect(maximum.count <= 2 * starts.count + 33, "seed \(seed)")
            }
            for (start, highest) in starts { #expect(maximum.close(start) == highest, "seed \(seed)") }
            #expect(maximum.count == 0)
            #expect(maximum.threshold == .max)
        }
    }

    @Test func anUnmovedValueNeedsNoWork() {
        var maximum = RunningMaximum()
        #expect(maximum.threshold == .max)
        maximum.open(at: 1)
        maximum.record(5)
        maximum.open(at: 3)
        maximum.record(4)
        #expect(maximum.threshold == 4)
        maximum.record(9)
        #expect(maximum.count == 1)
        #expect(maximum.highest(since: 1) == 9 && maximum.highest(since: 3) == 9)
    }
}
