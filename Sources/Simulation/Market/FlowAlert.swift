internal import MarketData
package import Primitives

/// The prints of one contract that came close together.
package struct FlowCluster: Sendable {
    static let windowNanos: Int64 = 5_000_000_000
    static let premiumMin = 25_000.0
    static let tradesMin = 4
    /// Trade ids an alert names at most.
    static let idsMax = 400

    var start: Instant
    var size: Int64 = 0
    var premium = 0.0
    var askPremium = 0.0
    var bidPremium = 0.0
    var ids: [Int64] = []
    var hasSweep = false
    var hasFloor = false
    var hasMulti = false
    var hasSingle = false
    /// It made an alert already.
    var isSpent = false

    init(start: Instant) { self.start = start }

    var isAlert: Bool { !isSpent && ids.count >= Self.tradesMin && premium >= Self.premiumMin }

    mutating func add(_ trade: ModelTrade) {
        let paid = trade.price.dollars * trade.size.shares * 100
        size += trade.size.micros / 1_000_000
        premium += paid
        if trade.side > 0 { askPremium += paid } else if trade.side < 0 { bidPremium += paid }
        if ids.count < Self.idsMax { ids.append(trade.id) }
        hasSweep = hasSweep || Self.condition(trade) == 219
        hasFloor = hasFloor || [231, 235].contains(Self.condition(trade))
        if Self.isMulti(trade) { hasMulti = true } else { hasSingle = true }
    }

    static func condition(_ trade: ModelTrade) -> Int { Int(trade.conditions.packed & 0xFF) }

    static func isMulti(_ trade: ModelTrade) -> Bool {
        (232...236).contains(condition(trade)) || condition(trade) == 238
    }
}

/// An alert: a contract whose premium clustered, with the figures of that moment.
package struct FlowAlert: Sendable {
    package let number: Int
    package let symbol: Int32
    package let start: Instant
    package let end: Instant
    package let price: Price
    package let bid: Price
    package let ask: Price
    package let spot: Double
    package let totalSize: Int64
    package let premium: Double
    package let askPremium: Double
    package let bidPremium: Double
    package let trades: [Int64]
    package let hasSweep: Bool
    package let hasFloor: Bool
    package let hasMulti: Bool
    package let hasSingle: Bool
    package let exchange: UInt16
    package let condition: Int
    package let flow: (all: Int64, ask: Int64, bid: Int64, mid: Int64, multi: Int64)

    init(number: Int, cluster: FlowCluster, trade: ModelTrade, model: MarketModel) {
        self.number = number
        symbol = trade.symbol
        (start, end, price, bid, ask) = (cluster.start, trade.time, trade.price, trade.bid, trade.ask)
        spot = model.spot(model.instruments.all[Int(trade.symbol)].underlying)
        (totalSize, premium) = (cluster.size, cluster.premium)
        (askPremium, bidPremium, trades) = (cluster.askPremium, cluster.bidPremium, cluster.ids)
        (hasSweep, hasFloor, hasMulti, hasSingle) =
            (cluster.hasSweep, cluster.hasFloor, cluster.hasMulti, cluster.hasSingle)
        (exchange, condition) = (trade.exchange, FlowCluster.condition(trade))
        flow = model.flow(of: trade.symbol)
    }
}
