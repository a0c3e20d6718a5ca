internal import Application
internal import ArgumentParser
internal import Glibc

/// The options of every command that reads the configuration.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("The configuration file (default: STRIKETAPE_CONFIG, else none).", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"])
    )
    var config: String?

    /// The configuration in force; an invalid one is shown and ends the command with 78.
    func load(
        options: [(key: String, option: String, value: String)] = [],
        feedIsTape: Bool = false
    ) throws -> LoadedConfiguration {
        do {
            return try ConfigurationFiles.load(path: config, options: options, feedIsTape: feedIsTape)
        } catch {
            Terminal.error(error.description)
            throw ExitCode.configuration
        }
    }
}

extension ExitCode {
    /// `EX_CONFIG` of sysexits.h.
    static let configuration = ExitCode(78)
}

/// What commands say to people besides their result.
enum Terminal {
    /// One message on standard error.
    static func error(_ message: String) { ProgressMeter.standardError("striketape: \(message)\n") }

    /// One line of a result that goes on: at once, also where standard output is a pipe or a file.
    static func line(_ text: String) {
        print(text)
        fflush(nil)
    }
}
