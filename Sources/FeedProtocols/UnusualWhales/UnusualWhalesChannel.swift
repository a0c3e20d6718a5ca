/// What can be joined, documented or not.
///
/// In the order in which they are joined: what is rare and dear first, the floods last.
package enum UnusualWhalesChannelKind: UInt8, CaseIterable, Comparable, Sendable {
    case flowAlerts, tradingHalts, price, gex, news, marketTide, netFlow, intervalFlow, customAlerts
    case contractScreener, periscope, gexStrike, gexStrikeExpiry, optionTrades, litTrades, offLitTrades

    /// How many there are.
    static let count = 16

    /// The name on the wire, before a colon.
    package var name: String {
        switch self {
        case .flowAlerts: "flow-alerts"
        case .tradingHalts: "trading_halts"
        case .price: "price"
        case .gex: "gex"
        case .news: "news"
        case .marketTide: "market_tide"
        case .netFlow: "net_flow"
        case .intervalFlow: "interval_flow"
        case .customAlerts: "custom_alerts"
        case .contractScreener: "contract_screener"
        case .periscope: "periscope"
        case .gexStrike: "gex_strike"
        case .gexStrikeExpiry: "gex_strike_expiry"
        case .optionTrades: "option_trades"
        case .litTrades: "lit_trades"
        case .offLitTrades: "off_lit_trades"
        }
    }

    /// Whether a ticker follows the name.
    enum Scope { case market, either, ticker }

    var scope: Scope {
        switch self {
        case .flowAlerts, .tradingHalts, .news, .marketTide, .customAlerts, .contractScreener: .market
        // One public client asks for these with a ticker, the documents show none (feeds.md 3.1).
        case .intervalFlow, .periscope, .optionTrades, .litTrades, .offLitTrades: .either
        case .price, .gex, .gexStrike, .gexStrikeExpiry, .netFlow: .ticker
        }
    }

    /// Whether the provider documents what its frames hold.
    package var isDocumented: Bool {
        switch self {
        case .tradingHalts, .marketTide, .netFlow, .intervalFlow, .customAlerts, .contractScreener, .periscope: false
        case .flowAlerts, .price, .gex, .news, .gexStrike, .gexStrikeExpiry, .optionTrades, .litTrades, .offLitTrades:
            true
        }
    }

    private static let byHash: [UInt64: UnusualWhalesChannelKind] = Dictionary(
        uniqueKeysWithValues: allCases.map { ($0.name.utf8.reduce(FNV.offset) { FNV.mixed($0, $1) }, $0) }
    )

    /// The kind of a channel's text, which may go on behind a colon; nil where nobody knows it.
    init?(_ channel: UnsafeRawBufferPointer) {
        let base = channel.prefix { $0 != UInt8(ascii: ":") }
        let hash = base.reduce(FNV.offset) { FNV.mixed($0, $1) }
        guard let kind = Self.byHash[hash], kind.name.utf8.elementsEqual(base) else { return nil }
        self = kind
    }

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// A channel of one ticker, or of the market.
package struct UnusualWhalesChannel: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let kind: UnusualWhalesChannelKind
    /// As the provider writes it, `BRK.B`; nil for the whole market.
    package let ticker: String?

    /// Takes a ticker where the kind has one.
    ///
    /// - Returns: nil where a ticker is missing or too much, is longer than sixteen bytes, or has a byte that no
    ///   ticker has.
    package init?(_ kind: UnusualWhalesChannelKind, _ ticker: String? = nil) {
        switch kind.scope {
        case .market: guard ticker == nil else { return nil }
        case .ticker: guard ticker != nil else { return nil }
        case .either: break
        }
        if let ticker {
            guard (1...16).contains(ticker.utf8.count), ticker.utf8.allSatisfy(Self.isAllowed) else { return nil }
        }
        self.kind = kind
        self.ticker = ticker
    }

    /// Reads the wire's form, `gex:SPY`.
    package init?(_ text: String) {
        var text = text
        guard let channel = text.withUTF8({ UnusualWhalesChannel(UnsafeRawBufferPointer($0)) }) else { return nil }
        self = channel
    }

    init?(_ text: UnsafeRawBufferPointer) {
        guard let kind = UnusualWhalesChannelKind(text) else { return nil }
        let ticker = text.firstIndex(of: UInt8(ascii: ":")).map { String(decoding: text[($0 + 1)...], as: UTF8.self) }
        self.init(kind, ticker)
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "/"),
            UInt8(ascii: "_"), UInt8(ascii: "^"):
            true
        default: false
        }
    }

    /// The wire's form.
    package var description: String { ticker.map { "\(kind.name):\($0)" } ?? kind.name }

    package static func < (a: Self, b: Self) -> Bool {
        a.kind == b.kind ? (a.ticker ?? "") < (b.ticker ?? "") : a.kind < b.kind
    }

    /// The frame that asks for it; neither name nor ticker has a byte that needs an escape.
    var join: String { #"{"channel":"\#(self)","msg_type":"join"}"# }

    /// The frame that gives it back.
    var leave: String { #"{"channel":"\#(self)","msg_type":"leave"}"# }
}

/// The access token: it prints as stars, and takes itself out of other texts.
package struct UnusualWhalesToken: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    private let text: String

    package init(_ text: String) { self.text = text }

    package var description: String { "***" }
    package var debugDescription: String { "***" }
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// Path and query of the socket; it holds the token, so it is never logged.
    package var socketPath: String { "/socket?token=\(escaped)" }

    /// What the REST header `Authorization` says; never logged.
    package var authorization: String { "Bearer \(text)" }

    /// The text without the token, plain or as a URL has it.
    package func redacted(_ other: String) -> String { Secret.redacted(other, [text, escaped]) }

    /// RFC 3986's unreserved characters as they are, all others in percent form.
    private var escaped: String {
        var escaped = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let hex = String(byte, radix: 16, uppercase: true)
                escaped += hex.utf8.count == 1 ? "%0\(hex)" : "%\(hex)"
            }
        }
        return escaped
    }
}
