internal import Application
internal import ArgumentParser
internal import CBuildCommit

/// The command line: one subcommand a file in `Commands`, each parses, calls Application and prints.
struct Striketape: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "striketape",
        abstract: "A real-time streaming engine for US equity and index-option day traders.",
        discussion: """
            Exit codes: 0 done; 1 failed; 64 the command line is wrong; 78 the configuration is wrong.
            """,
        version: version,
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

    /// `0.1.0 (0a1b2c3d4e5f)`: the commit where the build was told it, `, changed` where the tree had more than it.
    private static var version: String {
        let commit = String(cString: striketape_build_commit())
        return commit.isEmpty ? Version.current : "\(Version.current) (\(commit))"
    }
}
