internal import Engine
internal import FeedProtocols
internal import Feeds
internal import Gateway
internal import Journal
internal import Logging
internal import MarketData
internal import Network
internal import Primitives

extension Configuration.Market {
    /// Where the market's frames come from, as the engine names it.
    var source: FeedSource {
        switch self {
        case .stocks: .stocks
        case .options: .options
        case .indices: .indices
        }
    }
}

/// What to subscribe on a market for the configured symbols.
enum MarketSubscriptions {
    static func of(_ market: Configuration.Market, symbols: [String]) -> Set<PolygonSubscription> {
        let (kind, channels): (InstrumentKind, [PolygonChannel]) =
            switch market {
            case .stocks: (.equity, [.minuteBar, .trade, .quote, .priceBands])
            case .options: (.option, [.minuteBar, .trade, .quote])
            case .indices: (.index, [.indexValue, .minuteBar])
            }
        var found: Set<PolygonSubscription> = []
        for symbol in symbols where Instrument(symbol)?.kind == kind {
            for channel in channels {
                if let subscription = PolygonSubscription(channel, symbol) { found.insert(subscription) }
            }
        }
        return found
    }
}

/// Joins a market's connection to a sink, as configured.
enum FeedFactory {
    /// - Returns: nil, with a line in the log, where the market has no symbol or the address is none. Feed loop thread.
    static func make(
        _ market: Configuration.Market,
        _ configuration: Configuration,
        loop: EventLoop,
        sink: any EventSink,
        logger: Logger
    ) -> ProviderFeed? {
        let subscriptions = MarketSubscriptions.of(market, symbols: configuration.polygon.symbols)
        guard let base = configuration.polygon.url, !subscriptions.isEmpty else {
            logger.warning("feed_idle", metadata: ["market": "\(market.rawValue)", "why": "no symbol of this market"])
            return nil
        }
        let url: WebSocketURL
        do { url = try WebSocketURL("\(base)/\(market.rawValue)") } catch {
            logger.error("feed_url", metadata: ["error": "\(error)"])
            return nil
        }
        return ProviderFeed(
            loop: loop,
            source: market.source,
            options: ProviderFeedOptions(
                client: WebSocketClientOptions(url: url),
                key: PolygonKey(configuration.polygon.apiKey?.reveal() ?? ""),
                subscriptions: subscriptions,
                watchesSilence: configuration.engine.clock == .wall
            ),
            sink: sink,
            clock: { SystemClock.wall() },
            told: { event in FeedLog.write(event, market: market.rawValue, to: logger) }
        )
    }
}

/// One clear line for each thing that a feed tells.
enum FeedLog {
    static func write(_ event: FeedEvent, market: String, to logger: Logger) {
        switch event {
        case .refused(let pair, let cause):
            logger.warning("feed_refused", metadata: ["market": "\(market)", "pair": "\(pair)", "cause": "\(cause)"])
        case .alert(let words): logger.error("feed_alert", metadata: ["market": "\(market)", "cause": "\(words)"])
        case .gap(let after, let before):
            logger.warning(
                "feed_gap",
                metadata: [
                    "market": "\(market)", "after": "\(after.nanos)",
                    "before": "\(before.map { "\($0.nanos)" } ?? "open")",
                ]
            )
        }
    }
}

extension GatewayConfiguration {
    /// What the configuration file says of the gateway.
    init(_ configuration: Configuration, served: Bool) {
        self.init()
        host = configuration.gateway.listen.host
        port = configuration.gateway.listen.port
        adminHost = configuration.admin.listen.host
        adminPort = configuration.admin.listen.port
        apiKey = configuration.gateway.apiKey?.reveal()
        if !configuration.gateway.allowedHosts.isEmpty { allowedHosts = configuration.gateway.allowedHosts }
        if !configuration.gateway.allowedOrigins.isEmpty { allowedOrigins = configuration.gateway.allowedOrigins }
        symbols = served ? configuration.polygon.symbols : []
        flushMillis = Int64(configuration.gateway.flushMs)
        limits.connections = configuration.gateway.maxConnections
    }
}
