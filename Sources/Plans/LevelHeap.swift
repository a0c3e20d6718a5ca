/// A level that one plan waits for.
struct Watch: BitwiseCopyable {
    /// Fires once the lane's value is at or above it.
    var level: Int64
    var slot: UInt32
    /// The plan's `generation` when it was set: another one means it no longer counts.
    var generation: UInt32
}

/// The levels of one direction, lowest first: a binary heap.
///
/// Watches that no longer count stay until they surface or `filter` is called (lazy deletion). Grows by a quarter, so
/// that a million plans don't hold room for two.
///
/// - Complexity: O(log n) to push and pop, O(1) to look at the lowest.
struct LevelHeap {
    private var watches: [Watch] = []

    var count: Int { watches.count }

    /// The lowest level, `Int64.max` where there is none.
    var nearest: Int64 { watches.isEmpty ? .max : watches[0].level }

    mutating func push(_ watch: Watch) {
        if watches.count == watches.capacity { watches.reserveCapacity(watches.count + watches.count / 4 + 4) }
        watches.append(watch)
        watches.withUnsafeMutableBufferPointer { heap in
            var child = heap.count - 1
            while child > 0 {
                let parent = (child - 1) / 2
                if heap[parent].level <= watch.level { break }
                heap[child] = heap[parent]
                child = parent
            }
            heap[child] = watch
        }
    }

    /// Removes and returns the lowest watch if its level is at or below `value`.
    mutating func pop(upTo value: Int64) -> Watch? {
        guard let first = watches.first, first.level <= value, let last = watches.popLast() else { return nil }
        if !watches.isEmpty { Self.sink(last, from: 0, in: &watches) }
        return first
    }

    /// Drops every watch that `isValid` denies.
    mutating func filter(_ isValid: (Watch) -> Bool) {
        watches.removeAll { !isValid($0) }
        guard watches.count > 1 else { return }
        for index in stride(from: watches.count / 2 - 1, through: 0, by: -1) {
            Self.sink(watches[index], from: index, in: &watches)
        }
    }

    private static func sink(_ watch: Watch, from start: Int, in watches: inout [Watch]) {
        watches.withUnsafeMutableBufferPointer { heap in
            var parent = start
            while true {
                var child = 2 * parent + 1
                guard child < heap.count else { break }
                if child + 1 < heap.count, heap[child + 1].level < heap[child].level { child += 1 }
                if heap[child].level >= watch.level { break }
                heap[parent] = heap[child]
                parent = child
            }
            heap[parent] = watch
        }
    }
}
