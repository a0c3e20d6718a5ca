public import Primitives

/// Which part of the trading day an instant lies in.
///
/// Raw values are stored in checkpoints: only add.
public enum SessionKind: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    /// 20:00 of the evening before to 04:00 of a trading day.
    case overnight = 0
    /// 04:00 to 09:30.
    case pre = 1
    /// 09:30 to 16:00, or 13:00 on a day that closes early.
    case rth = 2
    /// The close to 20:00, or 17:00 on a day that closes early.
    case post = 3
    case closed = 4
}

/// A set of sessions, as a plan names them.
@frozen
public struct SessionSet: OptionSet, Hashable, Sendable, BitwiseCopyable {
    /// One bit a `SessionKind`.
    public var rawValue: UInt8

    /// The set with these bits.
    @inlinable
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The set of one.
    @inlinable
    public init(_ kind: SessionKind) { rawValue = 1 << kind.rawValue }

    /// 20:00 to 04:00.
    public static let overnight = SessionSet(.overnight)
    /// 04:00 to 09:30.
    public static let pre = SessionSet(.pre)
    /// Regular trading hours.
    public static let rth = SessionSet(.rth)
    /// The close to 20:00.
    public static let post = SessionSet(.post)

    /// Whether an event in a session of this kind counts.
    @inlinable
    public func contains(_ kind: SessionKind) -> Bool { rawValue & (1 << kind.rawValue) != 0 }
}

/// One trading day of the NYSE, its edges as instants; a session includes its start and excludes its end.
@frozen
public struct TradingDay: Hashable, Sendable, BitwiseCopyable {
    /// The date in New York as yyyymmdd; 0 before any day is known.
    public var date: Int32
    /// Closes at 13:00.
    public var isEarlyClose: Bool
    /// 04:00.
    public var preOpen: Instant
    /// 09:30.
    public var open: Instant
    /// 16:00, or 13:00.
    public var close: Instant
    /// 20:00, or 17:00.
    public var postClose: Instant

    /// States a day.
    public init(
        date: Int32,
        isEarlyClose: Bool,
        preOpen: Instant,
        open: Instant,
        close: Instant,
        postClose: Instant
    ) {
        self.date = date
        self.isEarlyClose = isEarlyClose
        self.preOpen = preOpen
        self.open = open
        self.close = close
        self.postClose = postClose
    }

    /// Before any day is known: contains no instant.
    public static let none = TradingDay(
        date: 0,
        isEarlyClose: false,
        preOpen: .zero,
        open: .zero,
        close: .zero,
        postClose: .zero
    )

    /// Whether regular trading hours contain `instant`.
    @inlinable
    public func isRegular(_ instant: Instant) -> Bool { instant >= open && instant < close }
}

/// A stretch of time with one session kind, and the trading day that it belongs to.
///
/// Time on a closed day belongs to the next trading day, the evening of an early close up to 20:00 to the day itself.
@frozen
public struct SessionWindow: Hashable, Sendable, BitwiseCopyable {
    /// Included.
    public var start: Instant
    /// Excluded.
    public var end: Instant
    /// The session that it is, or is a part of.
    public var kind: SessionKind
    /// The trading day that it counts for.
    public var day: TradingDay

    /// States a window.
    public init(start: Instant, end: Instant, kind: SessionKind, day: TradingDay) {
        self.start = start
        self.end = end
        self.kind = kind
        self.day = day
    }

    /// Whether `instant` lies in it.
    @inlinable
    public func contains(_ instant: Instant) -> Bool { instant >= start && instant < end }
}

/// Days that differ from the built-in calendar; they win over table and rules.
public struct CalendarOverrides: Hashable, Sendable {
    /// Closed all day, yyyymmdd.
    public var closed: [Int32]
    /// Close at 13:00, yyyymmdd.
    public var earlyCloses: [Int32]
    /// Open until 16:00 against table or rule, yyyymmdd.
    public var fullDays: [Int32]

    /// States the exceptions.
    public init(closed: [Int32] = [], earlyCloses: [Int32] = [], fullDays: [Int32] = []) {
        self.closed = closed
        self.earlyCloses = earlyCloses
        self.fullDays = fullDays
    }

    /// No exception.
    public static let none = CalendarOverrides()
}

/// Trading days and sessions of the NYSE, the equity session of every symbol (analytics.md 5, feeds.md 7).
///
/// 2024–2027 are a table; other years since 2007 follow the exchange's rules and a list of ad hoc closures. Closures
/// that nobody could foresee come as `overrides`. Pure; any thread. Use a `SessionClock` where events are placed.
public struct SessionCalendar: Hashable, Sendable {
    /// What wins over table and rules.
    public var overrides: CalendarOverrides

    /// A calendar with exceptions.
    public init(overrides: CalendarOverrides = .none) { self.overrides = overrides }

    /// How a day is traded.
    public enum DayKind: Sendable {
        case closed
        case full
        case early
    }

    /// How `date` is traded.
    public func kind(of date: CivilDate) -> DayKind {
        let day = date.yyyymmdd
        if overrides.closed.contains(day) { return .closed }
        if overrides.earlyCloses.contains(day) { return .early }
        if overrides.fullDays.contains(day) { return .full }
        if date.weekday == 0 || date.weekday == 6 { return .closed }
        if Self.tableYears.contains(day / 10_000) {
            if Self.tableClosed.contains(day) { return .closed }
            return Self.tableEarly.contains(day) ? .early : .full
        }
        if Self.adHocClosed.contains(day) { return .closed }
        return Self.ruleKind(of: date)
    }

    /// The trading day of this date, nil where the exchange is closed.
    public func tradingDay(on date: CivilDate) -> TradingDay? {
        let kind = kind(of: date)
        guard kind != .closed else { return nil }
        let isEarly = kind == .early
        return TradingDay(
            date: date.yyyymmdd,
            isEarlyClose: isEarly,
            preOpen: NewYork.instant(date, hour: 4, minute: 0),
            open: NewYork.instant(date, hour: 9, minute: 30),
            close: NewYork.instant(date, hour: isEarly ? 13 : 16, minute: 0),
            postClose: NewYork.instant(date, hour: isEarly ? 17 : 20, minute: 0)
        )
    }

    /// The first trading day at `date` or later.
    public func tradingDay(atOrAfter date: CivilDate) -> TradingDay {
        // Longest known closure: four months of 1914; overrides could say more, then the last day looked at is given.
        for offset in 0..<Int32(200) {
            if let day = tradingDay(on: date.adding(days: offset)) { return day }
        }
        return TradingDay(
            date: date.adding(days: 200).yyyymmdd,
            isEarlyClose: false,
            preOpen: .distantFuture,
            open: .distantFuture,
            close: .distantFuture,
            postClose: .distantFuture
        )
    }

    /// The trading day that `instant` counts for: its own date before 20:00, else the next; a closed day's is the next.
    public func tradingDay(at instant: Instant) -> TradingDay { window(at: instant).day }

    /// The session at `instant`.
    public func session(at instant: Instant) -> SessionKind { window(at: instant).kind }

    /// The first session close later than `instant`.
    public func nextClose(after instant: Instant) -> Instant {
        let date = NewYork.local(instant).date
        let day = tradingDay(atOrAfter: date)
        if day.close > instant { return day.close }
        return tradingDay(atOrAfter: date.adding(days: 1)).close
    }

    /// The stretch of one session kind that contains `instant`; it may end at midnight though the kind goes on.
    public func window(at instant: Instant) -> SessionWindow {
        let (date, nanos) = NewYork.local(instant)
        let seconds = nanos / 1_000_000_000
        func window(_ from: Int64, _ to: Int64, _ kind: SessionKind, _ day: TradingDay) -> SessionWindow {
            SessionWindow(
                start: NewYork.instant(date, seconds: from),
                end: NewYork.instant(date, seconds: to),
                kind: kind,
                day: day
            )
        }
        if seconds >= Self.evening {
            let tomorrow = date.adding(days: 1)
            let next = tradingDay(atOrAfter: tomorrow)
            return window(
                Self.evening,
                NewYork.secondsPerDay,
                next.date == tomorrow.yyyymmdd ? .overnight : .closed,
                next
            )
        }
        guard let day = tradingDay(on: date) else {
            return window(0, Self.evening, .closed, tradingDay(atOrAfter: date))
        }
        if seconds < 4 * 3_600 { return window(0, 4 * 3_600, .overnight, day) }
        if instant < day.open { return SessionWindow(start: day.preOpen, end: day.open, kind: .pre, day: day) }
        if instant < day.close { return SessionWindow(start: day.open, end: day.close, kind: .rth, day: day) }
        if instant < day.postClose {
            return SessionWindow(start: day.close, end: day.postClose, kind: .post, day: day)
        }
        return SessionWindow(
            start: day.postClose,
            end: NewYork.instant(date, seconds: Self.evening),
            kind: .closed,
            day: day
        )
    }

    /// 20:00, from when an instant counts for the next trading day.
    private static let evening: Int64 = 20 * 3_600
}

// Days as data (feeds.md 7), and the rules for other years.
extension SessionCalendar {
    /// Years that the table covers.
    public static let tableYears: ClosedRange<Int32> = 2024...2027

    /// Full closures, yyyymmdd.
    public static let tableClosed: [Int32] = [
        20_240_101, 20_240_115, 20_240_219, 20_240_329, 20_240_527, 20_240_619, 20_240_704, 20_240_902, 20_241_128,
        20_241_225,
        20_250_101, 20_250_109, 20_250_120, 20_250_217, 20_250_418, 20_250_526, 20_250_619, 20_250_704, 20_250_901,
        20_251_127, 20_251_225,
        20_260_101, 20_260_119, 20_260_216, 20_260_403, 20_260_525, 20_260_619, 20_260_703, 20_260_907, 20_261_126,
        20_261_225,
        20_270_101, 20_270_118, 20_270_215, 20_270_326, 20_270_531, 20_270_618, 20_270_705, 20_270_906, 20_271_125,
        20_271_224,
    ]

    /// Days that close at 13:00, yyyymmdd.
    public static let tableEarly: [Int32] = [
        20_240_703, 20_241_129, 20_241_224, 20_250_703, 20_251_128, 20_251_224, 20_261_127, 20_261_224, 20_271_126,
    ]

    /// Closures outside the table that no rule gives: two days of mourning, a hurricane.
    public static let adHocClosed: [Int32] = [20_070_102, 20_121_029, 20_121_030, 20_181_205]

    /// What the exchange's rules say of a weekday, since 2007; weekends are closed.
    public static func ruleKind(of date: CivilDate) -> DayKind {
        let weekday = date.weekday
        guard weekday != 0, weekday != 6 else { return .closed }
        if isRuleHoliday(date) { return .closed }
        let (_, month, day) = date.components
        let isBeforeFriday = weekday <= 4
        let isEarly =
            switch month {
            case 7: day == 3 && isBeforeFriday
            case 11: weekday == 5 && (23...29).contains(day)
            case 12: day == 24 && isBeforeFriday
            default: false
            }
        return isEarly ? .early : .full
    }

    private static func isRuleHoliday(_ date: CivilDate) -> Bool {
        let (year, month, day) = date.components
        let weekday = date.weekday
        let isMonday = weekday == 1
        /// A fixed date: on Sunday kept on Monday, on Saturday on the Friday before.
        func isKept(_ fixed: Int32) -> Bool {
            day == fixed || (isMonday && day == fixed + 1) || (weekday == 5 && day == fixed - 1)
        }
        return switch month {
        // A New Year's Day on Saturday isn't kept.
        case 1: day == 1 || (isMonday && day == 2) || (isMonday && (15...21).contains(day))
        case 2: isMonday && (15...21).contains(day)
        case 3, 4: date == easter(year: year).adding(days: -2)
        case 5: isMonday && day >= 25
        case 6: year >= 2022 && isKept(19)
        case 7: isKept(4)
        case 9: isMonday && day <= 7
        case 11: weekday == 4 && (22...28).contains(day)
        case 12: isKept(25)
        default: false
        }
    }

    /// Easter Sunday by the anonymous Gregorian algorithm (Meeus, Jones, Butcher).
    private static func easter(year: Int32) -> CivilDate {
        let golden = year % 19
        let century = year / 100
        let rest = year % 100
        let correction = (century - (century + 8) / 25 + 1) / 3
        let epact = (19 * golden + century - century / 4 - correction + 15) % 30
        let dominical = (32 + 2 * (century % 4) + 2 * (rest / 4) - epact - rest % 4) % 7
        let shift = (golden + 11 * epact + 22 * dominical) / 451
        let sum = epact + dominical - 7 * shift + 114
        return CivilDate(year: year, month: sum / 31, day: sum % 31 + 1)
    }
}
