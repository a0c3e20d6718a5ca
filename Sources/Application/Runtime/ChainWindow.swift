internal import FeedProtocols
internal import MarketData
internal import Primitives

/// Which contracts of an underlying are near the money: a pure function of its chain and its price.
enum ChainWindow {
    /// Contracts of the `strikes` nearest strikes on each side of `spot` in the expiries up to `lastExpiry`, the nearest
    /// first.
    ///
    /// - Complexity: O(n log n) in the contracts.
    static func select(_ contracts: [Instrument], spot: Price, strikes: Int, lastExpiry: Int32) -> [String] {
        var chosen: [(distance: Int64, symbol: String)] = []
        for (_, chain) in Dictionary(grouping: contracts.filter { $0.expiry <= lastExpiry }, by: \.expiry) {
            let all = Set(chain.map(\.strike)).sorted()
            let above = all.filter { $0 >= spot }.prefix(strikes)
            let below = all.filter { $0 < spot }.suffix(strikes)
            let wanted = Set(above).union(below)
            for contract in chain where wanted.contains(contract.strike) {
                chosen.append((abs(contract.strike.micros - spot.micros), contract.symbol))
            }
        }
        return chosen.sorted { ($0.distance, $0.symbol) < ($1.distance, $1.symbol) }.map(\.symbol)
    }

    /// The contracts of an answer, and the price that it names.
    static func read(_ body: [UInt8]) -> (contracts: [Instrument], spot: Price)? {
        guard let tree = RESTTree(body), let page = try? ChainPage(tree),
            let spot = page.contracts.lazy.compactMap({ $0.underlying?.value }).first
        else { return nil }
        return (page.contracts.compactMap { Instrument($0.symbol) }, spot)
    }
}
