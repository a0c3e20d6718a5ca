public import Primitives

/// A day of the Gregorian calendar, as a count of days since 1970-01-01.
@frozen
public struct CivilDate: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// Days since 1970-01-01, which is 0.
    public var daysSinceEpoch: Int32

    /// The day so many days after 1970-01-01.
    @inlinable
    public init(daysSinceEpoch: Int32) { self.daysSinceEpoch = daysSinceEpoch }

    /// The day written as yyyymmdd; a day of the month that doesn't exist runs on into the next month.
    public init(_ yyyymmdd: Int32) {
        self.init(year: yyyymmdd / 10_000, month: yyyymmdd / 100 % 100, day: yyyymmdd % 100)
    }

    /// Hinnant's `days_from_civil`, for years from 1 on.
    public init(year: Int32, month: Int32, day: Int32) {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        daysSinceEpoch = era * 146_097 + dayOfEra - 719_468
    }

    /// Earlier.
    @inlinable
    public static func < (a: CivilDate, b: CivilDate) -> Bool { a.daysSinceEpoch < b.daysSinceEpoch }

    /// Year, month 1…12 and day 1…31 (Hinnant's `civil_from_days`, for years from 1 on).
    public var components: (year: Int32, month: Int32, day: Int32) {
        let shifted = daysSinceEpoch + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    /// The day as a decimal number, 20260102.
    public var yyyymmdd: Int32 {
        let (year, month, day) = components
        return year * 10_000 + month * 100 + day
    }

    /// 0 is Sunday, 6 is Saturday.
    public var weekday: Int32 { (daysSinceEpoch + 4) % 7 }

    /// The day so many days later.
    public func adding(days: Int32) -> CivilDate { CivilDate(daysSinceEpoch: daysSinceEpoch + days) }
}

/// The clock of New York by arithmetic: no zone file that may be missing, no allocation.
///
/// The rule in force since 2007: daylight time from the second Sunday of March to the first Sunday of November, 02:00.
/// Instants outside 1971…2199 are read as if at that range's edge, so that a wild time stamp can't trap.
public enum NewYork {
    @usableFromInline static let nanosPerSecond: Int64 = 1_000_000_000
    static let secondsPerDay: Int64 = 86_400
    /// What the calendar can place: 1971-01-01 to 2199-12-31 UTC.
    static let supported = Int64(31_536_000)...Int64(7_258_031_999)

    /// Whole seconds of `instant` since the epoch, held inside the supported range.
    static func seconds(of instant: Instant) -> Int64 {
        let floored = instant.nanos >= 0 ? instant.nanos / nanosPerSecond : (instant.nanos + 1) / nanosPerSecond - 1
        return min(max(floored, supported.lowerBound), supported.upperBound)
    }

    /// Seconds to add to UTC: −14,400 in daylight time, else −18,000.
    public static func offsetSeconds(at instant: Instant) -> Int64 {
        let utc = seconds(of: instant)
        let year = CivilDate(daysSinceEpoch: Int32(utc / secondsPerDay)).components.year
        let (start, end) = daylight(year: year)
        // 02:00 standard time is 07:00 UTC, 02:00 daylight time 06:00 UTC.
        let isDaylight = utc >= seconds(start, hours: 7) && utc < seconds(end, hours: 6)
        return isDaylight ? -14_400 : -18_000
    }

    /// The day in New York, and the nanoseconds of its wall clock since midnight.
    public static func local(_ instant: Instant) -> (date: CivilDate, nanos: Int64) {
        let local = seconds(of: instant) + offsetSeconds(at: instant)
        let remainder = instant.nanos % nanosPerSecond
        let nanos = remainder >= 0 ? remainder : remainder + nanosPerSecond
        return (
            CivilDate(daysSinceEpoch: Int32(local / secondsPerDay)), local % secondsPerDay * nanosPerSecond + nanos
        )
    }

    /// The instant at which the wall clock of `date` shows `seconds` since midnight (86,400 is the next midnight).
    ///
    /// An hour that exists twice is taken the first time; one that doesn't exist is read as standard time.
    public static func instant(_ date: CivilDate, seconds: Int64) -> Instant {
        let wall = Int64(date.daysSinceEpoch) * secondsPerDay + seconds
        let (start, end) = daylight(year: date.components.year)
        let isDaylight = wall >= self.seconds(start, hours: 2) && wall < self.seconds(end, hours: 2)
        return Instant(nanos: (wall + (isDaylight ? 14_400 : 18_000)) &* nanosPerSecond)
    }

    /// The instant at which the wall clock of `date` shows hour:minute.
    public static func instant(_ date: CivilDate, hour: Int, minute: Int) -> Instant {
        instant(date, seconds: Int64(hour) * 3_600 + Int64(minute) * 60)
    }

    /// Whole minutes on New York's wall clock since midnight.
    public static func minutesSinceMidnight(_ instant: Instant) -> Int { Int(local(instant).nanos / 60_000_000_000) }

    /// Reads `HH:MM`.
    ///
    /// - Returns: nil where `text` is anything else or lies outside 00:00…23:59.
    public static func minutes(_ text: String) -> Int? {
        let bytes = Array(text.utf8)
        guard bytes.count == 5, bytes[2] == UInt8(ascii: ":") else { return nil }
        let digits = [bytes[0], bytes[1], bytes[3], bytes[4]].map { Int($0) - 48 }
        guard digits.allSatisfy({ (0...9).contains($0) }) else { return nil }
        let (hour, minute) = (digits[0] * 10 + digits[1], digits[2] * 10 + digits[3])
        return hour < 24 && minute < 60 ? hour * 60 + minute : nil
    }

    private static func daylight(year: Int32) -> (start: CivilDate, end: CivilDate) {
        let march = CivilDate(year: year, month: 3, day: 8)
        let november = CivilDate(year: year, month: 11, day: 1)
        return (march.adding(days: (7 - march.weekday) % 7), november.adding(days: (7 - november.weekday) % 7))
    }

    private static func seconds(_ date: CivilDate, hours: Int64) -> Int64 {
        Int64(date.daysSinceEpoch) * secondsPerDay + hours * 3_600
    }
}
