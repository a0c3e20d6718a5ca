package import MarketData
package import Primitives

/// Bars as one page of an answer has them (feeds.md 2.1).
package struct BarPage: Hashable, Sendable {
    package struct Row: Hashable, Sendable {
        /// Start of the window.
        package let start: Instant
        package let open: Price
        package let high: Price
        package let low: Price
        package let close: Price
        /// nil for an index.
        package let volume: Size?
        package let vwap: Price?
        /// Trades in the window.
        package let count: Int64?
        package let isOverTheCounter: Bool
    }

    package let envelope: PolygonEnvelope
    package let symbol: String?
    /// nil for an index.
    package let isAdjusted: Bool?
    package let rows: [Row]
    /// What was wrong with rows that are left out.
    package let malformed: [FieldProblem]

    package init(_ body: RESTTree) throws(RESTProblem) {
        envelope = try PolygonEnvelope(body)
        symbol = body["ticker"]?.string
        isAdjusted = body["adjusted"]?.bool
        (rows, malformed) = readRows(try PolygonEnvelope.rows(body), Self.row)
    }

    private static func row(_ row: RowReader) throws(FieldProblem) -> Row {
        // An index's prices are computed, so they are rounded as the stream's are.
        let prices = (
            open: try row.required("o", row.computed("o")), high: try row.required("h", row.computed("h")),
            low: try row.required("l", row.computed("l")), close: try row.required("c", row.computed("c"))
        )
        for (key, price) in [("o", prices.open), ("h", prices.high), ("l", prices.low), ("c", prices.close)] {
            guard price > .zero else { throw FieldProblem(key, .range) }
        }
        guard prices.low <= prices.high else { throw FieldProblem("h", .range) }
        return Row(
            start: try row.required("t", row.time("t")),
            open: prices.open,
            high: prices.high,
            low: prices.low,
            close: prices.close,
            volume: try row.computed("v").map { Size(micros: $0.micros) },
            vwap: try row.computed("vw"),
            count: try row.integer("n"),
            isOverTheCounter: try row.flag("otc") ?? false
        )
    }

    /// The rows that start from `from` on and before `to` as bars, in order of time, the last of equal starts.
    package func bars(_ symbol: SymbolID, _ span: PolygonREST.Span, from: Instant, to: Instant) -> [Bar] {
        let wanted = rows.filter { $0.start >= from && $0.start < to }
        var bars: [Bar] = []
        for (_, row) in wanted.enumerated().sorted(by: { ($0.1.start, $0.0) < ($1.1.start, $1.0) }) {
            let bar = Bar(
                symbol: symbol,
                // A day's seconds don't fit; nothing that the engine takes is longer than a minute.
                seconds: UInt16(clamping: span.seconds),
                start: row.start,
                open: row.open,
                high: row.high,
                low: row.low,
                close: row.close,
                volume: row.volume ?? .zero,
                vwap: row.vwap ?? .zero
            )
            if bars.last?.start == bar.start { bars.removeLast() }
            bars.append(bar)
        }
        return bars
    }
}

/// The last NBBO: capital letters are the ask's (feeds.md 2.3).
package struct LastQuote: Hashable, Sendable {
    package let symbol: String?
    package let bid: Price
    package let ask: Price
    package let bidSize: Size
    package let askSize: Size
    package let bidExchange: UInt16
    package let askExchange: UInt16
    package let condition: UInt16
    package let tape: UInt8
    /// SIP time.
    package let time: Instant
    package let sequence: Int64
    package let isDelayed: Bool

    package init(_ body: RESTTree) throws(RESTProblem) {
        isDelayed = try PolygonEnvelope(body).isDelayed
        guard let results = body["results"], results.isObject else { throw RESTProblem(.shape, "no results") }
        let row = RowReader(results)
        do {
            symbol = try row.text("T")
            bid = try row.price("p") ?? .zero
            ask = try row.price("P") ?? .zero
            bidSize = try row.size("s") ?? .zero
            askSize = try row.size("S") ?? .zero
            bidExchange = UInt16(try row.integer("x", 0...0xFFFF) ?? 0)
            askExchange = UInt16(try row.integer("X", 0...0xFFFF) ?? 0)
            tape = UInt8(try row.integer("z", 0...0xFF) ?? 0)
            sequence = try row.integer("q") ?? 0
            time = try row.required("t", row.time("t"))
        } catch {
            throw RESTProblem(error)
        }
        // Several are possible; the stream's quotes carry one.
        if case .number(let text) = results["c"]?.array?.first { condition = UInt16(text) ?? 0 } else { condition = 0 }
    }

    /// The quote as the stream would have brought it; an absent side has price and size zero.
    package func quote(_ asked: String, _ symbols: inout SymbolTable) throws(RESTProblem) -> Quote {
        if let symbol, symbol != asked { throw RESTProblem(.shape, "a quote of another symbol") }
        guard let id = symbols.intern(asked) else { throw RESTProblem(.shape, "not a symbol, or the table is full") }
        return Quote(
            symbol: id,
            bidExchange: bidExchange,
            askExchange: askExchange,
            time: time,
            sequence: sequence,
            bid: bid,
            ask: ask,
            bidSize: bid == .zero ? .zero : bidSize,
            askSize: ask == .zero ? .zero : askSize,
            condition: condition,
            tape: tape
        )
    }
}

/// One page of an index snapshot; a row may be an error of its own.
package struct IndexPage: Hashable, Sendable {
    package struct Row: Hashable, Sendable {
        package let symbol: String
        package let value: Price?
        package let updated: Instant?
        package let isDelayed: Bool
        /// `NOT_FOUND`, `NOT_ENTITLED`; nil where there is none.
        package let error: String?
        package let open: Price?
        package let high: Price?
        package let low: Price?
        package let close: Price?
        package let previousClose: Price?
    }

    package let envelope: PolygonEnvelope
    package let rows: [Row]
    package let malformed: [FieldProblem]

    package init(_ body: RESTTree) throws(RESTProblem) {
        envelope = try PolygonEnvelope(body)
        (rows, malformed) = readRows(try PolygonEnvelope.rows(body)) { row throws(FieldProblem) in
            let session = try row.object("session")
            return Row(
                symbol: try row.required("ticker", row.text("ticker")),
                value: try row.computed("value", mayBeNegative: true),
                updated: try row.time("last_updated"),
                isDelayed: try row.text("timeframe") == "DELAYED",
                error: try row.text("error"),
                open: try session?.computed("open"),
                high: try session?.computed("high"),
                low: try session?.computed("low"),
                close: try session?.computed("close"),
                previousClose: try session?.computed("previous_close")
            )
        }
    }
}
