internal import MarketData
internal import Primitives
internal import Wire

/// What the flow vendor tells: the model's events and its own clockwork, as channel and payload.
///
/// Pure. Only what somebody joined is written.
struct FlowFeed {
    /// One message before it is framed.
    struct Message: Equatable {
        var channel: String
        var payload: [UInt8]

        /// `["channel",payload]`.
        var frame: [UInt8] {
            var out: [UInt8] = [UInt8(ascii: "[")]
            JSONText.append(channel, to: &out)
            out.append(UInt8(ascii: ","))
            out += payload
            out.append(UInt8(ascii: "]"))
            return out
        }
    }

    /// Milliseconds added to nothing but counted in moods: every so many decimal texts is empty.
    var moods = MoodSet()
    private var nextSecond: Int64 = 0
    /// Premium of the minute: calls, puts, contracts, by root.
    private var premium: [String: (calls: Double, puts: Double, contracts: Int64)] = [:]
    private var count = 0

    private static let headlines = [
        "Energy officials foresee more supply deals", "Index futures little changed before data",
        "Chip makers rise on server demand", "Treasury auction draws solid bids", "Retail sales meet expectations",
        "Airlines warn of higher fuel costs", "Regulator opens comment period on tick sizes",
    ]

    /// The messages of a batch of events and of the seconds that passed with it.
    mutating func messages(_ events: [ModelEvent], _ model: MarketModel, joined: Set<String>) -> [Message] {
        guard !joined.isEmpty else { return [] }
        var out: [Message] = []
        for event in events { append(event, model, joined, &out) }
        let second = model.now.nanos / 1_000_000_000
        if nextSecond == 0 { nextSecond = second }
        // After a jump of time only the last seconds are told: nobody wants a thousand old prices.
        nextSecond = max(nextSecond, second - 60)
        while nextSecond <= second {
            clockwork(nextSecond, model, joined, &out)
            nextSecond += 1
        }
        if moods.contains(.emptyStrings) { empty(&out) }
        return out
    }

    private mutating func append(
        _ event: ModelEvent,
        _ model: MarketModel,
        _ joined: Set<String>,
        _ out: inout [Message]
    ) {
        switch event {
        case .trade(let trade):
            let instrument = model.instruments.all[Int(trade.symbol)]
            if instrument.kind == .option {
                let root = FlowEncoder.root(instrument, model)
                gather(trade, instrument, root)
                tell(["option_trades", "option_trades:\(root)"], joined, &out) {
                    FlowEncoder.optionTrade(trade, model, &$0)
                }
            } else {
                let base = trade.isOffExchange ? "off_lit_trades" : "lit_trades"
                tell([base, "\(base):\(instrument.ticker)"], joined, &out) { FlowEncoder.stockTrade(trade, model, &$0) }
            }
        case .alert(let number):
            guard let alert = model.alert(number) else { return }
            tell(["flow-alerts"], joined, &out) { FlowEncoder.alert(alert, model, &$0) }
        case .halt(let halt):
            let ticker = model.instruments.all[Int(halt.symbol)].ticker
            tell(["trading_halts"], joined, &out) {
                $0 += Array(
                    #"{"symbol":"\#(ticker)","state":"\#(halt.isHalted ? "halted" : "resumed")","reason":"LUDP","timestamp":\#(halt.time.nanos / 1_000_000)}"#
                        .utf8
                )
            }
        case .quote, .index, .bar, .band: return
        }
    }

    private mutating func gather(_ trade: ModelTrade, _ contract: ModelInstrument, _ root: String) {
        let paid = trade.price.dollars * trade.size.shares * 100 * Double(trade.side)
        var sums = premium[root] ?? (0, 0, 0)
        if contract.isCall { sums.calls += paid } else { sums.puts += paid }
        sums.contracts += trade.size.micros / 1_000_000
        premium[root] = sums
    }

    private func tell(
        _ channels: [String],
        _ joined: Set<String>,
        _ out: inout [Message],
        _ write: (inout [UInt8]) -> Void
    ) {
        let wanted = channels.filter(joined.contains)
        guard !wanted.isEmpty else { return }
        var payload: [UInt8] = []
        write(&payload)
        for channel in wanted { out.append(Message(channel: channel, payload: payload)) }
    }

    // MARK: What comes by the clock

    private mutating func clockwork(
        _ second: Int64,
        _ model: MarketModel,
        _ joined: Set<String>,
        _ out: inout [Message]
    ) {
        let millis = second * 1_000
        for channel in joined.sorted() {
            let parts = channel.split(separator: ":", maxSplits: 1).map(String.init)
            guard let base = parts.first else { continue }
            let symbol = parts.count == 2 ? Self.underlying(parts[1], model) : nil
            switch base {
            case "price":
                guard let symbol else { continue }
                let volume = model.bars.days[Int(symbol)].volume.micros / 1_000_000
                out.append(Message(channel: channel, payload: price(model.spot(symbol), millis, volume)))
            case "gex", "gex_strike", "gex_strike_expiry":
                guard let symbol, second % 10 == 0 else { continue }
                for payload in GammaExposure(model, symbol).payloads(base, parts[1], millis) {
                    out.append(Message(channel: channel, payload: payload))
                }
            case "net_flow", "market_tide", "interval_flow":
                guard second % 60 == 0 else { continue }
                out.append(Message(channel: channel, payload: tide(parts.count == 2 ? parts[1] : nil, millis)))
            case "news":
                guard second % 47 == 0 else { continue }
                out.append(Message(channel: channel, payload: news(second, model)))
            default: continue
            }
        }
        if second % 60 == 0 { premium.removeAll() }
    }

    /// The stock or index of a ticker, also by the root of its weekly contracts.
    static func underlying(_ ticker: String, _ model: MarketModel) -> Int32? {
        let known = ["SPX": "I:SPX", "SPXW": "I:SPX", "NDX": "I:NDX", "NDXP": "I:NDX"]
        guard let symbol = model.instruments.byTicker[known[ticker] ?? ticker] else { return nil }
        return model.instruments.all[Int(symbol)].kind == .option ? nil : symbol
    }

    private func price(_ spot: Double, _ millis: Int64, _ volume: Int64) -> [UInt8] {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        FlowEncoder.text(&object, "close", spot, 2, &out)
        object.field("time", millis as Int64?, to: &out)
        object.field("vol", volume as Int64?, to: &out)
        object.end(&out)
        return out
    }

    private func tide(_ ticker: String?, _ millis: Int64) -> [UInt8] {
        var sums = (calls: 0.0, puts: 0.0, contracts: Int64(0))
        for (root, flow) in premium where ticker == nil || root == ticker {
            sums = (sums.calls + flow.calls, sums.puts + flow.puts, sums.contracts + flow.contracts)
        }
        var out: [UInt8] = []
        var object = JSONObject(&out)
        if let ticker { object.field("ticker", ticker as String?, to: &out) }
        FlowEncoder.text(&object, "net_call_premium", sums.calls, 4, &out)
        FlowEncoder.text(&object, "net_put_premium", sums.puts, 4, &out)
        object.field("net_volume", sums.contracts as Int64?, to: &out)
        object.field("timestamp", millis as Int64?, to: &out)
        object.end(&out)
        return out
    }

    private func news(_ second: Int64, _ model: MarketModel) -> [UInt8] {
        var random = ModelRandom(model.options.seed, 0x4E5, UInt64(second))
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("headline", Self.headlines[random.below(Self.headlines.count)] as String?, to: &out)
        object.key("timestamp", to: &out)
        FlowEncoder.iso(Instant(nanos: second * 1_000_000_000), &out)
        object.field("source", "social-media" as String?, to: &out)
        let symbol =
            model.options.symbols.isEmpty ? [] : [model.options.symbols[random.below(model.options.symbols.count)]]
        object.field("tickers", .array(random.chance(0.5) ? symbol.map { .string($0) } : []), to: &out)
        object.field("is_trump_ts", false, to: &out)
        object.end(&out)
        return out
    }

    /// Makes one decimal text of every seventh message empty.
    private mutating func empty(_ messages: inout [Message]) {
        for index in messages.indices {
            count += 1
            guard count % 7 == 0 else { continue }
            let payload = messages[index].payload
            // The first text that begins with a digit.
            for place in payload.indices.dropLast(3)
            where payload[place] == 0x3A && payload[place + 1] == 0x22 && (0x30...0x39).contains(payload[place + 2]) {
                guard let end = payload[(place + 2)...].firstIndex(of: 0x22) else { break }
                messages[index].payload = Array(payload[...(place + 1)]) + Array(payload[end...])
                break
            }
        }
    }
}

/// Gamma exposure of a chain, from the model's greeks and open interest: dollars for a move of one percent.
struct GammaExposure {
    private let model: MarketModel
    private let symbol: Int32
    private let spot: Double

    init(_ model: MarketModel, _ symbol: Int32) {
        (self.model, self.symbol) = (model, symbol)
        spot = model.spot(symbol)
    }

    /// The payloads of one of the three channels.
    func payloads(_ base: String, _ ticker: String, _ millis: Int64) -> [[UInt8]] {
        guard let chain = model.instruments.chains.first(where: { $0.underlying == symbol }) else { return [] }
        if base == "gex" { return [total(chain, ticker, millis)] }
        var rows: [[UInt8]] = []
        for strike in chain.strikes.indices {
            if base == "gex_strike" {
                rows.append(row(chain, strike, Array(chain.expiries.indices), ticker, millis, expiry: nil))
            } else {
                for (place, expiry) in chain.expiries.enumerated() {
                    rows.append(row(chain, strike, [place], ticker, millis, expiry: CivilDate(expiry).text))
                }
            }
        }
        return rows
    }

    private func exposure(_ contract: Int32, _ weight: Int64) -> Double {
        model.value(of: contract).gamma * Double(weight) * 100 * spot * spot * 0.01
    }

    private func sums(_ chain: ModelInstruments.Chain) -> (interest: Double, volume: Double, directed: Double) {
        var (interest, volume, directed) = (0.0, 0.0, 0.0)
        for offset in 0..<Int32(chain.count) {
            let contract = model.instruments.all[Int(chain.first + offset)]
            let sign = contract.isCall ? 1.0 : -1.0
            let flow = model.flow(of: chain.first + offset)
            interest += sign * exposure(chain.first + offset, Int64(contract.openInterest))
            volume += sign * exposure(chain.first + offset, flow.all)
            directed += sign * exposure(chain.first + offset, flow.bid - flow.ask)
        }
        return (interest, volume, directed)
    }

    private func total(_ chain: ModelInstruments.Chain, _ ticker: String, _ millis: Int64) -> [UInt8] {
        let sums = sums(chain)
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("ticker", ticker as String?, to: &out)
        object.field("timestamp", millis as Int64?, to: &out)
        for (suffix, value) in [("oi", sums.interest), ("vol", sums.volume), ("dir", sums.directed)] {
            FlowEncoder.text(&object, "gamma_per_one_percent_move_\(suffix)", value, 2, &out)
            if suffix != "dir" { object.field("delta_per_one_percent_move_\(suffix)", "" as String?, to: &out) }
            FlowEncoder.text(&object, "charm_per_one_percent_move_\(suffix)", value * 6.4, 2, &out)
            FlowEncoder.text(&object, "vanna_per_one_percent_move_\(suffix)", value * -1.7, 2, &out)
        }
        FlowEncoder.text(&object, "price", spot, 2, &out)
        object.end(&out)
        return out
    }

    private func row(
        _ chain: ModelInstruments.Chain,
        _ strike: Int,
        _ expiries: [Int],
        _ ticker: String,
        _ millis: Int64,
        expiry: String?
    ) -> [UInt8] {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("ticker", ticker as String?, to: &out)
        object.field("timestamp", millis as Int64?, to: &out)
        if let expiry { object.field("expiry", expiry as String?, to: &out) }
        FlowEncoder.text(&object, "strike", chain.strikes[strike], &out)
        FlowEncoder.text(&object, "price", spot, 2, &out)
        for isCall in [true, false] {
            var parts = [0.0, 0.0, 0.0, 0.0]
            for place in expiries {
                let contract = chain.contract(expiry: place, strike: strike, isCall: isCall)
                let flow = model.flow(of: contract)
                let interest = Int64(model.instruments.all[Int(contract)].openInterest)
                for (index, weight) in [interest, flow.all, flow.ask, flow.bid].enumerated() {
                    parts[index] += exposure(contract, weight) * (isCall ? 1 : -1)
                }
            }
            for (name, scale) in [("gamma", 1.0), ("charm", 6.4), ("vanna", -1.7)] {
                for (index, suffix) in ["oi", "vol", "ask_vol", "bid_vol"].enumerated() {
                    FlowEncoder.text(
                        &object,
                        "\(isCall ? "call" : "put")_\(name)_\(suffix)",
                        parts[index] * scale,
                        2,
                        &out
                    )
                }
            }
        }
        object.end(&out)
        return out
    }
}
