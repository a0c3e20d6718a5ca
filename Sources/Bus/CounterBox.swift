internal import Primitives

/// The counters of a bus; any thread.
final class CounterBox: Sendable {
    private let counters = Lock(BusCounters())

    var value: BusCounters { counters.withLock { $0 } }

    func add(_ key: any WritableKeyPath<BusCounters, Int64> & Sendable, _ count: Int64 = 1) {
        counters.withLock { $0[keyPath: key] += count }
    }

    func set(_ key: any WritableKeyPath<BusCounters, Int64> & Sendable, _ count: Int64) {
        counters.withLock { $0[keyPath: key] = count }
    }
}
