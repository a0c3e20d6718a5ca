import MarketData
import Primitives

/// What was done about gaps, finished plans and busts; nothing goes without a count.
package struct GapCounts: Hashable, Sendable, BitwiseCopyable {
    /// Gaps that began.
    package var gaps: Int64 = 0
    /// Gaps that stay: no bars, given up, or not repaired when the instrument was said to be seen.
    package var unrepaired: Int64 = 0
    /// Times that more came than is kept, so that repair was given up.
    package var overflows: Int64 = 0
    /// Answers that came for no gap.
    package var strayRepairs: Int64 = 0
    /// Bars that were not used: prices that can't be, or over one another.
    package var unfitBars: Int64 = 0
    /// Hits that were voided.
    package var voided: Int64 = 0
    /// Hits whose trade was busted, of plans that are forgotten already.
    package var forgottenVoids: Int64 = 0

    package init() {}
}

/// A timer that came due while its instrument had a gap.
struct HeldTimer: BitwiseCopyable {
    var timer: Timer
    /// Receive time at which it was due.
    var received: Instant
}

/// A gap of one instrument and all that came after it, in order: kept until the gap is repaired, or given up.
///
/// Bounded by `PlanBook.heldLimit` events; timers by the plans.
struct Deferral {
    /// What comes next; the things themselves are in a queue for each kind.
    enum Step: UInt8, BitwiseCopyable {
        case gap
        case event
        case timer
        /// A halt began or ended: the pair rule starts anew.
        case pairBreak
    }

    /// Where the book keeps the instrument.
    var instrument: Int
    private(set) var steps: [Step] = []
    /// When each gap began.
    private(set) var gaps: [Instant] = []
    private(set) var events: [HeldEvent] = []
    private(set) var timers: [HeldTimer] = []

    init(instrument: Int) { self.instrument = instrument }

    /// A gap begins; where nothing came since the last one began it goes on.
    mutating func append(gapFrom from: Instant) {
        guard steps.last != .gap else { return }
        steps.append(.gap)
        gaps.append(from)
    }

    mutating func append(_ event: HeldEvent) {
        steps.append(.event)
        events.append(event)
    }

    mutating func append(_ timer: HeldTimer) {
        steps.append(.timer)
        timers.append(timer)
    }

    mutating func appendPairBreak() { steps.append(.pairBreak) }

    /// Takes out all steps before the next gap, or all.
    mutating func take(untilGap: Bool) -> Deferral {
        let end = untilGap ? steps.firstIndex(of: .gap) ?? steps.count : steps.count
        var taken = Deferral(instrument: instrument)
        taken.steps = Array(steps[..<end])
        taken.gaps = Self.cut(&gaps, count(of: .gap, before: end))
        taken.events = Self.cut(&events, count(of: .event, before: end))
        taken.timers = Self.cut(&timers, count(of: .timer, before: end))
        steps.removeFirst(end)
        return taken
    }

    /// Takes out the gap that comes next.
    mutating func takeGap() -> Instant? {
        guard steps.first == .gap else { return nil }
        steps.removeFirst()
        return gaps.removeFirst()
    }

    /// Events up to the next gap.
    var eventsBeforeGap: ArraySlice<HeldEvent> {
        events[..<count(of: .event, before: steps.firstIndex(of: .gap) ?? steps.count)]
    }

    private func count(of step: Step, before end: Int) -> Int {
        steps[..<end].reduce(0) { $0 + ($1 == step ? 1 : 0) }
    }

    private static func cut<T>(_ queue: inout [T], _ count: Int) -> [T] {
        let taken = Array(queue[..<count])
        queue.removeFirst(count)
        return taken
    }
}

extension Deferral: Checkpointable {
    func save(to writer: inout StateWriter) {
        writer.write(Int64(instrument))
        writer.write(steps)
        writer.write(gaps)
        writer.write(events)
        writer.write(timers)
    }

    init(restoring reader: inout StateReader) throws(StateError) {
        instrument = Int(try reader.read(Int64.self))
        steps = try reader.readArray()
        gaps = try reader.readArray()
        events = try reader.readArray()
        timers = try reader.readArray()
    }
}

/// Plans that are over, in the order they ended, the first to be forgotten first.
struct FinishedPlans {
    private var handles: [PlanHandle] = []
    private var first = 0

    var count: Int { handles.count - first }

    mutating func append(_ handle: PlanHandle) { handles.append(handle) }

    /// - Complexity: O(plans that are over).
    mutating func remove(_ handle: PlanHandle) {
        if let position = handles[first...].lastIndex(of: handle) { handles.remove(at: position) }
    }

    mutating func removeFirst() -> PlanHandle {
        let handle = handles[first]
        first += 1
        if first > 64, first * 2 > handles.count {
            handles.removeFirst(first)
            first = 0
        }
        return handle
    }
}

extension FinishedPlans: Checkpointable {
    func save(to writer: inout StateWriter) { writer.write(Array(handles[first...])) }

    init(restoring reader: inout StateReader) throws(StateError) { handles = try reader.readArray() }
}
