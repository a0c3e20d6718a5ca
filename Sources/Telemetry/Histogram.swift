package import Synchronization

/// The distribution of latencies or sizes, in fixed memory: log-linear buckets as HdrHistogram has them.
///
/// Every power of two is split into 32 equal buckets, so a quantile is at most 1/32 (3.1 %) too high and never too low;
/// sum, count and maximum are exact. Values are whole numbers of the metric's unit (nanoseconds for time) from 0 to
/// 2⁴² − 1 (73 minutes in nanoseconds); larger ones count in the last bucket, negative ones (a clock that stepped
/// back) as 0. 9.5 KB each. Any thread; recording is three atomic operations and never allocates.
package final class Histogram: Sendable {
    // One allocation for the life of the histogram; the elements are atomics, the pointer never changes.
    @usableFromInline
    package nonisolated(unsafe) let buckets: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline
    package let total = Atomic<UInt64>(0)
    @usableFromInline
    package let largest = Atomic<Int64>(0)

    package init() {
        buckets = .allocate(capacity: HistogramBuckets.count)
        for index in 0..<HistogramBuckets.count {
            (buckets + index).initialize(to: Atomic<UInt64>(0))
        }
    }

    deinit {
        buckets.deinitialize(count: HistogramBuckets.count)
        buckets.deallocate()
    }

    /// Counts one value.
    @inlinable
    package func record(_ value: Int64) {
        let value = max(value, 0)
        buckets[HistogramBuckets.index(of: value)].wrappingAdd(1, ordering: .relaxed)
        total.wrappingAdd(UInt64(value), ordering: .relaxed)
        // The maximum changes seldom: a load is cheaper than a compare-and-swap.
        if value > largest.load(ordering: .relaxed) { largest.max(value, ordering: .relaxed) }
    }

    /// A copy of the counts.
    ///
    /// Recording goes on meanwhile: the copy may miss the latest values, and `sum` and `maximum` may be a few values
    /// ahead of the counts.
    package func snapshot() -> HistogramSnapshot {
        HistogramSnapshot(
            counts: (0..<HistogramBuckets.count).map { buckets[$0].load(ordering: .relaxed) },
            sum: total.load(ordering: .relaxed),
            maximum: largest.load(ordering: .relaxed)
        )
    }
}

/// The bucket layout that every histogram shares.
///
/// Bucket bounds are inclusive at the top, (low, high], as Prometheus' `le` is, so the exposed counts at powers of two
/// are exact.
package enum HistogramBuckets {
    /// Powers of two split into 2⁵ buckets.
    @usableFromInline
    package static let precisionBits = 5
    /// Values up to 2⁴².
    @usableFromInline
    package static let rangeBits = 42
    package static let count = (rangeBits - precisionBits + 1) << precisionBits

    /// The bucket of a value that isn't negative.
    @inlinable
    package static func index(of value: Int64) -> Int {
        // (low, high] instead of [low, high): shift by one; 0 shares the first bucket with 1.
        let position = UInt64(bitPattern: max(value, 1) &- 1)
        guard position >= 1 << precisionBits else { return Int(truncatingIfNeeded: position) }
        let exponent = 63 &- position.leadingZeroBitCount
        guard exponent < rangeBits else { return count - 1 }
        let shift = exponent &- precisionBits
        let within = Int(truncatingIfNeeded: position >> UInt64(shift)) &- (1 << precisionBits)
        return ((shift &+ 1) << precisionBits) &+ within
    }

    /// The largest value that bucket `index` holds (the last bucket also holds everything above).
    package static func upperBound(_ index: Int) -> Int64 {
        guard index >= 1 << precisionBits else { return Int64(index) + 1 }
        let shift = (index >> precisionBits) - 1
        let within = index & ((1 << precisionBits) - 1)
        return Int64((1 << precisionBits) + within + 1) << Int64(shift)
    }
}

/// What a histogram held at one moment.
package struct HistogramSnapshot: Sendable, Equatable {
    /// Values by bucket, `HistogramBuckets.count` of them.
    package let counts: [UInt64]
    /// The exact sum of all values.
    package let sum: UInt64
    /// The exact largest value, 0 where nothing was recorded.
    package let maximum: Int64

    /// How many values were recorded.
    package var count: UInt64 { counts.reduce(0, &+) }

    /// The value that a share `quantile` (0…1) of all values doesn't exceed; nil where nothing was recorded.
    ///
    /// The upper bound of its bucket, or the exact maximum where that is lower.
    package func value(atQuantile quantile: Double) -> Int64? {
        let count = count
        guard count > 0 else { return nil }
        let rank = UInt64(max(1, min(Double(count), (quantile * Double(count)).rounded(.up))))
        var seen: UInt64 = 0
        for (index, bucket) in counts.enumerated() {
            seen &+= bucket
            if seen >= rank {
                guard index < counts.count - 1 else { return maximum }
                return min(HistogramBuckets.upperBound(index), maximum)
            }
        }
        return maximum
    }

    /// How many values are at most 2^`exponent`; exact.
    package func count(upToPowerOfTwo exponent: Int) -> UInt64 {
        let last = HistogramBuckets.index(of: 1 << Int64(exponent))
        return counts[...last].reduce(0, &+)
    }
}
