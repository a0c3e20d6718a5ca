import Console
import Foundation
import Gateway
import Network
import Testing
import Wire
import Yams

/// `docs/openapi.yaml` and `docs/asyncapi.yaml` against the program; real frames are held against them end to end.
@Suite struct DocumentsTests {
    private static func text(_ name: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent("docs/\(name)"), encoding: .utf8)
    }

    private static func node(_ name: String) throws -> Node { try #require(try Yams.compose(yaml: text(name))) }

    @Test func theServedDocumentIsTheFile() throws {
        let file = try #require(ConsoleFiles.all.first { $0.path == "/api/v1/openapi.json" })
        var wanted: [UInt8] = []
        JSONText.append(try JSONParser.parse(try Self.json(Self.node("openapi.yaml")).utf8), to: &wanted)
        var served: [UInt8] = []
        JSONText.append(try JSONParser.parse(file.bytes), to: &served)
        #expect(wanted == served, "docs/openapi.yaml and Sources/Console/openapi.json differ")
    }

    @Test func everyOperationIsARoute() throws {
        var found: Set<String> = []
        for (path, operations) in try #require(try Self.node("openapi.yaml")["paths"]?.mapping) {
            for (method, operation) in try #require(operations.mapping) {
                let name = try #require(method.string).uppercased()
                let request = HTTPRequest(
                    method: try #require(HTTPRequest.Method(rawValue: name)),
                    path: try #require(path.string).replacingOccurrences(of: "{id}", with: "p_1")
                )
                let route = try Route.of(request)
                let identifier = try #require(operation["operationId"]?.string)
                if identifier != "document" { #expect("\(route)".prefix { $0 != "(" } == identifier) }
                found.insert(identifier)
            }
        }
        #expect(
            found == [
                "listPlans", "createPlan", "showPlan", "amendPlan", "cancelPlan", "idea", "state", "symbols", "session",
                "document",
            ]
        )
    }

    @Test func everyExampleIsReadByTheProgram() throws {
        let messages = try #require(try Self.node("asyncapi.yaml")["components"]?["messages"]?.mapping)
        var types: Set<MessageType> = []
        var operations: Set<String> = []
        for (name, message) in messages {
            let examples = try #require(message["examples"]?.sequence, "\(name.string ?? "") has no example")
            for example in examples {
                let text = Self.json(try #require(example["payload"]))
                let operation = try JSONParser.parse(text.utf8)["op"]?.string
                operations.formUnion([operation].compactMap { $0 })
                if ["subscribe", "unsubscribe", "ping", "auth"].contains(operation) {
                    _ = try ClientRequest.parse(text.utf8)
                    continue
                }
                let read = try ServerFrame.parse("[\(text)]".utf8)
                #expect(read.count == 1)
                if case .envelope(let header, _)? = read.first { types.insert(header.type) }
            }
        }
        #expect(types == Set(MessageType.allCases).subtracting([.reply]))
        let answers = ["subscribed", "unsubscribed", "pong", "authenticated", "error", "gap"]
        #expect(operations == Set(answers + ["subscribe", "unsubscribe", "ping", "auth"]))
    }

    @Test func everySchemaThatIsReferredToIsThere() throws {
        let schemas = try #require(try Self.node("openapi.yaml")["components"]?["schemas"]?.mapping)
        let known = Set(schemas.keys.compactMap(\.string))
        for name in ["openapi.yaml", "asyncapi.yaml"] {
            let references = Self.references(try Self.node(name)).filter { $0.contains("/schemas/") }
            let wanted = Set(references.compactMap { $0.split(separator: "/").last.map(String.init) })
            #expect(!wanted.isEmpty && wanted.isSubset(of: known), "\(name): \(wanted.subtracting(known))")
        }
    }

    private static func references(_ node: Node) -> [String] {
        if let mapping = node.mapping {
            return mapping.flatMap { $0.key.string == "$ref" ? [$0.value.string ?? ""] : references($0.value) }
        }
        return node.sequence?.flatMap(references) ?? []
    }

    /// A node as JSON, members in their order: an envelope's is fixed.
    private static func json(_ node: Node) -> String {
        if let mapping = node.mapping {
            let members = mapping.map { "\(quoted($0.key.string ?? "")):\(json($0.value))" }
            return "{\(members.joined(separator: ","))}"
        }
        if let sequence = node.sequence { return "[\(sequence.map(json).joined(separator: ","))]" }
        guard let scalar = node.scalar else { return "null" }
        if scalar.style == .plain {
            if node.null != nil { return "null" }
            if let value = node.bool { return "\(value)" }
            if node.int != nil || node.float != nil { return scalar.string }
        }
        return quoted(scalar.string)
    }

    private static func quoted(_ text: String) -> String {
        var out: [UInt8] = []
        JSONText.append(text, to: &out)
        return String(decoding: out, as: UTF8.self)
    }
}
