internal import MarketData
internal import Primitives
internal import Wire

/// Writes payloads of the flow vendor, types as feeds.md 3.1 shows them: decimals as text where it has them as text.
struct FlowEncoder {
    static let exchanges = [
        "XCBO", "XPHO", "XNDQ", "MPRL", "EMLD", "ARCO", "GMNI", "XISX", "C2OX", "XBOX", "XASE", "EDGO",
    ]
    private static let codes: [Int: String] = [
        209: "auto", 219: "isoi", 227: "slan", 229: "slcn", 231: "slft", 232: "mlet", 233: "mlat", 235: "mlft",
        238: "mesl",
    ]

    /// A version-4-like identifier made of a seed and numbers: the same print has the same one in trades and alerts.
    static func identifier(_ parts: UInt64...) -> String {
        var random = ModelRandom(seed: 0x1D)
        for part in parts { random = ModelRandom(random.next(), part) }
        let (high, low) = (random.next(), random.next())
        let hex = Self.hex(high) + Self.hex(low)
        let groups = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)]
        return groups.map { hex[hex.index(hex.startIndex, offsetBy: $0.0)..<hex.index(hex.startIndex, offsetBy: $0.1)] }
            .joined(separator: "-")
    }

    private static func hex(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }

    static func code(_ condition: Int) -> String { codes[condition] ?? "auto" }

    static func exchange(_ id: UInt16) -> String { exchanges[Int(id) % exchanges.count] }

    /// A print of a contract.
    static func optionTrade(_ trade: ModelTrade, _ model: MarketModel, _ out: inout [UInt8]) {
        let contract = model.instruments.all[Int(trade.symbol)]
        let value = model.value(of: trade.symbol)
        let flow = model.flow(of: trade.symbol)
        var object = JSONObject(&out)
        let millis = trade.time.nanos / 1_000_000
        object.field("id", identifier(UInt64(trade.symbol), UInt64(trade.id)) as String?, to: &out)
        object.field("underlying_symbol", root(contract, model) as String?, to: &out)
        object.field("executed_at", millis as Int64?, to: &out)
        for (key, price) in [("nbbo_bid", trade.bid), ("nbbo_ask", trade.ask)] { text(&object, key, price, &out) }
        object.field("size", trade.size.micros / 1_000_000 as Int64?, to: &out)
        text(&object, "price", trade.price, &out)
        object.field("option_symbol", contract.occ as String?, to: &out)
        object.field("created_at", millis + 36 + trade.id % 38 as Int64?, to: &out)
        object.field("report_flags", .array([]), to: &out)
        object.field("tags", .array(tags(trade, contract, model).map { .string($0) }), to: &out)
        object.field("expiry", contract.expiryText as String?, to: &out)
        object.field("option_type", (contract.isCall ? "call" : "put") as String?, to: &out)
        object.field("open_interest", Int64(contract.openInterest) as Int64?, to: &out)
        text(&object, "strike", contract.strike.dollars, 10, &out)
        text(&object, "premium", trade.price.dollars * trade.size.shares * 100, 2, &out)
        object.field("volume", flow.all as Int64?, to: &out)
        text(&object, "underlying_price", model.spot(contract.underlying), 2, &out)
        for (key, price) in [("ewma_nbbo_ask", trade.ask), ("ewma_nbbo_bid", trade.bid)] {
            text(&object, key, price, &out)
        }
        text(&object, "implied_volatility", model.volatility(of: trade.symbol), 4, &out)
        for (key, number) in [
            ("delta", value.delta), ("theta", value.theta), ("gamma", value.gamma), ("vega", value.vega),
            ("rho", value.rho),
        ] { text(&object, key, number, 4, &out) }
        text(&object, "theo", value.price, 2, &out)
        object.field("trade_code", code(FlowCluster.condition(trade)) as String?, to: &out)
        object.field("exchange", exchange(trade.exchange) as String?, to: &out)
        volumes(&object, flow, &out)
        object.end(&out)
    }

    private static func tags(_ trade: ModelTrade, _ contract: ModelInstrument, _ model: MarketModel) -> [String] {
        let side = trade.side > 0 ? "ask_side" : trade.side < 0 ? "bid_side" : "mid_side"
        let view = trade.side == 0 ? "neutral" : (trade.side > 0) == contract.isCall ? "bullish" : "bearish"
        let underlying = model.instruments.all[Int(contract.underlying)]
        if underlying.kind == .index { return [side, view, "index"] }
        return ModelInstruments.daily.contains(underlying.ticker) ? [side, view, "etf"] : [side, view]
    }

    /// The symbol by which the vendor knows a contract's underlying: the root.
    static func root(_ contract: ModelInstrument, _ model: MarketModel) -> String {
        String(contract.occ.dropLast(15))
    }

    private static func volumes(
        _ object: inout JSONObject,
        _ flow: (all: Int64, ask: Int64, bid: Int64, mid: Int64, multi: Int64),
        _ out: inout [UInt8]
    ) {
        for (key, count) in [
            ("ask_vol", flow.ask), ("bid_vol", flow.bid), ("no_side_vol", 0), ("mid_vol", flow.mid),
            ("multi_vol", flow.multi), ("stock_multi_vol", 0),
        ] { object.field(key, count as Int64?, to: &out) }
    }

    /// An alert as the socket has it: premiums as numbers, bid and ask as text.
    static func alert(_ alert: FlowAlert, _ model: MarketModel, _ out: inout [UInt8]) {
        let contract = model.instruments.all[Int(alert.symbol)]
        var object = JSONObject(&out)
        object.field("id", alertIdentifier(alert) as String?, to: &out)
        object.field("rule_id", identifier(0xA1E27) as String?, to: &out)
        object.field("rule_name", ruleName(alert) as String?, to: &out)
        object.field("ticker", root(contract, model) as String?, to: &out)
        object.field("option_chain", contract.occ as String?, to: &out)
        number(&object, "underlying_price", alert.spot, &out)
        object.field("volume", alert.flow.all as Int64?, to: &out)
        object.field("total_size", alert.totalSize as Int64?, to: &out)
        number(&object, "total_premium", alert.premium, &out)
        number(&object, "total_ask_side_prem", alert.askPremium, &out)
        number(&object, "total_bid_side_prem", alert.bidPremium, &out)
        object.field("start_time", alert.start.nanos / 1_000_000 as Int64?, to: &out)
        object.field("end_time", alert.end.nanos / 1_000_000 as Int64?, to: &out)
        object.field("url", "" as String?, to: &out)
        object.field("price", alert.price as Price?, to: &out)
        flags(&object, alert, &out)
        object.field("open_interest", Int64(contract.openInterest) as Int64?, to: &out)
        number(&object, "volume_oi_ratio", 0, &out)
        let ids = alert.trades.map { JSONValue.string(identifier(UInt64(alert.symbol), UInt64($0))) }
        object.field("trade_ids", .array(ids), to: &out)
        object.field("trade_count", Int64(alert.trades.count) as Int64?, to: &out)
        object.field("expiry_count", 1 as Int64?, to: &out)
        object.field("executed_at", alert.end.nanos / 1_000_000 as Int64?, to: &out)
        volumes(&object, alert.flow, &out)
        object.field("upstream_condition_details", .array([.string(code(alert.condition))]), to: &out)
        object.field("exchanges", .array([.string(exchange(alert.exchange))]), to: &out)
        text(&object, "bid", alert.bid, &out)
        text(&object, "ask", alert.ask, &out)
        object.end(&out)
    }

    static func alertIdentifier(_ alert: FlowAlert) -> String {
        identifier(0xA1, UInt64(alert.number), UInt64(alert.end.nanos))
    }

    static func ruleName(_ alert: FlowAlert) -> String {
        alert.askPremium >= alert.bidPremium ? "RepeatedHits" : "RepeatedHitsDescendingFill"
    }

    static func flags(_ object: inout JSONObject, _ alert: FlowAlert, _ out: inout [UInt8]) {
        for (key, flag) in [
            ("has_multileg", alert.hasMulti), ("has_sweep", alert.hasSweep), ("has_floor", alert.hasFloor),
            ("all_opening_trades", false), ("has_singleleg", alert.hasSingle),
        ] { object.field(key, flag, to: &out) }
    }

    /// A print of a stock on or off the exchanges; its time is ISO text.
    static func stockTrade(_ trade: ModelTrade, _ model: MarketModel, _ out: inout [UInt8]) {
        let stock = model.instruments.all[Int(trade.symbol)]
        var object = JSONObject(&out)
        object.field("symbol", stock.ticker as String?, to: &out)
        text(&object, "price", trade.price, &out)
        object.field("type", (trade.isOffExchange ? "off_lit" : "lit") as String?, to: &out)
        object.field("size", trade.size.micros / 1_000_000 as Int64?, to: &out)
        object.field("volume", model.bars.days[Int(trade.symbol)].volume.micros / 1_000_000 as Int64?, to: &out)
        object.field("trade_settlement", "regular" as String?, to: &out)
        object.field("trade_code", nil as String?, to: &out)
        let isExtended = trade.conditions.packed & 0xFF == 12
        object.field("ext_hour_sold_codes", isExtended ? "extended_hours_trade" : nil as String?, to: &out)
        let isContingent = [52, 53].contains(FlowCluster.condition(trade))
        object.field("sale_cond_codes", isContingent ? "contingent_trade" : nil as String?, to: &out)
        object.key("executed_at", to: &out)
        iso(trade.time, &out)
        text(&object, "nbbo_bid", trade.bid, &out)
        text(&object, "nbbo_ask", trade.ask, &out)
        let quote = model.quote(of: trade.symbol)
        object.field("nbbo_bid_quantity", Int64(quote?.bidSize ?? 0) as Int64?, to: &out)
        object.field("nbbo_ask_quantity", Int64(quote?.askSize ?? 0) as Int64?, to: &out)
        object.field("sector", "Technology" as String?, to: &out)
        object.field("next_earnings_date", nil as String?, to: &out)
        text(&object, "avg30_volume", model.subject(trade.symbol)?.dayVolume ?? 0, 1, &out)
        let isFund = ModelInstruments.daily.contains(stock.ticker)
        object.field("issue_type", (isFund ? "ETF" : "Common Stock") as String?, to: &out)
        text(&object, "marketcap", 2.4e12, 1, &out)
        object.end(&out)
    }

    // MARK: Values

    static func iso(_ time: Instant, _ out: inout [UInt8]) {
        out.append(0x22)
        InstantText.append(Instant(nanos: time.nanos / 1_000_000 * 1_000_000), to: &out)
        out.append(0x22)
    }

    static func text(_ object: inout JSONObject, _ key: String, _ price: Price, _ out: inout [UInt8]) {
        object.key(key, to: &out)
        out.append(0x22)
        out.add(price)
        out.append(0x22)
    }

    static func text(_ object: inout JSONObject, _ key: String, _ value: Double, _ places: Int, _ out: inout [UInt8]) {
        object.key(key, to: &out)
        out.append(0x22)
        out.add(value, fixed: places)
        out.append(0x22)
    }

    static func number(_ object: inout JSONObject, _ key: String, _ value: Double, _ out: inout [UInt8]) {
        object.key(key, to: &out)
        out.add(value, fixed: value == value.rounded() && value != 0 ? 0 : 1)
    }
}
