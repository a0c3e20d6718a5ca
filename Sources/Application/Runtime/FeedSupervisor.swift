internal import Bus
internal import Engine
internal import FeedProtocols
internal import Feeds
internal import Logging
internal import MarketData
internal import Network
internal import Primitives
internal import Wire

/// The feeds of a live run with what stands around them: what to subscribe to, bars of gaps, what is fetched at the start.
///
/// Feed loop thread only, but for `phases` and `counters`, which any thread may read.
final class FeedSupervisor: @unchecked Sendable {
    // Owner of the unchecked state: the feed loop's thread; what others read is copied into a lock.
    private let configuration: Configuration
    private let ingest: IngestPoint
    private let loop: EventLoop
    private let roster: PlanRoster
    private let logger: Logger
    private let feeds: [any MarketFeed]
    private let marketClient: RESTClient?
    private let flowClient: RESTClient?
    private var desk: RepairDesk?
    private var warmUp: WarmUp?
    private var actions: ActionDesk?
    private var keeper: UniverseKeeper
    private var wishes = UniverseWishes()
    /// Contracts near the money by underlying, the nearest first.
    private var chains: [String: [String]] = [:]
    private var unserved: [String: String] = [:]
    private let shown = Lock<[FeedFigure]>([])

    /// A feed as health pages and metrics show it.
    struct FeedFigure: Sendable {
        var name: String
        var phase: String
        var isLive: Bool
        var counters: FeedCounters
    }

    /// The chain is asked for this often.
    private static let chainNanos: Int64 = 60_000_000_000

    init(_ builder: FeedBuilder, ingest: IngestPoint, roster: PlanRoster) {
        configuration = builder.configuration
        loop = builder.loop
        logger = builder.logger
        self.ingest = ingest
        self.roster = roster
        marketClient = builder.marketClient()
        let flowClient = builder.flowClient()
        self.flowClient = flowClient
        feeds = builder.feeds(
            fetchFlow: flowClient.map { client in
                { path, done in Self.fetch(path, from: client, done) }
            }
        )
        names = feeds.map(\.source.tapeName)
        var quotas = UniverseQuotas()
        quotas.optionQuotes = builder.configuration.universe.optionQuotes
        quotas.bridgeLines = builder.configuration.universe.bridgeLines
        quotas.bridgeBooks = builder.configuration.universe.bridgeBooks
        keeper = UniverseKeeper(quotas: quotas)
        wishes.configured = builder.configuration.polygon.symbols
    }

    private static func fetch(_ path: String, from client: RESTClient, _ done: @escaping ([UInt8]?) -> Void) {
        guard let request = RESTRequest(target: path, entitlement: "flow alerts") else { return done(nil) }
        client.get(request, .repair, within: 30_000_000_000) { done((try? $0.get())?.body) }
    }

    /// The feeds' names, in the order of `figures`.
    let names: [String]

    /// What the feeds do, as of half a second ago.
    var figures: [FeedFigure] { shown.withLock { $0 } }

    func start() {
        for feed in feeds {
            // Until it is up, and after every start of the engine, nobody knows what is missed.
            ingest.feedChanged(feed.source, to: .down, cause: "the engine starts", at: SystemClock.wall())
        }
        if let marketClient {
            var limits = RepairBook.Limits()
            // The plans wait no longer than `feed.repairMs`.
            limits.answer = Int64(configuration.feed.repairMs) * 800_000
            desk = RepairDesk(client: marketClient, limits: limits, clock: { SystemClock.wall() }) { [weak self] in
                self?.repaired($0)
            }
            if configuration.engine.clock == .wall { startWarmUp(marketClient) }
        }
        if let path = configuration.engine.actionsFile {
            let (ingest, isWall) = (ingest, configuration.engine.clock == .wall)
            let now = { isWall ? SystemClock.wall() : ingest.numbering.received }
            actions = ActionDesk(path, ingest: ingest, loop: loop, now: now, logger: logger)
            actions?.start()
        }
        updateUniverse()
        for feed in feeds { feed.start() }
        loop.schedule(after: 1_000_000_000, repeating: 1_000_000_000) { [weak self] in self?.updateUniverse() }
        loop.schedule(after: 0, repeating: 500_000_000) { [weak self] in self?.show() }
        guard marketClient != nil, configuration.universe.chainStrikes > 0,
            configuration.polygon.markets.contains(.options)
        else { return }
        loop.schedule(after: 0, repeating: Self.chainNanos) { [weak self] in self?.refreshChains() }
    }

    func stop() {
        for feed in feeds { feed.stop() }
        desk?.stop()
        marketClient?.stop()
        flowClient?.stop()
    }

    private func show() {
        let now = feeds.map {
            FeedFigure(name: $0.source.tapeName, phase: $0.phaseName, isLive: $0.isLive, counters: $0.counters)
        }
        shown.withLock { $0 = now }
    }

    // MARK: Universe

    /// Somebody watches these channels now.
    func watched(_ channels: Set<Channel>) {
        let now = SystemClock.wall()
        for channel in channels where [.symbol, .bands, .contract].contains(channel.kind) {
            wishes.watched[channel.key] = now
        }
        wishes.watched = wishes.watched.filter { now.nanos(since: $0.value) <= UniverseWishes.watchNanos }
    }

    private func updateUniverse() {
        wishes.planned = roster.contracts
        wishes.chain = configuration.polygon.symbols.flatMap { chains[$0] ?? [] }
        guard let selection = keeper.update(wishes, now: SystemClock.wall()) else { return }
        for feed in feeds { feed.want(selection) }
        guard selection.unserved != unserved else { return }
        unserved = selection.unserved
        let lines = unserved.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        FeedLog.write(.unserved(lines), feed: "universe", to: logger)
    }

    private func refreshChains() {
        guard let client = marketClient else { return }
        let now = SystemClock.wall()
        let first = NewYork.local(now).date
        let last = NewYork.local(now.advanced(byNanos: Int64(configuration.universe.chainDays) * 86_400_000_000_000))
            .date
        for symbol in configuration.polygon.symbols {
            let filter = PolygonREST.ChainFilter(expiryFrom: first.yyyymmdd, expiryTo: last.yyyymmdd)
            let request = PolygonREST.chain(symbol, filter)
            RESTFetch.start(request, on: client, .warmUp, within: Self.chainNanos) { [weak self] result in
                self?.chained(symbol, request.target, last.yyyymmdd, result)
            }
        }
    }

    private func chained(
        _ symbol: String,
        _ url: String,
        _ lastExpiry: Int32,
        _ result: Result<RESTBody, RequestFailure>
    ) {
        switch result {
        case .failure(let failure):
            logger.warning("chain_failed", metadata: ["symbol": "\(symbol)", "cause": "\(failure.description)"])
        case .success(let body):
            ingest.answered(PolygonREST.sourceName, url: url, body: body.body, at: SystemClock.wall())
            guard let (contracts, spot) = ChainWindow.read(body.body) else { return }
            chains[symbol] = ChainWindow.select(
                contracts,
                spot: spot,
                strikes: configuration.universe.chainStrikes,
                lastExpiry: lastExpiry
            )
        }
    }

    // MARK: Repair and warm-up

    /// A core wants the bars of a gap.
    func requested(_ payload: [UInt8]) {
        guard let value = try? JSONParser.parse(payload), let symbol = value["symbol"]?.string,
            let from = value["from"]?.integer, let to = value["to"]?.integer
        else { preconditionFailure("a request of our own that isn't one") }
        let (start, end) = (Instant(nanos: from), Instant(nanos: to))
        if let desk {
            _ = desk.repair(symbol, from: start, to: end)
        } else {
            // Nobody can be asked: said at once, so that the plans don't wait.
            let request = PolygonREST.bars(symbol, .second, from: start, to: end)
            answer(PolygonREST.sourceName, request.target, nil)
        }
    }

    private func repaired(_ answer: RepairAnswer) {
        logger.notice(
            "gap_answered",
            metadata: [
                "symbol": "\(answer.symbol)", "bars": "\(answer.body != nil)", "covered": "\(answer.isCovered)",
                "cause": "\(answer.cause)",
            ]
        )
        self.answer(answer.source, answer.url, answer.body)
    }

    private func answer(_ source: String, _ url: String, _ body: [UInt8]?) {
        ingest.answered(source, url: url, body: body ?? Array("null".utf8), at: SystemClock.wall())
    }

    /// Says where the exchanges announce other days than the calendar has; a person decides.
    private func checkCalendar(_ body: [UInt8]) {
        guard let tree = RESTTree(body), let page = try? HolidayPage(tree) else { return }
        for difference in CalendarCheck(page.rows, calendar: SessionCalendar()).differences {
            logger.warning("calendar_differs", metadata: ["day": "\(difference)"])
        }
    }

    private func startWarmUp(_ client: RESTClient) {
        let warmUp = WarmUp(client: client) { [weak self] answer in
            guard let self else { return }
            if answer.body == nil {
                logger.warning(
                    "warm_up_failed",
                    metadata: ["item": "\(answer.item.rawValue)", "cause": "\(answer.cause)"]
                )
            }
            self.answer(answer.source, answer.url, answer.body)
            if answer.item == .holidays, let body = answer.body { checkCalendar(body) }
        }
        self.warmUp = warmUp
        warmUp.start()
        // The calendar is checked every day.
        loop.schedule(after: 86_400_000_000_000, repeating: 86_400_000_000_000) { warmUp.start() }
    }
}
