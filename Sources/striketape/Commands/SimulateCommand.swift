internal import Application
internal import ArgumentParser

/// The options of a simulated market, shared by `simulate` and `demo`.
struct MarketArguments: ParsableArguments {
    @Option(parsing: .upToNextOption, help: "Recorded tapes to play instead of a walk.", completion: .file())
    var tape: [String] = []

    @Option(help: "Seed of the walk.")
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("Market seconds a second, or max.", valueName: "n|max"))
    var speed = "1"

    @Option(help: "Stocks of the walk.")
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
        abstract: "Serve a simulated market that speaks the provider's protocol.",
        discussion: """
            The market begins with the first subscription. Point polygon.url at ws://127.0.0.1:PORT and set
            engine.clock: exchange. Ends with Ctrl-C.
            """
    )

    @OptionGroup var market: MarketArguments

    @Option(help: "Loopback port; 0 takes a free one.")
    var port: Int?

    @Option(help: "Which providers to simulate.")
    var providers = "polygon"

    @Option(help: ArgumentHelp("Events a second of the walk.", valueName: "events/s"))
    var rate = 200.0

    @Option(help: "The key that clients must show; any by default.")
    var key: String?

    @Flag(help: "End when the tapes have ended.")
    var once = false

    @OptionGroup var configuration: ConfigurationOptions

    func validate() throws {
        guard providers == "polygon" else {
            throw ValidationError("--providers: expected polygon, found \(providers)")
        }
        guard rate > 0, rate <= 1_000_000 else {
            throw ValidationError("--rate: expected up to 1000000 events a second, found \(rate)")
        }
    }

    func run() async throws {
        let loaded = try configuration.load()
        var options = try market.options
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
