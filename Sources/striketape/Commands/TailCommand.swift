internal import Application
internal import ArgumentParser
internal import Foundation

/// `tail`: follow channels of a gateway.
struct TailCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Follow channels: plan:ID, plans, symbol:SYM, bands:SYM, contract:OCC, health.",
        discussion: "Connects again by itself after a loss. A key is taken from STRIKETAPE_GATEWAY_API_KEY."
    )

    @Argument(help: "Channels.")
    var channels: [String]

    @Option(help: ArgumentHelp("The gateway's WebSocket.", valueName: "ws://…"))
    var url = "ws://127.0.0.1:8700/ws"

    @Flag(help: "Print one envelope a line.")
    var json = false

    @OptionGroup var configuration: ConfigurationOptions

    func run() async throws {
        let loaded = try configuration.load()
        do {
            let tail = try Tail(
                url: url,
                channels: channels,
                key: loaded.configuration.gateway.apiKey,
                json: json,
                // Not `print`: whoever reads through a pipe must see each message as it comes.
                print: { line in try? FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8)) },
                note: { Terminal.error($0) }
            )
            let reason = await tail.follow(until: { await Interrupt.wait() })
            guard let reason else { return }
            Terminal.error(reason)
            throw ExitCode.failure
        } catch let error as TailError {
            Terminal.error("\(error)")
            throw ExitCode.failure
        }
    }
}
