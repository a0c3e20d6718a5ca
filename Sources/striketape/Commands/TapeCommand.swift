internal import Application
internal import ArgumentParser

/// `tape`: look at recorded tapes.
struct TapeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tape",
        abstract: "Look at tapes.",
        subcommands: [Info.self, Cat.self]
    )

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
