internal import Foundation
internal import Gateway
internal import Wire

/// What a plan command answered.
package struct PlanAnswer: Sendable {
    private let value: JSONValue

    init(_ value: JSONValue) { self.value = value }

    package var json: String {
        var out: [UInt8] = []
        JSONText.append(value, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// A line a plan.
    package var text: String {
        let plans = value["plans"]?.array ?? [value]
        return plans.isEmpty ? "no plans" : plans.map(Self.line).joined(separator: "\n")
    }

    private static func line(_ snapshot: JSONValue) -> String {
        let plan = snapshot["plan"] ?? snapshot
        func text(_ value: JSONValue?) -> String {
            switch value {
            case .string(let text), .number(let text): text
            default: "–"
            }
        }
        let targets = (plan["targets"]?.array ?? []).map { text($0["price"]) }.joined(separator: " ")
        let hits = (snapshot["hits"]?.array ?? []).map { "\(text($0["kind"]))@\(text($0["price"]))" }
        return [
            text(plan["id"]), "v\(text(plan["version"]))", text(plan["symbol"]), text(plan["side"]),
            text(snapshot["state"]), "entry \(text(plan["entry"]?["price"]))", "stop \(text(snapshot["stop"]))",
            "targets \(targets)", hits.isEmpty ? "" : "hits \(hits.joined(separator: " "))",
        ].joined(separator: "  ")
    }
}

/// Plan commands of the command line; blocking.
package struct PlanTools {
    private let client: PlanClient

    /// - Throws: where the address isn't one.
    package init(url: String, key: Secret?) throws { client = try PlanClient(url: url, key: key?.reveal()) }

    package func create(from file: String) throws -> PlanAnswer { PlanAnswer(try client.create(try read(file))) }

    package func list() throws -> PlanAnswer { PlanAnswer(try client.list()) }

    package func show(_ id: String) throws -> PlanAnswer { PlanAnswer(try client.show(id)) }

    package func amend(_ id: String, version: Int64, from file: String) throws -> PlanAnswer {
        guard case .object(let members) = try read(file) else { throw RunError("\(file): expected a JSON object") }
        return PlanAnswer(try client.amend(id, version: version, members))
    }

    package func cancel(_ id: String, version: Int64) throws -> PlanAnswer {
        PlanAnswer(try client.cancel(id, version: version))
    }

    private func read(_ file: String) throws -> JSONValue {
        let data: Data?
        if file == "-" {
            data = try FileHandle.standardInput.readToEnd()
        } else {
            data = FileManager.default.contents(atPath: file)
        }
        guard let data else { throw RunError("\(file): can't be read") }
        do { return try JSONParser.parse(data) } catch { throw RunError("\(file): \(error)") }
    }
}
