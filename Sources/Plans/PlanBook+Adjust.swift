import MarketData
package import Primitives

/// Corporate actions (analytics.md 5).
extension PlanBook {
    /// Puts the levels of the underlying's open swing and leap plans on the other side of a split or dividend.
    ///
    /// A plan whose levels are the underlying's gets a new version: every price times `ratio`, rounded half up to 10⁻⁶,
    /// what was reached so far and the trailing distance too; its tick, fractions and times stay. It is stepped with prices
    /// that come after the call alone. Without a ratio (the action is neither), for levels of a contract, and where the
    /// scaled levels would no longer make a plan, it is frozen instead: nothing triggers until an amendment, which starts it
    /// anew. Scalp and intraday plans end the same day and stay as they are. What an instrument keeps through a gap is
    /// stepped before, unrepaired: it is in prices of before.
    package mutating func adjust(
        _ underlying: String,
        by ratio: PriceRatio?,
        received: Instant,
        into out: inout [PlanOutcome]
    ) {
        guard let symbol = table.textIndex(of: underlying) else { return }
        let slots = concerned(by: symbol)
        for instrument in Set(slots.map { instrument(of: $0) }).sorted() {
            release(instrument, received: received, into: &out)
            index.clearPreceding(instrument)
        }
        for slot in slots where table.records[Int(slot)].state.isOpen {
            if let ratio, table.records[Int(slot)].triggerOn == .underlying, scale(slot, by: ratio, into: &out) {
                continue
            }
            review(slot, into: &out)
        }
    }

    private func concerned(by symbol: UInt32) -> [UInt32] {
        (0..<UInt32(table.records.count)).filter { slot in
            let record = table.records[Int(slot)]
            return !record.handleIsFree && record.state.isOpen && record.symbol == symbol
                && !record.style.endsWithSession
        }.sorted { table.records[Int($0)].order < table.records[Int($1)].order }
    }

    private mutating func scale(_ slot: UInt32, by ratio: PriceRatio, into out: inout [PlanOutcome]) -> Bool {
        let old = table.records[Int(slot)]
        let targets = table.targets(of: old).map { target in
            ratio.scale(target.price.micros).map { PlanTarget(price: Price(micros: $0), fraction: target.fraction) }
        }
        guard !old.needsReview, old.scaled(by: ratio, targets: targets) != nil, table.scaleZone(slot, by: ratio) else {
            return false
        }
        detach(slot)
        guard var record = table.records[Int(slot)].scaled(by: ratio, targets: targets) else {
            preconditionFailure("a plan's extremes don't scale where its levels did: \(old)")
        }
        record.version += 1
        table.records[Int(slot)] = record
        table.setTargets(targets.compactMap { $0 }, of: slot)
        if record.isWatching {
            index.countOpen(Int(record.group), by: 1)
            record.since = index.groups[Int(record.group)].sequence
            if record.state == .entered { beginManaging(&record) }
            settle(slot, record)
        }
        out.append(.status(table.records[Int(slot)].status(handle(slot), .adjusted)))
        return true
    }

    private mutating func review(_ slot: UInt32, into out: inout [PlanOutcome]) {
        guard !table.records[Int(slot)].needsReview else { return }
        detach(slot)
        table.records[Int(slot)].needsReview = true
        table.records[Int(slot)].phase = .idle
        table.records[Int(slot)].generation &+= 1
        out.append(.status(table.records[Int(slot)].status(handle(slot), .needsReview)))
    }
}

extension PlanRecord {
    /// The same in other prices; nil where one doesn't fit, or they are no longer apart in their order.
    func scaled(by ratio: PriceRatio, targets: [PlanTarget?]) -> PlanRecord? {
        var record = self
        let prices: [WritableKeyPath<PlanRecord, Int64>] = [
            \.entry, \.firstStop, \.trailDistance, \.entryX, \.stop,
        ]
        for price in prices {
            guard let scaled = ratio.scale(self[keyPath: price]) else { return nil }
            guard scaled > 0 || self[keyPath: price] == 0 else { return nil }
            record[keyPath: price] = scaled
        }
        // What was only seen is no reason to refuse.
        record.carriedX = ratio.scale(carriedX) ?? 0
        if carriedHigh != Sample.unconfirmedUp { record.carriedHigh = ratio.scale(carriedHigh) ?? carriedHigh }
        if carriedLow != Sample.unconfirmedDown { record.carriedLow = ratio.scale(carriedLow) ?? carriedLow }
        var level = record.signed(record.firstStop)
        for next in [record.entry] + targets.map({ $0?.price.micros ?? 0 }) {
            guard next > 0, record.signed(next) > level else { return nil }
            level = record.signed(next)
        }
        return record
    }
}
