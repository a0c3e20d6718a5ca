package import MarketData
package import Primitives
internal import Wire

/// What `GET /api/v1/session` answers: the session now, when the next begins, and the day by the calendar.
///
/// Pure.
package enum SessionAnswer {
    /// The JSON text; times in nanoseconds since 1970, dates `YYYY-MM-DD` in New York.
    package static func json(at now: Instant, _ calendar: SessionCalendar) -> [UInt8] {
        let window = calendar.window(at: now)
        let next = following(window, calendar)
        let date = NewYork.local(now).date
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("t", now.nanos as Int64?, to: &out)
        object.field("session", name(window.kind), to: &out)
        object.field("since", window.start.nanos as Int64?, to: &out)
        object.key("next", to: &out)
        var after = JSONObject(&out)
        after.field("session", name(next.kind), to: &out)
        after.field("t", next.start.nanos as Int64?, to: &out)
        after.end(&out)
        object.key("day", to: &out)
        var day = JSONObject(&out)
        day.field("date", text(date.yyyymmdd), to: &out)
        day.field("kind", kindName(calendar.kind(of: date)), to: &out)
        // Of the trading day that the time belongs to: an evening is the next one's.
        day.field("tradingDate", text(window.day.date), to: &out)
        day.field("preOpen", window.day.preOpen.nanos as Int64?, to: &out)
        day.field("open", window.day.open.nanos as Int64?, to: &out)
        day.field("close", window.day.close.nanos as Int64?, to: &out)
        day.field("postClose", window.day.postClose.nanos as Int64?, to: &out)
        day.end(&out)
        object.end(&out)
        return out
    }

    /// The next window of another kind: closed time is cut at midnight.
    private static func following(_ window: SessionWindow, _ calendar: SessionCalendar) -> SessionWindow {
        var next = window
        // The longest closed stretch is a long weekend.
        for _ in 0..<32 {
            next = calendar.window(at: next.end)
            if next.kind != window.kind { return next }
        }
        return next
    }

    private static func name(_ kind: SessionKind) -> String {
        PlanText.sessionNames.first { $0.kind == kind }?.name ?? "closed"
    }

    private static func kindName(_ kind: SessionCalendar.DayKind) -> String {
        switch kind {
        case .closed: "closed"
        case .full: "full"
        case .early: "early"
        }
    }

    private static func text(_ yyyymmdd: Int32) -> String {
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(yyyymmdd / 10_000)-\(two(yyyymmdd / 100 % 100))-\(two(yyyymmdd % 100))"
    }
}
