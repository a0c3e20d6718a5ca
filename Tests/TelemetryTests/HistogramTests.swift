import Primitives
import Telemetry
import Testing

@Suite struct HistogramTests {
    @Test func everyBucketHoldsItsBoundsAndNothingElse() {
        var low: Int64 = 0
        for index in 0..<HistogramBuckets.count {
            let high = HistogramBuckets.upperBound(index)
            #expect(HistogramBuckets.index(of: high) == index)
            #expect(HistogramBuckets.index(of: low + 1) == index)
            // Never more than 1/32 too high once values are beyond the linear part.
            if low >= 32 { #expect(Double(high - low) / Double(low) <= 1.0 / 32) }
            low = high
        }
        #expect(HistogramBuckets.index(of: 0) == 0)
        #expect(HistogramBuckets.index(of: .max) == HistogramBuckets.count - 1)
    }

    @Test func quantilesAreNeverTooLowAndAtMostAThirtySecondTooHigh() throws {
        let seed: UInt64 = 7
        var generator = SeededGenerator(seed: seed)
        let histogram = Histogram()
        var values: [Int64] = []
        for _ in 0..<10_000 {
            let value = Int64.random(in: 0...(1 << Int64.random(in: 1...40, using: &generator)), using: &generator)
            values.append(value)
            histogram.record(value)
        }
        values.sort()
        let snapshot = histogram.snapshot()
        #expect(snapshot.count == 10_000)
        #expect(snapshot.sum == values.reduce(0) { $0 + UInt64($1) })
        #expect(snapshot.maximum == values.last)
        for quantile in [0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1] {
            let exact = values[max(0, Int((quantile * 10_000).rounded(.up)) - 1)]
            let shown = try #require(snapshot.value(atQuantile: quantile))
            #expect(shown >= exact, "seed \(seed), quantile \(quantile)")
            #expect(Double(shown) <= max(1, Double(exact) * (1 + 1.0 / 32)), "seed \(seed), quantile \(quantile)")
        }
        for exponent in [0, 3, 10, 20, 36] {
            let exact = values.count { $0 <= 1 << Int64(exponent) }
            #expect(snapshot.count(upToPowerOfTwo: exponent) == UInt64(exact), "seed \(seed), 2^\(exponent)")
        }
    }

    @Test func takesValuesOutsideItsRange() {
        let histogram = Histogram()
        #expect(histogram.snapshot().value(atQuantile: 0.5) == nil)
        histogram.record(-5)
        histogram.record(.max)
        let snapshot = histogram.snapshot()
        #expect(snapshot.count == 2)
        #expect(snapshot.sum == UInt64(Int64.max))
        #expect(snapshot.value(atQuantile: 1) == .max)
        #expect(snapshot.value(atQuantile: 0.5) == 1)
    }

    @Test func losesNothingWhenManyThreadsRecord() async {
        let histogram = Histogram()
        let counter = Counter()
        let gauge = Gauge()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for value in 0..<5000 {
                        histogram.record(Int64(value * 8 + task))
                        counter.add(2)
                        gauge.raise(to: Int64(value * 8 + task))
                    }
                }
            }
        }
        #expect(histogram.snapshot().count == 40_000)
        #expect(histogram.snapshot().sum == (0..<40_000).reduce(0, +))
        #expect(counter.value == 80_000)
        #expect(gauge.value == 39_999)
    }
}
