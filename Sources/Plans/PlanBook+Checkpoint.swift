public import Primitives

extension PlanBook: Checkpointable {
    /// Saves the whole state; watches and timers are made again from the plans.
    public func save(to writer: inout StateWriter) {
        writer.write(Int64(limit))
        writer.write(Int64(openCount))
        writer.write(Int64(lateCount))
        writer.write(Int64(unfitPriceCount))
        writer.write(Int64(frozenCount))
        writer.write(Int64(finishedLimit))
        writer.write(gapCounts)
        table.save(to: &writer)
        index.save(to: &writer)
        writer.write(Int64(deferrals.count))
        for deferral in deferrals { deferral.save(to: &writer) }
        finished.save(to: &writer)
        traces.save(to: &writer)
    }

    /// Takes up a saved state.
    public init(restoring reader: inout StateReader) throws(StateError) {
        let limit = Int(try reader.read(Int64.self))
        let open = Int(try reader.read(Int64.self))
        let late = Int(try reader.read(Int64.self))
        let unfit = Int(try reader.read(Int64.self))
        let frozen = Int(try reader.read(Int64.self))
        self.init(limit: limit, finishedLimit: Int(try reader.read(Int64.self)))
        openCount = open
        gapCounts = try reader.read(GapCounts.self)
        table = try PlanTable(restoring: &reader)
        index = try TriggerIndex(restoring: &reader)
        for _ in 0..<(try reader.read(Int64.self)) { deferrals.append(try Deferral(restoring: &reader)) }
        defersAny = !deferrals.isEmpty
        finished = try FinishedPlans(restoring: &reader)
        traces = try HitTraces(restoring: &reader)
        restoreCounts(late: late, unfit: unfit, frozen: frozen)
        // Kept timers have their place there, and none among those that run.
        let held = Set(deferrals.flatMap { $0.timers.map { [UInt64(bitPattern: $0.timer.boundary), $0.timer.key] } })
        for slot in 0..<UInt32(table.records.count) { watchAgain(slot, held) }
    }

    private mutating func watchAgain(_ slot: UInt32, _ held: Set<[UInt64]>) {
        let record = table.records[Int(slot)]
        guard !record.handleIsFree, record.state.isOpen, record.kind == .live else { return }
        if record.state == .draft {
            pushAgain(record.armDue, isExpiry: false, record, slot, held)
        } else {
            index.watch(record, slot: slot, targets: table.targets(of: record), records: table.records)
        }
        if record.expiry != .max { pushAgain(record.expiry, isExpiry: true, record, slot, held) }
    }

    private mutating func pushAgain(
        _ boundary: Int64,
        isExpiry: Bool,
        _ record: PlanRecord,
        _ slot: UInt32,
        _ held: Set<[UInt64]>
    ) {
        let timer = Timer(boundary: Instant(nanos: boundary), isExpiry: isExpiry, order: record.order, slot: slot)
        if held.isEmpty || !held.contains([UInt64(bitPattern: boundary), timer.key]) { timers.push(timer) }
    }
}
