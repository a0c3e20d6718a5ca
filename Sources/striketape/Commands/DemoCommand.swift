internal import Application
internal import ArgumentParser
internal import Foundation
internal import Telemetry

/// `demo`: everything in one process.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "A simulated market, the engine, the gateway and its page, and a few plans.",
        discussion: "Prints the page's address and every hit as it comes. Ctrl-C ends all of it."
    )

    @OptionGroup var market: MarketArguments

    @Option(help: "Symbols of a tape to follow; those of its first frames by default.")
    var follow: String?

    @Flag(help: "Keep tape, commit log and plans in state.dir; by default they go with the demo.")
    var keep = false

    @OptionGroup var configuration: ConfigurationOptions

    func run() async throws {
        let loaded = try configuration.load(
            options: [(key: "log.level", option: "demo", value: "error")],
            feedIsTape: true
        )
        var options = try market.options
        options.port = loaded.configuration.simulate.listen.port
        let log = LogSetup(loaded.configuration, sink: StandardErrorSink())
        do {
            let symbols = try follow.map { $0.split(separator: ",").map(String.init) } ?? options.followedSymbols()
            let demo = try Demo(
                loaded.configuration,
                market: options,
                symbols: symbols,
                log: log,
                keepsState: keep,
                say: { line in FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
            )
            try demo.start()
            await Interrupt.wait(hangup: true)
            print("Ending.")
            await demo.stop()
        } catch {
            Terminal.error(log.redactor.redact("\(error)"))
            throw ExitCode.failure
        }
    }
}
