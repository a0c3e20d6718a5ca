internal import Engine
internal import Foundation
internal import Plans
internal import Primitives
internal import Wire

/// A JSON array of plans (`replay --plans`).
struct PlanFile {
    private let path: String
    private let plans: [JSONValue]

    /// - Throws: `ReplayError` naming the file and what is wrong.
    init(_ path: String) throws {
        self.path = path
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ReplayError("\(path): can't be read")
        }
        do {
            guard let plans = try JSONParser.parse(data).array else {
                throw ReplayError("\(path): expected a JSON array of plans")
            }
            self.plans = plans
        } catch let error as JSONError {
            throw ReplayError("\(path): \(error)")
        }
    }

    /// Has every plan made, in order; one without an id is `p_` and its place from 1.
    ///
    /// - Throws: `ReplayError` listing every problem of every plan, before any is made.
    func create(in ingest: IngestPoint, at time: Instant) throws {
        var problems: [String] = []
        var commands: [Command] = []
        for (index, plan) in plans.enumerated() {
            let id = plan["id"]?.string ?? "p_\(index + 1)"
            guard case .object(let members) = plan else {
                problems.append("plan \(index + 1): expected an object, found \(plan.kindName)")
                continue
            }
            do {
                _ = try PlanParser.draft(plan).validate(in: .init(owner: "local", id: id, now: time))
            } catch {
                problems += error.problems.map { "plan \(index + 1) (\(id)): \($0)" }
                continue
            }
            var body: [UInt8] = []
            let withID = plan["id"] == nil ? [(key: "id", value: JSONValue.string(id))] + members : members
            JSONText.append(.object(withID), to: &body)
            commands.append(Command(operation: .create, id: "plan-\(index + 1)", owner: "local", body: body))
        }
        for command in commands where problems.isEmpty {
            guard let refusal = ingest.take(command, at: time) else { continue }
            problems += refusal.problems.map { "\(command.id): \($0.field): \($0.message)" }
        }
        guard problems.isEmpty else { throw ReplayError("\(path): " + problems.joined(separator: "\n  ")) }
    }
}
