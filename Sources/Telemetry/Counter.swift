package import Synchronization

/// A number that only grows: events, bytes, refusals.
///
/// Any thread; recording is one atomic addition and never allocates. Wraps at 2⁶⁴.
package final class Counter: Sendable {
    @usableFromInline
    package let cell = Atomic<UInt64>(0)

    package init() {}

    /// Adds `amount`.
    @inlinable
    package func add(_ amount: UInt64 = 1) {
        cell.wrappingAdd(amount, ordering: .relaxed)
    }

    /// The count so far.
    @inlinable
    package var value: UInt64 { cell.load(ordering: .relaxed) }
}

/// A number that goes up and down: connections, depth of a queue, age of a feed.
///
/// Whole numbers in the metric's unit (nanoseconds are shown as seconds). Any thread; recording never allocates.
package final class Gauge: Sendable {
    @usableFromInline
    package let cell = Atomic<Int64>(0)

    package init() {}

    @inlinable
    package func set(_ value: Int64) {
        cell.store(value, ordering: .relaxed)
    }

    @inlinable
    package func add(_ amount: Int64) {
        cell.wrappingAdd(amount, ordering: .relaxed)
    }

    /// Raises the gauge to `value` where it is lower: a high-water mark.
    @inlinable
    package func raise(to value: Int64) {
        cell.max(value, ordering: .relaxed)
    }

    @inlinable
    package var value: Int64 { cell.load(ordering: .relaxed) }
}
