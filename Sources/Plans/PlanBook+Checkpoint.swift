public import Primitives

extension PlanBook: Checkpointable {
    /// Saves the whole state; watches and timers are made again from the plans.
    public func save(to writer: inout StateWriter) {
        writer.write(Int64(limit))
        writer.write(Int64(openCount))
        writer.write(Int64(lateCount))
        writer.write(Int64(unfitPriceCount))
        writer.write(Int64(frozenCount))
        table.save(to: &writer)
        index.save(to: &writer)
    }

    /// Takes up a saved state.
    public init(restoring reader: inout StateReader) throws(StateError) {
        self.init(limit: Int(try reader.read(Int64.self)))
        openCount = Int(try reader.read(Int64.self))
        let late = Int(try reader.read(Int64.self))
        let unfit = Int(try reader.read(Int64.self))
        let frozen = Int(try reader.read(Int64.self))
        table = try PlanTable(restoring: &reader)
        index = try TriggerIndex(restoring: &reader)
        restoreCounts(late: late, unfit: unfit, frozen: frozen)
        for slot in 0..<UInt32(table.records.count) { watchAgain(slot) }
    }

    private mutating func watchAgain(_ slot: UInt32) {
        let record = table.records[Int(slot)]
        guard !record.handleIsFree, record.state.isOpen, record.kind == .live else { return }
        if record.state == .draft {
            timers.push(Timer(boundary: Instant(nanos: record.armAt), isExpiry: false, order: record.order, slot: slot))
        } else {
            index.watch(record, slot: slot, targets: table.targets(of: record), records: table.records)
        }
        if record.expiry != .max {
            timers.push(
                Timer(boundary: Instant(nanos: record.expiry), isExpiry: true, order: record.order, slot: slot)
            )
        }
    }
}
