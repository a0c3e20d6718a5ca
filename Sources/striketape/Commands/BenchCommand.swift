internal import Application
internal import ArgumentParser

/// `bench`: how much the engine does in a second of CPU time.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure the hot paths on this machine.",
        discussion: "Figures are events per CPU-second: wall time on a shared machine says little.",
        subcommands: [Decode.self, EngineRun.self, Plans.self, FanoutRun.self]
    )

    struct Output: ParsableArguments {
        @Flag(help: "Print one JSON object a line.")
        var json = false

        @Option(help: "How often to measure; each run is printed.")
        var runs = 3

        func show(_ measure: () throws -> [BenchFigure]) throws {
            for _ in 0..<max(1, runs) {
                do {
                    for figure in try measure() { print(json ? figure.json : figure.text) }
                } catch {
                    Terminal.error("\(error)")
                    throw ExitCode.failure
                }
            }
        }
    }

    struct Decode: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Bytes to events, on one thread.")

        @Argument(help: "A tape, or frames one a line; without it a generated mix.", completion: .file())
        var file: String?

        @OptionGroup var output: Output

        func run() throws {
            let frames = try Bench.frames(file)
            try output.show { [Bench.decode(frames, allocator: ProcessAllocator.counter)] }
        }
    }

    struct EngineRun: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "engine",
            abstract: "Bytes to released outputs: decoder, shards, analytics, plans, Sequencer; all threads."
        )

        @Argument(help: "A tape, or frames one a line; without it a generated mix.", completion: .file())
        var file: String?

        @Option(help: "How many shards apply the events.")
        var shards = 1

        @Option(help: "Plans, spread over the symbols.")
        var plans = 1_000

        @OptionGroup var output: Output
        @OptionGroup var configuration: ConfigurationOptions

        func run() throws {
            let settings = OutputSettings(try configuration.load(feedIsTape: true).configuration)
            let frames = try Bench.frames(file)
            try output.show {
                [try Bench.engine(frames, shards: shards, planCount: plans, settings: settings)]
            }
        }
    }

    struct Plans: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What a tick costs with this many armed plans, beside 100, and what a hit costs."
        )

        @Argument(help: "How many plans.")
        var count: Int

        @OptionGroup var output: Output

        func validate() throws {
            guard (1...2_000_000).contains(count) else {
                throw ValidationError("expected 1…2,000,000 plans, found \(count)")
            }
        }

        func run() throws {
            let bench = try PlanBench(count: count)
            try output.show { bench.measure() }
        }
    }

    struct FanoutRun: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "fanout",
            abstract: "What a delivery costs the gateway, with many subscribers over loopback sockets.",
            discussion: """
                Without --url a gateway over the bus in memory in this process; its CPU time is that of its loop. With --url a
                running one; its CPU time needs --process. A key is taken from STRIKETAPE_GATEWAY_API_KEY.
                """
        )

        @Option(help: "Subscribers; each follows all channels.")
        var connections = 500

        @Option(help: "Symbols that the gateway in this process has.")
        var symbols = 8

        @Option(help: "Plans that the gateway in this process has, each hit once a second.")
        var plans = 4

        @Option(help: "Messages a second of each symbol.")
        var rate = 20

        @Option(help: "How long a run measures.")
        var seconds = 5

        @Option(help: ArgumentHelp("A running gateway's WebSocket.", valueName: "ws://…"))
        var url: String?

        @Option(help: ArgumentHelp("A channel of the running gateway; several are allowed.", valueName: "symbol:SYM"))
        var channel: [String] = []

        @Option(help: ArgumentHelp("The running gateway's process.", valueName: "pid"))
        var process: Int32?

        @OptionGroup var output: Output
        @OptionGroup var configuration: ConfigurationOptions

        func run() throws {
            var options = FanoutOptions()
            options.connections = connections
            options.symbols = symbols
            options.plans = plans
            options.beatsPerSecond = rate
            options.seconds = seconds
            options.url = url
            options.channels = channel
            options.process = process
            options.key = url == nil ? nil : try configuration.load().configuration.gateway.apiKey
            let asked = options
            try output.show { [try Fanout.run(asked)] }
        }
    }
}
