internal import Engine
internal import FeedProtocols
internal import Feeds
internal import Gateway
internal import Journal
internal import Logging
internal import MarketData
internal import Network
internal import Primitives
internal import Telemetry

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

/// The engine's figures at `/metrics`.
enum RunMetrics {
    static func register(_ host: EngineHost, in metrics: MetricsRegistry) {
        func observe(_ name: String, _ help: String, _ read: @escaping @Sendable (EngineHost.FeedFigures) -> Int64) {
            metrics.observe(name, help: help) { read(host.feedFigures) }
        }
        observe("frames_total", "Frames received.") { $0.ingest?.frames ?? 0 }
        observe("events_total", "Market events accepted.") { $0.ingest?.events ?? 0 }
        observe("duplicate_events_total", "Events dropped as repeated.") { $0.ingest?.duplicates ?? 0 }
        observe("out_of_order_events_total", "Events with an older sequence, used all the same.") {
            $0.ingest?.outOfOrder ?? 0
        }
        observe("malformed_events_total", "Events and frames that could not be read.") {
            Int64($0.malformed)
        }
        observe("unknown_events_total", "Events of a kind nobody knows.") { Int64($0.unknown) }
        observe("commands_total", "Commands accepted.") { $0.ingest?.commands ?? 0 }
        observe("refused_commands_total", "Commands refused at the door.") {
            $0.ingest?.refusedCommands ?? 0
        }
        observe("symbols", "Symbols known.") { Int64($0.symbols) }
        observe("refused_symbols_total", "Symbols refused because the table is full.") {
            Int64($0.refusedSymbols)
        }
        observe("mailbox_stalls_total", "Times the feed thread waited for a full mailbox.") {
            Int64($0.stalls)
        }
        metrics.observe("commits_total", help: "Groups committed.") { host.sequencer.counters.commits }
        metrics.observe("failed_commits_total", help: "Groups that could not be committed.") {
            host.sequencer.counters.failedCommits
        }
        metrics.observe("checkpoints_total", help: "Checkpoints written.") { Int64(host.checkpointer.count) }
        metrics.observe("tape_size_bytes", unit: .bytes, help: "Bytes of the open tape segment.") {
            host.tape.status.bytes
        }
        TapeMetrics.register(host, in: metrics)
        metrics.observe("tape_lost_lines_total", help: "Tape lines that could not be written.") {
            host.tape.status.lostLines
        }
    }
}
