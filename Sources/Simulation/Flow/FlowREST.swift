internal import Primitives
internal import Wire

/// The REST side of the simulated flow vendor: alerts that a socket missed, with the rate headers (feeds.md 3.2).
///
/// Pure but for its counting of calls, which is its state.
package struct FlowREST: Sendable {
    package static let perMinute = 120
    package static let perDay = 20_000
    static let limitMax = 200

    private var calls: [Int64] = []
    private var today = 0

    package init() {}

    /// Whether a path is one of this vendor's.
    package static func serves(_ path: String) -> Bool { path.hasPrefix("/api/") }

    /// Answers a request; `wallNanos` drives the limits.
    package mutating func answer(
        _ request: SimulatedRequest,
        _ model: MarketModel,
        key: String?,
        moods: MoodSet = MoodSet(),
        wallNanos: Int64
    ) -> SimulatedAnswer {
        guard let shown = request.bearer, !shown.isEmpty, key == nil || key == shown, !moods.contains(.authFailure)
        else {
            return SimulatedAnswer(status: 401, json: #"{"error":"Unauthorized"}"#)
        }
        calls.removeAll { wallNanos - $0 >= 60_000_000_000 }
        let reset = calls.first.map { max(0, 60_000 - (wallNanos - $0) / 1_000_000) } ?? 60_000
        var answer: SimulatedAnswer
        if calls.count >= Self.perMinute || moods.contains(.rateLimited) {
            answer = SimulatedAnswer(status: 429, json: #"{"error":"Too many requests"}"#)
            answer.headers["retry-after"] = String(max(1, (reset + 999) / 1_000))
        } else {
            calls.append(wallNanos)
            today += 1
            answer =
                moods.contains(.serverError)
                ? SimulatedAnswer(status: 500, json: #"{"error":"Internal server error"}"#) : self.route(request, model)
        }
        answer.headers["x-uw-daily-req-count"] = String(today)
        answer.headers["x-uw-token-req-limit"] = String(Self.perDay)
        answer.headers["x-uw-minute-req-counter"] = String(calls.count)
        answer.headers["x-uw-req-per-minute-remaining"] = String(Self.perMinute - calls.count)
        answer.headers["x-uw-req-per-minute-reset"] = String(reset)
        return answer
    }

    private func route(_ request: SimulatedRequest, _ model: MarketModel) -> SimulatedAnswer {
        guard request.path == "/api/option-trades/flow-alerts" else {
            return SimulatedAnswer(status: 404, json: #"{"error":"Not found"}"#)
        }
        let limit = request.argument("limit").map(Int.init) ?? 100
        guard let limit, (1...Self.limitMax).contains(limit) else {
            return SimulatedAnswer(status: 422, json: #"{"error":"limit must be between 1 and 200"}"#)
        }
        var newer: Instant?
        if let text = request.argument("newer_than") {
            guard let parsed = Self.time(text) else {
                return SimulatedAnswer(status: 422, json: #"{"error":"newer_than isn't a time"}"#)
            }
            newer = parsed
        }
        let older = request.argument("older_than").flatMap(Self.time)
        let tickers = request.argument("ticker_symbol")?.split(separator: ",").map(String.init)
        // Newest first.
        let rows = model.alerts.reversed().lazy.filter { alert in
            let root = FlowEncoder.root(model.instruments.all[Int(alert.symbol)], model)
            return (newer.map { alert.end > $0 } ?? true) && (older.map { alert.end < $0 } ?? true)
                && (tickers?.contains(root) ?? true)
        }.prefix(limit)
        var out: [UInt8] = []
        out.add(#"{"data":["#)
        for (index, alert) in rows.enumerated() {
            if index > 0 { out.add(",") }
            Self.append(alert, model, &out)
        }
        out.add("]}")
        return SimulatedAnswer(json: out)
    }

    /// Seconds, milliseconds or finer since the epoch by magnitude, or ISO 8601.
    static func time(_ text: String) -> Instant? {
        if let whole = Int64(text), whole >= 0 {
            switch whole {
            case 100_000_000_000_000_000...: return Instant(nanos: whole)
            case 100_000_000_000_000...: return Instant(nanos: whole * 1_000)
            case 100_000_000_000...: return Instant(millis: whole)
            default: return Instant(nanos: whole * 1_000_000_000)
            }
        }
        return InstantText.parse(text)
    }

    /// An alert as REST has it: decimals as text, times as ISO, the socket's names too, so that both decode alike.
    private static func append(_ alert: FlowAlert, _ model: MarketModel, _ out: inout [UInt8]) {
        let contract = model.instruments.all[Int(alert.symbol)]
        var object = JSONObject(&out)
        object.field("id", FlowEncoder.alertIdentifier(alert) as String?, to: &out)
        object.field("alert_rule", FlowEncoder.ruleName(alert) as String?, to: &out)
        object.field("rule_name", FlowEncoder.ruleName(alert) as String?, to: &out)
        object.key("created_at", to: &out)
        FlowEncoder.iso(alert.end, &out)
        object.field("start_time", alert.start.nanos / 1_000_000 as Int64?, to: &out)
        object.field("end_time", alert.end.nanos / 1_000_000 as Int64?, to: &out)
        object.field("executed_at", alert.end.nanos / 1_000_000 as Int64?, to: &out)
        object.field("ticker", FlowEncoder.root(contract, model) as String?, to: &out)
        object.field("option_chain", contract.occ as String?, to: &out)
        object.field("expiry", contract.expiryText as String?, to: &out)
        object.field("type", (contract.isCall ? "call" : "put") as String?, to: &out)
        FlowEncoder.text(&object, "strike", contract.strike, &out)
        FlowEncoder.text(&object, "price", alert.price, &out)
        FlowEncoder.text(&object, "bid", alert.bid, &out)
        FlowEncoder.text(&object, "ask", alert.ask, &out)
        FlowEncoder.text(&object, "underlying_price", alert.spot, 2, &out)
        FlowEncoder.text(&object, "total_premium", alert.premium, 0, &out)
        FlowEncoder.text(&object, "total_ask_side_prem", alert.askPremium, 0, &out)
        FlowEncoder.text(&object, "total_bid_side_prem", alert.bidPremium, 0, &out)
        object.field("total_size", alert.totalSize as Int64?, to: &out)
        object.field("trade_count", Int64(alert.trades.count) as Int64?, to: &out)
        object.field("expiry_count", 1 as Int64?, to: &out)
        object.field("volume", alert.flow.all as Int64?, to: &out)
        object.field("open_interest", Int64(contract.openInterest) as Int64?, to: &out)
        FlowEncoder.text(
            &object,
            "volume_oi_ratio",
            Double(alert.flow.all) / Double(max(1, contract.openInterest)),
            6,
            &out
        )
        FlowEncoder.flags(&object, alert, &out)
        object.end(&out)
    }
}
