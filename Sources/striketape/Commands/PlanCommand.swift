internal import Application
internal import ArgumentParser

/// `plan`: make, see, change and cancel plans over a gateway.
struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Create, list, show, amend and cancel plans.",
        discussion: "A key is taken from STRIKETAPE_GATEWAY_API_KEY.",
        subcommands: [Create.self, List.self, Show.self, Amend.self, Cancel.self]
    )

    struct Gateway: ParsableArguments {
        @Option(help: ArgumentHelp("The gateway.", valueName: "http://…"))
        var url = "http://127.0.0.1:8700"

        @Flag(help: "Print the answer as JSON.")
        var json = false

        @OptionGroup var configuration: ConfigurationOptions

        /// Does one thing and prints its answer; a refusal names every field and ends with 1.
        func perform(_ body: (PlanTools) throws -> PlanAnswer) throws {
            let loaded = try configuration.load()
            do {
                let answer = try body(PlanTools(url: url, key: loaded.configuration.gateway.apiKey))
                print(json ? answer.json : answer.text)
            } catch {
                Terminal.error("\(error)")
                throw ExitCode.failure
            }
        }
    }

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a plan from a JSON file (- for standard input)."
        )
        @Argument(help: "A JSON object.", completion: .file(extensions: ["json"])) var file: String
        @OptionGroup var gateway: Gateway
        func run() throws { try gateway.perform { try $0.create(from: file) } }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Your plans.")
        @OptionGroup var gateway: Gateway
        func run() throws { try gateway.perform { try $0.list() } }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One plan with its hits.")
        @Argument(help: "The plan's id.") var id: String
        @OptionGroup var gateway: Gateway
        func run() throws { try gateway.perform { try $0.show(id) } }
    }

    struct Amend: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change fields of a plan; it gets the next version."
        )
        @Argument(help: "The plan's id.") var id: String
        @Argument(help: "A JSON file with the changed fields (- for standard input).") var file: String
        @Option(help: "The version you saw.") var version: Int64
        @OptionGroup var gateway: Gateway
        func run() throws { try gateway.perform { try $0.amend(id, version: version, from: file) } }
    }

    struct Cancel: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a plan.")
        @Argument(help: "The plan's id.") var id: String
        @Option(help: "The version you saw.") var version: Int64
        @OptionGroup var gateway: Gateway
        func run() throws { try gateway.perform { try $0.cancel(id, version: version) } }
    }
}
