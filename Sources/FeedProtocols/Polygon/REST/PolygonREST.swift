package import MarketData
package import Primitives

/// The provider's REST calls as values, and what their answers say (feeds.md 2).
package enum PolygonREST {
    /// The provider's two names; links use either.
    package static let hosts: Set<String> = ["api.massive.com", "api.polygon.io"]

    /// What the calls are recorded as on a tape.
    package static let sourceName = "polygon.rest"

    /// A free account's rate.
    package static let freeRate = RateWindow.perMinute(5)
    /// A paid account's: the provider asks to stay below 100 a second.
    package static let paidRate = RateWindow.perSecond(95)

    /// Most base bars of one answer.
    package static let barsLimit = 50_000
    /// Most rows of a page of a chain; the provider's default is 10.
    package static let chainLimit = 250
    /// Most symbols of one index snapshot.
    package static let indexLimit = 250

    /// The width of a bar.
    package enum Span: String, Sendable, CaseIterable {
        case second, minute, day

        /// Seconds of one; a day's are its 24 hours.
        package var seconds: Int {
            switch self {
            case .second: 1
            case .minute: 60
            case .day: 86_400
            }
        }
    }

    /// Bars whose windows start from `from` on and before `to`, oldest first.
    ///
    /// The provider counts milliseconds and includes the end. One answer holds 50,000 base bars; more come by pages.
    package static func bars(_ symbol: String, _ span: Span, from: Instant, to: Instant) -> RESTRequest {
        let kind = Instrument(symbol).map { "\($0.kind)" } ?? "unknown"
        let last = (to.nanos - 1) / 1_000_000
        return RESTRequest(
            [
                "v2", "aggs", "ticker", symbol, "range", "1", span.rawValue, String(from.nanos / 1_000_000),
                String(max(last, from.nanos / 1_000_000)),
            ],
            [("adjusted", "true"), ("sort", "asc"), ("limit", String(barsLimit))],
            entitlement: "\(kind) bars by \(span.rawValue)"
        )
    }

    /// What of a chain is asked for; nil leaves a side open.
    package struct ChainFilter: Hashable, Sendable {
        /// yyyymmdd, included.
        package var expiryFrom: Int32?
        package var expiryTo: Int32?
        /// Included.
        package var strikeFrom: Price?
        package var strikeTo: Price?
        package var isCall: Bool?

        package init(
            expiryFrom: Int32? = nil,
            expiryTo: Int32? = nil,
            strikeFrom: Price? = nil,
            strikeTo: Price? = nil,
            isCall: Bool? = nil
        ) {
            self.expiryFrom = expiryFrom
            self.expiryTo = expiryTo
            self.strikeFrom = strikeFrom
            self.strikeTo = strikeTo
            self.isCall = isCall
        }
    }

    /// The contracts of an underlying as they stand; an index with its `I:`.
    package static func chain(_ underlying: String, _ filter: ChainFilter = ChainFilter()) -> RESTRequest {
        RESTRequest(
            ["v3", "snapshot", "options", underlying],
            [
                ("strike_price.gte", filter.strikeFrom.map(text)), ("strike_price.lte", filter.strikeTo.map(text)),
                ("expiration_date.gte", filter.expiryFrom.map(dateText)),
                ("expiration_date.lte", filter.expiryTo.map(dateText)),
                ("contract_type", filter.isCall.map { $0 ? "call" : "put" }), ("order", "asc"),
                ("sort", "expiration_date"), ("limit", String(chainLimit)),
            ],
            entitlement: "option chain snapshots"
        )
    }

    /// The last NBBO of an equity.
    package static func lastQuote(_ symbol: String) -> RESTRequest {
        RESTRequest(["v2", "last", "nbbo", symbol], entitlement: "last quotes")
    }

    /// The trade conditions of equities or options.
    package static func conditions(_ kind: InstrumentKind) -> RESTRequest {
        RESTRequest(
            ["v3", "reference", "conditions"],
            [("asset_class", assetClass(kind)), ("data_type", "trade"), ("limit", "1000")],
            entitlement: "reference data"
        )
    }

    /// The venues of equities or options.
    package static func exchanges(_ kind: InstrumentKind) -> RESTRequest {
        RESTRequest(
            ["v3", "reference", "exchanges"],
            [("asset_class", assetClass(kind))],
            entitlement: "reference data"
        )
    }

    /// Whether the markets are open.
    package static let marketStatus = RESTRequest(["v1", "marketstatus", "now"], entitlement: "reference data")

    /// The next holidays and early closes.
    package static let holidays = RESTRequest(["v1", "marketstatus", "upcoming"], entitlement: "reference data")

    /// Indices as they stand, at most `indexLimit` a request.
    package static func indices(_ symbols: [String]) -> [RESTRequest] {
        stride(from: 0, to: symbols.count, by: indexLimit).map { start in
            let part = symbols[start..<min(start + indexLimit, symbols.count)]
            return RESTRequest(
                ["v3", "snapshot", "indices"],
                [("ticker.any_of", part.joined(separator: ",")), ("limit", String(indexLimit))],
                entitlement: "index snapshots"
            )
        }
    }

    private static func assetClass(_ kind: InstrumentKind) -> String {
        switch kind {
        case .equity: "stocks"
        case .option: "options"
        case .index: "indices"
        }
    }

    private static func text(_ price: Price) -> String {
        var out: [UInt8] = []
        DecimalText.append(micros: price.micros, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    private static func dateText(_ yyyymmdd: Int32) -> String {
        let digits = Array(String(yyyymmdd))
        guard digits.count == 8 else { return String(yyyymmdd) }
        return "\(String(digits[0..<4]))-\(String(digits[4..<6]))-\(String(digits[6..<8]))"
    }
}

// What the engine takes of an answer.
extension PolygonREST {
    /// Reads an answer by its URL; nil for a body that couldn't be had.
    static func answer(to request: RESTRequest, _ body: RESTTree?, symbols: inout SymbolTable) -> RESTAnswer {
        let path = request.segments
        let place = path.prefix(3).joined(separator: "/")
        if place == "v2/aggs/ticker" { return bars(path, body, &symbols) }
        let readers = ["v3/reference/conditions", "v1/marketstatus/upcoming", "v2/last/nbbo"]
        guard readers.contains(place) else { return body == nil ? .unavailable : .other }
        guard let body else { return .unavailable }
        do {
            switch place {
            case "v3/reference/conditions":
                let kind: InstrumentKind = request.argument("asset_class") == "options" ? .option : .equity
                return .conditions(ConditionPage.rules(try ConditionPage(body).rows, kind))
            case "v1/marketstatus/upcoming":
                return .holidays(try HolidayPage(body).rows)
            default:
                guard path.count == 4 else { return .malformed("no symbol in the URL") }
                return .lastQuote(try LastQuote(body).quote(path[3], &symbols))
            }
        } catch {
            return .malformed(error.description)
        }
    }

    /// The stretch that a bars URL names: `to` is the end of the last window that it may hold.
    struct BarsPlace {
        let symbol: String
        let span: Span
        let from: Instant
        let to: Instant

        init?(_ path: [String]) {
            guard path.count == 9, path[4] == "range", path[5] == "1", let span = Span(rawValue: path[6]),
                let from = Self.instant(path[7]), let last = Self.instant(path[8], isEnd: true), from <= last,
                Instrument(path[3]) != nil
            else { return nil }
            symbol = path[3]
            self.span = span
            self.from = from
            let window = Int64(span.seconds) * 1_000_000_000
            // A day's window starts at midnight in New York, whose distance from UTC changes.
            let end = last.nanos / window * window + window
            to = span == .day ? last.advanced(byNanos: 1) : Instant(nanos: end)
        }

        /// Milliseconds, or a date: its start, or its last millisecond.
        private static func instant(_ text: String, isEnd: Bool = false) -> Instant? {
            if let date = RESTTime.date(text) {
                guard isEnd else { return NewYork.instant(date, seconds: 0) }
                return NewYork.instant(date, seconds: 86_400).advanced(byNanos: -1_000_000)
            }
            guard let millis = Int64(text), (0...7_258_118_400_000).contains(millis) else { return nil }
            return Instant(millis: millis)
        }
    }

    private static func bars(_ path: [String], _ body: RESTTree?, _ symbols: inout SymbolTable) -> RESTAnswer {
        guard let place = BarsPlace(path) else { return .malformed("no stretch of bars in the URL") }
        var page: BarPage?
        do {
            page = try body.map { tree throws(RESTProblem) in try BarPage(tree) }
        } catch {
            return .malformed(error.description)
        }
        if let page {
            // A row that was left out would read as a window without trades.
            if let problem = page.malformed.first { return .malformed("\(page.malformed.count) bars, \(problem)") }
            if let ticker = page.symbol, ticker != place.symbol { return .malformed("bars of another symbol") }
        }
        guard let symbol = symbols.intern(place.symbol) else { return .malformed("the symbol table is full") }
        let bars = page?.bars(symbol, place.span, from: place.from, to: place.to)
        return .bars(symbol: symbol, from: place.from, to: place.to, seconds: place.span.seconds, bars: bars)
    }
}
