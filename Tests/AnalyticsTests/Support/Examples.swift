import Analytics
import MarketData
import Primitives

/// Made-up events of one symbol on Monday 2026-02-02, a full day.
enum Example {
    static let symbol = SymbolID(index: 0)
    static let calendar = SessionCalendar()
    static let day = calendar.tradingDay(at: at(9, 30))
    static let rth = calendar.window(at: at(9, 30))

    /// The instant at which New York's clock shows this on the day.
    static func at(_ hour: Int, _ minute: Int, _ second: Double = 0) -> Instant {
        NewYork.instant(CivilDate(20_260_202), hour: hour, minute: minute)
            .advanced(byNanos: Int64((second * 1e3).rounded()) * 1_000_000)
    }

    static func price(_ dollars: Double) -> Price { Price(micros: Int64((dollars * 1e6).rounded())) }

    static func trade(_ dollars: Double, _ shares: Int64 = 100, at time: Instant) -> Trade {
        Trade(symbol: symbol, time: time, price: price(dollars), size: Size(shares: shares))
    }

    static func quote(_ bid: Double, _ ask: Double, at time: Instant) -> Quote {
        Quote(
            symbol: symbol,
            time: time,
            bid: price(bid),
            ask: price(ask),
            bidSize: Size(shares: bid > 0 ? 100 : 0),
            askSize: Size(shares: ask > 0 ? 100 : 0)
        )
    }

    static func bar(
        _ open: Double,
        _ high: Double,
        _ low: Double,
        _ close: Double,
        _ shares: Int64,
        at start: Instant
    ) -> Bar {
        Bar(
            symbol: symbol,
            seconds: 60,
            start: start,
            open: price(open),
            high: price(high),
            low: price(low),
            close: price(close),
            volume: Size(shares: shares)
        )
    }
}

extension UnderlyingAnalytics {
    /// A trade that is received `lateSeconds` after it happened, the timers due fired before it.
    @discardableResult
    mutating func trade(
        _ dollars: Double,
        _ shares: Int64 = 100,
        at time: Instant,
        as tradeClass: TradeClass = .all,
        lateSeconds: Double = 0
    ) -> Instant? {
        let received = time.advanced(byNanos: Int64(lateSeconds * 1e9))
        while nextBoundary <= received { _ = fireNextBoundary() }
        return traded(
            Example.trade(dollars, shares, at: time),
            as: tradeClass,
            in: Example.calendar.window(at: time),
            received: received
        )
    }

    mutating func quote(_ bid: Double, _ ask: Double, at time: Instant) {
        while nextBoundary <= time { _ = fireNextBoundary() }
        quoted(Example.quote(bid, ask, at: time), in: Example.calendar.window(at: time), received: time)
    }

    /// A provider's bar, received when its minute is over.
    @discardableResult
    mutating func bar(
        _ open: Double,
        _ high: Double,
        _ low: Double,
        _ close: Double,
        _ shares: Int64,
        at start: Instant
    ) -> Instant? {
        let received = start.advanced(byNanos: 60_000_000_000)
        while nextBoundary <= received { _ = fireNextBoundary() }
        return barred(
            Example.bar(open, high, low, close, shares, at: start),
            in: Example.calendar.window(at: start),
            received: received
        )
    }
}
