internal import Engine
internal import Feeds
internal import Gateway
internal import Journal
internal import Logging
internal import MarketData
internal import Network
internal import Primitives
internal import Telemetry

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

/// The feeds' figures at `/metrics`.
enum FeedMetrics {
    static func register(_ supervisor: FeedSupervisor, in metrics: MetricsRegistry) {
        for (place, name) in supervisor.names.enumerated() {
            func observe(
                _ metric: String,
                _ help: String,
                _ read: @escaping @Sendable (FeedSupervisor.FeedFigure) -> Int64
            ) {
                metrics.observe("feed_\(metric)", help: help, labels: [MetricLabel("feed", name)]) {
                    let figures = supervisor.figures
                    return place < figures.count ? read(figures[place]) : 0
                }
            }
            observe("live", "1 while the feed is connected and all it was asked for is acknowledged.") {
                $0.isLive ? 1 : 0
            }
            observe("attempts_total", "Connections begun.") { $0.counters.attempts }
            observe("connections_total", "Handshakes done.") { $0.counters.connections }
            observe("frames_total", "Frames received of the feed.") { $0.counters.frames }
            observe("filtered_frames_total", "Frames of what nobody wants, dropped before they were queued.") {
                $0.counters.filtered
            }
            observe("alerts_total", "Things that a person should look at.") { $0.counters.alerts }
            observe("refusals_total", "Instruments or channels that the provider refused.") { $0.counters.refusals }
        }
    }
}
