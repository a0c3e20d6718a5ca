public import Primitives

/// A boundary that one plan waits for.
struct Timer: BitwiseCopyable, Comparable, Sendable {
    /// Due at a receive time at or after it, ns.
    var boundary: Int64
    /// Arm before expire, each in order of creation: bit 63 tells an expiry, the rest is the plan's order.
    var key: UInt64
    var slot: UInt32

    private static let expiryBit: UInt64 = 1 << 63

    init(boundary: Instant, isExpiry: Bool, order: UInt64, slot: UInt32) {
        self.boundary = boundary.nanos
        key = isExpiry ? order | Self.expiryBit : order
        self.slot = slot
    }

    var isExpiry: Bool { key & Self.expiryBit != 0 }
    var order: UInt64 { key & ~Self.expiryBit }

    static func < (a: Timer, b: Timer) -> Bool { a.boundary != b.boundary ? a.boundary < b.boundary : a.key < b.key }
}

/// The timers of one book, the next one first: a binary heap with lazy deletion, as `LevelHeap`.
@usableFromInline
struct TimerHeap: Sendable {
    private var timers: [Timer] = []
    /// The next boundary, `Instant.distantFuture` where there is none; kept beside the timers, since every input asks.
    @usableFromInline var nextDue = Instant.distantFuture

    var count: Int { timers.count }

    var first: Timer? { timers.first }

    mutating func push(_ timer: Timer) {
        if timers.count == timers.capacity { timers.reserveCapacity(timers.count + timers.count / 4 + 4) }
        timers.append(timer)
        var child = timers.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if timers[parent] < timer { break }
            timers[child] = timers[parent]
            child = parent
        }
        timers[child] = timer
        noteNext()
    }

    /// Removes and returns the next timer if its boundary is at or before `received`.
    mutating func pop(upTo received: Instant) -> Timer? {
        guard let first = timers.first, first.boundary <= received.nanos, let last = timers.popLast() else {
            return nil
        }
        if !timers.isEmpty { sink(last, from: 0) }
        noteNext()
        return first
    }

    /// Drops every timer that `isValid` denies.
    mutating func filter(_ isValid: (Timer) -> Bool) {
        timers.removeAll { !isValid($0) }
        defer { noteNext() }
        guard timers.count > 1 else { return }
        for index in stride(from: timers.count / 2 - 1, through: 0, by: -1) { sink(timers[index], from: index) }
    }

    private mutating func noteNext() { nextDue = Instant(nanos: timers.first?.boundary ?? .max) }

    private mutating func sink(_ timer: Timer, from start: Int) {
        var parent = start
        while true {
            var child = 2 * parent + 1
            guard child < timers.count else { break }
            if child + 1 < timers.count, timers[child + 1] < timers[child] { child += 1 }
            if timer < timers[child] { break }
            timers[parent] = timers[child]
            parent = child
        }
        timers[parent] = timer
    }
}
