internal import Application
internal import ArgumentParser

/// `doctor`: whether everything is there that a run needs.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check libraries, allocator, directories, ports, secrets and limits.",
        discussion: "Changes nothing. Exits with 1 where a check failed; warnings don't count."
    )

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Print one JSON object a line.")
    var json = false

    func run() throws {
        let loaded = try options.load()
        let checks = Doctor(loaded, allocator: ProcessAllocator.counter).run()
        let width = checks.map(\.name.count).max() ?? 0
        for check in checks {
            if json {
                print(check.json)
            } else {
                let name = check.name + String(repeating: " ", count: width - check.name.count)
                let status = check.status.rawValue + String(repeating: " ", count: 7 - check.status.rawValue.count)
                print("\(status)  \(name)  \(check.detail)")
            }
        }
        if checks.contains(where: { $0.status == .failed }) { throw ExitCode.failure }
    }
}
