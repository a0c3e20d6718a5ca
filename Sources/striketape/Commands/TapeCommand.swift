internal import Application
internal import ArgumentParser
internal import Telemetry

/// `tape`: record and look at tapes.
struct TapeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tape",
        abstract: "Record and look at tapes.",
        subcommands: [Record.self, Info.self, Cat.self, Verify.self, Cut.self]
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

        @Argument(help: "Tapes, or directories of segments.", completion: .file())
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

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say everything that is wrong with a tape.",
            discussion: """
                Lines, checksums, ordinals, times, indexes and the chain of segments, of all files as one tape. One line a
                problem, file:line:byte, and a summary; ends with 1 where there is a problem.
                """
        )

        @Argument(help: "Tapes in order, or a directory of segments.", completion: .file())
        var files: [String]

        @Flag(help: "Print one JSON object.")
        var json = false

        @Flag(help: "No progress.")
        var quiet = false

        func run() throws {
            let check: TapeCheck
            do { check = try TapeCheck(files, progress: ProgressStyle.suited(quiet: quiet)) } catch {
                Terminal.error("\(error)")
                throw ExitCode.failure
            }
            print(json ? check.json : check.text)
            if !check.isGood { throw ExitCode.failure }
        }
    }

    struct Cut: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copy a part of a tape.",
            discussion: """
                Times are HH:MM[:SS] in New York on the tape's first day, ISO 8601 (2026-01-02T15:04:05Z) or nanoseconds;
                n:N is an ordinal. The end isn't included. With --symbol only what is about these underlyings is kept, their
                contracts included, and ordinals are left out. A damaged line is told and left out, and ends with 1.
                """
        )

        @Argument(help: "Tapes in order, or a directory of segments.", completion: .file())
        var files: [String]

        @Option(help: ArgumentHelp("The first line's time or ordinal.", valueName: "t|n:N"))
        var from: String?

        @Option(help: ArgumentHelp("Where it ends.", valueName: "t|n:N"))
        var to: String?

        @Option(
            parsing: .upToNextOption,
            help: ArgumentHelp("Keep only these underlyings, with their contracts.", valueName: "sym")
        )
        var symbol: [String] = []

        @Option(help: "The new tape, compressed if it ends in .zst; standard output without it.", completion: .file())
        var out: String?

        @Flag(help: "No progress.")
        var quiet = false

        func run() throws {
            let summary: TapeCut.Summary
            do {
                summary = try TapeCut.run(
                    TapeCut.Options(files: files, from: from, to: to, symbols: symbol, out: out),
                    progress: ProgressStyle.suited(quiet: quiet)
                )
            } catch {
                Terminal.error("\(error)")
                throw ExitCode.failure
            }
            for damage in summary.damage { Terminal.error(damage) }
            if summary.unreadable > 0 { Terminal.error("\(summary.unreadable) events without a symbol were left out") }
            if !summary.damage.isEmpty { throw ExitCode.failure }
        }
    }
}
