internal import Glibc
internal import MarketData
internal import Primitives

// Quotes and prints of stocks, auctions, bands and halts.
extension MarketModel {
    private static let quoteExchanges: [UInt16] = [11, 12, 8, 19, 10, 21, 15, 12, 11, 18, 7, 9]

    /// Moves the efficient price to now.
    private mutating func evolve(_ index: Int) {
        let elapsed = min(60, Double(now.nanos - stocks[index].lastNanos) / 1e9)
        let common = market - stocks[index].marketSeen
        let own = random.gaussian() * stocks[index].noise * elapsed.squareRoot() * volatility
        let move = stocks[index].beta * common + own * (1 + 0.3 * stocks[index].heat)
        stocks[index].lastNanos = now.nanos
        stocks[index].marketSeen = market
        stocks[index].mid = max(0.5, stocks[index].mid * (1 + move))
    }

    /// A new NBBO: the spread widens with volatility, quotes stay where the price allows it.
    mutating func quote(_ index: Int, _ out: inout [ModelEvent]) {
        guard stocks[index].haltedUntil == 0 else { return }
        evolve(index)
        out.append(.quote(requote(index)))
        quotes += 1
    }

    @discardableResult
    private mutating func requote(_ index: Int) -> ModelQuote {
        var stock = stocks[index]
        let calm = session == .rth ? 1.0 : 4.0
        let wide = stock.baseSpread * calm * (0.6 + 0.4 * volatility) * (1 + stock.heat)
        if random.next() & 7 == 0 || stock.quote == nil {
            stock.spread = max(1, Int64(wide * (0.55 + 0.9 * random.uniform()) + 0.3))
        }
        let ticks = stock.mid * 1e6 / Double(StockState.tickMicros)
        var bid = Int64((ticks - Double(stock.spread) / 2 + 0.5).rounded(.down))
        var ask = bid + stock.spread
        // Old prices stay while the efficient price lies well inside them.
        if let old = stock.quote, old.ask > old.bid,
            (old.ask.micros - old.bid.micros) / StockState.tickMicros == stock.spread,
            abs(old.mid * 1e6 / Double(StockState.tickMicros) - ticks) < 0.5 + 0.15 * Double(stock.spread)
        {
            bid = old.bid.micros / StockState.tickMicros
            ask = old.ask.micros / StockState.tickMicros
        }
        let odds = random.next() & 4_095
        if stock.spread == 1 || odds & 1 == 0 {
            if odds < 10 { ask = bid } else if odds == 11 { ask = bid - 1 }
        }
        let exchanges = random.next()
        stock.quoteSequence += 1 + Int64(exchanges >> 60 & 3)
        var quote = ModelQuote(symbol: Int32(index))
        quote.bidExchange = Self.quoteExchanges[Int((exchanges & 0xFFFF) % 12)]
        quote.askExchange = Self.quoteExchanges[Int((exchanges >> 16 & 0xFFFF) % 12)]
        // A book leans with the flow: less waits on the side that is being taken.
        let lean = stock.sign > 0 ? 0.75 : 1.3
        quote.bidSize = Int32(random.geometric(mean: 5 / lean) * stock.lot)
        quote.askSize = Int32(random.geometric(mean: 5 * lean) * stock.lot)
        quote.bid = Price(micros: max(1, bid) * StockState.tickMicros)
        quote.ask = Price(micros: max(1, ask) * StockState.tickMicros)
        (quote.time, quote.sequence) = (now, stock.quoteSequence)
        stock.quote = quote
        stocks[index] = stock
        return quote
    }

    /// A print at or inside the NBBO; buys and sells come in clusters.
    mutating func trade(_ index: Int, _ out: inout [ModelEvent]) {
        guard stocks[index].haltedUntil == 0 else { return }
        evolve(index)
        let stock = stocks[index]
        let isStale = stock.quote.map {
            abs($0.mid - stock.mid) * 1e6 > Double((stock.spread + 1) * StockState.tickMicros)
        }
        if isStale ?? true {
            out.append(.quote(requote(index)))
            quotes += 1
        }
        guard let quote = stocks[index].quote else { return }
        let made = makePrint(index, quote)
        if options.lateShare > 0, random.chance(options.lateShare) {
            late.append((now.nanos + Int64((2 + 28 * random.uniform()) * 1e9), made))
            return
        }
        book(made, &out)
    }

    private mutating func makePrint(_ index: Int, _ quote: ModelQuote) -> ModelTrade {
        let draw = random.next()
        var stock = stocks[index]
        if draw & 0xFF > 184 { stock.sign = -stock.sign }
        let (low, high) = (min(quote.bid, quote.ask), max(quote.bid, quote.ask))
        let isOff = draw >> 8 & 0xFF < 90
        let isInside = isOff && draw >> 16 & 0xFF < 120 && high > low
        var price = stock.sign > 0 ? high : low
        if isInside {
            // Off the exchanges prices improve by fractions of a cent, or meet in the middle.
            let steps = (high.micros - low.micros) / 100
            price = Price(
                micros: low.micros + (draw >> 24 & 1 == 0 ? steps / 2 : Int64(random.below(Int(steps)))) * 100
            )
        }
        let size = printSize(stock, draw, isOff: isOff)
        stock.mid *= 1 + Double(stock.sign) * 0.04 * Double(stock.spread * StockState.tickMicros) / 1e6 / stock.mid
        stock.tradeSequence += 1 + Int64(draw >> 62)
        stock.tradeID += 1
        let made = ModelTrade(
            symbol: Int32(index),
            exchange: isOff ? 4 : Self.quoteExchanges[Int((draw >> 32 & 0xFFFF) % 12)],
            side: isInside ? 0 : stock.sign,
            isOffExchange: isOff,
            price: price,
            size: size,
            conditions: printConditions(stock, draw, size, isOff: isOff),
            time: now,
            sequence: stock.tradeSequence,
            id: stock.tradeID,
            bid: quote.bid,
            ask: quote.ask
        )
        stocks[index] = stock
        return made
    }

    /// Nearly half are odd lots, a few off-exchange ones have fractions of a share, rare ones are blocks.
    private mutating func printSize(_ stock: StockState, _ draw: UInt64, isOff: Bool) -> Size {
        let part = draw >> 40 & 0xFF
        if isOff, part < 12 { return Size(micros: Int64(random.below(5_000_000)) + 1_000) }
        if part < 115 { return Size(shares: 1 + Int64(random.below(Int(stock.lot) - 1))) }
        if part == 255, isOff { return Size(shares: (50 + Int64(random.below(150))) * 100) }
        return Size(shares: random.geometric(mean: 1.8) * stock.lot)
    }

    private func printConditions(_ stock: StockState, _ draw: UInt64, _ size: Size, isOff: Bool) -> Conditions {
        var conditions = Conditions()
        if session != .rth { _ = conditions.insert(12) }
        let part = draw >> 48 & 0xFFF
        if isOff, part < 8 {
            _ = conditions.insert(part < 4 ? 2 : part < 6 ? 10 : 52)
        } else if part < 1_100, !isOff {
            _ = conditions.insert(14)
            _ = conditions.insert(41)
        }
        if size.micros < stock.lot * 1_000_000 { _ = conditions.insert(37) }
        return conditions
    }

    /// Enters a print into the bars and tells it.
    private mutating func book(_ trade: ModelTrade, _ out: inout [ModelEvent]) {
        let allowed = rules.classify(trade.conditions, .equity, in: session)
        bars.add(trade, allowed, isRegular: session == .rth)
        if allowed.contains(.last) { stocks[Int(trade.symbol)].lastTrade = trade }
        trades += 1
        out.append(.trade(trade))
    }

    /// Tells late prints whose time has come, with the next number and a condition that says so.
    mutating func releaseLate(_ out: inout [ModelEvent]) {
        guard !late.isEmpty else { return }
        let due = late.filter { $0.release <= now.nanos }
        late.removeAll { $0.release <= now.nanos }
        for (_, print) in due {
            var print = print
            let index = Int(print.symbol)
            stocks[index].tradeSequence += 1
            print.sequence = stocks[index].tradeSequence
            print.conditions = ModelTrade.conditions([30, 31, 32, 33, 32, 32][random.below(6)])
            let allowed = rules.classify(print.conditions, .equity, in: session)
            bars.add(print, allowed, isRegular: session == .rth)
            trades += 1
            out.append(.trade(print))
        }
    }

    /// An opening or closing print and the listing market's official price, which counts nowhere.
    mutating func auction(_ index: Int, isOpening: Bool, _ out: inout [ModelEvent]) {
        evolve(index)
        let quote = requote(index)
        out.append(.quote(quote))
        quotes += 1
        let shares = Int64(max(1_000, options.rate * stocks[index].weight * 6_000))
        for conditions in [ModelTrade.conditions(isOpening ? 25 : 8), ModelTrade.conditions(isOpening ? 16 : 15)] {
            var made = makePrint(index, quote)
            (made.price, made.size, made.conditions) = (quote.bid, Size(shares: shares), conditions)
            (made.exchange, made.isOffExchange, made.side) = (11, false, 0)
            // Both belong to the regular session.
            let allowed = rules.classify(conditions, .equity, in: .rth)
            bars.add(made, allowed, isRegular: true)
            if allowed.contains(.last) { stocks[index].lastTrade = made }
            trades += 1
            out.append(.trade(made))
        }
    }

    /// The band of five percent around the price.
    mutating func band(_ index: Int, _ out: inout [ModelEvent]) {
        guard stocks[index].haltedUntil == 0 else { return }
        let mid = stocks[index].mid
        out.append(
            .band(makeBand(index, upper: ModelHistory.cents(mid * 1.05), lower: ModelHistory.cents(mid * 0.95), 0))
        )
    }

    private mutating func makeBand(_ index: Int, upper: Price, lower: Price, _ indicator: UInt8) -> ModelBand {
        stocks[index].quoteSequence += 1
        return ModelBand(
            symbol: Int32(index),
            upper: upper,
            lower: lower,
            indicator: indicator,
            time: now,
            sequence: stocks[index].quoteSequence
        )
    }

    /// Begins halts that were asked for and ends those whose time is up.
    ///
    /// A halt begins as a limit state does: a print at the upper band, no offer any more, then silence.
    mutating func serveHalts(_ out: inout [ModelEvent]) {
        for request in haltRequests {
            let index = Int(request.symbol)
            guard stocks[index].haltedUntil == 0 else { continue }
            evolve(index)
            var quote = requote(index)
            let limit = max(quote.bid, quote.ask)
            out.append(.band(makeBand(index, upper: limit, lower: ModelHistory.cents(stocks[index].mid * 0.9), 21)))
            var made = makePrint(index, quote)
            (made.price, made.size, made.conditions, made.side) = (limit, Size(shares: 100), Conditions(), 1)
            book(made, &out)
            (quote.bid, quote.ask, quote.askSize, quote.askExchange) = (limit, .zero, 0, 0)
            stocks[index].quoteSequence += 1
            quote.sequence = stocks[index].quoteSequence
            stocks[index].quote = quote
            out.append(.quote(quote))
            stocks[index].haltedUntil = now.nanos + request.nanos
            out.append(.halt(ModelHalt(symbol: request.symbol, isHalted: true, time: now)))
        }
        haltRequests.removeAll()
        for index in stocks.indices where stocks[index].haltedUntil != 0 && stocks[index].haltedUntil <= now.nanos {
            stocks[index].haltedUntil = 0
            stocks[index].quote = nil
            stocks[index].heat += 3
            out.append(.halt(ModelHalt(symbol: Int32(index), isHalted: false, time: now)))
            band(index, &out)
            quote(index, &out)
            guard let quote = stocks[index].quote else { continue }
            var made = makePrint(index, quote)
            (made.size, made.conditions) = (Size(shares: 5_000), ModelTrade.conditions(28))
            book(made, &out)
        }
    }

    /// The indices' values, once a second.
    mutating func indexValues(_ isRegular: Bool, _ out: inout [ModelEvent]) {
        guard isRegular else { return }
        for symbol in instruments.indices {
            evolve(Int(instruments.all[Int(symbol)].underlying))
            let value = ModelIndexValue(symbol: symbol, value: ModelHistory.cents(spot(symbol)), time: now)
            bars.add(value, isRegular: true)
            out.append(.index(value))
        }
    }
}
