internal import MarketData
internal import Primitives

/// The day of New York that an instant lies in, as a count of days.
enum NewYorkDay {
    static func of(_ instant: Instant) -> Int32 { NewYork.local(instant).date.daysSinceEpoch }
}
