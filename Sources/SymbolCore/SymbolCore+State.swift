internal import Analytics
package import MarketData
internal import Plans
package import Primitives
internal import Wire

extension SymbolCore {
    /// A new core, or the one that a checkpoint holds.
    ///
    /// A state that can't be read is a fault of ours or of the disk; the checkpoint's checksum was verified before, so this
    /// stops the process with the place: going on from a wrong state could give a wrong hit.
    package static func make(
        symbol: String,
        number: UInt32,
        options: SymbolCoreOptions,
        rules: TradeRules,
        feeds: FeedsState,
        saved: [UInt8]?
    ) -> SymbolCore {
        guard let saved else {
            return SymbolCore(symbol: symbol, number: number, options: options, rules: rules, feeds: feeds)
        }
        do {
            return try SymbolCore(restoring: saved, symbol: symbol, number: number, options: options)
        } catch {
            preconditionFailure("checkpoint of \(symbol) passed its checksum but can't be read: \(error)")
        }
    }

    /// Tells of an instrument that comes in with input `n`, in order of `n`.
    ///
    /// A batch tells of all of its new ones before its first input; where the batch begins must not show.
    package mutating func announce(_ instrument: Instrument, id: SymbolID, slot: UInt32, at n: Ordinal) {
        announced.append(Announcement(n: n, slot: slot, placed: PlacedInstrument(id: id, instrument: instrument)))
        nextAnnounced = min(nextAnnounced, n)
        bornAfter = min(bornAfter, n - 1)
    }

    mutating func introduceAnnounced(through n: Ordinal) {
        guard n >= nextAnnounced else { return }
        let count = announced.firstIndex { $0.n > n } ?? announced.count
        for announcement in announced[..<count] {
            introduce(announcement.placed.instrument, id: announcement.placed.id, slot: announcement.slot)
        }
        announced.removeFirst(count)
        nextAnnounced = announced.first?.n ?? .max
    }

    /// Gives a slot its instrument.
    package mutating func introduce(_ instrument: Instrument, id: SymbolID, slot: UInt32) {
        let slot = Int(slot)
        while instruments.count <= slot {
            instruments.append(nil)
            places.append()
        }
        while contracts.count < instruments.count - Int(Slot.firstContract) { contracts.append(ContractAnalytics()) }
        let isNew = instruments[slot] == nil
        instruments[slot] = PlacedInstrument(id: id, instrument: instrument)
        (places[slot].isKnown, places[slot].kind) = (true, instrument.kind)
        if isNew, slot >= Int(Slot.firstContract), !demandedContracts.isEmpty,
            demandedContracts.contains(Channel(.contract, instrument.symbol).name)
        {
            publisher.want(contract: slot)
        }
        if isNew, slot == Int(Slot.index), instruments[Int(Slot.equity)] == nil, underlying.kind != .index {
            underlying = UnderlyingAnalytics(kind: .index, settings: options.analytics)
            // The core has another name from here on than the one under which demand was looked up.
            publisher.setDemand(symbol: demandsIndex.symbol, bands: demandsIndex.bands)
        }
    }

    /// The figures as they stood at `instant`, from a copy: nothing of the core changes.
    package func reading(at instant: Instant) -> SymbolReading {
        var copy = underlying
        copy.advance(to: instant)
        return SymbolReading(symbol: publicName, figures: copy.checkpoint(at: instant))
    }

    /// Appends everything but what instruments and options give again, and what somebody watches.
    package mutating func save(to writer: inout StateWriter) {
        introduceAnnounced(through: .max)
        underlying.save(to: &writer)
        writer.write(Int64(contracts.count))
        for contract in contracts { contract.save(to: &writer) }
        writer.write((0..<places.count).map { places[$0].book })
        writer.write((0..<places.count).map { places[$0].source })
        writer.write(rules.table)
        writer.write(feeds)
        writer.write(fallbacks.sorted { $0.key < $1.key }.map { SlotFallback(slot: $0.key, fallback: $0.value) })
        writer.write(watches)
        writer.write(halted)
        writer.write(toldHalt)
        writer.write(adjustedDates)
        writer.write(counters)
        plans.save(to: &writer)
    }

    private init(
        restoring saved: [UInt8],
        symbol: String,
        number: UInt32,
        options: SymbolCoreOptions
    ) throws(StateError) {
        self.init(symbol: symbol, number: number, options: options)
        bornAfter = .min
        var reader = StateReader(saved)
        underlying = try UnderlyingAnalytics(restoring: &reader)
        let count = try reader.read(Int64.self)
        guard count >= 0, count <= 1 << 24 else { throw StateError(offset: 0, expected: "a number of contracts") }
        for _ in 0..<count { contracts.append(try ContractAnalytics(restoring: &reader)) }
        let books = try reader.readArray(of: Quote?.self)
        while places.count < books.count { places.append() }
        for (slot, book) in books.enumerated() { places[slot].book = book }
        let sources = try reader.readArray(of: FeedSource?.self)
        guard sources.count == books.count else { throw StateError(offset: 0, expected: "a source a slot") }
        for (slot, source) in sources.enumerated() { places[slot].source = source }
        guard let rules = TradeRules(table: try reader.readArray()) else {
            throw StateError(offset: 0, expected: "a table of trade rules")
        }
        self.rules = rules
        feeds = try reader.read(FeedsState.self)
        for saved in try reader.readArray(of: SlotFallback.self) { fallbacks[saved.slot] = saved.fallback }
        watches = try reader.readArray(of: SlotWatch.self)
        for (index, watch) in watches.enumerated() {
            guard watch.slot < places.count else { throw StateError(offset: 0, expected: "a watch of a known slot") }
            places[watch.slot].watch = Int32(index)
            watchDue = min(watchDue, watch.due)
        }
        instruments = Array(repeating: nil, count: places.count)
        halted = try reader.read(Bool.self)
        toldHalt = try reader.read(Instant?.self)
        adjustedDates = try reader.readArray()
        counters = try reader.read(CoreCounters.self)
        plans = try PlanBook(restoring: &reader)
        guard reader.remaining == 0 else { throw StateError(offset: saved.count, expected: "the end of the state") }
    }
}

/// A fallback with its slot, as a checkpoint holds it.
private struct SlotFallback: BitwiseCopyable {
    var slot: Int
    var fallback: Fallback
}
