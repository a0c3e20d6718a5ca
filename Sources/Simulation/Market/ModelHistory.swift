internal import Glibc
package import MarketData
internal import Primitives

/// The days before the model's own, and its first hours: bars that REST answers, a function of seed, symbol and date.
///
/// Each day's path is a bridge between two closing prices, so days join without a hole and the last one ends where the
/// model begins.
package struct ModelHistory: Sendable {
    /// What of a stock the past depends on.
    package struct Subject: Sendable {
        package var index: Int32
        /// Price at the model's start.
        package var price: Double
        /// A year's volatility.
        package var volatility: Double
        /// Shares of an ordinary day.
        package var dayVolume: Double
    }

    let seed: UInt64
    let start: Instant
    let calendar = SessionCalendar()
    private let today: CivilDate
    /// Days back at most; an answer beyond is empty.
    static let daysMax = 760

    init(seed: UInt64, start: Instant) {
        self.seed = seed
        self.start = start
        today = NewYork.local(start).date
    }

    /// The minute bars of a date before the model's start, in order.
    package func minutes(of subject: Subject, on date: CivilDate) -> [ModelBar] {
        guard date <= today, let day = calendar.tradingDay(on: date),
            today.daysSinceEpoch - date.daysSinceEpoch <= Self.daysMax
        else { return [] }
        var closing = subject.price
        var walked = today
        // From today's known price back to the close of `date`.
        while walked > date {
            if calendar.tradingDay(on: walked) != nil { closing /= exp(dayReturn(subject, walked)) }
            walked = walked.adding(days: -1)
        }
        let opening = closing / exp(dayReturn(subject, date))
        let end = date == today ? min(start, day.postClose) : day.postClose
        let count = Int(end.nanos(since: day.preOpen) / 60_000_000_000)
        guard count > 0 else { return [] }
        return path(subject, day, from: opening, to: closing, minutes: count)
    }

    /// The day's closing price and bars as one bar; nil on a day without trading.
    package func day(of subject: Subject, on date: CivilDate) -> ModelBar? {
        guard let day = calendar.tradingDay(on: date) else { return nil }
        var bar = ModelBar(symbol: subject.index, seconds: 86_400, start: NewYork.instant(date, seconds: 0))
        for minute in minutes(of: subject, on: date) {
            if day.isRegular(minute.start) {
                bar.merge(minute)
            } else {
                bar.volume = bar.volume + minute.volume
                bar.trades += minute.trades
            }
        }
        return bar.hasPrice ? bar : nil
    }

    private func dayReturn(_ subject: Subject, _ date: CivilDate) -> Double {
        var random = ModelRandom(seed, 0xDA7, UInt64(subject.index), UInt64(date.daysSinceEpoch))
        return random.gaussian() * subject.volatility / 15.87
    }

    private func path(
        _ subject: Subject,
        _ day: TradingDay,
        from opening: Double,
        to closing: Double,
        minutes count: Int
    ) -> [ModelBar] {
        var random = ModelRandom(seed, 0xBA5, UInt64(subject.index), UInt64(day.date))
        let session = Double(day.close.nanos(since: day.open)) / 60e9
        // A free walk of the log price first, bent to end where it must afterwards.
        var walk: [Double] = [0]
        for index in 0..<count {
            let minute = day.preOpen.advanced(byNanos: Int64(index) * 60_000_000_000)
            let position = Double(minute.nanos(since: day.open)) / 60e9 / session
            let scale = (0..<1).contains(position) ? MarketCurves.volatility(position) : 0.25
            walk.append((walk.last ?? 0) + random.gaussian() * scale * subject.volatility / sqrt(252 * 390))
        }
        let bend = (log(closing / opening) - (walk.last ?? 0)) / Double(count)
        return (0..<count).map { index in
            let ends = (walk[index] + bend * Double(index), walk[index + 1] + bend * Double(index + 1))
            let start = day.preOpen.advanced(byNanos: Int64(index) * 60_000_000_000)
            let position = Double(start.nanos(since: day.open)) / 60e9 / session
            let share = (0..<1).contains(position) ? MarketCurves.activity(position) : 0.02
            return bar(subject, start, opening * exp(ends.0), opening * exp(ends.1), share / session, &random)
        }
    }

    private func bar(
        _ subject: Subject,
        _ start: Instant,
        _ open: Double,
        _ close: Double,
        _ share: Double,
        _ random: inout ModelRandom
    ) -> ModelBar {
        var bar = ModelBar(symbol: subject.index, seconds: 60, start: start)
        let reach = subject.price * subject.volatility / sqrt(252 * 390) * 0.5
        bar.open = Self.cents(open)
        bar.close = Self.cents(close)
        bar.high = max(bar.open, bar.close, Self.cents(max(open, close) + reach * random.uniform()))
        bar.low = max(
            Price(micros: 10_000),
            min(bar.open, bar.close, Self.cents(min(open, close) - reach * random.uniform()))
        )
        let shares = max(1, subject.dayVolume * share * (0.6 + 0.8 * random.uniform()))
        bar.volume = Size(shares: Int64(shares))
        bar.priced = shares.rounded(.down)
        bar.turnover = bar.priced * (bar.high.dollars + bar.low.dollars + bar.close.dollars) / 3
        bar.trades = Int32(min(1e6, max(1, shares / 120)))
        return bar
    }

    static func cents(_ dollars: Double) -> Price { Price(micros: Int64((dollars * 100).rounded()) * 10_000) }
}
