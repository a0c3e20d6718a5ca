internal import Bus
internal import Network
internal import Primitives
internal import Wire

/// The plan commands over HTTP: what a request says becomes a command, what the engine answers becomes a response.
struct PlanAPI: Sendable {
    let bus: any MessageBus
    private let keys = Lock(IdempotencyTable())
    static let bodyBytesMax = 65_536

    init(bus: any MessageBus) { self.bus = bus }

    func list(owner: String) async throws(Problem) -> HTTPResponse {
        let answer = try await submit(.list, owner: owner, body: .object([]))
        var body: [UInt8] = []
        var object = JSONObject(&body)
        object.field("plans", answer["plans"] ?? .array([]), to: &body)
        object.end(&body)
        return Self.json(200, body)
    }

    func show(_ id: String, owner: String) async throws(Problem) -> HTTPResponse {
        Self.plan(200, try await submit(.show, owner: owner, body: .object([("id", .string(id))])))
    }

    /// Creates; the gateway gives the id, and the caller is the owner, whatever the body says.
    func create(_ request: HTTPRequest, owner: String) async throws(Problem) -> HTTPResponse {
        var members = try Self.object(request)
        members.removeAll { ["id", "owner", "version"].contains($0.key) }
        var id = Identifiers.plan()
        var command = Identifiers.command()
        if let key = request[.idempotencyKey] {
            guard IdempotencyTable.isKey(key) else {
                throw Problem(
                    400,
                    "bad_request",
                    "Idempotency-Key: 1 to \(IdempotencyTable.keyBytesMax) letters, digits, '.', '_' or '-'"
                )
            }
            command = "k_\(owner)_\(key)"
            id = keys.withLock { $0.planID(owner: owner, key: key) { Identifiers.plan() } }
        }
        members.insert(("id", .string(id)), at: 0)
        let answer = try await submit(.create, id: command, owner: owner, body: .object(members))
        var response = Self.plan(201, answer)
        response.headers.append(("location", "/api/v1/plans/\(answer["plan"]?["id"]?.string ?? id)"))
        return response
    }

    func amend(_ id: String, _ request: HTTPRequest, owner: String) async throws(Problem) -> HTTPResponse {
        let members = try Self.object(request)
        let body = try Self.addressed(id, members, request)
        return Self.plan(200, try await submit(.amend, owner: owner, body: body))
    }

    /// Cancels; the version comes in the body, in `If-Match`, or as an argument, as some clients can't send a body.
    func cancel(_ id: String, _ request: HTTPRequest, owner: String) async throws(Problem) -> HTTPResponse {
        var members = request.body.isEmpty ? [] : try Self.object(request)
        if let version = request.argument("version").flatMap({ Int64($0) }) {
            members.append(("version", .number(String(version))))
        }
        let body = try Self.addressed(id, members, request)
        return Self.plan(200, try await submit(.cancel, owner: owner, body: body))
    }

    // MARK: Parts

    /// The body's members with the id of the path and the version that is required.
    private static func addressed(
        _ id: String,
        _ members: [(key: String, value: JSONValue)],
        _ request: HTTPRequest
    ) throws(Problem) -> JSONValue {
        var rest = members
        rest.removeAll { ["id", "owner", "version"].contains($0.key) }
        var version = JSONValue.object(members)["version"]?.integer
        if version == nil, let match = request[.ifMatch] {
            version = Int64(match.drop { $0 == "W" || $0 == "/" }.filter { $0 != "\"" })
        }
        guard let version else {
            throw Problem(428, "version_needed", "the version that is changed: `version` in the body, or If-Match")
        }
        return .object([("id", .string(id)), ("version", .number(String(version)))] + rest)
    }

    private static func object(_ request: HTTPRequest) throws(Problem) -> [(key: String, value: JSONValue)] {
        let type = request[.contentType]?.split(separator: ";").first.map { $0.lowercased() } ?? "none"
        guard type.split(separator: " ").first == "application/json" else {
            throw Problem(415, "json_needed", "Content-Type: expected application/json, found \(type.prefix(60))")
        }
        guard request.body.count <= bodyBytesMax else {
            throw Problem(413, "too_big", "body: at most \(bodyBytesMax) bytes, found \(request.body.count)")
        }
        do {
            let value = try JSONParser.parse(request.body)
            guard case .object(let members) = value else {
                throw Problem(400, "bad_request", "body: expected an object, found \(value.kindName)")
            }
            return members
        } catch let error as JSONError {
            throw Problem(400, "bad_request", "body: \(error)")
        } catch let problem as Problem {
            throw problem
        } catch {
            preconditionFailure("JSONParser threw \(error)")
        }
    }

    private func submit(
        _ operation: Command.Operation,
        id: String = Identifiers.command(),
        owner: String,
        body: JSONValue
    ) async throws(Problem) -> JSONValue {
        var text: [UInt8] = []
        JSONText.append(body, to: &text)
        let payload: [UInt8]
        do {
            payload = try await bus.submit(Command(operation: operation, id: id, owner: owner, body: text))
        } catch {
            throw Problem(503, "unavailable", error.message)
        }
        guard let answer = try? JSONParser.parse(payload) else {
            throw Problem(503, "unavailable", "the engine's answer was not understood")
        }
        if let problem = Problem(answer: answer) { throw problem }
        return answer
    }

    private static func plan(_ status: Int, _ answer: JSONValue) -> HTTPResponse {
        let plan = answer["plan"] ?? .null
        var body: [UInt8] = []
        JSONText.append(plan, to: &body)
        var response = json(status, body)
        if let version = (plan["version"] ?? plan["plan"]?["version"])?.integer {
            response.headers.append(("etag", "\"\(version)\""))
        }
        return response
    }

    static func json(_ status: Int, _ body: [UInt8]) -> HTTPResponse {
        HTTPResponse(status: status, headers: [("content-type", "application/json")], body: body)
    }
}
