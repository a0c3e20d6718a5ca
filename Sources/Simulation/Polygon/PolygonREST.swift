internal import MarketData
internal import Primitives
internal import Wire

/// The REST side of the simulated vendor (feeds.md 2): a function of a request and the model.
///
/// Pure. Bars are those of the model's own prints, so they also have what a client missed on its socket.
package struct PolygonREST: Sendable {
    let model: MarketModel
    /// The key to demand; any but none where nil.
    let key: String?
    let moods: MoodSet
    /// For `next_url`.
    let base: String

    package init(model: MarketModel, key: String?, moods: MoodSet = MoodSet(), base: String) {
        (self.model, self.key, self.moods, self.base) = (model, key, moods, base)
    }

    static let delayNanos: Int64 = 900_000_000_000
    var isDelayed: Bool { moods.contains(.delayed) }
    /// The time that answers speak of.
    var now: Instant { isDelayed ? model.now.advanced(byNanos: -Self.delayNanos) : model.now }
    var timeframe: String { isDelayed ? "DELAYED" : "REAL-TIME" }
    private var status: String { isDelayed ? "DELAYED" : "OK" }

    /// Whether a path is one of this vendor's.
    package static func serves(_ path: String) -> Bool {
        ["/v1/", "/v2/", "/v3/"].contains { path.hasPrefix($0) }
    }

    /// Answers a request.
    package func answer(_ request: SimulatedRequest) -> SimulatedAnswer {
        if let refusal = refusal(request) { return refusal }
        let parts = request.path.split(separator: "/").map(String.init)
        switch (parts.first, parts.dropFirst().first) {
        case ("v2", "aggs") where parts.count == 9 && parts[2] == "ticker" && parts[4] == "range":
            return aggregates(request, parts)
        case ("v2", "last") where parts.count == 4 && parts[2] == "nbbo": return lastQuote(parts[3])
        case ("v3", "snapshot") where parts.count == 4 && parts[2] == "options": return chain(request, parts[3])
        case ("v3", "snapshot") where parts.count == 3 && parts[2] == "indices": return indices(request)
        case ("v3", "reference") where parts.count == 3 && parts[2] == "conditions": return conditions(request)
        case ("v3", "reference") where parts.count == 3 && parts[2] == "exchanges": return exchanges(request)
        case ("v3", "reference") where parts.count == 4 && parts[3] == "contracts": return contracts(request)
        case ("v1", "marketstatus") where parts.count == 3 && parts[2] == "now": return statusNow()
        case ("v1", "marketstatus") where parts.count == 3 && parts[2] == "upcoming": return upcoming()
        default: return SimulatedAnswer(status: 404, plain: "404 page not found\n")
        }
    }

    private func refusal(_ request: SimulatedRequest) -> SimulatedAnswer? {
        let shown = request.bearer ?? request.argument("apiKey")
        guard let shown, !shown.isEmpty, key == nil || key == shown, !moods.contains(.authFailure) else {
            return error(401, "ERROR", "Unknown API Key")
        }
        if moods.contains(.rateLimited) {
            return error(
                429,
                "ERROR",
                "You've exceeded the maximum requests per minute, please wait or upgrade your subscription."
            )
        }
        if moods.contains(.serverError) { return error(500, "ERROR", "internal error") }
        if moods.contains(.notEntitled) {
            return error(403, "NOT_AUTHORIZED", "You are not entitled to this data. Please upgrade your plan.")
        }
        guard request.method == "GET" else { return error(405, "ERROR", "method not allowed") }
        return nil
    }

    func error(_ code: Int, _ status: String, _ message: String) -> SimulatedAnswer {
        let field = status == "ERROR" ? "error" : "message"
        return SimulatedAnswer(
            status: code,
            json: #"{"status":"\#(status)","request_id":"\#(requestID)","\#(field)":"\#(message)"}"#
        )
    }

    var requestID: String { String(UInt64(bitPattern: model.now.nanos) &* 0x9E37_79B9_7F4A_7C15, radix: 16) }

    /// The envelope around rows that are written already.
    func envelope(_ rows: [[UInt8]], next: String?) -> SimulatedAnswer {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("status", status as String?, to: &out)
        object.field("request_id", requestID as String?, to: &out)
        object.key("results", to: &out)
        out.add("[")
        out += rows.joined(separator: [UInt8(ascii: ",")])
        out.add("]")
        if let next { object.field("next_url", next as String?, to: &out) }
        object.end(&out)
        return SimulatedAnswer(json: out)
    }

    // MARK: Bars

    private func aggregates(_ request: SimulatedRequest, _ parts: [String]) -> SimulatedAnswer {
        guard let multiplier = Int64(parts[5]), (1...10_000).contains(multiplier), let span = Span(rawValue: parts[6]),
            let from = Self.instant(parts[7], isEnd: false), let to = Self.instant(parts[8], isEnd: true), from < to
        else { return error(400, "ERROR", "could not parse the range") }
        let limit = min(50_000, max(1, request.argument("limit").flatMap(Int.init) ?? 5_000))
        let isDescending = request.argument("sort") == "desc"
        let symbol = model.instruments.byTicker[parts[3]]
        var base =
            symbol.map { AggregateReader(model: model, symbol: $0, now: now).bars(span, from: from, to: to) } ?? []
        if isDescending { base.reverse() }
        var next: String?
        if base.count > limit {
            base.removeLast(base.count - limit)
            if !isDescending, let last = base.last {
                let after = last.end.nanos / 1_000_000
                next =
                    "\(self.base)/v2/aggs/ticker/\(parts[3])/range/\(multiplier)/\(span.rawValue)/\(after)/\(to.nanos / 1_000_000 - 1)"
                    + "?limit=\(limit)&sort=asc&cursor=bGltaXQ"
            }
        }
        let grouped = Self.group(base, span, multiplier)
        let isIndex = symbol.map { model.instruments.all[Int($0)].kind == .index } ?? false
        return aggregateAnswer(parts[3], grouped, base.count, isIndex: isIndex, next: next)
    }

    private func aggregateAnswer(
        _ ticker: String,
        _ bars: [ModelBar],
        _ queried: Int,
        isIndex: Bool,
        next: String?
    ) -> SimulatedAnswer {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("ticker", ticker as String?, to: &out)
        object.field("queryCount", Int64(queried) as Int64?, to: &out)
        object.field("resultsCount", Int64(bars.count) as Int64?, to: &out)
        if !isIndex { object.field("adjusted", true, to: &out) }
        // `results` is missing when empty.
        if !bars.isEmpty {
            object.key("results", to: &out)
            out.add("[")
            for (index, bar) in bars.enumerated() {
                if index > 0 { out.add(",") }
                Self.append(bar, isIndex: isIndex, &out)
            }
            out.add("]")
        }
        object.field("status", status as String?, to: &out)
        object.field("request_id", requestID as String?, to: &out)
        if let next { object.field("next_url", next as String?, to: &out) }
        object.end(&out)
        return SimulatedAnswer(json: out)
    }

    private static func append(_ bar: ModelBar, isIndex: Bool, _ out: inout [UInt8]) {
        var object = JSONObject(&out)
        if !isIndex {
            object.field("v", bar.volume as Size?, to: &out)
            object.key("vw", to: &out)
            out.add(bar.vwap, places: 6)
        }
        for (name, price) in [("o", bar.open), ("c", bar.close), ("h", bar.high), ("l", bar.low)] {
            object.field(name, price as Price?, to: &out)
        }
        object.field("t", bar.start.nanos / 1_000_000 as Int64?, to: &out)
        if !isIndex { object.field("n", Int64(bar.trades) as Int64?, to: &out) }
        object.end(&out)
    }

    /// Joins base bars to windows of so many spans.
    private static func group(_ base: [ModelBar], _ span: Span, _ multiplier: Int64) -> [ModelBar] {
        let nanos = span.windowNanos * multiplier
        guard nanos > 0, nanos != Int64(base.first?.seconds ?? 0) * 1_000_000_000 else { return base }
        var out: [ModelBar] = []
        for bar in base {
            // Days begin at midnight in New York, not in Greenwich: they are kept from their own first day on.
            let origin = span.isCalendar ? (base.first?.start.nanos ?? 0) : 0
            let start = Instant(nanos: (bar.start.nanos - origin) / nanos * nanos + origin)
            if out.last?.start != start {
                out.append(ModelBar(symbol: bar.symbol, seconds: Int32(clamping: nanos / 1_000_000_000), start: start))
            }
            out[out.count - 1].merge(bar)
        }
        return out
    }

    /// `YYYY-MM-DD` in New York, or milliseconds; an end counts as included.
    static func instant(_ text: String, isEnd: Bool) -> Instant? {
        if let date = CivilDate(text: text) { return NewYork.instant(isEnd ? date.adding(days: 1) : date, seconds: 0) }
        guard let millis = Int64(text), abs(millis) < 9_000_000_000_000 else { return nil }
        return Instant(millis: isEnd ? millis + 1 : millis)
    }

    enum Span: String {
        case second, minute, hour, day, week, month, quarter, year

        /// The length of a window of one.
        var windowNanos: Int64 {
            switch self {
            case .second: 1_000_000_000
            case .minute: 60_000_000_000
            case .hour: 3_600_000_000_000
            case .day: 86_400_000_000_000
            case .week: 7 * 86_400_000_000_000
            case .month: 30 * 86_400_000_000_000
            case .quarter: 91 * 86_400_000_000_000
            case .year: 365 * 86_400_000_000_000
            }
        }
        var isCalendar: Bool { windowNanos >= 86_400_000_000_000 }
    }
}

/// Reads base bars over days: the past from the history, today from the model.
struct AggregateReader {
    let model: MarketModel
    let symbol: Int32
    let now: Instant

    /// Seconds, minutes or days that begin in `from..<to` and have ended, in order.
    func bars(_ span: PolygonREST.Span, from: Instant, to: Instant) -> [ModelBar] {
        if span == .second { return model.bars.bars(of: symbol, seconds: 1, from: from, to: to, now: now) }
        let today = NewYork.local(model.options.start).date
        var out: [ModelBar] = []
        let first = max(NewYork.local(from).date, today.adding(days: Int32(-ModelHistory.daysMax)))
        let last = min(NewYork.local(to.advanced(byNanos: -1)).date, today)
        var date = first
        while date <= last {
            out += span.isCalendar ? days(date, today) : minutes(date, today)
            date = date.adding(days: 1)
        }
        return out.filter { $0.start >= from && $0.start < to }
    }

    private func minutes(_ date: CivilDate, _ today: CivilDate) -> [ModelBar] {
        guard date == today else {
            return model.subject(symbol).map { model.history.minutes(of: $0, on: date) } ?? []
        }
        return model.bars.bars(of: symbol, seconds: 60, from: model.day.preOpen, to: model.day.postClose, now: now)
    }

    private func days(_ date: CivilDate, _ today: CivilDate) -> [ModelBar] {
        guard date == today else {
            return model.subject(symbol).flatMap { model.history.day(of: $0, on: date) }.map { [$0] } ?? []
        }
        var bar = ModelBar(symbol: symbol, seconds: 86_400, start: NewYork.instant(date, seconds: 0))
        for minute in minutes(date, today) where model.day.isRegular(minute.start) { bar.merge(minute) }
        return bar.hasPrice ? [bar] : []
    }
}
