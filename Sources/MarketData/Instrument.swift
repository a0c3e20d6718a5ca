public import Primitives

/// What kind of thing a symbol names.
public enum InstrumentKind: UInt8, Sendable, BitwiseCopyable {
    case equity
    case option
    case index
}

/// What is known of a symbol from its text alone: `SPY`, `I:SPX`, `O:SPXW210108P03800000`.
public struct Instrument: Hashable, Sendable {
    /// Equity, option or index.
    public var kind: InstrumentKind
    /// The symbol whose core owns this instrument: `SPX` for `I:SPX` and the roots `SPX` and `SPXW`; an equity owns itself.
    public var underlying: String
    /// The text as the provider writes it.
    public var symbol: String
    /// The strike, zero but for options.
    public var strike: Price
    /// A call, if it is an option.
    public var isCall: Bool
    /// Expiry as yyyymmdd, zero but for options.
    public var expiry: Int32

    /// Minimum price step at `price`, fixed for a plan's life (analytics.md 3, Ticks).
    public func tick(at price: Price) -> Price { Self.tick(kind, at: price) }

    /// The same where only the kind is at hand.
    @inlinable
    public static func tick(_ kind: InstrumentKind, at price: Price) -> Price {
        kind == .equity && price.micros < Price.scale ? Price(micros: 100) : Price(micros: 10_000)
    }

    /// Option roots whose underlying has another name; the symbol doesn't tell (feeds.md 1.4).
    public static let underlyingOfRoot = ["SPXW": "SPX", "NDXP": "NDX", "RUTW": "RUT", "VIXW": "VIX"]

    /// Underlyings that are indices: their level comes under a name with a prefix.
    public static let indexUnderlyings: Set<String> = ["SPX", "NDX", "RUT", "VIX", "XSP", "DJX"]

    /// The underlying as a feed names it: `SPY`, `I:SPX`.
    public var underlyingSymbol: String {
        kind == .index || Self.indexUnderlyings.contains(underlying) ? "I:" + underlying : underlying
    }

    /// Reads a symbol's text.
    ///
    /// - Returns: nil where the text is empty, longer than 32 bytes, holds a byte outside `A–Z a–z 0–9 . : - / ^ _`, or
    ///   claims to be an option and isn't of OCC form.
    public init?(_ symbol: String) {
        let bytes = Array(symbol.utf8)
        guard !bytes.isEmpty, bytes.count <= 32, bytes.allSatisfy(Self.isAllowed) else { return nil }
        self.symbol = symbol
        strike = .zero
        isCall = false
        expiry = 0
        if symbol.hasPrefix("O:") {
            guard let option = Self.parseOption(bytes.dropFirst(2)) else { return nil }
            kind = .option
            underlying = Self.underlyingOfRoot[option.root] ?? option.root
            strike = option.strike
            isCall = option.isCall
            expiry = option.expiry
        } else if symbol.hasPrefix("I:") {
            guard bytes.count > 2 else { return nil }
            kind = .index
            underlying = String(symbol.dropFirst(2))
        } else {
            kind = .equity
            underlying = symbol
        }
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "-"),
            UInt8(ascii: "/"), UInt8(ascii: "^"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// Reads from the end: 8 digits of strike × 1000, the right, yymmdd, and what is left is the root.
    private static func parseOption(
        _ bytes: ArraySlice<UInt8>
    ) -> (root: String, strike: Price, isCall: Bool, expiry: Int32)? {
        guard bytes.count >= 16, bytes.count <= 21 else { return nil }
        let strikeText = bytes.suffix(8)
        let right = bytes[bytes.endIndex - 9]
        let date = bytes[(bytes.endIndex - 15)..<(bytes.endIndex - 9)]
        let root = bytes.dropLast(15)
        guard let strike = number(strikeText), let day = number(date) else { return nil }
        guard right == UInt8(ascii: "C") || right == UInt8(ascii: "P") else { return nil }
        let month = day / 100 % 100
        guard (1...12).contains(month), (1...31).contains(day % 100) else { return nil }
        return (
            String(decoding: root, as: UTF8.self), Price(micros: strike * 1000), right == UInt8(ascii: "C"),
            Int32(20_000_000 + day)
        )
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        var value: Int64 = 0
        for byte in digits {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        return value
    }
}
