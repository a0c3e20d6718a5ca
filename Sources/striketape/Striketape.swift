internal import Application
internal import ArgumentParser

/// The command line: one subcommand a file in `Commands`, each parses, calls Application and prints.
struct Striketape: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "striketape",
        abstract: "A real-time streaming engine for US equity and index-option day traders.",
        discussion: """
            Exit codes: 0 done; 1 failed; 64 the command line is wrong; 78 the configuration is wrong.
            """,
        version: Version.current,
        subcommands: [
            RunCommand.self,
            DemoCommand.self,
            SimulateCommand.self,
            ReplayCommand.self,
            TailCommand.self,
            PlanCommand.self,
            TapeCommand.self,
            BenchCommand.self,
            DoctorCommand.self,
            ConfigCommand.self,
        ]
    )
}
