package import MarketData
package import Primitives

/// What the market model brings forth, in the order of its release.
package enum ModelEvent: Equatable, Sendable {
    case quote(ModelQuote)
    case trade(ModelTrade)
    case index(ModelIndexValue)
    /// A finished or revised bar of a second or a minute.
    case bar(ModelBar)
    case band(ModelBand)
    /// The position of a flow alert in `MarketModel.alerts`, counted from the first ever.
    case alert(Int)
    case halt(ModelHalt)
}

/// An NBBO of a stock or an option contract; sizes in shares or contracts.
package struct ModelQuote: Equatable, Sendable {
    package var symbol: Int32
    package var bidExchange: UInt16 = 0
    package var askExchange: UInt16 = 0
    package var bidSize: Int32 = 0
    package var askSize: Int32 = 0
    package var bid: Price = .zero
    package var ask: Price = .zero
    package var time: Instant = .zero
    package var sequence: Int64 = 0

    package var mid: Double { (bid.dollars + ask.dollars) / 2 }
}

/// A print of a stock or an option contract.
package struct ModelTrade: Equatable, Sendable {
    package var symbol: Int32
    package var exchange: UInt16
    /// 1 bought at the ask, -1 sold at the bid, 0 in between.
    package var side: Int8
    /// Reported over a trade reporting facility, off the exchanges.
    package var isOffExchange = false
    package var price: Price
    package var size: Size
    package var conditions = Conditions()
    /// When it happened; a late print is released later.
    package var time: Instant
    package var sequence: Int64
    package var id: Int64
    /// The NBBO at that moment.
    package var bid: Price
    package var ask: Price

    /// The vendor's ids: stocks' as they are, options' from 200 on, as all of them fit a byte.
    package static func conditions(_ ids: Int64...) -> Conditions {
        var conditions = Conditions()
        for id in ids { _ = conditions.insert(id) }
        return conditions
    }
}

/// A value of an index.
package struct ModelIndexValue: Equatable, Sendable {
    package var symbol: Int32
    package var value: Price
    package var time: Instant
}

/// The limit-up limit-down band of a stock.
package struct ModelBand: Equatable, Sendable {
    package var symbol: Int32
    package var upper: Price
    package var lower: Price
    /// 21: the national best bid and offer is a limit-state entry; nil-like 0: ordinary.
    package var indicator: UInt8
    package var time: Instant
    package var sequence: Int64
}

/// A trading halt begins or ends.
package struct ModelHalt: Equatable, Sendable {
    package var symbol: Int32
    package var isHalted: Bool
    package var time: Instant
}

/// A bar built from the model's own prints.
package struct ModelBar: Equatable, Sendable {
    package var symbol: Int32
    /// 1 or 60.
    package var seconds: Int32
    package var start: Instant
    package var open: Price = .zero
    package var high: Price = .zero
    package var low: Price = .zero
    package var close: Price = .zero
    /// All that counts as volume, of eligible prints or not.
    package var volume: Size = .zero
    /// Price times size of the prints that may set high and low, and those sizes.
    package var turnover = 0.0
    package var priced = 0.0
    package var trades: Int32 = 0
    /// The day up to the bar's release.
    package var dayVolume: Size = .zero
    package var dayVWAP = 0.0
    package var dayOpen: Price = .zero

    package init(symbol: Int32, seconds: Int32, start: Instant) {
        (self.symbol, self.seconds, self.start) = (symbol, seconds, start)
    }

    package var end: Instant { start.advanced(byNanos: Int64(seconds) * 1_000_000_000) }
    package var vwap: Double { priced > 0 ? turnover / priced : close.dollars }
    /// A bar is only told where an eligible print made it.
    package var hasPrice: Bool { high.micros > 0 }

    /// Adds a print; late ones may stretch the range but set neither open nor close where their class forbids it.
    package mutating func add(_ price: Price, _ size: Size, _ allowed: TradeClass) {
        if allowed.contains(.counted) {
            volume = volume + size
            trades += 1
        }
        guard allowed.contains(.eligible) else { return }
        turnover += price.dollars * size.shares
        priced += size.shares
        if high.micros == 0 { (open, high, low, close) = (price, price, price, price) }
        high = max(high, price)
        low = min(low, price)
        if allowed.contains(.last) { close = price }
    }

    /// Adds a later bar to a longer one.
    package mutating func merge(_ other: ModelBar) {
        volume = volume + other.volume
        turnover += other.turnover
        priced += other.priced
        trades += other.trades
        guard other.hasPrice else { return }
        if !hasPrice { (open, high, low) = (other.open, other.high, other.low) }
        high = max(high, other.high)
        low = min(low, other.low)
        close = other.close
    }
}
