internal import Bus
internal import Engine
internal import FeedProtocols
internal import Feeds
internal import Foundation
internal import Gateway
internal import Journal
internal import Logging
internal import MarketData
internal import Network
internal import Primitives
internal import Telemetry

/// Which parts of the system this process is.
package struct Roles: OptionSet, Sendable {
    package let rawValue: Int

    package init(rawValue: Int) { self.rawValue = rawValue }

    package static let engine = Roles(rawValue: 1)
    package static let gateway = Roles(rawValue: 2)
    package static let all: Roles = [.engine, .gateway]
}

/// A live process: engine, bus and gateway joined as configured (`striketape run`).
package final class LiveRun: @unchecked Sendable {
    // Owner of the unchecked state: whoever calls `start` and `stop`, one after the other; feeds live on the feed loop.
    private let configuration: Configuration
    private let roles: Roles
    private let tapeFiles: [String]
    private let logger: Logger
    private let busLoop = EventLoop(name: "bus")
    private let gatewayLoop = EventLoop(name: "gateway")
    private let metrics = MetricsRegistry()
    private var host: EngineHost?
    private var bus: (any MessageBus)?
    private var control: EngineControl?
    private var gateway: Gateway?
    private var supervisor: FeedSupervisor?
    /// Where there is no gateway.
    private var admin: AdminListener?
    private var tapeFeed: TapeFeed?

    /// A run that stands still; `tapeFiles` are the feed instead of a provider, empty for a provider.
    package init(_ configuration: Configuration, roles: Roles, tapeFiles: [String], log: LogSetup) {
        self.configuration = configuration
        self.roles = roles
        self.tapeFiles = tapeFiles
        logger = log.logger("run")
    }

    /// Where the gateway listens: known after `start`.
    package var gatewayPort: Int? { gateway.flatMap { try? $0.ports().public } }

    /// Where health and metrics are: known after `start`.
    package var adminPort: Int? { (gateway.flatMap { try? $0.ports().admin } ?? (try? admin?.port()) ?? nil) }

    /// Recovers, connects, listens.
    ///
    /// - Throws: `RunError`, `JournalError`, `GatewayError`, `BusError`: each says what can't be had, and where.
    package func start() throws {
        for file in tapeFiles where !FileManager.default.isReadableFile(atPath: file) {
            throw RunError("\(file): can't be read; --tape expects a recorded tape")
        }
        ProcessMetrics.register(in: metrics)
        busLoop.start()
        if roles.contains(.engine) {
            let host = try makeHost()
            self.host = host
            logger.info("recovering", metadata: ["state": "\(configuration.state.dir)"])
            try host.recover()
            logger.info(
                "recovered",
                metadata: [
                    "n": "\(host.recovered.lastN)", "checkpoint": "\(host.recovered.checkpointN)",
                    "tape_from": "\(host.recovered.doorN)", "tape_lines": "\(host.recovered.tapeLines)",
                ]
            )
            RunMetrics.register(host, in: metrics)
        } else {
            guard configuration.redis.url != nil else {
                throw RunError("roles without engine need redis.url: the bus in memory serves one process only")
            }
            bus = try makeBus(nil)
        }
        guard let bus else { preconditionFailure("a run without a bus") }
        if let host {
            let recordsBus = tapeFiles.isEmpty && configuration.redis.url != nil
            control = EngineControl(host: host, bus: bus, recordsBus: recordsBus, logger: logger)
        }
        if let host, tapeFiles.isEmpty { try makeFeeds(host) }
        RunMetrics.register(bus, in: metrics)
        gatewayLoop.start()
        if roles.contains(.gateway) { try startGateway(on: bus) } else { try startAdmin() }
        bus.start(engine: control, subscriber: gateway)
        if let host {
            host.busStarted()
            host.start()
            host.feedLoop.execute { [self] in startFeeds(host) }
        }
        logger.info(
            "running",
            metadata: [
                "gateway": "\(gatewayPort.map(String.init) ?? "none")",
                "admin": "\(adminPort.map(String.init) ?? "none")",
            ]
        )
    }

    /// Drains the gateway, ends the feeds, commits what is under way.
    package func stop() async {
        logger.info("stopping")
        await gateway?.drain()
        if let host {
            let supervisor = supervisor
            host.feedLoop.execute { supervisor?.stop() }
            host.stop()
        }
        await bus?.stop()
        gateway?.stop()
        admin?.stop()
        for loop in [busLoop, gatewayLoop] {
            loop.stop()
            loop.join()
        }
        logger.info("stopped")
    }

    // MARK: Parts

    private func makeHost() throws -> EngineHost {
        var served: Set<String>?
        if tapeFiles.isEmpty {
            guard configuration.missingForRun.isEmpty else {
                throw RunError(configuration.missingForRun.joined(separator: "; "))
            }
            served = Set(configuration.polygon.symbols)
        }
        var failure: (any Error)?
        let host = try EngineHost(
            configuration,
            servedSymbols: served,
            makeBus: { log in
                do {
                    let bus = try makeBus(log)
                    self.bus = bus
                    return bus
                } catch {
                    failure = error
                    return MemoryBus()
                }
            },
            commitSeconds: metrics.histogram("commit_seconds", help: "Tape and store of a group, until on the disk."),
            logger: logger
        )
        if let failure { throw failure }
        return host
    }

    private func makeBus(_ log: (any DurableLog)?) throws -> any MessageBus {
        guard let url = configuration.redis.url else {
            logger.notice("bus_in_memory", metadata: ["note": "no redis.url: this process serves alone"])
            return MemoryBus(log: log)
        }
        return RedisBus(options: RedisOptions(url: try RedisURL(url.revealed())), loop: busLoop, log: log)
    }

    private func startGateway(on bus: any MessageBus) throws {
        var seams = makeSeams()
        let logger = logger
        seams.log = { event, fields in
            logger.info("\(event)", metadata: Dictionary(fields.map { ($0.0, "\($0.1)") }, uniquingKeysWith: { $1 }))
        }
        let gateway = Gateway(
            configuration: GatewayConfiguration(configuration, served: tapeFiles.isEmpty),
            bus: bus,
            loop: gatewayLoop,
            seams: seams
        )
        try gateway.start()
        self.gateway = gateway
    }

    /// Makes the feeds that start once everything behind them stands.
    private func makeFeeds(_ host: EngineHost) throws {
        let lease = try Leases.make(
            configuration,
            owner: Leases.owner(stateDirectory: configuration.state.dir),
            loop: busLoop
        )
        let builder = FeedBuilder(
            configuration: configuration,
            loop: host.feedLoop,
            sink: host.engine.ingest,
            logger: logger,
            lease: lease
        )
        let supervisor = FeedSupervisor(builder, ingest: host.engine.ingest, roster: host.sink.roster)
        self.supervisor = supervisor
        FeedMetrics.register(supervisor, in: metrics)
        host.sink.connect { payload in host.feedLoop.execute { supervisor.requested(payload) } }
        control?.watched = { channels in host.feedLoop.execute { supervisor.watched(channels) } }
    }

    private func startAdmin() throws {
        var seams = makeSeams()
        let dependencies = seams.dependencies
        let control = control
        // With a gateway it is the gateway that says how the bus is doing.
        seams.dependencies = { (control.map { [$0.busDependency] } ?? []) + dependencies() }
        let admin = AdminListener(loop: gatewayLoop, seams: seams)
        try admin.start(host: configuration.admin.listen.host, port: configuration.admin.listen.port)
        self.admin = admin
    }

    private func makeSeams() -> GatewaySeams {
        var seams = GatewaySeams()
        let metrics = metrics
        seams.metrics = { metrics.exposition() }
        seams.dependencies = { [weak self] in self?.dependencies ?? [] }
        return seams
    }

    /// Feed loop thread.
    private func startFeeds(_ host: EngineHost) {
        guard tapeFiles.isEmpty else {
            let logger = logger
            let feed = TapeFeed(
                tapeFiles,
                ingest: host.engine.ingest,
                loop: host.feedLoop,
                skipping: host.recovered,
                ended: { error in
                    if let error {
                        logger.error("tape_failed", metadata: ["error": "\(error)"])
                    } else {
                        logger.notice("tape_ended")
                    }
                }
            )
            tapeFeed = feed
            feed.start()
            return
        }
        guard let supervisor else { preconditionFailure("a live run without feeds") }
        supervisor.start()
    }

    private var dependencies: [Dependency] {
        var found: [Dependency] = []
        for feed in supervisor?.figures ?? [] {
            found.append(Dependency(name: "feed.\(feed.name)", isReady: feed.isLive, detail: feed.phase))
        }
        if let host {
            let health = host.sequencer.health
            found.append(Dependency(name: "journal", isReady: health == .durable, detail: "\(health)"))
            // A recording that fails is told, but takes nobody's prices away: the engine is as ready as before.
            if let status = host.second?.status {
                found.append(Dependency(name: "record", isReady: true, detail: status.failure ?? "recording"))
            }
        }
        return found
    }
}
