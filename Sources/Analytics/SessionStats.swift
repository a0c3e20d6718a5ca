package import MarketData
package import Primitives

/// Open, high, low, last, volume and counts of regular trading hours.
///
/// One thread.
@frozen
package struct SessionStats: Hashable, Sendable, BitwiseCopyable {
    // A price of zero stands for none: no instrument of ours trades at zero.
    @usableFromInline var openPrice = Price.zero
    @usableFromInline var highPrice = Price.zero
    @usableFromInline var lowPrice = Price.zero
    @usableFromInline var lastPrice = Price.zero
    /// Sum of counted sizes.
    @usableFromInline package var volume = Size.zero
    /// Trade events of any class.
    @usableFromInline package var trades: Int64 = 0
    /// Quote events.
    @usableFromInline package var quotes: Int64 = 0

    /// Before the first event.
    package init() {}

    /// Takes a trade that its class allows; counts it in any case.
    @inlinable
    package mutating func traded(_ price: Price, _ size: Size, as tradeClass: TradeClass) {
        trades &+= 1
        if tradeClass.contains(.counted) { volume = volume + size }
        if tradeClass.contains(.eligible) { extend(high: price, low: price) }
        if tradeClass.contains(.last) {
            if openPrice == .zero { openPrice = price }
            lastPrice = price
        }
    }

    /// Takes a later bar.
    package mutating func add(_ bar: MinuteBar) {
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
    package func followed(by later: SessionStats) -> SessionStats {
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
    package var open: Price? { openPrice == .zero ? nil : openPrice }
    /// Highest *eligible* trade.
    package var high: Price? { highPrice == .zero ? nil : highPrice }
    /// Lowest *eligible* trade.
    package var low: Price? { lowPrice == .zero ? nil : lowPrice }
    /// Last *last* trade.
    package var last: Price? { lastPrice == .zero ? nil : lastPrice }
}
