internal import Telemetry

/// Every key there is: the one place that names, explains, bounds and defaults them.
package enum ConfigurationSchema {
    /// What every environment variable of ours starts with.
    package static let environmentPrefix = "STRIKETAPE_"

    /// Whether a variable with our prefix that is no key was meant to be one: it names a section of ours.
    ///
    /// Others are left alone: tests and builds have variables of their own, and Kubernetes sets
    /// `STRIKETAPE_SERVICE_HOST` and its like for a service of our name.
    static func isMeantAsKey(_ variable: String) -> Bool {
        let rest = variable.dropFirst(environmentPrefix.count)
        return sections.contains { rest.hasPrefix($0.name.uppercased() + "_") }
    }

    /// All keys, grouped by section, in the order of the commented file.
    package static let keys: [ConfigurationKey] =
        provider + flow + bridge + universe + store + tape + engine + quotes + servers + log

    static let byName = Dictionary(uniqueKeysWithValues: keys.map { ($0.name, $0) })

    /// What each section is about, for the commented file.
    static let sections: [(name: String, help: String)] = [
        ("polygon", "The market data provider."),
        ("uw", "The flow feed."),
        ("ib", "The bridge to Interactive Brokers."),
        ("universe", "What is subscribed to beside the symbols followed, and how much at most."),
        ("redis", "The bus that other programs read."),
        ("state", "What survives a restart."),
        ("tape", "Segments of the run's tape, and how much of it is kept."),
        ("engine", "Clock, threads and limits of the engine."),
        ("nbbo", "How quotes are sampled."),
        ("feed", "When a feed counts as too late."),
        ("gateway", "The public listener: page, WebSocket and HTTP."),
        ("admin", "Health and metrics; never reachable from outside."),
        ("simulate", "The simulated provider; never reachable from outside."),
        ("log", "Lines on standard error."),
    ]

    private static let store: [ConfigurationKey] = [
        .url(
            "redis.url",
            \.redis.url,
            schemes: ["redis", "unix"],
            default: "",
            isSecret: true,
            "redis://user:password@host:port/db or unix:///path; without it an in-memory bus serves this process only."
        ),
        ConfigurationKey(
            name: "state.dir",
            help: "Directory of tape, commit log, plans and checkpoints.",
            allowed: "a path",
            defaultText: "state",
            isSecret: false,
            read: { input, configuration in
                guard case .text(let text) = input, !text.isEmpty, !text.utf8.contains(0) else { return "is no path" }
                configuration.state.dir = text
                return nil
            },
            show: { ConfigurationKey.yaml($0.state.dir) }
        ),
    ]

    private static let tape: [ConfigurationKey] = [
        .integer(
            "tape.segmentMb",
            \.tape.segmentMb,
            1...65_536,
            default: 256,
            "A segment of the tape ends at this size, and with each day of New York."
        ),
        .integer(
            "tape.level",
            \.tape.level,
            -7...19,
            default: 3,
            "Level of zstd for closed segments; -1 above 300,000 events a second."
        ),
        .integer(
            "tape.keepDays",
            \.tape.keepDays,
            0...36_500,
            default: 0,
            "Closed segments older than so many days go, unless a restart needs them; 0 keeps all."
        ),
        .integer(
            "tape.keepGb",
            \.tape.keepGb,
            0...1_000_000,
            default: 0,
            "The oldest closed segments go beyond this size, unless a restart needs them; 0 keeps all."
        ),
        ConfigurationKey(
            name: "tape.recordDir",
            help: "A second recording of the same lines goes there, kept by the same rules; run --record sets it.",
            allowed: "a path",
            defaultText: "",
            isSecret: false,
            read: { input, configuration in
                guard case .text(let text) = input, !text.isEmpty, !text.utf8.contains(0) else { return "is no path" }
                configuration.tape.recordDir = text
                return nil
            },
            show: { $0.tape.recordDir.map(ConfigurationKey.yaml) ?? "" }
        ),
    ]

    private static let engine: [ConfigurationKey] = [
        .choice(
            "engine.clock",
            \.engine.clock,
            default: .wall,
            "Receive time of a live run; exchange is for recorded tapes and is refused with a feed that isn't on loopback."
        ),
        ConfigurationKey(
            name: "engine.shards",
            help: "Threads that run symbols; auto is one less than the processors, at least 1.",
            allowed: "auto | 1…256",
            defaultText: "auto",
            isSecret: false,
            read: { input, configuration in
                guard case .text(let text) = input else { return "is not a number" }
                if text == "auto" {
                    configuration.engine.shards = nil
                    return nil
                }
                guard let number = Int(text) else { return "is neither auto nor a whole number" }
                guard (1...256).contains(number) else { return "is out of range" }
                configuration.engine.shards = number
                return nil
            },
            show: { $0.engine.shards.map(String.init) ?? "auto" }
        ),
        .integer(
            "engine.publishMs",
            \.engine.publishMs,
            50...60_000,
            multipleOf: 50,
            default: 50,
            "A conflatable channel is published at most this often; a multiple of the 50 ms clock grid."
        ),
        .integer(
            "engine.checkpointS",
            \.engine.checkpointS,
            1...3600,
            default: 60,
            "Symbol states are saved this often."
        ),
        .integer(
            "engine.mailboxEvents",
            \.engine.mailboxEvents,
            1024...16_777_216,
            default: 65_536,
            "Events that may wait for one shard; beyond it the reader waits, and that is counted."
        ),
        .integer(
            "engine.maxPlans",
            \.engine.maxPlans,
            1...10_000_000,
            default: 1_000_000,
            "Live plans; more are refused."
        ),
        ConfigurationKey(
            name: "engine.actionsFile",
            help:
                "Corporate actions, a JSON array of {symbol, exDate, ratio: [numerator, denominator]}; without ratio: to review.",
            allowed: "a path",
            defaultText: "",
            isSecret: false,
            read: { input, configuration in
                guard case .text(let text) = input, !text.isEmpty, !text.utf8.contains(0) else { return "is no path" }
                configuration.engine.actionsFile = text
                return nil
            },
            show: { $0.engine.actionsFile.map { ConfigurationKey.yaml($0) } ?? "" }
        ),
        .integer(
            "engine.maxSymbols",
            \.engine.maxSymbols,
            1...1_000_000,
            default: 50_000,
            "Symbols and option contracts together; events of further ones are dropped and counted."
        ),
    ]

    private static let quotes: [ConfigurationKey] = [
        .integer(
            "nbbo.sampleMs",
            \.nbbo.sampleMs,
            50...10_000,
            default: 250,
            "Grid of quote samples, in receive time."
        ),
        .integer(
            "nbbo.staleMs",
            \.nbbo.staleMs,
            100...600_000,
            default: 2000,
            "An equity quote older than this is stale."
        ),
        .integer(
            "nbbo.optionStaleMs",
            \.nbbo.optionStaleMs,
            100...600_000,
            default: 15_000,
            "An option quote older than this is stale."
        ),
        .integer(
            "feed.lagMaxMs",
            \.feed.lagMaxMs,
            0...600_000,
            default: 2000,
            "A feed that lags more makes plans blind; 0 looks at no lag (delayed feeds)."
        ),
        .integer(
            "feed.repairMs",
            \.feed.repairMs,
            1_000...86_400_000,
            default: 10_000,
            "Plans wait so long for the bars of a gap, in receive time; then what they see has an uncertain time."
        ),
        .integer(
            "feed.backoffMs",
            \.feed.backoffMs,
            10...60_000,
            default: 1_000,
            "The pause before a feed's first new attempt; it doubles up to thirty times as much. The flow feed takes five times it."
        ),
    ]

    private static let servers: [ConfigurationKey] = [
        .address(
            "gateway.listen",
            \.gateway.listen,
            default: "127.0.0.1:8700",
            "Public listener; an address beyond loopback needs gateway.apiKey."
        ),
        .secret(
            "gateway.apiKey",
            \.gateway.apiKey,
            minimum: 16,
            "Key of the callers; without one every caller on loopback is the user local."
        ),
        .integer(
            "gateway.flushMs",
            \.gateway.flushMs,
            0...5000,
            default: 0,
            "Subscribers are written to this often; 0 at the end of each turn of the loop."
        ),
        .integer(
            "gateway.maxConnections",
            \.gateway.maxConnections,
            1...1_000_000,
            default: 10_000,
            "Sockets at once; further ones are accepted and closed with 1013."
        ),
        .list(
            "gateway.allowedOrigins",
            \.gateway.allowedOrigins,
            allowed: "http(s)://host[:port], exact",
            default: "[]",
            item: { isOrigin($0) ? $0 : nil },
            text: { $0 },
            "Pages that may connect; empty means pages that the gateway served."
        ),
        .list(
            "gateway.allowedHosts",
            \.gateway.allowedHosts,
            allowed: "host[:port], exact",
            default: "[]",
            item: { isHost($0) ? $0 : nil },
            text: { $0 },
            "Host headers that are answered; empty means the names of the listener."
        ),
        .address("admin.listen", \.admin.listen, default: "127.0.0.1:8701", "Admin listener, on loopback."),
        .address("simulate.listen", \.simulate.listen, default: "127.0.0.1:8702", "Simulated provider, on loopback."),
    ]

    private static let log: [ConfigurationKey] = [
        .choice("log.level", \.log.level, default: .info, "The least severe event that is logged."),
        .choice("log.format", \.log.format, default: .logfmt, "Form of a line."),
    ]

    private static func isOrigin(_ text: String) -> Bool {
        for scheme in ["http://", "https://"] where text.hasPrefix(scheme) {
            return isHost(String(text.dropFirst(scheme.count)))
        }
        return false
    }

    private static func isHost(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 255
            && text.utf8.allSatisfy { isAlphanumeric($0) || ".:-[]".utf8.contains($0) }
    }

    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }
}
