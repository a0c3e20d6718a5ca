import MarketData
import Primitives

/// Every plan of a book: records, texts, targets, hits so far, and the way from an id to its slot.
struct PlanTable {
    /// What one live plan at a time is allowed for.
    private struct LiveKey: Hashable {
        var owner: UInt32
        var symbol: UInt32
        var style: PlanStyle
    }

    private struct HitNode: BitwiseCopyable {
        var hit: PlanHit
        /// Index + 1 of the next; 0 ends the list.
        var next: UInt32
    }

    /// A gap that nobody repaired, in nanoseconds of exchange time.
    struct Gap: BitwiseCopyable {
        var slot: UInt32
        var from: Int64
        var to: Int64
    }

    /// An entry zone, by the plan's place in the order of creation.
    private struct Zone: BitwiseCopyable {
        var order: UInt64
        var low: Int64
        var high: Int64
    }

    var records = Chunked<PlanRecord>()
    /// Shown only, and few plans have one.
    private var zones: [UInt64: Zone] = [:]
    /// Each plan's last gap, by slot: few have one.
    var gaps: [UInt32: Gap] = [:]
    private var freeSlots: [UInt32] = []
    private var targets = Pool<PlanTarget>()
    private var ids = Pool<UInt8>()
    private var shared = SharedTexts()
    private var rationales = OwnTexts()
    private var hitNodes: [HitNode] = []
    /// Head of the free hit nodes, index + 1.
    private var freeHits: UInt32 = 0
    /// Open addressing from an id's hash: slot + 1, 0 is free; a power of two, at most three quarters full.
    private var idSlots: [UInt32] = []
    private var liveCounts: [LiveKey: Int32] = [:]
    /// Plans held, done ones too.
    private(set) var count = 0
    /// Of the last plan made.
    private(set) var order: UInt64 = 0

    init() {}

    // MARK: Definitions

    /// Takes a plan in; it gets the next place in the order of creation.
    mutating func insert(_ plan: Plan, tick: Price) -> UInt32 {
        order += 1
        count += 1
        var record = PlanRecord()
        record.order = order
        define(&record, plan, tick: tick)
        record.id = ids.insert(Array(plan.id.utf8))
        record.stop = record.firstStop
        let slot: UInt32
        if let free = freeSlots.popLast() {
            slot = free
            record.generation = records[Int(slot)].generation
            records[Int(slot)] = record
        } else {
            slot = UInt32(records.count)
            records.append(record)
        }
        if count * 4 > idSlots.count * 3 { growIDs() } else { place(slot) }
        countLive(record, by: 1)
        return slot
    }

    /// Puts another version of the definition in; the state stays as it is.
    mutating func redefine(_ slot: UInt32, _ plan: Plan, tick: Price) {
        var record = records[Int(slot)]
        countLive(record, by: -1)
        targets.remove(record.targets)
        rationales.remove(record.rationale)
        define(&record, plan, tick: tick)
        countLive(record, by: 1)
        records[Int(slot)] = record
    }

    /// Puts a plan's entry zone into other prices; false where that doesn't fit.
    mutating func scaleZone(_ slot: UInt32, by ratio: PriceRatio) -> Bool {
        let order = records[Int(slot)].order
        guard let zone = zones[order] else { return true }
        guard let low = ratio.scale(zone.low), let high = ratio.scale(zone.high), low > 0 else { return false }
        zones[order] = Zone(order: order, low: low, high: high)
        return true
    }

    /// Forgets a plan and everything that belongs to it.
    mutating func remove(_ slot: UInt32) {
        unplace(slot)
        let record = records[Int(slot)]
        targets.remove(record.targets)
        ids.remove(record.id)
        rationales.remove(record.rationale)
        if record.lastHit != 0 {
            hitNodes[Int(record.lastHit) - 1].next = freeHits
            freeHits = record.firstHit
        }
        records[Int(slot)].order = 0
        records[Int(slot)].generation &+= 1
        gaps[slot] = nil
        zones[record.order] = nil
        freeSlots.append(slot)
        count -= 1
    }

    /// Whether a plan is seen; else since when, or what of it wasn't.
    func blindness(_ slot: UInt32) -> PlanBlindness {
        if records[Int(slot)].isBlind { return .blind }
        guard let gap = gaps[slot] else { return .sees }
        return .gap(from: Instant(nanos: gap.from), to: Instant(nanos: gap.to))
    }

    /// The definition in force.
    func plan(_ slot: UInt32) -> Plan {
        let record = records[Int(slot)]
        return Plan(
            id: id(slot),
            version: record.version,
            owner: shared[record.owner],
            visibility: record.visibility,
            symbol: shared[record.symbol],
            contract: record.contract == 0 ? nil : shared[record.contract],
            triggerOn: record.triggerOn,
            side: record.side,
            style: record.style,
            kind: record.kind,
            trigger: record.trigger,
            entry: PlanEntry(
                type: record.entryType,
                price: Price(micros: record.entry),
                zone: zones[record.order].map { PriceZone(low: Price(micros: $0.low), high: Price(micros: $0.high)) }
            ),
            stop: Price(micros: record.firstStop),
            targets: Array(targets(of: record)),
            breakevenAfter: record.breakevenAfter == 0 ? nil : Int(record.breakevenAfter),
            trail: record.trailAfter == 0
                ? nil : PlanTrail(after: Int(record.trailAfter), distance: Price(micros: record.trailDistance)),
            sessions: SessionSet(rawValue: record.sessions),
            armAt: record.armAt == .min ? nil : Instant(nanos: record.armAt),
            expiresAt: record.expiresAt == .min ? nil : Instant(nanos: record.expiresAt),
            size: record.size == 0 ? nil : Size(micros: record.size),
            rationale: record.rationale == 0 ? nil : rationales[record.rationale]
        )
    }

    func targets(of record: PlanRecord) -> ArraySlice<PlanTarget> { targets[record.targets] }

    private mutating func define(_ record: inout PlanRecord, _ plan: Plan, tick: Price) {
        record.version = plan.version
        record.owner = shared.intern(plan.owner)
        record.visibility = plan.visibility
        record.symbol = shared.intern(plan.symbol)
        record.contract = plan.contract.map { shared.intern($0) } ?? 0
        record.triggerOn = plan.triggerOn
        record.side = plan.side
        record.style = plan.style
        record.kind = plan.kind
        record.trigger = plan.trigger
        record.entryType = plan.entry.type
        record.entry = plan.entry.price.micros
        zones[record.order] = plan.entry.zone.map {
            Zone(order: record.order, low: $0.low.micros, high: $0.high.micros)
        }
        record.firstStop = plan.stop.micros
        record.targets = targets.insert(plan.targets)
        record.breakevenAfter = UInt8(plan.breakevenAfter ?? 0)
        record.trailAfter = UInt8(plan.trail?.after ?? 0)
        record.trailDistance = plan.trail?.distance.micros ?? 0
        record.sessions = plan.sessions.rawValue
        record.armAt = plan.armAt?.nanos ?? .min
        record.expiresAt = plan.expiresAt?.nanos ?? .min
        record.size = plan.size?.micros ?? 0
        record.rationale = plan.rationale.map { rationales.insert($0) } ?? 0
        record.tick = UInt32(tick.micros)
    }

    /// Puts as many targets in the place of a plan's own.
    mutating func setTargets(_ new: [PlanTarget], of slot: UInt32) {
        targets.remove(records[Int(slot)].targets)
        records[Int(slot)].targets = targets.insert(new)
    }

    /// The index of an owner's or a symbol's text that is known.
    func textIndex(of text: String) -> UInt32? { shared.index(of: text) }

    // MARK: One live plan per symbol, style and user

    /// Open live plans of this owner in this symbol and style.
    func liveCount(like plan: Plan) -> Int {
        guard let owner = shared.index(of: plan.owner), let symbol = shared.index(of: plan.symbol) else { return 0 }
        return Int(liveCounts[LiveKey(owner: owner, symbol: symbol, style: plan.style)] ?? 0)
    }

    /// Counts an open live plan in or out; to be called once it is done.
    mutating func countLive(_ record: PlanRecord, by change: Int32) {
        guard record.kind == .live else { return }
        let key = LiveKey(owner: record.owner, symbol: record.symbol, style: record.style)
        let value = (liveCounts[key] ?? 0) + change
        liveCounts[key] = value == 0 ? nil : value
    }

    // MARK: Ids

    func id(_ slot: UInt32) -> String { String(decoding: ids[records[Int(slot)].id], as: UTF8.self) }

    func slot(of id: String) -> UInt32? {
        guard !idSlots.isEmpty else { return nil }
        let bytes = Array(id.utf8)
        var position = Self.hash(bytes[...]) & (idSlots.count - 1)
        while idSlots[position] != 0 {
            let slot = idSlots[position] - 1
            if ids[records[Int(slot)].id].elementsEqual(bytes) { return slot }
            position = (position + 1) & (idSlots.count - 1)
        }
        return nil
    }

    private static func hash(_ bytes: ArraySlice<UInt8>) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int(truncatingIfNeeded: ((hash ^ (hash >> 29)) &* 0x9E37_79B9_7F4A_7C15) >> 20)
    }

    private func home(of slot: UInt32) -> Int { Self.hash(ids[records[Int(slot)].id]) & (idSlots.count - 1) }

    private mutating func place(_ slot: UInt32) {
        var position = home(of: slot)
        while idSlots[position] != 0 { position = (position + 1) & (idSlots.count - 1) }
        idSlots[position] = slot + 1
    }

    private mutating func growIDs() {
        idSlots = Array(repeating: 0, count: max(8, idSlots.count * 2))
        for slot in 0..<records.count where !records[slot].handleIsFree { place(UInt32(slot)) }
    }

    /// Takes an id out and moves those behind it up (linear probing without tombstones).
    private mutating func unplace(_ slot: UInt32) {
        let mask = idSlots.count - 1
        var hole = home(of: slot)
        while idSlots[hole] != slot + 1 { hole = (hole + 1) & mask }
        var next = (hole + 1) & mask
        while idSlots[next] != 0 {
            let distanceFromHome = (next - home(of: idSlots[next] - 1)) & mask
            if distanceFromHome >= (next - hole) & mask {
                idSlots[hole] = idSlots[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        idSlots[hole] = 0
    }

    // MARK: Hits so far

    mutating func record(_ hit: PlanHit, of slot: UInt32) {
        let index: UInt32
        if freeHits != 0 {
            index = freeHits
            freeHits = hitNodes[Int(index) - 1].next
            hitNodes[Int(index) - 1] = HitNode(hit: hit, next: 0)
        } else {
            hitNodes.append(HitNode(hit: hit, next: 0))
            index = UInt32(hitNodes.count)
        }
        if records[Int(slot)].lastHit == 0 {
            records[Int(slot)].firstHit = index
        } else {
            hitNodes[Int(records[Int(slot)].lastHit) - 1].next = index
        }
        records[Int(slot)].lastHit = index
    }

    /// Marks a hit of the plan as voided, and returns it; nil where it is already.
    mutating func void(_ index: Int32, of slot: UInt32) -> PlanHit? {
        var next = records[Int(slot)].firstHit
        while next != 0, hitNodes[Int(next) - 1].hit.index != index { next = hitNodes[Int(next) - 1].next }
        guard next != 0, !hitNodes[Int(next) - 1].hit.isVoided else { return nil }
        hitNodes[Int(next) - 1].hit.isVoided = true
        return hitNodes[Int(next) - 1].hit
    }

    func hits(_ slot: UInt32) -> [PlanHit] {
        var hits: [PlanHit] = []
        var next = records[Int(slot)].firstHit
        while next != 0 {
            hits.append(hitNodes[Int(next) - 1].hit)
            next = hitNodes[Int(next) - 1].next
        }
        return hits
    }
}

extension PlanTable: Checkpointable {
    func save(to writer: inout StateWriter) {
        records.save(to: &writer)
        writer.write(gaps.values.sorted { $0.slot < $1.slot })
        writer.write(zones.values.sorted { $0.order < $1.order })
        writer.write(freeSlots)
        targets.save(to: &writer)
        ids.save(to: &writer)
        shared.save(to: &writer)
        rationales.save(to: &writer)
        writer.write(hitNodes)
        writer.write(freeHits)
        writer.write(Int64(count))
        writer.write(order)
    }

    init(restoring reader: inout StateReader) throws(StateError) {
        records = try Chunked(restoring: &reader)
        for gap in try reader.readArray(of: Gap.self) { gaps[gap.slot] = gap }
        for zone in try reader.readArray(of: Zone.self) { zones[zone.order] = zone }
        freeSlots = try reader.readArray()
        targets = try Pool(restoring: &reader)
        ids = try Pool(restoring: &reader)
        shared = try SharedTexts(restoring: &reader)
        rationales = try OwnTexts(restoring: &reader)
        hitNodes = try reader.readArray()
        freeHits = try reader.read()
        count = Int(try reader.read(Int64.self))
        order = try reader.read()
        var size = 8
        while count * 4 > size * 3 { size *= 2 }
        idSlots = Array(repeating: 0, count: size)
        for slot in 0..<records.count where !records[slot].handleIsFree {
            place(UInt32(slot))
            if records[slot].state.isOpen { countLive(records[slot], by: 1) }
        }
    }
}
