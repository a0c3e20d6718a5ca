internal import Application
internal import ArgumentParser
internal import Telemetry

/// `tape`: record and look at tapes.
struct TapeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tape",
        abstract: "Record and look at tapes.",
        subcommands: [Record.self, Info.self, Cat.self]
    )

    struct Record: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Record what the provider sends, without an engine.",
            discussion: "Takes address, key, symbols and markets from the configuration. Ends with Ctrl-C."
        )

        @Argument(help: "The directory for the tape.", completion: .directory)
        var directory: String

        @OptionGroup var configuration: ConfigurationOptions

        func run() async throws {
            let loaded = try configuration.load()
            let log = LogSetup(loaded.configuration, sink: StandardErrorSink())
            do {
                let recording = try TapeRecording(loaded.configuration, directory: directory, log: log)
                recording.start()
                Terminal.error("recording to \(recording.path)")
                await Interrupt.wait()
                let (lines, failure) = recording.stop()
                Terminal.error("\(lines) lines")
                guard let failure else { return }
                Terminal.error(failure)
            } catch {
                Terminal.error(log.redactor.redact("\(error)"))
            }
            throw ExitCode.failure
        }
    }

    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What a tape holds: lines by kind, times, damage.")

        @Argument(help: "Tapes.", completion: .file())
        var files: [String]

        @Flag(help: "Print one JSON object a tape.")
        var json = false

        func run() throws {
            for file in files {
                do {
                    print(try TapeTools.info(file, json: json))
                } catch {
                    Terminal.error("\(error)")
                    throw ExitCode.failure
                }
            }
        }
    }

    struct Cat: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a tape's lines.",
            discussion: "A damaged line is told on standard error with its place; what is good is printed."
        )

        @Argument(help: "Tapes.", completion: .file())
        var files: [String]

        func run() throws {
            let damaged = try TapeTools.cat(files) { ProgressMeter.standardError("striketape: \($0)\n") }
            if damaged > 0 { throw ExitCode.failure }
        }
    }
}
