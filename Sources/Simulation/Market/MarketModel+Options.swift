internal import Glibc
internal import MarketData
internal import Primitives

// Option contracts: priced from their underlying when they are looked at, with a smile; alerts where premium clusters.
extension MarketModel {
    private static let optionExchanges: [UInt16] = [300, 301, 302, 304, 307, 308, 309, 312, 313, 315, 316, 323]

    /// A quote or a print of a contract near the money.
    mutating func optionEvent(_ out: inout [ModelEvent]) {
        guard session == .rth else { return }
        let isTrade = random.next() & 7 == 0
        if isTrade, let running = burst, running.left > 0, random.next() & 1 == 0 {
            burst?.left -= 1
            optionTrade(running.contract, side: running.side, isSweep: true, &out)
            return
        }
        guard let contract = drawContract() else { return }
        guard isTrade else {
            optionQuote(contract, &out)
            return
        }
        let side: Int8 = random.next() & 15 < 7 ? 1 : random.next() & 7 < 6 ? -1 : 0
        optionTrade(contract, side: side, isSweep: false, &out)
        if random.below(160) == 0 { burst = (contract, 6 + random.below(14), random.next() & 3 == 0 ? -1 : 1) }
    }

    /// A contract of a chain by weight, near the money more often than far; nil where its underlying is halted.
    private mutating func drawContract() -> Int32? {
        let chain = instruments.chains[Int(chainLottery[Int(truncatingIfNeeded: random.next() & 4_095)])]
        guard stocks[Int(stockBelow(chain.underlying))].haltedUntil == 0 else { return nil }
        let spot = spot(chain.underlying) * 1e6
        let step = Double(chain.strikes[min(1, chain.strikes.count - 1)].micros - chain.strikes[0].micros)
        let atMoney = step > 0 ? Int((spot - Double(chain.strikes[0].micros)) / step + 0.5) : 0
        let strike = min(chain.strikes.count - 1, max(0, atMoney + Int((random.gaussian() * 2.2).rounded())))
        let expiry = random.next() & 7 < 5 ? 0 : chain.expiries.count - 1
        return chain.contract(expiry: expiry, strike: strike, isCall: random.next() & 1 == 0)
    }

    /// The stock that a stock's or an index's chain follows.
    func stockBelow(_ underlying: Int32) -> Int32 { instruments.all[Int(underlying)].underlying }

    /// The implied volatility of a contract: higher for low strikes and at both ends.
    package func volatility(of symbol: Int32) -> Double {
        let contract = instruments.all[Int(symbol)]
        let stock = stocks[Int(stockBelow(contract.underlying))]
        let years = max(2e-4, Double(contract.expires.nanos(since: now)) / 31_536_000e9)
        let distance =
            log(contract.strike.dollars / spot(contract.underlying)) / (stock.yearVolatility * years.squareRoot())
        let held = min(3, max(-3, distance))
        return stock.yearVolatility * (1.05 + 0.1 * stock.heat) * (1 - 0.05 * held + 0.03 * held * held)
    }

    /// Price and sensitivities of a contract now.
    package func value(of symbol: Int32) -> OptionValue {
        let contract = instruments.all[Int(symbol)]
        return OptionValue(
            spot: spot(contract.underlying),
            strike: contract.strike.dollars,
            years: Double(contract.expires.nanos(since: now)) / 31_536_000e9,
            volatility: volatility(of: symbol),
            isCall: contract.isCall
        )
    }

    private mutating func optionQuote(_ symbol: Int32, _ out: inout [ModelEvent]) {
        out.append(.quote(reprice(symbol)))
        quotes += 1
    }

    private mutating func reprice(_ symbol: Int32) -> ModelQuote {
        let contract = instruments.all[Int(symbol)]
        let price = value(of: symbol).price
        let isIndex = instruments.all[Int(contract.underlying)].kind == .index
        let tick = Self.optionTick(price, isIndex: isIndex)
        let half = max(0.4 * tick, 0.004 * price + (isIndex ? 0.03 : 0.006)) * (0.8 + 0.5 * volatility)
        let bid = max(0, ((price - half) / tick).rounded(.down))
        let ask = max(bid + 1, ((price + half) / tick).rounded(.up))
        let draw = random.next()
        var quote = ModelQuote(symbol: symbol)
        quote.bidExchange = bid > 0 ? Self.optionExchanges[Int((draw & 0xFFFF) % 12)] : 0
        quote.askExchange = Self.optionExchanges[Int((draw >> 16 & 0xFFFF) % 12)]
        quote.bidSize = bid > 0 ? Int32(random.geometric(mean: 25)) : 0
        quote.askSize = Int32(random.geometric(mean: 25))
        quote.bid = Price(micros: Int64((bid * tick * 100).rounded()) * 10_000)
        quote.ask = Price(micros: Int64((ask * tick * 100).rounded()) * 10_000)
        contracts[Int(symbol)].quoteSequence += 1 + Int64(draw >> 62)
        (quote.time, quote.sequence) = (now, contracts[Int(symbol)].quoteSequence)
        contracts[Int(symbol)].quote = quote
        return quote
    }

    static func optionTick(_ price: Double, isIndex: Bool) -> Double {
        if isIndex { return price < 3 ? 0.05 : 0.1 }
        return price < 3 ? 0.01 : 0.05
    }

    private mutating func optionTrade(_ symbol: Int32, side: Int8, isSweep: Bool, _ out: inout [ModelEvent]) {
        // The market as it is at this moment comes first, so that a print never lies outside what was told.
        let quote = reprice(symbol)
        out.append(.quote(quote))
        quotes += 1
        let index = Int(symbol)
        var price = side > 0 ? quote.ask : quote.bid
        if side == 0 || price == .zero {
            let middle = (quote.bid.micros + quote.ask.micros) / 2
            price = Price(micros: max(10_000, middle / 10_000 * 10_000))
        }
        let condition = isSweep ? 219 : optionCondition()
        contracts[index].tradeSequence += 1 + Int64(random.next() >> 62)
        let made = ModelTrade(
            symbol: symbol,
            exchange: Self.optionExchanges[random.below(12)],
            side: price == quote.ask ? 1 : price == quote.bid ? -1 : 0,
            price: price,
            size: Size(shares: random.geometric(mean: isSweep ? 30 : 6)),
            conditions: ModelTrade.conditions(condition),
            time: now,
            sequence: contracts[index].tradeSequence,
            id: contracts[index].tradeSequence,
            bid: quote.bid,
            ask: quote.ask
        )
        let allowed = rules.classify(made.conditions, .option, in: session)
        bars.add(made, allowed, isRegular: true)
        contracts[index].add(made)
        trades += 1
        out.append(.trade(made))
        cluster(made, &out)
    }

    private mutating func optionCondition() -> Int64 {
        switch random.below(100) {
        case ..<58: 209
        case ..<72: 219
        case ..<80: 227
        case ..<83: 229
        case ..<93: 232
        case ..<96: 233
        case ..<98: 235
        case ..<99: 238
        default: 231
        }
    }

    // MARK: Alerts

    /// Gathers prints of one contract within five seconds; enough premium in enough prints is an alert.
    private mutating func cluster(_ trade: ModelTrade, _ out: inout [ModelEvent]) {
        var cluster = clusters[trade.symbol] ?? FlowCluster(start: trade.time)
        if trade.time.nanos(since: cluster.start) > FlowCluster.windowNanos { cluster = FlowCluster(start: trade.time) }
        cluster.add(trade)
        if cluster.isAlert {
            let alert = FlowAlert(number: alertsDropped + alerts.count, cluster: cluster, trade: trade, model: self)
            out.append(.alert(alertsDropped + alerts.count))
            alerts.append(alert)
            if alerts.count > 2 * Self.alertsMax {
                alerts.removeFirst(Self.alertsMax)
                alertsDropped += Self.alertsMax
            }
            cluster = FlowCluster(start: trade.time)
            cluster.isSpent = true
        }
        clusters[trade.symbol] = cluster
    }

    mutating func dropOldClusters() {
        let now = now
        clusters = clusters.filter { now.nanos(since: $0.value.start) <= FlowCluster.windowNanos }
    }

    /// The alert of that number, nil where it was dropped or isn't there yet.
    package func alert(_ number: Int) -> FlowAlert? {
        let place = number - alertsDropped
        return alerts.indices.contains(place) ? alerts[place] : nil
    }

    /// The day's contract volumes: all, at the ask, at the bid, between, in spreads.
    package func flow(of symbol: Int32) -> (all: Int64, ask: Int64, bid: Int64, mid: Int64, multi: Int64) {
        let state = contracts[Int(symbol)]
        return (state.volume, state.askVolume, state.bidVolume, state.midVolume, state.multiVolume)
    }
}

extension ContractState {
    /// Counts a print.
    mutating func add(_ trade: ModelTrade) {
        let size = trade.size.micros / 1_000_000
        volume += size
        if trade.side > 0 { askVolume += size } else if trade.side < 0 { bidVolume += size } else { midVolume += size }
        if FlowCluster.isMulti(trade) { multiVolume += size }
        lastTrade = trade
    }
}
