internal import Application
internal import ArgumentParser
internal import Telemetry

/// `run`: the live process.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the engine and the gateway.",
        discussion: """
            Connects to the configured provider, or takes a recorded tape as the feed. Goes on where an earlier run with
            the same state.dir stopped or was killed. Ends with Ctrl-C or SIGTERM.
            """
    )

    @Option(help: ArgumentHelp("engine, gateway; both by default.", valueName: "role,…"))
    var roles = "engine,gateway"

    @Option(parsing: .upToNextOption, help: "Tapes as the feed (engine.clock: exchange).", completion: .file())
    var tape: [String] = []

    @Option(help: "Record every input there too (tape.recordDir).", completion: .directory)
    var record: String?

    @OptionGroup var options: ConfigurationOptions

    func validate() throws { _ = try parsedRoles() }

    func run() async throws {
        var given = tape.isEmpty ? [] : [(key: "engine.clock", option: "--tape", value: "exchange")]
        if let record { given.append((key: "tape.recordDir", option: "--record", value: record)) }
        let loaded = try options.load(options: given, feedIsTape: !tape.isEmpty)
        let log = LogSetup(loaded.configuration, sink: StandardErrorSink())
        let live = LiveRun(loaded.configuration, roles: try parsedRoles(), tapeFiles: tape, log: log)
        do {
            try live.start()
        } catch {
            Terminal.error(log.redactor.redact("\(error)"))
            throw ExitCode.failure
        }
        await Interrupt.wait()
        await live.stop()
    }

    private func parsedRoles() throws -> Roles {
        var roles: Roles = []
        for name in self.roles.split(separator: ",") {
            switch name {
            case "engine": roles.insert(.engine)
            case "gateway": roles.insert(.gateway)
            default: throw ValidationError("--roles: expected engine or gateway, found \(name)")
            }
        }
        guard !roles.isEmpty else { throw ValidationError("--roles: expected engine, gateway or both") }
        return roles
    }
}
