internal import MarketData
internal import Primitives

/// The bridge's name of an instrument, `STK:SPY:SMART:USD` (feeds.md 4.3), and the engine's symbol for it.
package struct BridgeKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        case stock = "STK"
        case index = "IND"
        case option = "OPT"
        case future = "FUT"
    }

    package let kind: Kind
    /// The whole key.
    package let text: String
    /// `SPY`, `I:SPX`, `O:SPXW251219C06500000`; nil for what the engine has no symbol for.
    package let symbol: String?

    /// The longest key, in bytes.
    static let limit = 64

    /// Reads a key; nil where it isn't one.
    package init?(_ text: String) {
        guard (5...Self.limit).contains(text.utf8.count), text.utf8.allSatisfy(Self.isAllowed) else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let kind = parts.first.flatMap({ Kind(rawValue: String($0)) }),
            parts.allSatisfy({ !$0.isEmpty }), parts.count == (kind == .option ? 7 : kind == .future ? 5 : 4)
        else { return nil }
        let name = String(parts[1])
        switch kind {
        case .stock: symbol = String(name.map { $0 == " " ? "." : $0 })
        case .index: symbol = "I:" + name
        case .option:
            guard let contract = Self.contract(name, parts[2], parts[3], parts[4]) else { return nil }
            symbol = contract
        case .future: symbol = nil
        }
        if let symbol, Instrument(symbol) == nil { return nil }
        self.kind = kind
        self.text = text
    }

    /// The key of an engine's symbol.
    ///
    /// - Returns: nil where the text is no symbol, or the wildcard.
    package init?(symbol: String) {
        guard let instrument = Instrument(symbol) else { return nil }
        switch instrument.kind {
        case .equity: self.init("STK:\(String(symbol.map { $0 == "." ? " " : $0 })):SMART:USD")
        case .index:
            let name = String(symbol.dropFirst(2))
            self.init("IND:\(name):\(Self.indexVenues[name] ?? "CBOE"):USD")
        case .option:
            let root = symbol.dropFirst(2).dropLast(15)
            var strike: [UInt8] = []
            DecimalText.append(instrument.strike, to: &strike)
            let right = instrument.isCall ? "C" : "P"
            let price = String(decoding: strike, as: UTF8.self)
            self.init("OPT:\(root):\(instrument.expiry):\(price):\(right):SMART:USD")
        }
        guard self.symbol == symbol else { return nil }
    }

    /// Where an index that isn't the Cboe's is listed.
    private static let indexVenues = ["NDX": "NASDAQ", "RUT": "RUSSELL", "COMP": "NASDAQ", "INDU": "CME"]

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "-"),
            UInt8(ascii: "/"), UInt8(ascii: "_"), UInt8(ascii: "^"), UInt8(ascii: " "):
            true
        default: false
        }
    }

    private static func contract(
        _ root: String,
        _ date: Substring,
        _ strike: Substring,
        _ right: Substring
    ) -> String? {
        guard (1...6).contains(root.utf8.count), date.utf8.count == 8, date.hasPrefix("20"),
            date.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            right == "C" || right == "P",
            let micros = DecimalText.micros(strike.utf8), micros > 0, micros % 1_000 == 0, micros < 100_000_000_000
        else { return nil }
        let digits = String(micros / 1_000)
        let padded = String(repeating: "0", count: 8 - digits.count) + digits
        return "O:\(root)\(date.dropFirst(2))\(right)\(padded)"
    }

    package var description: String { text }

    package static func < (a: BridgeKey, b: BridgeKey) -> Bool { a.text < b.text }
}
