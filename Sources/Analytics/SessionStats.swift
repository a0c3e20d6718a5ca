public import MarketData
public import Primitives

/// Open, high, low, last, volume and counts of regular trading hours.
///
/// One thread.
@frozen
public struct SessionStats: Hashable, Sendable, BitwiseCopyable {
    // A price of zero stands for none: no instrument of ours trades at zero.
    @usableFromInline var openPrice = Price.zero
    @usableFromInline var highPrice = Price.zero
    @usableFromInline var lowPrice = Price.zero
    @usableFromInline var lastPrice = Price.zero
    /// Sum of counted sizes.
    public var volume = Size.zero
    /// Trade events of any class.
    public var trades: Int64 = 0
    /// Quote events.
    public var quotes: Int64 = 0

    /// Before the first event.
    public init() {}

    /// Takes a trade that its class allows; counts it in any case.
    @inlinable
    public mutating func traded(_ price: Price, _ size: Size, as tradeClass: TradeClass) {
        trades &+= 1
        if tradeClass.contains(.counted) { volume = volume + size }
        if tradeClass.contains(.eligible) { extend(high: price, low: price) }
        if tradeClass.contains(.last) {
            if openPrice == .zero { openPrice = price }
            lastPrice = price
        }
    }

    /// Takes a later bar.
    public mutating func add(_ bar: MinuteBar) {
        volume = volume + bar.volume
        if bar.high != .zero { extend(high: bar.high, low: bar.low) }
        if openPrice == .zero { openPrice = bar.open }
        if bar.close != .zero { lastPrice = bar.close }
    }

    @inlinable
    mutating func extend(high: Price, low: Price) {
        if high > highPrice { highPrice = high }
        if low < lowPrice || lowPrice == .zero { lowPrice = low }
    }

    /// This stretch of the session followed by `later`.
    public func followed(by later: SessionStats) -> SessionStats {
        var both = self
        if later.highPrice != .zero { both.extend(high: later.highPrice, low: later.lowPrice) }
        if both.openPrice == .zero { both.openPrice = later.openPrice }
        if later.lastPrice != .zero { both.lastPrice = later.lastPrice }
        both.volume = volume + later.volume
        both.trades &+= later.trades
        both.quotes &+= later.quotes
        return both
    }

    /// First *last* trade; nil before it.
    public var open: Price? { openPrice == .zero ? nil : openPrice }
    /// Highest *eligible* trade.
    public var high: Price? { highPrice == .zero ? nil : highPrice }
    /// Lowest *eligible* trade.
    public var low: Price? { lowPrice == .zero ? nil : lowPrice }
    /// Last *last* trade.
    public var last: Price? { lastPrice == .zero ? nil : lastPrice }
}
