public import MarketData
public import Primitives

/// What is computed for one option contract, small: thousands of them live beside one underlying.
///
/// 128 bytes; the part for quotes (sampler, time-weighted spread: 256 bytes with its header) comes with the first quote.
/// RTH is the equity session. A new trading day begins with its first event. One thread.
public struct ContractAnalytics: Sendable {
    @usableFromInline var head = Head()
    /// One element once a quote came.
    @usableFromInline var quotePart: [ContractQuotes] = []

    /// The part that every contract has: saved whole.
    @usableFromInline
    struct Head: Sendable, BitwiseCopyable {
        @usableFromInline var openPrice = Price.zero
        @usableFromInline var highPrice = Price.zero
        @usableFromInline var lowPrice = Price.zero
        @usableFromInline var lastPrice = Price.zero
        @usableFromInline var lastSize = Size.zero
        @usableFromInline var lastTime = Instant.zero
        @usableFromInline var volume = Size.zero
        @usableFromInline var bid = Price.zero
        @usableFromInline var ask = Price.zero
        @usableFromInline var bidSize = Size.zero
        @usableFromInline var askSize = Size.zero
        @usableFromInline var quoteReceived = Instant.zero
        @usableFromInline var trades: UInt32 = 0
        @usableFromInline var quotes: UInt32 = 0
        @usableFromInline var date: Int32 = 0
        @usableFromInline var cancels: UInt16 = 0
        @usableFromInline var strays: UInt16 = 0

        @usableFromInline init() {}
    }

    /// Before the first event.
    public init() {}

    /// Takes a trade or a cancel, which subtracts its size from the day's volume.
    @inlinable
    public mutating func traded(_ trade: Trade, as tradeClass: TradeClass, in window: SessionWindow) {
        guard enter(window) else { return }
        if tradeClass.contains(.last), trade.price.micros > 0 {
            head.lastPrice = trade.price
            head.lastSize = trade.size
            head.lastTime = trade.time
        }
        guard window.kind == .rth else { return }
        if tradeClass.contains(.cancel) {
            head.cancels = head.cancels == .max ? .max : head.cancels &+ 1
            head.volume = head.volume - trade.size
            return
        }
        head.trades &+= 1
        if tradeClass.contains(.counted) { head.volume = head.volume + trade.size }
        guard trade.price.micros > 0 else { return }
        if tradeClass.contains(.eligible) {
            if trade.price > head.highPrice { head.highPrice = trade.price }
            if trade.price < head.lowPrice || head.lowPrice == .zero { head.lowPrice = trade.price }
        }
        if tradeClass.contains(.last), head.openPrice == .zero { head.openPrice = trade.price }
    }

    /// Takes a quote of any quality.
    @inlinable
    public mutating func quoted(
        _ quote: Quote,
        in window: SessionWindow,
        received: Instant,
        _ sampling: NBBOSampling = .option
    ) {
        guard enter(window) else { return }
        if quotePart.isEmpty { addQuotePart() }
        head.bid = quote.bid
        head.ask = quote.ask
        head.bidSize = quote.bidSize
        head.askSize = quote.askSize
        head.quoteReceived = received
        if window.kind == .rth { head.quotes &+= 1 }
        _ = quotePart[0].sampler.quoted(quote, in: window.kind, of: window.day, received: received, sampling)
        quotePart[0].spread.quoted(quote, of: window.day)
    }

    /// Samples up to `received`, before a read.
    public mutating func advance(to received: Instant, of day: TradingDay, _ sampling: NBBOSampling = .option) {
        guard !quotePart.isEmpty, day.date == head.date else { return }
        quotePart[0].sampler.advance(to: received, of: day, sampling)
    }

    @inlinable
    mutating func enter(_ window: SessionWindow) -> Bool {
        window.day.date == head.date ? true : enterOther(window)
    }

    @usableFromInline
    mutating func enterOther(_ window: SessionWindow) -> Bool {
        guard window.day.date > head.date, window.kind != .closed else {
            head.strays = head.strays == .max ? .max : head.strays + 1
            return false
        }
        let old = head
        head = Head()
        head.date = window.day.date
        (head.lastPrice, head.lastSize, head.lastTime) = (old.lastPrice, old.lastSize, old.lastTime)
        (head.cancels, head.strays) = (old.cancels, old.strays)
        if !quotePart.isEmpty { quotePart[0] = ContractQuotes() }
        return true
    }

    @usableFromInline
    mutating func addQuotePart() {
        quotePart.reserveCapacity(1)
        quotePart.append(ContractQuotes())
    }
}

/// What quotes of a contract add.
@frozen
public struct ContractQuotes: Sendable, BitwiseCopyable {
    /// Spread samples of the last 10 s, and counts of unusual quotes.
    public var sampler = NBBOSampler()
    /// The time-weighted spread as of the last quote.
    public var spread = TimeWeightedSpread()

    @usableFromInline init() {}
}

// Reads.
extension ContractAnalytics {
    /// First *last* trade in RTH; nil before it.
    public var open: Price? { head.openPrice == .zero ? nil : head.openPrice }
    /// Highest *eligible* trade in RTH.
    public var high: Price? { head.highPrice == .zero ? nil : head.highPrice }
    /// Lowest *eligible* trade in RTH.
    public var low: Price? { head.lowPrice == .zero ? nil : head.lowPrice }
    /// Price of the last trade of class *last*, also of an earlier day.
    public var last: Price? { head.lastPrice == .zero ? nil : head.lastPrice }
    /// Size of the trade that set `last`.
    public var lastSize: Size { head.lastSize }
    /// Exchange time of the trade that set `last`.
    public var lastTime: Instant { head.lastTime }
    /// Contracts in RTH, cancels subtracted.
    public var volume: Size { head.volume }
    /// Trade events in RTH of any condition, cancels apart.
    public var trades: UInt32 { head.trades }
    /// Quote events in RTH.
    public var quotes: UInt32 { head.quotes }
    /// Cancels in RTH; stays at 65,535.
    public var cancels: UInt16 { head.cancels }
    /// Events of an earlier day, or of closed time; stays at 65,535.
    public var strayEvents: UInt16 { head.strays }
    /// Trading day, yyyymmdd; 0 before the first event.
    public var date: Int32 { head.date }
    /// Nil where the last quote lacks that side.
    public var bid: Price? { head.bid.micros > 0 ? head.bid : nil }
    /// Nil where the last quote lacks that side.
    public var ask: Price? { head.ask.micros > 0 ? head.ask : nil }
    /// Contracts bid for.
    public var bidSize: Size { head.bidSize }
    /// Contracts on offer.
    public var askSize: Size { head.askSize }
    /// Receive time of the last quote.
    public var quoteReceived: Instant { head.quoteReceived }

    /// Mid of the last quote in dollars; nil unless usable.
    public var mid: Double? {
        guard let bid, let ask, ask >= bid else { return nil }
        return (Double(bid.micros) + Double(ask.micros)) / 2e6
    }

    /// Spread over mid of the last quote; nil unless usable.
    public var spreadFraction: Double? {
        guard let bid, let ask, ask >= bid else { return nil }
        return 2 * (Double(ask.micros) - Double(bid.micros)) / (Double(ask.micros) + Double(bid.micros))
    }

    /// Sampled spreads of the last 10 s as of the last quote or `advance`; nil before a sample.
    public var statistics: SpreadStatistics? { quotePart.first?.sampler.statistics }
    /// Nil under 8 samples: unknown is never a pass.
    public var stability: Double? { statistics?.stability }
    /// Locked, crossed and stale counts, and the time-weighted spread; nil before a quote.
    public var quoteDetail: ContractQuotes? { quotePart.first }

    /// Time-weighted spread in dollars up to `instant`.
    public func timeWeightedSpread(at instant: Instant, of day: TradingDay) -> Double? {
        guard var spread = quotePart.first?.spread, day.date == head.date else { return nil }
        spread.advance(to: instant, of: day)
        return spread.mean
    }
}

extension ContractAnalytics: Checkpointable {
    /// Appends the whole state.
    public func save(to writer: inout StateWriter) {
        writer.write(head)
        writer.write(quotePart)
    }

    /// Takes up a saved state.
    public init(restoring reader: inout StateReader) throws(StateError) {
        head = try reader.read()
        let part = try reader.readArray(of: ContractQuotes.self)
        guard part.count <= 1 else { throw StateError(offset: 0, expected: "at most one quote part") }
        if let quotes = part.first {
            addQuotePart()
            quotePart[0] = quotes
        }
    }
}
