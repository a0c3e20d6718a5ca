internal import FeedProtocols
internal import Feeds
internal import Foundation
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

/// Makes the feeds that a configuration asks for; feed loop thread.
struct FeedBuilder {
    let configuration: Configuration
    let loop: EventLoop
    let sink: any EventSink
    let logger: Logger
    /// Who may own a market's connection; nil asks nobody (a simulated market of this process).
    let lease: ((FeedSource) -> any Lease)?

    /// How long a market's lease lives without a renewal.
    static let leaseMillis: Int64 = 15_000

    /// Every feed that is configured; what can't be made is said in the log.
    func feeds(fetchFlow: FlowFeed.Fetch?) -> [any MarketFeed] {
        var made: [any MarketFeed] = []
        for market in configuration.polygon.markets {
            if let feed = self.market(market.source, path: market.rawValue) { made.append(feed) }
        }
        if let feed = flow(fetch: fetchFlow) { made.append(feed) }
        if let feed = bridge() { made.append(feed) }
        return made
    }

    private func market(_ source: FeedSource, path: String) -> (any MarketFeed)? {
        guard let base = configuration.polygon.url, let url = address("\(base)/\(path)", source) else { return nil }
        var limits = PolygonConnection.Limits()
        (limits.backoffMin, limits.backoffMax) = (backoffNanos, 30 * backoffNanos)
        let options = ProviderFeedOptions(
            client: WebSocketClientOptions(url: url),
            key: PolygonKey(configuration.polygon.apiKey?.reveal() ?? ""),
            limits: limits,
            watchesSilence: configuration.engine.clock == .wall
        )
        let make = { [self] in
            ProviderFeed(
                loop: loop,
                source: source,
                options: options,
                sink: sink,
                clock: Self.clock,
                told: tell(source)
            )
        }
        guard let lease else { return make() }
        return LeasedFeed(
            source,
            loop: loop,
            lease: lease(source),
            lifeNanos: Self.leaseMillis * 1_000_000,
            sink: sink,
            clock: Self.clock,
            told: tell(source),
            make: make
        )
    }

    private func flow(fetch: FlowFeed.Fetch?) -> (any MarketFeed)? {
        guard let secret = configuration.uw.token, let base = configuration.uw.url else { return nil }
        let token = UnusualWhalesToken(secret.reveal())
        // The token's path takes the place of the configured one but for what stands before `/socket`.
        let place = "\(base)".replacing("/socket", with: "")
        guard let url = address(place + token.socketPath, .flow) else { return nil }
        var limits = UnusualWhalesConnection.Limits()
        (limits.backoffMin, limits.backoffMax) = (5 * backoffNanos, 60 * backoffNanos)
        let options = FlowFeedOptions(
            client: WebSocketClientOptions(url: url),
            token: token,
            channels: UnusualWhalesChannelKind.allCases.filter { configuration.uw.channels.contains($0.name) },
            limits: limits,
            watchesSilence: configuration.engine.clock == .wall
        )
        return FlowFeed(
            loop: loop,
            options: options,
            sink: sink,
            fetch: fetch,
            clock: Self.clock,
            told: tell(.flow)
        )
    }

    private func bridge() -> (any MarketFeed)? {
        guard let base = configuration.ib.url, let url = address("\(base)", .bridge) else { return nil }
        var options = WebSocketClientOptions(url: url)
        if let token = configuration.ib.token { options.headers = [("Authorization", "Bearer \(token.reveal())")] }
        var limits = BridgeConnection.Limits()
        (limits.backoffMin, limits.backoffMax) = (backoffNanos, 15 * backoffNanos)
        limits.lines = configuration.universe.bridgeLines
        limits.books = configuration.universe.bridgeBooks
        return BridgeFeed(
            loop: loop,
            client: options,
            limits: limits,
            sink: sink,
            clock: Self.clock,
            told: tell(.bridge)
        )
    }

    private var backoffNanos: Int64 { Int64(configuration.feed.backoffMs) * 1_000_000 }

    private func address(_ text: String, _ source: FeedSource) -> WebSocketURL? {
        do { return try WebSocketURL(text) } catch {
            // The text may hold a token, the error names the fault alone.
            logger.error(
                "feed_url",
                metadata: ["feed": "\(source.tapeName)", "error": "not an address of a WebSocket"]
            )
            return nil
        }
    }

    private static func clock() -> Instant { SystemClock.wall() }

    private func tell(_ source: FeedSource) -> (FeedEvent) -> Void {
        let logger = logger
        return { FeedLog.write($0, feed: source.tapeName, to: logger) }
    }

    // MARK: REST

    /// The provider's REST interface; nil where it mustn't be asked.
    func marketClient() -> RESTClient? {
        let polygon = configuration.polygon
        guard polygon.requestsPerMinute > 0, !polygon.markets.isEmpty, let url = polygon.restURL,
            isSameWorld(polygon.url, url), let base = RESTBase("\(url)", aliases: PolygonREST.hosts),
            let key = RESTKey(polygon.apiKey?.reveal() ?? "none")
        else { return nil }
        return RESTClient(
            loop: loop,
            options: RESTClientOptions(base: base, key: key, rate: .perMinute(polygon.requestsPerMinute)),
            transport: URLSessionTransport(),
            clock: Self.clock,
            told: tell(.stocks)
        )
    }

    /// Whether both are the real provider's, or both a simulated one's: a simulated market has no history there, and its
    /// key is nobody's business.
    private func isSameWorld(_ socket: ServiceURL?, _ rest: ServiceURL) -> Bool {
        socket?.isLoopback != true || rest.isLoopback
    }

    /// The flow provider's REST interface, within its 120 requests a minute.
    func flowClient() -> RESTClient? {
        guard let token = configuration.uw.token, let url = configuration.uw.restURL,
            isSameWorld(configuration.uw.url, url), let base = RESTBase("\(url)"),
            let key = RESTKey(token.reveal())
        else { return nil }
        return RESTClient(
            loop: loop,
            options: RESTClientOptions(base: base, key: key, rate: .perMinute(120)),
            transport: URLSessionTransport(),
            clock: Self.clock,
            told: tell(.flow)
        )
    }
}

/// One clear line for each thing that a feed tells.
enum FeedLog {
    static func write(_ event: FeedEvent, feed: String, to logger: Logger) {
        switch event {
        case .refused(let pair, let cause):
            logger.warning("feed_refused", metadata: ["feed": "\(feed)", "what": "\(pair)", "cause": "\(cause)"])
        case .alert(let words): logger.error("feed_alert", metadata: ["feed": "\(feed)", "cause": "\(words)"])
        case .gap(let after, let before):
            logger.warning(
                "feed_gap",
                metadata: [
                    "feed": "\(feed)", "after": "\(after.nanos)", "before": "\(before.map { "\($0.nanos)" } ?? "open")",
                ]
            )
        case .unserved(let what):
            guard !what.isEmpty else { return logger.notice("feed_quota_free", metadata: ["feed": "\(feed)"]) }
            logger.warning(
                "feed_quota_full",
                metadata: [
                    "feed": "\(feed)", "count": "\(what.count)", "first": "\(what.prefix(10).joined(separator: ", "))",
                ]
            )
        }
    }
}
