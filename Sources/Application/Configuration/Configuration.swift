package import Telemetry

/// Everything that can be set, typed and already validated: read once at start, constant thereafter.
///
/// The keys, their ranges, defaults and explanations stand in one table, `ConfigurationSchema.keys`.
package struct Configuration: Sendable, Equatable {
    package var polygon = Polygon()
    package var uw = UW()
    package var ib = IB()
    package var universe = Universe()
    package var redis = Redis()
    package var state = State()
    package var tape = Tape()
    package var engine = Engine()
    package var nbbo = NBBO()
    package var feed = Feed()
    package var gateway = Gateway()
    package var admin = Admin()
    package var simulate = Simulate()
    package var log = Log()

    package init() {}

    /// The market data provider.
    package struct Polygon: Sendable, Equatable {
        package var url: ServiceURL?
        package var apiKey: Secret?
        package var symbols: [String] = []
        package var markets: [Market] = []
        package var restURL: ServiceURL?
        package var requestsPerMinute = 0
    }

    /// The flow feed; not connected without a token.
    package struct UW: Sendable, Equatable {
        package var url: ServiceURL?
        package var token: Secret?
        package var channels: [String] = []
        package var restURL: ServiceURL?
    }

    /// The bridge to Interactive Brokers; not connected without a URL.
    package struct IB: Sendable, Equatable {
        package var url: ServiceURL?
        package var token: Secret?
    }

    /// What is subscribed to, and how much at most.
    package struct Universe: Sendable, Equatable {
        package var optionQuotes = 0
        package var bridgeLines = 0
        package var bridgeBooks = 0
        package var chainStrikes = 0
        package var chainDays = 0
    }

    /// What can be joined at the flow feed.
    static let flowChannels: Set<String> = [
        "option_trades", "flow-alerts", "price", "news", "gex", "gex_strike", "gex_strike_expiry", "lit_trades",
        "off_lit_trades", "trading_halts",
    ]

    /// A cluster of the provider, one socket each.
    package enum Market: String, Sendable, CaseIterable {
        case stocks
        case options
        case indices
    }

    /// The bus; nil is the in-memory twin, for one process.
    package struct Redis: Sendable, Equatable {
        package var url: ServiceURL?
    }

    /// Where tape, commit log and checkpoints live.
    package struct State: Sendable, Equatable {
        package var dir = ""
    }

    /// How the run's tape is cut into segments and how much of it is kept; the second recording's too.
    package struct Tape: Sendable, Equatable {
        package var segmentMb = 0
        package var level = 0
        /// 0: all.
        package var keepDays = 0
        /// 0: all.
        package var keepGb = 0
        /// A second recording of the same lines; nil: none.
        package var recordDir: String?
    }

    /// What a live run takes as receive time (architecture.md 4).
    package enum Clock: String, Sendable, CaseIterable {
        case wall
        case exchange
    }

    /// The engine's clock, threads and limits.
    package struct Engine: Sendable, Equatable {
        package var clock = Clock.wall
        /// nil: one less than the processors.
        package var shards: Int?
        package var publishMs = 0
        package var checkpointS = 0
        package var mailboxEvents = 0
        package var maxPlans = 0
        /// Splits and dividends by day; nil for none.
        package var actionsFile: String?
        package var maxSymbols = 0

        /// The number of shards on a machine with `processors` cores.
        package func shardCount(processors: Int) -> Int { shards ?? max(1, processors - 1) }
    }

    /// How quotes are sampled and when they are too old.
    package struct NBBO: Sendable, Equatable {
        package var sampleMs = 0
        package var staleMs = 0
        package var optionStaleMs = 0
    }

    /// When a feed's lag makes plans blind.
    package struct Feed: Sendable, Equatable {
        package var lagMaxMs = 0
        package var repairMs = 0
        package var backoffMs = 0
    }

    /// The public listener.
    package struct Gateway: Sendable, Equatable {
        package var listen = ListenAddress(host: "127.0.0.1", port: 0)
        package var apiKey: Secret?
        package var flushMs = 0
        package var maxConnections = 0
        package var allowedOrigins: [String] = []
        package var allowedHosts: [String] = []
    }

    /// The listener for health and metrics, on loopback only.
    package struct Admin: Sendable, Equatable {
        package var listen = ListenAddress(host: "127.0.0.1", port: 0)
    }

    /// The simulated provider, on loopback only.
    package struct Simulate: Sendable, Equatable {
        package var listen = ListenAddress(host: "127.0.0.1", port: 0)
    }

    /// The log on standard error.
    package struct Log: Sendable, Equatable {
        package var level = LogLevel.info
        package var format = LogFormat.logfmt
    }

    /// The least severe event that is logged.
    package enum LogLevel: String, Sendable, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }

    /// The exact `Host` headers that the gateway accepts: those configured, else the names of a loopback listener.
    package var gatewayHosts: [String] {
        guard gateway.allowedHosts.isEmpty else { return gateway.allowedHosts }
        guard gateway.listen.isLoopback else { return [gateway.listen.description] }
        return ["127.0.0.1", "localhost", "[::1]"].map { "\($0):\(gateway.listen.port)" }
    }

    /// The exact `Origin` headers that the gateway accepts: those configured, else pages it served itself.
    package var gatewayOrigins: [String] {
        gateway.allowedOrigins.isEmpty ? gatewayHosts.map { "http://\($0)" } : gateway.allowedOrigins
    }

    /// Makes every secret known to the redactor, before the first line is logged.
    package func registerSecrets(with redactor: SecretRedactor) {
        for secret in [polygon.apiKey, uw.token, ib.token, gateway.apiKey, redis.url?.password] {
            if let secret { redactor.register(secret.reveal()) }
        }
    }
}
