public import Primitives

/// Where an event came from.
///
/// Raw values are stored in checkpoints: only add.
public enum FeedSource: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case stocks = 0
    case options = 1
    case indices = 2
    case flow = 3
    case bridge = 4
}

/// Up to eight condition ids of a trade, packed; 0 (regular) is not stored, an id above 254 is kept as 255 (unknown).
@frozen
public struct Conditions: Hashable, Sendable {
    /// One id a byte, the first in the lowest.
    public var packed: UInt64

    /// How many ids fit; an event with more is malformed, because what it may update can't be told.
    public static let capacity = 8

    /// Makes one from its parts.
    @inlinable
    public init(packed: UInt64 = 0) { self.packed = packed }

    /// No condition that changes anything.
    @inlinable
    public var isEmpty: Bool { packed == 0 }

    /// Adds an id; false when eight others are there already.
    @inlinable
    public mutating func insert(_ id: Int64) -> Bool {
        if id == 0 { return true }
        let byte: UInt64 = id > 254 || id < 0 ? 255 : UInt64(id)
        var shift: UInt64 = 0
        while shift < 64 {
            if (packed >> shift) & 0xFF == 0 {
                packed |= byte << shift
                return true
            }
            shift += 8
        }
        return false
    }

    /// Calls `body` with each id in the order received.
    @inlinable
    public func forEach(_ body: (UInt8) -> Void) {
        var rest = packed
        while rest != 0 {
            body(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }
}

/// A trade print of an equity or an option contract.
@frozen
public struct Trade: Hashable, Sendable {
    /// What it is about.
    public var symbol: SymbolID
    /// The venue's id, the provider's numbering.
    public var exchange: UInt16
    /// 1 NYSE, 2 Arca and regionals, 3 Nasdaq; 0 where absent.
    public var tape: UInt8
    /// The trade reporting facility, 0 on exchange.
    public var facility: UInt8
    /// Exchange (SIP) time.
    public var time: Instant
    /// Increasing and unique per symbol and kind, with holes; 0 where the feed gives none.
    public var sequence: Int64
    /// Price paid.
    public var price: Price
    /// Shares, or contracts.
    public var size: Size
    /// What qualifies the print.
    public var conditions: Conditions
    /// FNV-1a of the trade id's text, 0 where there is none; only for the duplicate key.
    public var idHash: UInt64

    /// Makes one from its parts.
    @inlinable
    public init(
        symbol: SymbolID,
        exchange: UInt16 = 0,
        tape: UInt8 = 0,
        facility: UInt8 = 0,
        time: Instant,
        sequence: Int64 = 0,
        price: Price,
        size: Size,
        conditions: Conditions = Conditions(),
        idHash: UInt64 = 0
    ) {
        self.symbol = symbol
        self.exchange = exchange
        self.tape = tape
        self.facility = facility
        self.time = time
        self.sequence = sequence
        self.price = price
        self.size = size
        self.conditions = conditions
        self.idHash = idHash
    }
}

/// A national best bid and offer; a side that is absent on the wire has price and size zero.
///
/// 64 bytes with the small fields first: copied in four aligned moves (an odd tail costs a stall of 8 ns a copy).
@frozen
public struct Quote: Hashable, Sendable {
    /// What it is about.
    public var symbol: SymbolID
    /// Venue of the best bid.
    public var bidExchange: UInt16
    /// Venue of the best offer.
    public var askExchange: UInt16
    /// Quote condition, 0 regular.
    public var condition: UInt16
    /// 1 NYSE, 2 Arca and regionals, 3 Nasdaq; 0 where absent.
    public var tape: UInt8
    /// Exchange (SIP) time.
    public var time: Instant
    /// Increasing and unique per symbol and kind, with holes; 0 where the feed gives none.
    public var sequence: Int64
    /// Best bid, zero where absent.
    public var bid: Price
    /// Best offer, zero where absent.
    public var ask: Price
    /// Size at the bid.
    public var bidSize: Size
    /// Size at the offer.
    public var askSize: Size

    /// Makes one from its parts.
    @inlinable
    public init(
        symbol: SymbolID,
        bidExchange: UInt16 = 0,
        askExchange: UInt16 = 0,
        time: Instant,
        sequence: Int64 = 0,
        bid: Price,
        ask: Price,
        bidSize: Size,
        askSize: Size,
        condition: UInt16 = 0,
        tape: UInt8 = 0
    ) {
        self.symbol = symbol
        self.bidExchange = bidExchange
        self.askExchange = askExchange
        self.time = time
        self.sequence = sequence
        self.bid = bid
        self.ask = ask
        self.bidSize = bidSize
        self.askSize = askSize
        self.condition = condition
        self.tape = tape
    }

    /// Both sides there and not crossed: may be sampled and may trigger (analytics.md 1).
    @inlinable
    public var isUsable: Bool { bid.micros > 0 && ask.micros >= bid.micros }

    /// Both sides there, crossed or not.
    @inlinable
    public var isTwoSided: Bool { bid.micros > 0 && ask.micros > 0 }
}

/// A provider's bar; a later one with the same start replaces it.
@frozen
public struct Bar: Hashable, Sendable {
    /// What it is about.
    public var symbol: SymbolID
    /// 1 for a second bar, 60 for a minute bar.
    public var seconds: UInt16
    /// Start of the window.
    public var start: Instant
    /// First price.
    public var open: Price
    /// Highest price.
    public var high: Price
    /// Lowest price.
    public var low: Price
    /// Last price.
    public var close: Price
    /// Volume of the window; zero for an index.
    public var volume: Size
    /// VWAP of the window, zero where absent.
    public var vwap: Price
    /// Volume of the day so far as the provider counts it, zero where absent.
    public var dayVolume: Size

    /// Makes one from its parts.
    @inlinable
    public init(
        symbol: SymbolID,
        seconds: UInt16,
        start: Instant,
        open: Price,
        high: Price,
        low: Price,
        close: Price,
        volume: Size,
        vwap: Price = .zero,
        dayVolume: Size = .zero
    ) {
        self.symbol = symbol
        self.seconds = seconds
        self.start = start
        self.open = open
        self.high = high
        self.low = low
        self.close = close
        self.volume = volume
        self.vwap = vwap
        self.dayVolume = dayVolume
    }
}

/// Limit-up/limit-down bands of an equity.
@frozen
public struct PriceBands: Hashable, Sendable {
    /// What it is about.
    public var symbol: SymbolID
    /// 1 NYSE, 2 Arca and regionals, 3 Nasdaq; 0 where absent.
    public var tape: UInt8
    /// Exchange (SIP) time.
    public var time: Instant
    /// Increasing and unique per symbol and kind, with holes; 0 where the feed gives none.
    public var sequence: Int64
    /// Limit up.
    public var upper: Price
    /// Limit down.
    public var lower: Price
    /// Indicator ids, as `Conditions` packs them.
    public var indicators: Conditions

    /// Makes one from its parts.
    @inlinable
    public init(
        symbol: SymbolID,
        tape: UInt8 = 0,
        time: Instant,
        sequence: Int64 = 0,
        upper: Price,
        lower: Price,
        indicators: Conditions = Conditions()
    ) {
        self.symbol = symbol
        self.tape = tape
        self.time = time
        self.sequence = sequence
        self.upper = upper
        self.lower = lower
        self.indicators = indicators
    }
}

/// A net order imbalance before an auction.
@frozen
public struct Imbalance: Hashable, Sendable {
    /// What it is about.
    public var symbol: SymbolID
    /// The venue's id, the provider's numbering.
    public var exchange: UInt16
    /// The auction's letter as the feed gives it (`O`, `M`, `H`, `C`, `P`, `R`), ASCII; 0 where absent.
    public var auction: UInt8
    /// HHMM, New York.
    public var auctionTime: UInt16
    /// Exchange (SIP) time.
    public var time: Instant
    /// Increasing and unique per symbol and kind, with holes; 0 where the feed gives none.
    public var sequence: Int64
    /// Quantity without a counterparty.
    public var imbalance: Size
    /// Quantity with one.
    public var paired: Size
    /// Price at which the book would clear.
    public var clearingPrice: Price

    /// Makes one from its parts.
    @inlinable
    public init(
        symbol: SymbolID,
        exchange: UInt16 = 0,
        auction: UInt8 = 0,
        auctionTime: UInt16 = 0,
        time: Instant,
        sequence: Int64 = 0,
        imbalance: Size,
        paired: Size,
        clearingPrice: Price
    ) {
        self.symbol = symbol
        self.exchange = exchange
        self.auction = auction
        self.auctionTime = auctionTime
        self.time = time
        self.sequence = sequence
        self.imbalance = imbalance
        self.paired = paired
        self.clearingPrice = clearingPrice
    }
}

/// A single published value: an index level, or a fair market value.
@frozen
public struct PublishedValue: Hashable, Sendable {
    /// What it is about.
    public var symbol: SymbolID
    /// Exchange (SIP) time.
    public var time: Instant
    /// Index points, or dollars.
    public var value: Price

    /// Makes one from its parts.
    @inlinable
    public init(symbol: SymbolID, time: Instant, value: Price) {
        self.symbol = symbol
        self.time = time
        self.value = value
    }
}

/// One normalised market event: what every provider's bytes become.
///
/// Fixed size, no reference, trivially copied.
///
/// 80 bytes: a bar keeps its VWAP and the day's volume (docs/decisions/0001).
@frozen
public enum MarketEvent: Hashable, Sendable {
    case trade(Trade)
    case quote(Quote)
    case bar(Bar)
    case priceBands(PriceBands)
    case imbalance(Imbalance)
    case indexValue(PublishedValue)
    case fairValue(PublishedValue)
    case flowAlert(FlowAlert)
    case halt(Halt)

    /// The instrument that the event is about.
    @inlinable
    public var symbol: SymbolID {
        switch self {
        case .trade(let event): event.symbol
        case .quote(let event): event.symbol
        case .bar(let event): event.symbol
        case .priceBands(let event): event.symbol
        case .imbalance(let event): event.symbol
        case .indexValue(let event), .fairValue(let event): event.symbol
        case .flowAlert(let event): event.symbol
        case .halt(let event): event.symbol
        }
    }

    /// Exchange time; the start of a bar.
    @inlinable
    public var time: Instant {
        switch self {
        case .trade(let event): event.time
        case .quote(let event): event.time
        case .bar(let event): event.start
        case .priceBands(let event): event.time
        case .imbalance(let event): event.time
        case .indexValue(let event), .fairValue(let event): event.time
        case .flowAlert(let event): event.time
        case .halt(let event): event.time
        }
    }
}
