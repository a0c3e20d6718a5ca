internal import MarketData
internal import Primitives
internal import Wire

// Last quotes, option chains, indices.
extension PolygonREST {
    func lastQuote(_ ticker: String) -> SimulatedAnswer {
        guard let symbol = model.instruments.byTicker[ticker], let quote = model.quote(of: symbol) else {
            return error(404, "NOT_FOUND", "Ticker not found.")
        }
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("status", "OK" as String?, to: &out)
        object.field("request_id", requestID as String?, to: &out)
        object.key("results", to: &out)
        // Upper case is the ask's.
        var row = JSONObject(&out)
        row.field("T", ticker as String?, to: &out)
        for (name, price) in [("p", quote.bid), ("P", quote.ask)] { row.field(name, price as Price?, to: &out) }
        for (name, number) in [
            ("s", Int64(quote.bidSize)), ("S", Int64(quote.askSize)), ("x", Int64(quote.bidExchange)),
            ("X", Int64(quote.askExchange)), ("t", quote.time.nanos), ("y", quote.time.nanos - 250_000),
            ("q", quote.sequence), ("z", 2),
        ] { row.field(name, number as Int64?, to: &out) }
        row.field("c", .array([.number("0")]), to: &out)
        row.end(&out)
        object.end(&out)
        return SimulatedAnswer(json: out)
    }

    /// The chain's contracts that a request's filters keep, sorted.
    private func filtered(_ request: SimulatedRequest, _ underlying: Int32) -> [Int32] {
        guard let chain = model.instruments.chains.first(where: { $0.underlying == underlying }) else { return [] }
        var found = (0..<Int32(chain.count)).map { chain.first + $0 }.filter { symbol in
            let contract = model.instruments.all[Int(symbol)]
            if let type = request.argument("contract_type"), type != (contract.isCall ? "call" : "put") { return false }
            return Self.passes(request, "strike_price", contract.strike.micros) { DecimalText.micros($0.utf8) }
                && Self.passes(request, "expiration_date", Int64(contract.expiry)) {
                    CivilDate(text: $0).map { Int64($0.yyyymmdd) }
                }
        }
        let all = model.instruments.all
        switch request.argument("sort") {
        case "strike_price": found.sort { (all[Int($0)].strike, $0) < (all[Int($1)].strike, $1) }
        case "expiration_date": found.sort { (all[Int($0)].expiry, $0) < (all[Int($1)].expiry, $1) }
        default: found.sort { all[Int($0)].ticker < all[Int($1)].ticker }
        }
        if request.argument("order") == "desc" { found.reverse() }
        return found
    }

    private static func passes(
        _ request: SimulatedRequest,
        _ name: String,
        _ value: Int64,
        _ read: (String) -> Int64?
    ) -> Bool {
        for (suffix, test) in [
            ("", { $0 == $1 } as (Int64, Int64) -> Bool), (".gte", { $0 >= $1 }), (".gt", { $0 > $1 }),
            (".lte", { $0 <= $1 }),
            (".lt", { $0 < $1 }),
        ] {
            guard let text = request.argument(name + suffix) else { continue }
            guard let limit = read(text), test(value, limit) else { return false }
        }
        return true
    }

    /// A page of what is there, and where the next one is.
    private func page(_ request: SimulatedRequest, _ all: [Int32], most: Int) -> (page: [Int32], next: String?) {
        let limit = min(most, max(1, request.argument("limit").flatMap(Int.init) ?? 10))
        let offset = max(0, request.argument("cursor").flatMap(Int.init) ?? 0)
        let rows = Array(all.dropFirst(offset).prefix(limit))
        guard offset + rows.count < all.count else { return (rows, nil) }
        let carried = request.query.filter { $0.name != "cursor" && $0.name != "apiKey" }.map {
            "\($0.name)=\($0.value)"
        }
        let query = (carried + ["cursor=\(offset + limit)"]).joined(separator: "&")
        return (rows, "\(base)\(request.path)?\(query)")
    }

    func chain(_ request: SimulatedRequest, _ ticker: String) -> SimulatedAnswer {
        guard let underlying = model.instruments.byTicker[ticker] else {
            return error(404, "NOT_FOUND", "Ticker not found.")
        }
        let (rows, next) = page(request, filtered(request, underlying), most: 250)
        return envelope(rows.map(chainRow), next: next)
    }

    private func chainRow(_ symbol: Int32) -> [UInt8] {
        let contract = model.instruments.all[Int(symbol)]
        let value = model.value(of: symbol)
        let isIndex = model.instruments.all[Int(contract.underlying)].kind == .index
        var out: [UInt8] = []
        var object = JSONObject(&out)
        let breakEven = contract.strike.dollars + (contract.isCall ? 1 : -1) * value.price
        object.key("break_even_price", to: &out)
        out.add(breakEven, places: 4)
        object.key("day", to: &out)
        appendDay(symbol, &out)
        object.key("details", to: &out)
        appendDetails(contract, isIndex: isIndex, &out)
        // Deep in the money there are no greeks.
        if abs(value.delta) < 0.98, abs(value.delta) > 0.01 {
            object.key("greeks", to: &out)
            var greeks = JSONObject(&out)
            for (name, number) in [
                ("delta", value.delta), ("gamma", value.gamma), ("theta", value.theta), ("vega", value.vega),
            ] {
                greeks.key(name, to: &out)
                out.add(number, places: 6)
            }
            greeks.end(&out)
            object.key("implied_volatility", to: &out)
            out.add(model.volatility(of: symbol), places: 6)
        }
        appendLast(symbol, &object, &out)
        object.field("open_interest", Int64(contract.openInterest) as Int64?, to: &out)
        object.key("underlying_asset", to: &out)
        appendUnderlying(contract, breakEven, isIndex: isIndex, &out)
        object.end(&out)
        return out
    }

    private func appendDay(_ symbol: Int32, _ out: inout [UInt8]) {
        let day = model.bars.days[Int(symbol)]
        var object = JSONObject(&out)
        // `{}` for a contract that was never traded today.
        if day.trades > 0 {
            for (name, price) in [("open", day.open), ("high", day.high), ("low", day.low), ("close", day.close)] {
                object.field(name, price as Price?, to: &out)
            }
            object.field("volume", day.volume as Size?, to: &out)
            object.key("vwap", to: &out)
            out.add(day.vwap, places: 4)
            object.field("last_updated", model.now.nanos as Int64?, to: &out)
        }
        object.end(&out)
    }

    private func appendDetails(_ contract: ModelInstrument, isIndex: Bool, _ out: inout [UInt8]) {
        var object = JSONObject(&out)
        object.field("contract_type", (contract.isCall ? "call" : "put") as String?, to: &out)
        object.field("exercise_style", (isIndex ? "european" : "american") as String?, to: &out)
        object.field("expiration_date", contract.expiryText as String?, to: &out)
        object.field("shares_per_contract", 100 as Int64?, to: &out)
        object.field("strike_price", contract.strike as Price?, to: &out)
        object.field("ticker", contract.ticker as String?, to: &out)
        object.end(&out)
    }

    private func appendLast(_ symbol: Int32, _ object: inout JSONObject, _ out: inout [UInt8]) {
        if let quote = model.quote(of: symbol) {
            object.key("last_quote", to: &out)
            var row = JSONObject(&out)
            row.field("ask", quote.ask as Price?, to: &out)
            row.field("ask_size", Int64(quote.askSize) as Int64?, to: &out)
            row.field("bid", quote.bid as Price?, to: &out)
            row.field("bid_size", Int64(quote.bidSize) as Int64?, to: &out)
            row.field("last_updated", quote.time.nanos as Int64?, to: &out)
            row.key("midpoint", to: &out)
            out.add(quote.mid, places: 4)
            row.field("timeframe", timeframe as String?, to: &out)
            row.end(&out)
        }
        if let trade = model.lastTrade(of: symbol) {
            object.key("last_trade", to: &out)
            var row = JSONObject(&out)
            row.field("price", trade.price as Price?, to: &out)
            row.field("size", trade.size.micros / 1_000_000 as Int64?, to: &out)
            row.field("exchange", Int64(trade.exchange) as Int64?, to: &out)
            row.field("conditions", .array([.number(String(FlowCluster.condition(trade)))]), to: &out)
            row.field("sip_timestamp", trade.time.nanos as Int64?, to: &out)
            row.field("timeframe", timeframe as String?, to: &out)
            row.end(&out)
        }
    }

    private func appendUnderlying(
        _ contract: ModelInstrument,
        _ breakEven: Double,
        isIndex: Bool,
        _ out: inout [UInt8]
    ) {
        let spot = model.spot(contract.underlying)
        var object = JSONObject(&out)
        object.field("ticker", model.instruments.all[Int(contract.underlying)].ticker as String?, to: &out)
        object.key(isIndex ? "value" : "price", to: &out)
        out.add(spot, places: 2)
        object.key("change_to_break_even", to: &out)
        out.add(breakEven - spot, places: 4)
        object.field("last_updated", model.now.nanos as Int64?, to: &out)
        object.field("timeframe", timeframe as String?, to: &out)
        object.end(&out)
    }

    func contracts(_ request: SimulatedRequest) -> SimulatedAnswer {
        let named = request.argument("underlying_ticker").map { ["SPX": "I:SPX", "NDX": "I:NDX"][$0] ?? $0 }
        let underlyings = model.instruments.chains.map(\.underlying).filter {
            named == nil || model.instruments.all[Int($0)].ticker == named
        }
        let all = request.argument("expired") == "true" ? [] : underlyings.flatMap { filtered(request, $0) }
        let (rows, next) = page(request, all, most: 1_000)
        let texts = rows.map { symbol -> [UInt8] in
            let contract = model.instruments.all[Int(symbol)]
            let underlying = model.instruments.all[Int(contract.underlying)]
            var out: [UInt8] = []
            var object = JSONObject(&out)
            object.field("contract_type", (contract.isCall ? "call" : "put") as String?, to: &out)
            object.field("exercise_style", (underlying.kind == .index ? "european" : "american") as String?, to: &out)
            object.field("expiration_date", contract.expiryText as String?, to: &out)
            object.field("primary_exchange", "BATO" as String?, to: &out)
            object.field("shares_per_contract", 100 as Int64?, to: &out)
            object.field("strike_price", contract.strike as Price?, to: &out)
            object.field("ticker", contract.ticker as String?, to: &out)
            object.field("underlying_ticker", underlying.ticker as String?, to: &out)
            object.end(&out)
            return out
        }
        return envelope(texts, next: next)
    }

    func indices(_ request: SimulatedRequest) -> SimulatedAnswer {
        let wanted = request.argument("ticker.any_of")?.split(separator: ",").map(String.init) ?? []
        guard wanted.count <= 250 else { return error(400, "ERROR", "at most 250 tickers") }
        return envelope(wanted.map(indexRow), next: nil)
    }

    private func indexRow(_ ticker: String) -> [UInt8] {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("ticker", ticker as String?, to: &out)
        if let symbol = model.instruments.byTicker[ticker], model.instruments.all[Int(symbol)].kind == .index {
            let day = model.bars.days[Int(symbol)]
            object.field("type", "indices" as String?, to: &out)
            object.key("value", to: &out)
            out.add(model.spot(symbol), places: 2)
            object.key("session", to: &out)
            var session = JSONObject(&out)
            for (name, price) in [("open", day.open), ("high", day.high), ("low", day.low), ("close", day.close)] {
                session.field(name, price as Price?, to: &out)
            }
            session.end(&out)
            object.field("last_updated", model.now.nanos as Int64?, to: &out)
            object.field("timeframe", timeframe as String?, to: &out)
        } else {
            object.field("error", "NOT_FOUND" as String?, to: &out)
            object.field("message", "Ticker not found." as String?, to: &out)
        }
        object.end(&out)
        return out
    }
}
