internal import MarketData
internal import Primitives

/// Where a symbol's events go.
struct Route {
    var core: UInt32
    var slot: UInt32
    var shard: Int
}

/// Knows each symbol's core, slot and shard, and each plan's core; places new ones in order of first sight.
///
/// Pure. /// An underlying, its index and all its option contracts share a core (architecture.md 5). Feed thread only.
struct Router {
    let shardCount: Int
    private var routes: [Route?] = []
    /// Every symbol that has a route, and the input at which it got it, in that order.
    private var placements: [(symbol: SymbolID, n: Ordinal)] = []
    private var coreOfUnderlying: [String: UInt32] = [:]
    private var contractCounts: [UInt32] = []
    private var coreOfPlan: [String: UInt32] = [:]

    init(shardCount: Int) { self.shardCount = shardCount }

    /// The route of a symbol that has one.
    @inline(__always)
    func known(_ symbol: SymbolID) -> Route? {
        let index = Int(symbol.index)
        return index < routes.count ? routes[index] : nil
    }

    /// Makes a route for a symbol without one, first seen at input `n`.
    mutating func place(_ symbol: SymbolID, _ instrument: Instrument, at n: Ordinal) -> Introduction {
        let core = core(of: instrument.underlying)
        let slot: UInt32
        switch instrument.kind {
        case .equity: slot = 0
        case .index: slot = 1
        case .option:
            slot = 2 + contractCounts[Int(core)]
            contractCounts[Int(core)] += 1
        }
        while routes.count <= Int(symbol.index) { routes.append(nil) }
        placements.append((symbol, n))
        routes[Int(symbol.index)] = Route(core: core, slot: slot, shard: shard(of: core))
        return Introduction(n: n, core: core, slot: slot, symbol: symbol, instrument: instrument)
    }

    func shard(of core: UInt32) -> Int { Int(core) % shardCount }

    /// Remembers which core runs a plan, so that later commands find it.
    mutating func remember(plan: String, core: UInt32) {
        if coreOfPlan[plan] == nil { coreOfPlan[plan] = core }
    }

    func core(ofUnderlying underlying: String) -> UInt32? { coreOfUnderlying[underlying] }

    func core(ofPlan plan: String) -> UInt32? { coreOfPlan[plan] }

    private mutating func core(of underlying: String) -> UInt32 {
        if let core = coreOfUnderlying[underlying] { return core }
        let core = UInt32(contractCounts.count)
        coreOfUnderlying[underlying] = core
        contractCounts.append(0)
        return core
    }
}

extension Router {
    /// Appends what `restore` needs: who was placed in which order, and the plans' cores.
    func save(to writer: inout StateWriter) {
        writer.write(placements.map(\.symbol.index))
        writer.write(placements.map(\.n))
        writer.write(Int64(coreOfPlan.count))
        for (plan, core) in coreOfPlan {
            writer.write(plan)
            writer.write(core)
        }
    }

    /// Places everything again as it was, in a router without routes.
    ///
    /// - Returns: the introductions, in order; the shards have no cores without them.
    /// - Throws: `StateError` where the state isn't one of these symbols.
    mutating func restore(
        from reader: inout StateReader,
        instruments: borrowing SymbolTable
    ) throws(StateError) -> [Introduction] {
        let symbols: [UInt32] = try reader.readArray()
        let ordinals: [Ordinal] = try reader.readArray()
        guard symbols.count == ordinals.count, Set(symbols).count == symbols.count,
            symbols.allSatisfy({ Int($0) < instruments.count })
        else { throw StateError(offset: 0, expected: "known symbols, each once") }
        var introductions: [Introduction] = []
        for (symbol, n) in zip(symbols, ordinals) {
            let id = SymbolID(index: symbol)
            introductions.append(place(id, instruments.instrument(id), at: n))
        }
        for _ in 0..<max(0, try reader.read(Int64.self)) {
            let plan = try reader.readString()
            let core: UInt32 = try reader.read()
            guard Int(core) < contractCounts.count else {
                throw StateError(offset: 0, expected: "a plan of a known core")
            }
            coreOfPlan[plan] = core
        }
        return introductions
    }
}
