public import Primitives

/// A day that an exchange says it is closed, or closes early.
public struct Holiday: Hashable, Sendable {
    /// How the day is traded.
    public enum Status: String, Sendable {
        case closed
        case earlyClose = "early-close"
    }

    /// yyyymmdd.
    public var date: Int32
    /// The exchange's name, `NYSE`.
    public var exchange: String
    /// The holiday's.
    public var name: String
    /// Closed, or closing early.
    public var status: Status
    /// Of an early close, where it is told.
    public var open: Instant?
    /// Of an early close, where it is told.
    public var close: Instant?

    /// States a day.
    public init(
        date: Int32,
        exchange: String,
        name: String,
        status: Status,
        open: Instant? = nil,
        close: Instant? = nil
    ) {
        self.date = date
        self.exchange = exchange
        self.name = name
        self.status = status
        self.open = open
        self.close = close
    }
}

/// The calendar held against what the exchanges announce (feeds.md 7): says where they differ, and decides nothing.
///
/// Pure; any thread. `overrides` would make the calendar follow the announcement; who takes them says so first.
public struct CalendarCheck: Hashable, Sendable {
    /// One disagreement.
    public struct Difference: Hashable, Sendable, CustomStringConvertible {
        /// What differs.
        public enum Kind: Hashable, Sendable {
            /// Announced closed, a trading day here.
            case closedThere
            /// Announced to close early, a full day here.
            case earlyThere
            /// Announced to close early, closed here.
            case openThere
            /// Closed here, and the announcement, which reaches beyond it, doesn't name it.
            case closedHereOnly
            /// Closes early here, and the announcement doesn't name it.
            case earlyHereOnly
            /// Announced to close at another time than 13:00, which this calendar can't hold.
            case otherClose(Instant)
            /// Exchanges announce different things of the same day.
            case exchangesDisagree
        }

        /// yyyymmdd.
        public var date: Int32
        /// What differs.
        public var kind: Kind
        /// The holiday's, empty where none is announced.
        public var name: String

        /// A line for a log.
        public var description: String {
            let name = name.isEmpty ? "" : " (\(name))"
            return switch kind {
            case .closedThere: "\(date)\(name): announced closed, a trading day in the calendar"
            case .earlyThere: "\(date)\(name): announced to close early, a full day in the calendar"
            case .openThere: "\(date)\(name): announced to close early, closed in the calendar"
            case .closedHereOnly: "\(date): closed in the calendar, not announced"
            case .earlyHereOnly: "\(date): closes early in the calendar, not announced"
            case .otherClose(let time):
                "\(date)\(name): announced to close \(NewYork.minutesSinceMidnight(time)) minutes after midnight, not at 13:00"
            case .exchangesDisagree: "\(date)\(name): the exchanges announce different things"
            }
        }
    }

    /// In order of date.
    public private(set) var differences: [Difference] = []
    /// What would make the calendar follow the announcement; nothing for days that it can't express or only it knows.
    public private(set) var overrides: CalendarOverrides

    /// Compares.
    ///
    /// The NYSE's word counts; for a day that it doesn't name, that of `NASDAQ`. Others (over the counter) keep other days.
    public init(_ announced: [Holiday], calendar: SessionCalendar) {
        overrides = calendar.overrides
        var byDate: [Int32: Holiday] = [:]
        var disagreeing: [Int32: String] = [:]
        for holiday in announced where Self.rank(holiday) != nil {
            guard let known = byDate[holiday.date] else {
                byDate[holiday.date] = holiday
                continue
            }
            if known.status != holiday.status || known.close != holiday.close {
                disagreeing[holiday.date] = known.name
            }
            if (Self.rank(holiday) ?? 9) < (Self.rank(known) ?? 9) { byDate[holiday.date] = holiday }
        }
        for (date, name) in disagreeing { add(date, .exchangesDisagree, name) }
        for holiday in byDate.values { compare(holiday, calendar) }
        compareUnannounced(byDate, calendar)
        differences.sort { ($0.date, "\($0.kind)") < ($1.date, "\($1.kind)") }
        overrides.closed.sort()
        overrides.earlyCloses.sort()
    }

    private static func rank(_ holiday: Holiday) -> Int? {
        switch holiday.exchange.uppercased() {
        case "NYSE": 0
        case "NASDAQ": 1
        default: nil
        }
    }

    private mutating func add(_ date: Int32, _ kind: Difference.Kind, _ name: String) {
        differences.append(Difference(date: date, kind: kind, name: name))
    }

    private mutating func compare(_ holiday: Holiday, _ calendar: SessionCalendar) {
        let date = CivilDate(holiday.date)
        let ours = calendar.kind(of: date)
        switch holiday.status {
        case .closed:
            guard ours != .closed else { return }
            add(holiday.date, .closedThere, holiday.name)
            forget(holiday.date)
            overrides.closed.append(holiday.date)
        case .earlyClose:
            if let close = holiday.close, close != NewYork.instant(date, hour: 13, minute: 0) {
                add(holiday.date, .otherClose(close), holiday.name)
                return
            }
            guard ours != .early else { return }
            add(holiday.date, ours == .closed ? .openThere : .earlyThere, holiday.name)
            forget(holiday.date)
            overrides.earlyCloses.append(holiday.date)
        }
    }

    /// A date stands in one list only.
    private mutating func forget(_ date: Int32) {
        overrides.closed.removeAll { $0 == date }
        overrides.earlyCloses.removeAll { $0 == date }
        overrides.fullDays.removeAll { $0 == date }
    }

    /// Our own closures between the first and the last day announced; nothing can be said of days outside.
    private mutating func compareUnannounced(_ byDate: [Int32: Holiday], _ calendar: SessionCalendar) {
        guard let first = byDate.keys.min(), let last = byDate.keys.max() else { return }
        var date = CivilDate(first)
        let end = min(CivilDate(last), date.adding(days: 1_100))
        while date < end {
            let day = date.yyyymmdd
            let isWeekday = date.weekday != 0 && date.weekday != 6
            if isWeekday, byDate[day] == nil {
                switch calendar.kind(of: date) {
                case .closed: add(day, .closedHereOnly, "")
                case .early: add(day, .earlyHereOnly, "")
                case .full: break
                }
            }
            date = date.adding(days: 1)
        }
    }
}
