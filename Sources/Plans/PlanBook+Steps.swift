import MarketData
import Primitives

/// What commands, timers and events have in common: keeping record, index, counts and extremes in step.
extension PlanBook {
    static func stream(of record: PlanRecord) -> Int { Int(record.group) * 2 + (record.isOnAsk ? 1 : 0) }

    /// A timer of the plan as it is now.
    static func isValid(_ timer: Timer, _ table: PlanTable) -> Bool {
        let record = table.records[Int(timer.slot)]
        guard record.order == timer.order, record.kind == .live else { return false }
        return timer.isExpiry
            ? record.state.isOpen && record.expiry == timer.boundary
            : record.state == .draft && record.armDue == timer.boundary
    }

    func isValid(_ timer: Timer) -> Bool { Self.isValid(timer, table) }

    mutating func arm(_ slot: UInt32, into out: inout [PlanOutcome]) {
        var record = table.records[Int(slot)]
        if !record.needsReview { index.countOpen(Int(record.group), by: 1) }
        record.since = index.groups[Int(record.group)].sequence
        // An x at this very instant counts.
        record.changed = record.armDue - 1
        record.arm(record.handle(slot: slot), into: &out)
        settle(slot, record)
    }

    mutating func expire(_ slot: UInt32, into out: inout [PlanOutcome]) {
        var record = table.records[Int(slot)]
        let start = out.count
        record.expire(record.handle(slot: slot), lastX: lastX(of: record), into: &out)
        settle(slot, record)
        keepHits(out[start...], of: slot)
    }

    /// The plan entered, or moved to another group while entered: its extremes run from the next x on.
    mutating func beginManaging(_ record: inout PlanRecord) {
        record.since = index.groups[Int(record.group)].sequence
        record.hasExtremes = true
        index.openExtremes(Self.stream(of: record), since: record.since)
    }

    /// Puts a changed record back, and sets what the plan waits for from now on.
    mutating func settle(_ slot: UInt32, _ changed: PlanRecord) {
        let before = table.records[Int(slot)]
        var record = changed
        record.generation &+= 1
        table.records[Int(slot)] = record
        if record.state.isOpen {
            index.watch(record, slot: slot, targets: table.targets(of: record), records: table.records)
        } else {
            // Where x came from is told by the state before: an entered plan's stream is the leaving side's.
            table.records[Int(slot)].state = before.state
            detach(slot)
            table.records[Int(slot)].state = record.state
            table.records[Int(slot)].isBlind = false
            countOut(slot)
            openCount -= 1
            table.countLive(record, by: -1)
            finished.append(handle(slot))
            dropDeadTimers()
        }
    }

    /// Counts a live plan among those of its instrument, until it is over or moves.
    mutating func countIn(_ slot: UInt32) {
        table.records[Int(slot)].isCounted = true
        index.countPlan(Int(table.records[Int(slot)].group), by: 1)
    }

    mutating func countOut(_ slot: UInt32) {
        guard table.records[Int(slot)].isCounted else { return }
        table.records[Int(slot)].isCounted = false
        index.countPlan(Int(table.records[Int(slot)].group), by: -1)
    }

    /// Keeps `nextDue` exact: the next timer is one that still counts.
    mutating func dropDeadTimers() {
        while let next = timers.first, !isValid(next) { _ = timers.pop(upTo: Instant(nanos: next.boundary)) }
    }

    /// Takes a plan out of its group; what the group knew of it is carried in the record.
    mutating func detach(_ slot: UInt32) {
        var record = table.records[Int(slot)]
        guard record.isWatching else { return }
        record.carriedX = lastX(of: record)?.micros ?? 0
        if record.hasExtremes {
            let stream = Self.stream(of: record)
            let (high, low) = index.closeExtremes(stream, since: record.since)
            Self.carry(&record, high: high, low: low)
            record.hasExtremes = false
        }
        index.countOpen(Int(record.group), by: -1)
        record.generation &+= 1
        table.records[Int(slot)] = record
    }

    /// Widens the carried extremes by those of a stream, turned as the plan sees them.
    static func carry(_ record: inout PlanRecord, high: Int64?, low: Int64?) {
        let best = record.isLong ? high : low.map { -$0 }
        let worst = record.isLong ? low : high.map { -$0 }
        if let best { record.carriedHigh = max(record.carriedHigh, best) }
        if let worst { record.carriedLow = min(record.carriedLow, worst) }
    }

    /// The newest x that counts for the plan.
    func lastX(of record: PlanRecord) -> Price? {
        if record.isWatching, index.groups[Int(record.group)].sequence > record.since {
            return Price(micros: index.streams[Self.stream(of: record)].sample.x)
        }
        return record.carriedX == 0 ? nil : Price(micros: record.carriedX)
    }

    func slot(_ handle: PlanHandle) throws(PlanBookError) -> UInt32 {
        guard Int(handle.slot) < table.records.count, handle.order > 0,
            table.records[Int(handle.slot)].order == handle.order
        else { throw PlanBookError(.unknown, "plan \(handle.order)") }
        return handle.slot
    }

    func handle(_ slot: UInt32) -> PlanHandle { table.records[Int(slot)].handle(slot: slot) }

    mutating func keepHits(_ outcomes: ArraySlice<PlanOutcome>, of slot: UInt32) {
        for case .hit(let hit) in outcomes { table.record(hit, of: slot) }
    }
}
