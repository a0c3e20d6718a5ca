import MarketData
package import Primitives

/// Where a plan stands, for a snapshot.
package struct PlanSnapshot: Hashable, Sendable {
    package var version: Int32
    package var state: PlanState
    /// The stop in force from the next x on; the last one once the plan is over.
    package var stop: Price
    /// x of the entry, nil before.
    package var entryPrice: Price?
    /// Fraction closed by targets so far.
    package var filled: Fraction
    /// Position left.
    package var remaining: Fraction
    /// Targets hit so far.
    package var targetsHit: Int
    package var hits: [PlanHit]
    /// The newest x that counted for the plan.
    package var lastX: Price?
    /// How far x went for and against the plan since its entry, both ≥ 0; nil before the first x after the entry.
    package var favourable: Price?
    package var adverse: Price?
    /// Receive time at which it ends, nil for never.
    package var expiry: Instant?
    package var blind: PlanBlindness
    /// Frozen by a corporate action until it is amended.
    package var needsReview: Bool

    package init(
        version: Int32,
        state: PlanState,
        stop: Price,
        entryPrice: Price?,
        filled: Fraction,
        remaining: Fraction,
        targetsHit: Int,
        hits: [PlanHit],
        lastX: Price?,
        favourable: Price?,
        adverse: Price?,
        expiry: Instant?,
        blind: PlanBlindness = .sees,
        needsReview: Bool = false
    ) {
        self.version = version
        self.state = state
        self.stop = stop
        self.entryPrice = entryPrice
        self.filled = filled
        self.remaining = remaining
        self.targetsHit = targetsHit
        self.hits = hits
        self.lastX = lastX
        self.favourable = favourable
        self.adverse = adverse
        self.expiry = expiry
        self.blind = blind
        self.needsReview = needsReview
    }
}

extension PlanBook {
    /// Plans held, those that are over and not yet forgotten included.
    package var count: Int { table.count }

    /// The plan with this id.
    package func handle(id: String) -> PlanHandle? { table.slot(of: id).map { handle($0) } }

    /// The id of a plan of this book.
    package func id(_ handle: PlanHandle) throws(PlanBookError) -> String { table.id(try slot(handle)) }

    /// The definition in force.
    package func plan(_ handle: PlanHandle) throws(PlanBookError) -> Plan { table.plan(try slot(handle)) }

    /// The state, without making a snapshot.
    package func state(_ handle: PlanHandle) throws(PlanBookError) -> PlanState {
        table.records[Int(try slot(handle))].state
    }

    /// The instrument whose prices the plan's levels are, and its x.
    package func triggerInstrument(_ handle: PlanHandle) throws(PlanBookError) -> SymbolID {
        let record = table.records[Int(try slot(handle))]
        return SymbolID(index: index.instruments[Int(index.groups[Int(record.group)].instrument)].symbol)
    }

    /// Everything that changes about a plan.
    package func snapshot(_ handle: PlanHandle) throws(PlanBookError) -> PlanSnapshot {
        let slot = try slot(handle)
        var record = table.records[Int(slot)]
        let lastX = lastX(of: record)
        if record.hasExtremes {
            let (high, low) = index.extremes(Self.stream(of: record), since: record.since)
            Self.carry(&record, high: high, low: low)
        }
        let entry = record.signed(record.entryX)
        let hasBest = record.entryX != 0 && record.carriedHigh != Sample.unconfirmedUp
        let hasWorst = record.entryX != 0 && record.carriedLow != Sample.unconfirmedDown
        return PlanSnapshot(
            version: record.version,
            state: record.state,
            stop: Price(micros: record.stop),
            entryPrice: record.entryX == 0 ? nil : Price(micros: record.entryX),
            filled: Fraction(micros: record.filled),
            remaining: record.remaining,
            targetsHit: Int(record.targetsHit),
            hits: table.hits(slot),
            lastX: lastX,
            favourable: hasBest ? Price(micros: max(0, record.carriedHigh - entry)) : nil,
            adverse: hasWorst ? Price(micros: max(0, entry - record.carriedLow)) : nil,
            expiry: record.expiry == .max ? nil : Instant(nanos: record.expiry),
            blind: table.blindness(slot),
            needsReview: record.needsReview
        )
    }

    /// Every plan held, in order of creation.
    ///
    /// - Complexity: O(n log n); for lists and checkpoints, not for events.
    package var handles: [PlanHandle] {
        (0..<table.records.count).map { handle(UInt32($0)) }.filter { $0.order > 0 }.sorted { $0.order < $1.order }
    }

    /// Whether open plans of the instrument take x from quotes: then its quotes must not be merged.
    package func hasQuotePlans(_ symbol: SymbolID) -> Bool {
        index.find(symbol).map { index.instruments[$0].quotePlans > 0 } ?? false
    }

    /// Whether the instrument's plans are blind.
    package func isBlind(_ symbol: SymbolID) -> Bool {
        index.find(symbol).map { index.instruments[$0].sight != .sees } ?? false
    }

    /// Gaps of the instrument that wait for `repair`.
    package func openGaps(_ symbol: SymbolID) -> Int {
        index.find(symbol).flatMap { deferral(of: $0) }.map { deferrals[$0].gaps.count } ?? 0
    }

    /// Events of the instrument that are kept.
    package func heldEvents(_ symbol: SymbolID) -> Int {
        index.find(symbol).flatMap { deferral(of: $0) }.map { deferrals[$0].events.count } ?? 0
    }
}
