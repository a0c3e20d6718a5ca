internal import Application
internal import ArgumentParser

/// `replay`: runs tapes through the engine.
struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Run recorded tapes through the engine.",
        discussion: """
            The same tape gives the same messages, at any speed and on any number of shards; `digest` shows it.
            Exits with 1 where a tape is damaged; what stood before the damage was run.
            """
    )

    @Argument(help: "Tapes, in order (.jsonl or .jsonl.zst).", completion: .file())
    var files: [String]

    @Option(help: ArgumentHelp("Tape seconds a second, or max.", valueName: "n|max"))
    var speed = "max"

    @Option(help: ArgumentHelp("A JSON array of plans, made before the first event.", valueName: "file"))
    var plans: String?

    @Option(help: ArgumentHelp("Write every message there, one envelope a line.", valueName: "file"))
    var out: String?

    @Option(help: ArgumentHelp("Read every symbol's figures at these New York times.", valueName: "hh:mm,…"))
    var checkpoints: String?

    @Option(help: "How many shards apply the events.")
    var shards = 1

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(help: "No progress.")
    var quiet = false

    @OptionGroup(title: "Settings (without --config those on the tape)")
    var configuration: ConfigurationOptions

    func validate() throws {
        guard (1...64).contains(shards) else { throw ValidationError("--shards: expected 1…64, found \(shards)") }
        _ = try Speed(option: speed)
        if let checkpoints { _ = try NewYorkTimes(option: checkpoints) }
    }

    func run() throws {
        let loaded = try configuration.load(feedIsTape: true)
        var options = ReplayOptions(files: files, shards: shards)
        // A file that was asked for wins over what the tape says; without one the tape's settings make live = replay.
        if configuration.config != nil { options.settings = OutputSettings(loaded.configuration) }
        options.fallback = OutputSettings(loaded.configuration)
        options.fallback.watchesNothing()
        options.speed = try Speed(option: speed).factor
        options.plansFile = plans
        options.outFile = out
        options.checkpointMinutes = try checkpoints.map { try NewYorkTimes(option: $0).minutes } ?? []
        do {
            let replay = try Replay(options)
            show(try replay.run(progress: ProgressStyle.suited(quiet: quiet)))
        } catch {
            Terminal.error("\(error)")
            throw ExitCode.failure
        }
    }

    private func show(_ report: ReplayReport) {
        print(json ? report.json : report.text)
    }
}

/// A pace: tape seconds a second, or as fast as it goes.
struct Speed {
    /// nil for `max`.
    let factor: Double?

    init(option: String) throws {
        if option == "max" {
            factor = nil
        } else if let factor = Double(option), factor > 0, factor.isFinite {
            self.factor = factor
        } else {
            throw ValidationError("--speed: expected a number above 0 or max, found \(option)")
        }
    }
}

/// A list of `HH:MM`.
struct NewYorkTimes {
    /// Minutes since midnight.
    let minutes: [Int]

    init(option: String) throws {
        minutes = try option.split(separator: ",").map { text in
            guard let minute = Replay.minute(String(text)) else {
                throw ValidationError("--checkpoints: expected HH:MM, found \(text)")
            }
            return minute
        }
    }
}
