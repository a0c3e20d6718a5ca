internal import Application
internal import ArgumentParser

/// `config`: write, check and show the configuration.
struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Write, check or show the configuration.",
        subcommands: [Init.self, Check.self, Show.self]
    )

    /// `config init`: a commented file with every key at its default.
    struct Init: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a commented file with every key at its default."
        )

        @Argument(help: "The file to write; - for standard output.", completion: .file(extensions: ["yaml"]))
        var file = "striketape.yaml"

        @Flag(help: "Overwrite the file if it exists.")
        var force = false

        func run() throws {
            guard file != "-" else {
                print(ConfigurationText.template, terminator: "")
                return
            }
            do {
                try ConfigurationFiles.write(ConfigurationText.template, to: file, overwrite: force)
            } catch {
                Terminal.error(error.description)
                throw ExitCode.failure
            }
            print("wrote \(file)")
        }
    }

    /// `config check`: all problems at once.
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the configuration; every problem is listed.",
            discussion: "Exits with 78 where it is invalid. Notes say what a live run would still need."
        )

        @OptionGroup var options: ConfigurationOptions

        func run() throws {
            let loaded = try options.load()
            print("configuration is valid")
            for note in loaded.configuration.missingForRun { print("note: \(note)") }
        }
    }

    /// `config show`: what is in force, and why.
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what is in force and where each value came from; secrets are redacted."
        )

        @OptionGroup var options: ConfigurationOptions

        @Flag(help: "Print one JSON object.")
        var json = false

        func run() throws {
            let loaded = try options.load()
            if json {
                print(ConfigurationText.json(loaded))
            } else {
                print(ConfigurationText.yaml(loaded), terminator: "")
            }
        }
    }
}
