// The keys of the feeds: where they are, what is asked of them.
extension ConfigurationSchema {
    static let provider: [ConfigurationKey] = [
        .url(
            "polygon.url",
            \.polygon.url,
            schemes: ["wss", "ws"],
            default: "wss://socket.massive.com",
            isSecret: false,
            "Where the provider's sockets are; ws:// only on loopback."
        ),
        .secret("polygon.apiKey", \.polygon.apiKey, minimum: 8, "Key of the provider; better in a file, see above."),
        .list(
            "polygon.symbols",
            \.polygon.symbols,
            allowed: "letters, digits and . : - / in each, at most 24 characters",
            default: "[SPY, QQQ]",
            item: { isSymbol($0) ? $0 : nil },
            text: { $0 },
            "Underlyings to follow; an index with its prefix: I:SPX. Every feed is asked for them."
        ),
        .list(
            "polygon.markets",
            \.polygon.markets,
            allowed: "stocks, options, indices",
            default: "[stocks]",
            item: { Configuration.Market(rawValue: $0) },
            text: { $0.rawValue },
            "Clusters to connect to, one socket each; the key must be entitled to them."
        ),
        .url(
            "polygon.restUrl",
            \.polygon.restURL,
            schemes: ["https", "http"],
            default: "https://api.massive.com",
            isSecret: false,
            "Where bars of a gap, conditions and option chains are asked for; http:// only on loopback."
        ),
        .integer(
            "polygon.requestsPerMinute",
            \.polygon.requestsPerMinute,
            0...6_000,
            default: 300,
            "REST requests at most; the free plan has 5. 0 asks nothing: gaps are marked and not repaired."
        ),
    ]

    static let flow: [ConfigurationKey] = [
        .url(
            "uw.url",
            \.uw.url,
            schemes: ["wss", "ws"],
            default: "wss://api.unusualwhales.com/socket",
            isSecret: false,
            "Where the flow feed's socket is; ws:// only on loopback."
        ),
        .secret("uw.token", \.uw.token, minimum: 8, "Token of the flow feed; without one it isn't connected."),
        .list(
            "uw.channels",
            \.uw.channels,
            allowed:
                "option_trades, flow-alerts, price, news, gex, gex_strike, gex_strike_expiry, lit_trades, off_lit_trades, trading_halts",
            default: "[option_trades, flow-alerts, price, gex, trading_halts]",
            item: { Configuration.flowChannels.contains($0) ? $0 : nil },
            text: { $0 },
            "What to join; channels of a ticker are joined for every underlying followed."
        ),
        .url(
            "uw.restUrl",
            \.uw.restURL,
            schemes: ["https", "http"],
            default: "https://api.unusualwhales.com",
            isSecret: false,
            "Where alerts that a reconnect missed are asked for."
        ),
    ]

    static let bridge: [ConfigurationKey] = [
        .url(
            "ib.url",
            \.ib.url,
            schemes: ["ws", "wss"],
            default: "",
            isSecret: false,
            "Where the IB bridge listens (ops/ib-bridge: ws://127.0.0.1:8791/ib/v1); without it it isn't connected."
        ),
        .secret("ib.token", \.ib.token, minimum: 8, "Token of the bridge, where it asks for one."),
    ]

    static let universe: [ConfigurationKey] = [
        .integer(
            "universe.optionQuotes",
            \.universe.optionQuotes,
            0...10_000,
            default: 1_000,
            "Contracts whose quotes are subscribed at most; the provider's cap is 1,000 a connection."
        ),
        .integer(
            "universe.bridgeLines",
            \.universe.bridgeLines,
            0...1_100,
            default: 100,
            "Market data lines of the bridge's account."
        ),
        .integer(
            "universe.bridgeBooks",
            \.universe.bridgeBooks,
            0...13,
            default: 3,
            "Depth books of the bridge's account."
        ),
        .integer(
            "universe.chainStrikes",
            \.universe.chainStrikes,
            0...200,
            default: 10,
            "Strikes on each side of the money whose contracts are followed; 0 follows none but those of plans."
        ),
        .integer(
            "universe.chainDays",
            \.universe.chainDays,
            0...400,
            default: 1,
            "Expiries followed: those within so many days."
        ),
    ]

    private static func isSymbol(_ text: String) -> Bool {
        guard let first = text.utf8.first, isAlphanumeric(first), text.utf8.count <= 24 else { return false }
        return text.utf8.allSatisfy { isAlphanumeric($0) || ".:-/".utf8.contains($0) }
    }
}
