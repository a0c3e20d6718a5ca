internal import MarketData
package import Primitives

/// Whether the plans of one instrument see: its source delivers, in time, and what was missed has been made up for.
///
/// Pure; a state machine. Three things make blind (analytics.md 5): the source was *lost* (events are missing, they must be
/// repaired before anything newer counts), it is *late*, or the symbol is *silent* while its feed delivers. Sight comes
/// back after 2 s of health, after a loss not before the repair. Times are receive times, but for a gap's start.
package struct Sight: Sendable, Hashable, BitwiseCopyable {
    /// What the owner has to do, in order.
    package enum Action: Hashable, Sendable {
        /// The plans are blind from here on; `defers`: newer prices wait for the repair.
        case blind(from: Instant, defers: Bool)
        /// Bars of this interval (exchange time) are wanted.
        case ask(from: Instant, to: Instant)
        /// No bars of this interval will come: what is seen after it has an uncertain time.
        case giveUp(from: Instant, to: Instant)
        /// The gap's bars, which came with the event, may be applied.
        case repair(from: Instant, to: Instant)
        /// The plans see again.
        case see
    }

    /// Where it is.
    package enum Phase: Hashable, Sendable, BitwiseCopyable {
        case seeing
        /// The source is away since; exchange time of the last event before.
        case lost(from: Instant)
        /// Events come late, or none comes.
        case dim
        /// The source is back; the gap's bars are wanted until `deadline`, unless they came.
        case repairing(from: Instant, to: Instant, isRepaired: Bool, healthyAt: Instant, deadline: Instant)
        /// In time again, since not yet 2 s.
        case healing(healthyAt: Instant)
    }

    /// Health that is asked for before plans see again.
    package static let healthNanos: Int64 = 2_000_000_000
    package private(set) var phase = Phase.seeing

    package init() {}

    /// When `fire` is due next.
    package var due: Instant {
        switch phase {
        case .seeing, .lost, .dim: .distantFuture
        case .repairing(_, _, let isRepaired, let healthyAt, let deadline): isRepaired ? healthyAt : deadline
        case .healing(let healthyAt): healthyAt
        }
    }

    /// The source went away; `last` is the exchange time of the last event, or of the moment where there was none.
    package mutating func lost(after last: Instant) -> [Action] {
        switch phase {
        case .lost: return []
        case .repairing(let from, let to, isRepaired: false, _, _):
            // A second loss before the first was repaired: the prices kept between the two must count first.
            phase = .lost(from: last)
            return [.giveUp(from: from, to: to), .blind(from: last, defers: true)]
        case .seeing, .dim, .healing, .repairing:
            phase = .lost(from: last)
            return [.blind(from: last, defers: true)]
        }
    }

    /// Events are late, or the symbol is silent while its feed delivers.
    package mutating func dimmed(after last: Instant) -> [Action] {
        switch phase {
        case .lost, .dim, .repairing: return []
        case .healing:
            phase = .dim
            return []
        case .seeing:
            phase = .dim
            return [.blind(from: last, defers: false)]
        }
    }

    /// The source is back, in time, or the symbol spoke again; bars of a gap are waited for so long.
    package mutating func restored(at received: Instant, repairNanos: Int64) -> [Action] {
        let healthyAt = received.advanced(byNanos: Self.healthNanos)
        switch phase {
        case .seeing, .repairing, .healing: return []
        case .dim:
            phase = .healing(healthyAt: healthyAt)
            return []
        case .lost(let from):
            let to = max(from, received)
            phase = .repairing(
                from: from,
                to: to,
                isRepaired: false,
                healthyAt: healthyAt,
                deadline: received.advanced(byNanos: repairNanos)
            )
            return [.ask(from: from, to: to)]
        }
    }

    /// An answer came: bars of a stretch, or that there are none; one that doesn't cover the gap is another's.
    package mutating func answered(hasBars: Bool, from start: Instant, to end: Instant) -> [Action] {
        guard case .repairing(let from, let to, isRepaired: false, let healthyAt, let deadline) = phase,
            start <= from, end >= to
        else { return [] }
        phase = .repairing(from: from, to: to, isRepaired: true, healthyAt: healthyAt, deadline: deadline)
        return [hasBars ? .repair(from: from, to: to) : .giveUp(from: from, to: to)]
    }

    /// Fires what is due at `received`.
    package mutating func fire(at received: Instant) -> [Action] {
        guard received >= due else { return [] }
        switch phase {
        case .seeing, .lost, .dim: return []
        case .healing:
            phase = .seeing
            return [.see]
        case .repairing(_, _, isRepaired: true, _, _):
            phase = .seeing
            return [.see]
        case .repairing(let from, let to, isRepaired: false, _, _):
            phase = .seeing
            return [.giveUp(from: from, to: to), .see]
        }
    }
}

/// How long a symbol is usually silent today: gaps between its events by powers of two of milliseconds.
package struct GapHistogram: Sendable, BitwiseCopyable {
    /// Gaps of at most 2^i − 1 ms, the last of all longer ones.
    private var counts = InlineArray<20, UInt32>(repeating: 0)
    private var total: UInt32 = 0

    package init() {}

    package mutating func add(nanos: Int64) {
        let millis = UInt64(max(0, nanos)) / 1_000_000
        let bucket = min(19, 64 - millis.leadingZeroBitCount)
        guard total < .max else { return }
        counts[bucket] += 1
        total += 1
    }

    /// Upper end of the bucket that holds the median, in nanoseconds; nil before 16 gaps.
    package var medianNanos: Int64? {
        guard total >= 16 else { return nil }
        var seen: UInt32 = 0
        for bucket in 0..<20 {
            seen += counts[bucket]
            if seen * 2 >= total { return ((Int64(1) << Int64(bucket)) - 1) * 1_000_000 }
        }
        return nil
    }
}

/// What is kept of an instrument that has plans: when it last spoke, and whether its plans see.
struct SlotWatch: Sendable, BitwiseCopyable {
    /// A symbol's silence is looked at no earlier than this.
    static let silenceNanosMin: Int64 = 5_000_000_000
    /// Times the median gap.
    static let silenceFactor: Int64 = 20

    let slot: Int
    let id: SymbolID
    var sight = Sight()
    var lastTime = Instant.distantPast
    var lastReceived = Instant.distantPast
    var gaps = GapHistogram()
    /// Trading day of the gaps.
    var day: Int32 = 0
    /// When its silence is looked at next.
    var silenceDue = Instant.distantFuture

    init(slot: Int, id: SymbolID) {
        self.slot = slot
        self.id = id
    }

    /// How long it may be silent.
    var silenceNanos: Int64 { max(Self.silenceNanosMin, Self.silenceFactor * (gaps.medianNanos ?? 0)) }

    var due: Instant { min(sight.due, silenceDue) }

    /// Takes an event of its source.
    ///
    /// - Returns: whether it had been silent.
    mutating func touched(at time: Instant, received: Instant, day: Int32) -> Bool {
        if day != self.day {
            (gaps, self.day) = (GapHistogram(), day)
        } else if lastReceived != .distantPast {
            gaps.add(nanos: received.nanos(since: lastReceived))
        }
        lastTime = max(lastTime, time)
        lastReceived = received
        if silenceDue == .distantFuture { silenceDue = received.advanced(byNanos: silenceNanos) }
        return sight.phase == .dim
    }
}
