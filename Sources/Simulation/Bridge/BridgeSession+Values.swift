internal import MarketData
internal import Primitives
internal import Wire

// Snapshots, values that changed, depth and five-second bars.
extension BridgeSession {
    /// Writes price fields; an empty side is null.
    private static func quote(_ object: inout JSONObject, _ out: inout [UInt8], _ old: ModelQuote?, _ new: ModelQuote) {
        func side(_ price: Price) -> Price? { price.micros > 0 ? price : nil }
        if old?.bid != new.bid { object.field("b", side(new.bid), to: &out) }
        if old?.ask != new.ask { object.field("a", side(new.ask), to: &out) }
        if old?.bidSize != new.bidSize { object.field("bs", Int64(new.bidSize) as Int64?, to: &out) }
        if old?.askSize != new.askSize { object.field("as", Int64(new.askSize) as Int64?, to: &out) }
    }

    /// The whole state of a key, and its book where it has one.
    mutating func snapshot(_ key: String, _ model: MarketModel, _ moment: Moment) {
        guard var line = lines[key] else { return }
        let quote = model.quote(of: line.symbol)
        let last = model.lastTrade(of: line.symbol)
        let day = model.bars.days[Int(line.symbol)]
        let isIndex = model.instruments.all[Int(line.symbol)].kind == .index
        let spot = Price(micros: Int64((model.spot(line.symbol) * 100).rounded()) * 10_000)
        begin("snap", moment) { out, object in
            object.field("k", key as String?, to: &out)
            if let quote { Self.quote(&object, &out, nil, quote) }
            if let price = isIndex ? spot : last?.price { object.field("l", price as Price?, to: &out) }
            if let last { object.field("ls", last.size.micros / 1_000_000 as Int64?, to: &out) }
            object.field("v", day.volume.micros / 1_000_000 as Int64?, to: &out)
            for (name, price) in [("o", day.open), ("h", day.high), ("lo", day.low)] where price.micros > 0 {
                object.field(name, price as Price?, to: &out)
            }
            object.field("mdt", 1 as Int64?, to: &out)
            object.field(
                "age_ms",
                (quote.map { max(0, moment.market.nanos(since: $0.time)) } ?? 0) / 1_000_000 as Int64?,
                to: &out
            )
        }
        line.sent = quote
        line.sentTrade = last?.id ?? -1
        lines[key] = line
        if line.depth > 0 { book(key, quote, moment) }
    }

    /// The whole book, replacing what the client has.
    mutating func book(_ key: String, _ quote: ModelQuote?, _ moment: Moment) {
        guard let depth = lines[key]?.depth, let quote else { return }
        let book = BridgeBook(quote, rows: depth)
        lines[key]?.book = book
        begin("book", moment) { out, object in
            object.field("k", key as String?, to: &out)
            object.field("reset", true, to: &out)
            for (name, rows) in [("b", book.bids), ("a", book.asks)] {
                object.key(name, to: &out)
                out.add("[")
                for (index, row) in rows.enumerated() {
                    if index > 0 { out.add(",") }
                    out.add("[")
                    out.add(row.price)
                    out.add(",")
                    out.add(row.size)
                    out.add(",")
                    JSONText.append(row.maker, to: &out)
                    out.add("]")
                }
                out.add("]")
            }
        }
    }

    /// The values that changed since they were last sent.
    mutating func values(_ key: String, _ line: inout Line, _ model: MarketModel, _ moment: Moment) {
        if model.instruments.all[Int(line.symbol)].kind == .index {
            let spot = Price(micros: Int64((model.spot(line.symbol) * 100).rounded()) * 10_000)
            if line.sent?.bid != spot {
                var sent = line.sent ?? ModelQuote(symbol: line.symbol)
                sent.bid = spot
                line.sent = sent
                begin("t", moment) { out, object in
                    object.field("k", key as String?, to: &out)
                    object.field("p", spot as Price?, to: &out)
                    object.field("s", 0 as Int64?, to: &out)
                    object.field("ti", moment.market.nanos / 1_000_000_000 as Int64?, to: &out)
                }
            }
            return
        }
        if let quote = model.quote(of: line.symbol), quote.sequence != line.sent?.sequence {
            let sent = line.sent
            let hasChanged =
                sent?.bid != quote.bid || sent?.ask != quote.ask || sent?.bidSize != quote.bidSize
                || sent?.askSize != quote.askSize
            line.sent = quote
            if hasChanged {
                begin("q", moment) { out, object in
                    object.field("k", key as String?, to: &out)
                    Self.quote(&object, &out, sent, quote)
                }
            }
        }
        guard let trade = line.lastTrade, trade.id != line.sentTrade else { return }
        line.sentTrade = trade.id
        begin("t", moment) { out, object in
            object.field("k", key as String?, to: &out)
            object.field("p", trade.price as Price?, to: &out)
            object.field("s", trade.size.micros / 1_000_000 as Int64?, to: &out)
            object.field("ti", trade.time.nanos / 1_000_000_000 as Int64?, to: &out)
        }
    }

    /// The operations that bring the client's book up to date.
    mutating func depth(_ key: String, _ line: inout Line, _ model: MarketModel, _ moment: Moment) {
        guard let quote = model.quote(of: line.symbol) else { return }
        guard let old = line.book else {
            // Nobody had quoted when the line began: only a whole book begins a book.
            book(key, quote, moment)
            line.book = BridgeBook(quote, rows: line.depth)
            return
        }
        let next = BridgeBook(quote, rows: line.depth)
        line.book = next
        for operation in old.operations(to: next, rows: line.depth) {
            begin("d", moment) { out, object in
                object.field("k", key as String?, to: &out)
                object.field("op", String(operation.kind) as String?, to: &out)
                object.field("sd", (operation.isBid ? "b" : "a") as String?, to: &out)
                object.field("pos", Int64(operation.position) as Int64?, to: &out)
                object.field("p", operation.row?.price ?? .zero as Price?, to: &out)
                object.field("s", operation.row?.size ?? 0 as Int64?, to: &out)
                if let row = operation.row { object.field("mm", row.maker as String?, to: &out) }
            }
        }
    }

    /// The bar of five seconds that ends where `line.nextBar` stands; none where nothing was traded.
    mutating func fiveSeconds(_ key: String, _ line: Line, _ model: MarketModel, _ moment: Moment) {
        let end = Instant(nanos: line.nextBar)
        let start = end.advanced(byNanos: -5_000_000_000)
        var bar = ModelBar(symbol: line.symbol, seconds: 5, start: start)
        for second in model.bars.bars(of: line.symbol, seconds: 1, from: start, to: end, now: end) { bar.merge(second) }
        guard bar.hasPrice else { return }
        begin("b5", moment) { out, object in
            object.field("k", key as String?, to: &out)
            object.field("t0", start.nanos / 1_000_000_000 as Int64?, to: &out)
            for (name, price) in [("o", bar.open), ("h", bar.high), ("lo", bar.low), ("c", bar.close)] {
                object.field(name, price as Price?, to: &out)
            }
            object.field("v", bar.volume.micros / 1_000_000 as Int64?, to: &out)
            object.key("vw", to: &out)
            out.add(bar.vwap, places: 4)
            object.field("ct", Int64(bar.trades) as Int64?, to: &out)
            object.field("what", line.what as String?, to: &out)
        }
    }
}
