internal import Analytics
package import MarketData
internal import Plans
package import Primitives

extension SymbolCore {
    /// A new core, or the one that a checkpoint holds.
    ///
    /// A state that can't be read is a fault of ours or of the disk; the checkpoint's checksum was verified before, so this
    /// stops the process with the place: going on from a wrong state could give a wrong hit.
    package static func make(
        symbol: String,
        number: UInt32,
        options: SymbolCoreOptions,
        saved: [UInt8]?
    ) -> SymbolCore {
        guard let saved else { return SymbolCore(symbol: symbol, number: number, options: options) }
        do {
            return try SymbolCore(restoring: saved, symbol: symbol, number: number, options: options)
        } catch {
            preconditionFailure("checkpoint of \(symbol) passed its checksum but can't be read: \(error)")
        }
    }

    /// Gives a slot its instrument.
    package mutating func introduce(_ instrument: Instrument, id: SymbolID, slot: UInt32) {
        let slot = Int(slot)
        while instruments.count <= slot {
            instruments.append(nil)
            books.append(nil)
        }
        while contracts.count < instruments.count - Int(Slot.firstContract) { contracts.append(ContractAnalytics()) }
        let isNew = instruments[slot] == nil
        instruments[slot] = PlacedInstrument(id: id, kind: instrument.kind, instrument: instrument)
        if isNew, slot == Int(Slot.index), instruments[Int(Slot.equity)] == nil, underlying.kind != .index {
            underlying = UnderlyingAnalytics(kind: .index, settings: options.analytics)
        }
    }

    /// The figures as they stood at `instant`, from a copy: nothing of the core changes.
    package func reading(at instant: Instant) -> SymbolReading {
        var copy = underlying
        copy.advance(to: instant)
        return SymbolReading(symbol: publicName, figures: copy.checkpoint(at: instant))
    }

    /// Appends everything but what instruments and options give again, and what somebody watches.
    package func save(to writer: inout StateWriter) {
        underlying.save(to: &writer)
        writer.write(Int64(contracts.count))
        for contract in contracts { contract.save(to: &writer) }
        writer.write(books)
        writer.write(halted)
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
        var reader = StateReader(saved)
        underlying = try UnderlyingAnalytics(restoring: &reader)
        let count = try reader.read(Int64.self)
        guard count >= 0, count <= 1 << 24 else { throw StateError(offset: 0, expected: "a number of contracts") }
        for _ in 0..<count { contracts.append(try ContractAnalytics(restoring: &reader)) }
        books = try reader.readArray(of: Quote?.self)
        instruments = Array(repeating: nil, count: books.count)
        halted = try reader.read(Bool.self)
        counters = try reader.read(CoreCounters.self)
        plans = try PlanBook(restoring: &reader)
        guard reader.remaining == 0 else { throw StateError(offset: saved.count, expected: "the end of the state") }
    }
}
