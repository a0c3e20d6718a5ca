package import MarketData
package import Primitives

/// One page of an option chain's snapshot (feeds.md 2.2): almost everything about a contract may be missing.
package struct ChainPage: Hashable, Sendable {
    package struct Contract: Hashable, Sendable {
        package let symbol: String
        /// nil for a right that is neither call nor put.
        package let isCall: Bool?
        package let isEuropean: Bool
        /// yyyymmdd.
        package let expiry: Int32
        package let strike: Price
        package let sharesPerContract: Size
        /// nil for what is deep in the money, or without a quote.
        package let greeks: Greeks?
        package let impliedVolatility: Double?
        /// Of the day before.
        package let openInterest: Int64?
        package let breakEven: Price?
        package let fairValue: Price?
        package let quote: LastQuote?
        package let trade: LastTrade?
        /// nil for a contract that never traded.
        package let day: Day?
        package let underlying: Underlying?
    }

    package struct Greeks: Hashable, Sendable {
        package let delta: Double?
        package let gamma: Double?
        package let theta: Double?
        package let vega: Double?
    }

    package struct LastQuote: Hashable, Sendable {
        package let bid: Price
        package let ask: Price
        package let bidSize: Size
        package let askSize: Size
        package let time: Instant?
        package let isDelayed: Bool
    }

    package struct LastTrade: Hashable, Sendable {
        package let price: Price
        package let size: Size
        package let exchange: Int64?
        package let conditions: Conditions
        package let time: Instant?
        package let isDelayed: Bool
    }

    package struct Day: Hashable, Sendable {
        package let open: Price?
        package let high: Price?
        package let low: Price?
        package let close: Price?
        package let previousClose: Price?
        package let volume: Size?
        package let vwap: Price?
        package let updated: Instant?
    }

    package struct Underlying: Hashable, Sendable {
        package let symbol: String
        /// The price, or an index's value.
        package let value: Price?
        package let updated: Instant?
        package let isDelayed: Bool
    }

    package let envelope: PolygonEnvelope
    package let contracts: [Contract]
    package let malformed: [FieldProblem]

    package init(_ body: RESTTree) throws(RESTProblem) {
        envelope = try PolygonEnvelope(body)
        (contracts, malformed) = readRows(try PolygonEnvelope.rows(body), Self.contract)
    }

    private static func contract(_ row: RowReader) throws(FieldProblem) -> Contract {
        let details = try row.required("details", row.object("details"))
        let expiryText = try details.required("expiration_date", details.text("expiration_date"))
        guard let expiry = RESTTime.date(expiryText) else { throw FieldProblem("expiration_date", .type) }
        let right = try details.text("contract_type")
        return Contract(
            symbol: try details.required("ticker", details.text("ticker")),
            isCall: right == "call" ? true : right == "put" ? false : nil,
            isEuropean: try details.text("exercise_style") == "european",
            expiry: expiry.yyyymmdd,
            strike: try details.required("strike_price", details.price("strike_price")),
            sharesPerContract: try details.size("shares_per_contract") ?? Size(shares: 100),
            greeks: try greeks(row.object("greeks")),
            impliedVolatility: try row.statistic("implied_volatility"),
            openInterest: try row.integer("open_interest"),
            breakEven: try row.computed("break_even_price", mayBeNegative: true),
            fairValue: try row.computed("fmv"),
            quote: try quote(row.object("last_quote")),
            trade: try trade(row.object("last_trade")),
            day: try day(row.object("day")),
            underlying: try underlying(row.object("underlying_asset"))
        )
    }

    /// The reader of an object with members; `{}` is the same as none.
    private static func filled(_ row: RowReader?) -> RowReader? {
        guard let row, row.row != .object([]) else { return nil }
        return row
    }

    private static func greeks(_ row: RowReader?) throws(FieldProblem) -> Greeks? {
        guard let row = filled(row) else { return nil }
        return Greeks(
            delta: try row.statistic("delta"),
            gamma: try row.statistic("gamma"),
            theta: try row.statistic("theta"),
            vega: try row.statistic("vega")
        )
    }

    private static func quote(_ row: RowReader?) throws(FieldProblem) -> LastQuote? {
        guard let row = filled(row) else { return nil }
        return LastQuote(
            bid: try row.price("bid") ?? .zero,
            ask: try row.price("ask") ?? .zero,
            bidSize: try row.size("bid_size") ?? .zero,
            askSize: try row.size("ask_size") ?? .zero,
            time: try row.time("last_updated"),
            isDelayed: try row.text("timeframe") == "DELAYED"
        )
    }

    private static func trade(_ row: RowReader?) throws(FieldProblem) -> LastTrade? {
        guard let row = filled(row) else { return nil }
        var conditions = Conditions()
        for value in row.row["conditions"]?.array ?? [] {
            guard case .number(let text) = value, let id = Int64(text) else {
                throw FieldProblem("conditions", .type)
            }
            guard conditions.insert(id) else { throw FieldProblem("conditions", .conditions) }
        }
        return LastTrade(
            price: try row.required("price", row.price("price")),
            size: try row.size("size") ?? .zero,
            exchange: try row.integer("exchange"),
            conditions: conditions,
            time: try row.time("sip_timestamp"),
            isDelayed: try row.text("timeframe") == "DELAYED"
        )
    }

    private static func day(_ row: RowReader?) throws(FieldProblem) -> Day? {
        guard let row = filled(row) else { return nil }
        return Day(
            open: try row.computed("open"),
            high: try row.computed("high"),
            low: try row.computed("low"),
            close: try row.computed("close"),
            previousClose: try row.computed("previous_close"),
            volume: try row.size("volume"),
            vwap: try row.computed("vwap"),
            updated: try row.time("last_updated")
        )
    }

    private static func underlying(_ row: RowReader?) throws(FieldProblem) -> Underlying? {
        guard let row = filled(row) else { return nil }
        let price = try row.computed("price")
        return Underlying(
            symbol: try row.required("ticker", row.text("ticker")),
            value: price == nil ? try row.computed("value", mayBeNegative: true) : price,
            updated: try row.time("last_updated"),
            isDelayed: try row.text("timeframe") == "DELAYED"
        )
    }
}
