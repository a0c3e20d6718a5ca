package import MarketData
internal import Primitives

/// Decodes the bridge's frames into market events: quotes, trades, five-second bars, index values, halts.
///
/// Stateful: changes are merged into whole quotes per instrument, and depth is kept in books. A hole in the sequence,
/// an epoch or a `gap` voids what is kept until the next snapshot, so that no quote is ever made of halves that were
/// never there together. What isn't live (frozen, delayed) makes no event and is counted.
///
/// One decoder serves one connection after the other: a `hello` begins anew. Feed loop thread only.
package struct BridgeDecoder: ~Copyable {
    struct Side {
        var price: Int64?
        var size: Int64?

        mutating func apply(_ price: BridgeChange.Field, _ size: BridgeChange.Field) {
            switch price {
            case .absent: break
            case .empty: self.price = 0
            case .value(let micros): self.price = micros
            }
            switch size {
            case .absent: break
            case .empty: self.size = 0
            case .value(let micros): self.size = micros
            }
        }

        /// −1, 0 and a size of zero say that nobody quotes.
        var isEmpty: Bool { (price ?? 0) <= 0 || (size ?? 1) <= 0 }
    }

    /// What is known of an instrument.
    struct Instance {
        let kind: BridgeKey.Kind?
        /// nil until interned, or for ever.
        var symbol: SymbolID?
        var bid = Side()
        var ask = Side()
        var isLive = true
        var halt: Int64?

        var isBased: Bool { bid.price != nil && ask.price != nil }

        /// Forgets what came by changes; whether the data is live only a snapshot says.
        mutating func void() {
            bid = Side()
            ask = Side()
        }
    }

    var reader: BridgeReader
    private var elements: [BridgeElement] = []
    var instances: [Instance] = []
    private var books = BridgeBooks()
    private var extra = BridgeCounters()
    /// What the frames said beside market data, oldest first; the caller empties it.
    package private(set) var notices: [BridgeNotice] = []

    /// Notices kept for a caller that doesn't ask for them.
    package static let noticesMax = 256

    /// Makes a decoder; the protocol's frames have at most 256 KiB.
    package init(frameLimit: Int = 1 << 20) { reader = BridgeReader(frameLimit: frameLimit) }

    /// What was met so far.
    package var counters: BridgeCounters {
        var counters = reader.counters
        counters.unmapped = extra.unmapped
        counters.unbased = extra.unbased
        counters.unpriced = extra.unpriced
        counters.notLive = extra.notLive
        counters.quoteBars = extra.quoteBars
        return counters
    }

    /// Decodes one whole text frame: appends its events to `batch`, interns new symbols.
    ///
    /// The bytes are only read during the call.
    package mutating func decode(
        _ frame: UnsafeRawBufferPointer,
        symbols: inout SymbolTable,
        into batch: inout DecodedBatch
    ) {
        elements.removeAll(keepingCapacity: true)
        reader.read(frame, into: &elements)
        for element in elements { take(element, &symbols, &batch) }
    }

    /// Gives the notices away.
    package mutating func takeNotices() -> [BridgeNotice] {
        let taken = notices
        notices.removeAll(keepingCapacity: true)
        return taken
    }

    /// The depth of an instrument; nil where none is kept, or it isn't sure.
    package func book(_ key: BridgeKey) -> BridgeBook? {
        guard let index = reader.keys.firstIndex(of: key.text) else { return nil }
        return books[index]
    }

    private mutating func take(_ element: BridgeElement, _ symbols: inout SymbolTable, _ batch: inout DecodedBatch) {
        switch element {
        case .began:
            instances.removeAll(keepingCapacity: true)
            books = BridgeBooks()
        case .notice(let notice): noticed(notice)
        case .snapshot(let key, let change, let time):
            guard prepare(key, &symbols) else { return }
            instances[key].bid = Side()
            instances[key].ask = Side()
            instances[key].isLive = change.dataType ?? 1 == 1
            changed(key, change, at: time.advanced(byNanos: -change.age), saidAt: time, isSnapshot: true, &batch)
        case .change(let key, let change, let time):
            guard prepare(key, &symbols) else { return }
            if let dataType = change.dataType { instances[key].isLive = dataType == 1 }
            changed(key, change, at: time, saidAt: time, isSnapshot: false, &batch)
        case .trade(let key, let price, let size, let time):
            guard prepare(key, &symbols), isLive(key) else { return }
            traded(key, price, size, time, &batch)
        case .bar(let key, let bar):
            guard prepare(key, &symbols) else { return }
            barred(key, bar, &batch)
        case .depth(let key, let change):
            _ = prepare(key, &symbols)
            switch books.apply(change, to: key) {
            case .applied: break
            case .ignored: extra.unbased &+= 1
            case .damaged:
                extra.unbased &+= 1
                keep(.damaged(key: reader.keys[key]))
            }
        case .book(let key, let book):
            _ = prepare(key, &symbols)
            books[key] = book
        }
    }

    // MARK: Notices

    private mutating func keep(_ notice: BridgeNotice) {
        if notices.count >= Self.noticesMax { notices.removeFirst() }
        notices.append(notice)
    }

    private mutating func noticed(_ notice: BridgeNotice) {
        switch notice {
        case .hole, .epochChanged: void { _ in true }
        case .gap(let keys): void { keys.isEmpty || keys.contains($0) }
        case .damaged(let key): void { $0 == key }
        case .status(let state, _, _, let staleKeys):
            // While the broker is away changes are lost without a number.
            void { state == .down || state == .login || staleKeys.contains($0) }
        case .heartbeat(let state, _): if state == .down || state == .login { void { _ in true } }
        case .hello, .acknowledged, .refused, .error, .pong: break
        }
        keep(notice)
    }

    /// Forgets what is kept of some keys.
    private mutating func void(_ isVoid: (String) -> Bool) {
        for index in reader.keys.indices where isVoid(reader.keys[index]) {
            if index < instances.count { instances[index].void() }
            books.void(index)
        }
    }

    // MARK: Market data

    /// Makes room for the key and interns its symbol; false where the engine has none for it.
    private mutating func prepare(_ key: Int, _ symbols: inout SymbolTable) -> Bool {
        while instances.count <= key {
            let known = BridgeKey(reader.keys[instances.count])
            instances.append(Instance(kind: known?.kind, symbol: known?.symbol.flatMap { symbols.intern($0) }))
        }
        if instances[key].symbol != nil { return true }
        extra.unmapped &+= 1
        return false
    }

    private mutating func isLive(_ key: Int) -> Bool {
        if instances[key].isLive { return true }
        extra.notLive &+= 1
        return false
    }

    private mutating func changed(
        _ key: Int,
        _ change: BridgeChange,
        at time: Instant,
        saidAt: Instant,
        isSnapshot: Bool,
        _ batch: inout DecodedBatch
    ) {
        guard let symbol = instances[key].symbol else { return }
        if let halt = change.halt, halt >= 0, halt != instances[key].halt {
            instances[key].halt = halt
            let reason: UInt64 = halt == 0 ? 0 : Halt.pack((halt == 2 ? "VOL" : "HALT").utf8)
            batch.append(.halt(Halt(symbol: symbol, isHalted: halt != 0, time: saidAt, reason: reason)))
        }
        let isQuote =
            change.bid != .absent || change.ask != .absent || change.bidSize != .absent || change.askSize != .absent
        guard isQuote else { return }
        instances[key].bid.apply(change.bid, change.bidSize)
        instances[key].ask.apply(change.ask, change.askSize)
        guard instances[key].isBased else {
            extra.unbased &+= 1
            return
        }
        guard isLive(key) else { return }
        if instances[key].kind == .index {
            // An index has no quote; a snapshot's last is its value.
            if isSnapshot, case .value(let micros) = change.last {
                batch.append(.indexValue(PublishedValue(symbol: symbol, time: time, value: Price(micros: micros))))
            }
            return
        }
        let (bid, ask) = (instances[key].bid, instances[key].ask)
        batch.append(
            .quote(
                Quote(
                    symbol: symbol,
                    time: time,
                    bid: Price(micros: bid.isEmpty ? 0 : bid.price ?? 0),
                    ask: Price(micros: ask.isEmpty ? 0 : ask.price ?? 0),
                    bidSize: Size(micros: bid.isEmpty ? 0 : bid.size ?? 0),
                    askSize: Size(micros: ask.isEmpty ? 0 : ask.size ?? 0)
                )
            )
        )
    }

    private mutating func traded(
        _ key: Int,
        _ price: Price,
        _ size: Size?,
        _ time: Instant,
        _ batch: inout DecodedBatch
    ) {
        guard let symbol = instances[key].symbol else { return }
        if instances[key].kind == .index {
            batch.append(.indexValue(PublishedValue(symbol: symbol, time: time, value: price)))
        } else if price.micros > 0 {
            batch.append(.trade(Trade(symbol: symbol, time: time, price: price, size: size ?? .zero)))
        } else {
            extra.unpriced &+= 1
        }
    }

    private mutating func barred(_ key: Int, _ bar: BridgeBar, _ batch: inout DecodedBatch) {
        guard let symbol = instances[key].symbol else { return }
        guard bar.isOfTrades else {
            extra.quoteBars &+= 1
            return
        }
        guard isLive(key) else { return }
        batch.append(
            .bar(
                Bar(
                    symbol: symbol,
                    seconds: 5,
                    start: bar.start,
                    open: bar.open,
                    high: bar.high,
                    low: bar.low,
                    close: bar.close,
                    volume: bar.volume,
                    vwap: bar.vwap
                )
            )
        )
    }
}
