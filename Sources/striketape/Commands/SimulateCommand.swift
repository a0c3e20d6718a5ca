internal import Application
internal import ArgumentParser

/// The options of a simulated market, shared by `simulate` and `demo`.
struct MarketArguments: ParsableArguments {
    @Option(parsing: .upToNextOption, help: "Recorded tapes to play instead of the model.", completion: .file())
    var tape: [String] = []

    @Option(help: "Seed of the market model.")
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("Market seconds a second, or max.", valueName: "n|max"))
    var speed = "1"

    @Option(help: "Stocks of the model.")
    var symbols = 5

    func validate() throws {
        _ = try Speed(option: speed)
        guard (1...1_000).contains(symbols) else {
            throw ValidationError("--symbols: expected 1…1000, found \(symbols)")
        }
    }

    var options: MarketOptions {
        get throws {
            var options = MarketOptions()
            options.tapeFiles = tape
            options.seed = seed
            options.speed = try Speed(option: speed).factor
            options.symbolCount = symbols
            return options
        }
    }
}

/// `simulate`: a provider on loopback.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Serve a simulated market that speaks the providers' protocols.",
        discussion: """
            One port speaks for all: /stocks, /options, /indices and /v1 to /v3 for Polygon, /socket?token=… and /api
            for Unusual Whales, /ib/v1 for the bridge. The market begins with the first subscription. Point
            polygon.url at ws://127.0.0.1:PORT and set engine.clock: exchange. Ends with Ctrl-C.

            A scenario is a file of JSON lines: {"at":12.5,"provider":"polygon","mood":"reset","for":3}, or
            {"random":{"disconnects":200,"seed":7,"over":23400}}. Moods:
            \(MarketOptions.moodNames.joined(separator: ", ")).
            """
    )

    @OptionGroup var market: MarketArguments

    @Option(help: "Loopback port; 0 takes a free one.")
    var port: Int?

    @Option(help: ArgumentHelp("Which providers to simulate, comma separated; all by default.", valueName: "names"))
    var providers: String?

    @Option(help: ArgumentHelp("Events a market second of the model, on the day's average.", valueName: "events/s"))
    var rate = 200.0

    @Option(help: "JSON lines that say when which provider is in which mood.", completion: .file())
    var scenario: String?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Moods that hold from the start.", valueName: "name|provider:name")
    )
    var mood: [String] = []

    @Option(help: ArgumentHelp("New York time at which the model begins.", valueName: "hh:mm"))
    var start = "10:00"

    @Option(help: "Connections that must have subscribed before the market begins.")
    var startConnections = 1

    @Option(help: "The key that clients must show; any by default.")
    var key: String?

    @Flag(help: "End when the tapes have ended.")
    var once = false

    @OptionGroup var configuration: ConfigurationOptions

    func validate() throws {
        for name in providerNames where !MarketOptions.providerNames.contains(name) {
            let names = MarketOptions.providerNames.joined(separator: ",")
            throw ValidationError("--providers: expected some of \(names), found \(name)")
        }
        guard market.tape.isEmpty || (scenario == nil && mood.isEmpty) || providers == "polygon" else {
            throw ValidationError("--tape plays one provider only: say --providers polygon with --scenario or --mood")
        }
        guard startMinute != nil else { throw ValidationError("--start: expected HH:MM from 04:00, found \(start)") }
        guard (1...100).contains(startConnections) else {
            throw ValidationError("--start-connections: expected 1…100, found \(startConnections)")
        }
        guard rate > 0, rate <= 1_000_000 else {
            throw ValidationError("--rate: expected up to 1000000 events a second, found \(rate)")
        }
    }

    /// Those asked for; a tape has frames of one provider only.
    private var providerNames: [String] {
        providers?.split(separator: ",").map(String.init)
            ?? (market.tape.isEmpty ? MarketOptions.providerNames : ["polygon"])
    }

    private var startMinute: Int? {
        let parts = start.split(separator: ":").compactMap { Int($0) }
        guard parts.count == 2, (4..<20).contains(parts[0]), (0..<60).contains(parts[1]) else { return nil }
        return parts[0] * 60 + parts[1]
    }

    func run() async throws {
        let loaded = try configuration.load()
        var options = try market.options
        options.providers = providerNames
        options.scenarioFile = scenario
        options.moods = mood
        options.startMinute = startMinute ?? options.startMinute
        options.startConnections = startConnections
        options.rate = rate
        options.key = key
        options.host = loaded.configuration.simulate.listen.host
        options.port = port ?? loaded.configuration.simulate.listen.port
        let (ended, continuation) = AsyncStream<Void>.makeStream()
        let server = MarketServer(options, ended: { continuation.yield() })
        do { try server.start() } catch {
            Terminal.error("\(error)")
            throw ExitCode.failure
        }
        Terminal.line("ws://\(options.host):\(server.port)")
        if once {
            for await _ in ended { break }
        } else {
            await Interrupt.wait()
        }
        let counters = server.counters
        server.stop()
        Terminal.error("sent \(counters.frames) frames, \(counters.bytes) bytes; \(counters.cutClients) clients cut")
    }
}
