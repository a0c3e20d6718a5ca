package import Wire

/// Plan commands of the command line, over a gateway's HTTP API; blocking.
package struct PlanClient: Sendable {
    /// A command that was refused, as the gateway said it.
    package struct Refusal: Error, CustomStringConvertible {
        package let status: Int
        package let code: String
        package let detail: String
        /// Field and message, where fields are wrong.
        package let problems: [(field: String, message: String)]
        package let requestID: String

        package var description: String {
            let fields = problems.map { "\n  \($0.field): \($0.message)" }.joined()
            return "\(detail) (\(status) \(code), request \(requestID))\(fields)"
        }
    }

    private let http: HTTPClient

    /// Takes `http://host:port` of the gateway, and the API key where one is needed.
    package init(url: String, key: String? = nil) throws {
        var http = try HTTPClient(url: url)
        if let key { http.headers.append(("Authorization", "Bearer \(key)")) }
        self.http = http
    }

    /// The created plan.
    package func create(_ plan: JSONValue, idempotencyKey: String? = nil) throws -> JSONValue {
        var http = http
        if let idempotencyKey { http.headers.append(("Idempotency-Key", idempotencyKey)) }
        return try send(http, "POST", "/api/v1/plans", plan)
    }

    /// `{"plans":[…]}`.
    package func list() throws -> JSONValue { try send(http, "GET", "/api/v1/plans") }

    package func show(_ id: String) throws -> JSONValue { try send(http, "GET", try path(id)) }

    /// The plan's snapshot with its derived fields.
    package func idea(_ id: String) throws -> JSONValue { try send(http, "GET", "/idea/\(try checked(id))") }

    /// Changes fields of that version; the new version comes back.
    package func amend(_ id: String, version: Int64, _ changes: [(key: String, value: JSONValue)]) throws -> JSONValue {
        let body = JSONValue.object([("version", .number(String(version)))] + changes.filter { $0.key != "version" })
        return try send(http, "PATCH", try path(id), body)
    }

    package func cancel(_ id: String, version: Int64) throws -> JSONValue {
        try send(http, "DELETE", try path(id), .object([("version", .number(String(version)))]))
    }

    private func path(_ id: String) throws -> String { "/api/v1/plans/\(try checked(id))" }

    private func checked(_ id: String) throws -> String {
        guard Identifiers.isPlan(id) else {
            throw Refusal(
                status: 0,
                code: "bad_id",
                detail: "\(id.prefix(80)) is not a plan's id",
                problems: [],
                requestID: "none"
            )
        }
        return id
    }

    private func send(
        _ http: HTTPClient,
        _ method: String,
        _ path: String,
        _ body: JSONValue? = nil
    ) throws -> JSONValue {
        var text: [UInt8] = []
        if let body { JSONText.append(body, to: &text) }
        let answer = try http.send(method, path, body: text)
        let value = (try? JSONParser.parse(answer.body)) ?? .null
        guard !(200..<300).contains(answer.status) else { return value }
        let problems = (value["problems"]?.array ?? []).map {
            (field: $0["field"]?.string ?? "", message: $0["message"]?.string ?? "")
        }
        throw Refusal(
            status: answer.status,
            code: value["code"]?.string ?? "http",
            detail: value["detail"]?.string ?? "answer of \(answer.body.count) bytes not understood",
            problems: problems,
            requestID: value["requestId"]?.string ?? "unknown"
        )
    }
}
