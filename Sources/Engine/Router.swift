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
        routes[Int(symbol.index)] = Route(core: core, slot: slot, shard: shard(of: core))
        return Introduction(n: n, core: core, slot: slot, symbol: symbol, instrument: instrument)
    }

    func shard(of core: UInt32) -> Int { Int(core) % shardCount }

    /// Remembers which core runs a plan, so that later commands find it.
    mutating func remember(plan: String, core: UInt32) {
        if coreOfPlan[plan] == nil { coreOfPlan[plan] = core }
    }

    func core(ofPlan plan: String) -> UInt32? { coreOfPlan[plan] }

    private mutating func core(of underlying: String) -> UInt32 {
        if let core = coreOfUnderlying[underlying] { return core }
        let core = UInt32(contractCounts.count)
        coreOfUnderlying[underlying] = core
        contractCounts.append(0)
        return core
    }
}
