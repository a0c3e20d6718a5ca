public import Primitives

/// An alert about unusual flow in one option contract: several prints that a provider saw as one intention.
///
/// 72 bytes, the size of a bar, so that `MarketEvent` doesn't grow: counts have 24 bits, prices are ten-thousandths in
/// 32 bits (the finest unit of an option print), and the start is a distance before `time`. The end of the stretch is
/// the alert's own time.
@frozen
public struct FlowAlert: Hashable, Sendable {
    /// What is true of the prints behind the alert.
    @frozen
    public struct Flags: OptionSet, Hashable, Sendable {
        /// One bit a fact.
        public let rawValue: UInt8

        /// Takes the bits.
        @inlinable
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// At least one intermarket sweep.
        @inlinable
        public static var sweep: Flags { Flags(rawValue: 1) }
        /// At least one print of a trading floor.
        @inlinable
        public static var floor: Flags { Flags(rawValue: 2) }
        /// At least one leg of a spread.
        @inlinable
        public static var multiLeg: Flags { Flags(rawValue: 4) }
        /// At least one print of this contract alone.
        @inlinable
        public static var singleLeg: Flags { Flags(rawValue: 8) }
        /// All prints must have opened positions; absent means unknown.
        @inlinable
        public static var allOpening: Flags { Flags(rawValue: 16) }
    }

    /// The option contract.
    public var symbol: SymbolID
    /// Open interest in the low 24 bits, flags in the high eight.
    @usableFromInline var interestAndFlags: UInt32
    /// When the last of its prints was executed.
    public var time: Instant
    /// FNV-1a of the alert's id; the duplicate key, 0 where there is none.
    public var idHash: UInt64
    /// Premium of all prints, micros of a dollar.
    public var totalPremium: Int64
    /// Premium paid at the offer, micros of a dollar.
    public var askPremium: Int64
    /// Premium paid at the bid, micros of a dollar.
    public var bidPremium: Int64
    /// Size in the low 24 bits, the day's volume in the next, tenths of a second since the start in the high sixteen.
    @usableFromInline var counts: UInt64
    @usableFromInline var priceUnits: UInt32
    @usableFromInline var bidUnits: UInt32
    @usableFromInline var askUnits: UInt32
    @usableFromInline var underlyingUnits: UInt32

    /// The greatest count that can be kept, in contracts; a greater one is kept as this.
    @inlinable
    public static var countMax: UInt32 { 0xFF_FFFF }

    /// The greatest price that can be kept: 429,496.7295 USD; a greater one is kept as this.
    @inlinable
    public static var priceMax: Price { Price(micros: Int64(UInt32.max) * 100) }

    /// The longest stretch that can be kept, in nanoseconds (109 minutes); a longer one is kept as this.
    @inlinable
    public static var stretchMax: Int64 { 65_535 * 100_000_000 }

    /// Makes one from its parts; prices are rounded to ten-thousandths, the start to tenths of a second before `time`.
    public init(
        symbol: SymbolID,
        time: Instant,
        start: Instant? = nil,
        idHash: UInt64 = 0,
        price: Price,
        bid: Price = .zero,
        ask: Price = .zero,
        underlyingPrice: Price = .zero,
        size: UInt32,
        volume: UInt32 = 0,
        openInterest: UInt32 = 0,
        totalPremium: Int64,
        askPremium: Int64,
        bidPremium: Int64,
        flags: Flags = []
    ) {
        self.symbol = symbol
        self.time = time
        self.idHash = idHash
        self.totalPremium = totalPremium
        self.askPremium = askPremium
        self.bidPremium = bidPremium
        interestAndFlags = min(openInterest, Self.countMax) | UInt32(flags.rawValue) << 24
        let stretch = min(max(0, start.map { time.nanos(since: $0) } ?? 0), Self.stretchMax)
        let tenths = UInt64(stretch + 50_000_000) / 100_000_000
        counts = UInt64(min(size, Self.countMax)) | UInt64(min(volume, Self.countMax)) << 24 | tenths << 48
        priceUnits = Self.units(price)
        bidUnits = Self.units(bid)
        askUnits = Self.units(ask)
        underlyingUnits = Self.units(underlyingPrice)
    }

    /// When the first of its prints was executed, to a tenth of a second.
    @inlinable
    public var start: Instant { time.advanced(byNanos: -Int64(counts >> 48) * 100_000_000) }

    /// Price of the alert, a mean of its prints.
    @inlinable
    public var price: Price { Price(micros: Int64(priceUnits) * 100) }

    /// Best bid for the contract, zero where absent.
    @inlinable
    public var bid: Price { Price(micros: Int64(bidUnits) * 100) }

    /// Best offer for the contract, zero where absent.
    @inlinable
    public var ask: Price { Price(micros: Int64(askUnits) * 100) }

    /// Price of the underlying, zero where absent.
    @inlinable
    public var underlyingPrice: Price { Price(micros: Int64(underlyingUnits) * 100) }

    /// Contracts of all prints.
    @inlinable
    public var size: UInt32 { UInt32(truncatingIfNeeded: counts) & Self.countMax }

    /// The contract's volume of the day so far, in contracts.
    @inlinable
    public var volume: UInt32 { UInt32(truncatingIfNeeded: counts >> 24) & Self.countMax }

    /// The contract's open interest, in contracts.
    @inlinable
    public var openInterest: UInt32 { interestAndFlags & Self.countMax }

    /// What is true of its prints.
    @inlinable
    public var flags: Flags { Flags(rawValue: UInt8(truncatingIfNeeded: interestAndFlags >> 24)) }

    /// Ten-thousandths, a half to the even neighbour.
    private static func units(_ price: Price) -> UInt32 {
        let micros = min(max(0, price.micros), priceMax.micros)
        let (quotient, rest) = micros.quotientAndRemainder(dividingBy: 100)
        let isUp = rest > 50 || rest == 50 && quotient & 1 == 1
        return UInt32(isUp ? quotient + 1 : quotient)
    }
}

/// Trading in an instrument was halted, or goes on again.
@frozen
public struct Halt: Hashable, Sendable {
    /// What it is about.
    public var symbol: SymbolID
    /// Whether it is halted from this time on.
    public var isHalted: Bool
    /// When, as the feed says it.
    public var time: Instant
    /// Up to eight bytes of ASCII, the first in the lowest; 0 where the feed gives none.
    public var reason: UInt64

    /// Makes one from its parts.
    @inlinable
    public init(symbol: SymbolID, isHalted: Bool, time: Instant, reason: UInt64 = 0) {
        self.symbol = symbol
        self.isHalted = isHalted
        self.time = time
        self.reason = reason
    }

    /// Packs the first eight bytes of a code; a byte that isn't printable ASCII becomes a question mark.
    public static func pack(_ code: some Sequence<UInt8>) -> UInt64 {
        var packed: UInt64 = 0
        for (index, byte) in code.prefix(8).enumerated() {
            packed |= UInt64((0x21...0x7E).contains(byte) ? byte : UInt8(ascii: "?")) << UInt64(8 * index)
        }
        return packed
    }

    /// The code as text, empty where there is none.
    public var reasonText: String {
        var text = ""
        var rest = reason
        while rest != 0 {
            text.unicodeScalars.append(Unicode.Scalar(UInt8(truncatingIfNeeded: rest)))
            rest >>= 8
        }
        return text
    }
}
