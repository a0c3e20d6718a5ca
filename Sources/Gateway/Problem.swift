package import Network
package import Wire

/// An error as HTTP says it: a problem document of RFC 9457 with the id that is in the log.
package struct Problem: Error, Sendable {
    package var status: Int
    /// Stable word for programs.
    package var code: String
    package var detail: String
    /// Which fields are wrong: `[{"field":…,"message":…}]`, as the engine said it.
    package var problems: JSONValue?

    package init(_ status: Int, _ code: String, _ detail: String, problems: JSONValue? = nil) {
        self.status = status
        self.code = code
        self.detail = detail
        self.problems = problems
    }

    package static let notFound = Problem(404, "not_found", "no such thing, or not yours")

    /// What the engine's answer to a command means; nil for a success.
    package init?(answer: JSONValue) {
        guard answer["ok"]?.bool != true else { return nil }
        let problems = answer["problems"]
        let first = problems?.array?.first?["message"]?.string
        switch answer["code"]?.string.flatMap(CommandFailure.init) {
        case .invalid: self.init(422, "invalid", first ?? "the plan is not valid", problems: problems)
        case .notFound: self = .notFound
        case .conflict:
            self.init(409, "conflict", first ?? "another version, or a live plan, is in the way", problems: problems)
        case .unavailable: self.init(503, "unavailable", first ?? "the engine takes no commands now")
        case nil: self.init(503, "unavailable", "the engine's answer was not understood")
        }
    }

    package func response(requestID: String) -> HTTPResponse {
        var body: [UInt8] = []
        var object = JSONObject(&body)
        object.field("type", "urn:striketape:problem:\(code)", to: &body)
        object.field("title", Self.title(status), to: &body)
        object.field("status", Int64(status), to: &body)
        object.field("code", code, to: &body)
        object.field("detail", detail, to: &body)
        if let problems { object.field("problems", problems, to: &body) }
        object.field("requestId", requestID, to: &body)
        object.end(&body)
        var headers = [("content-type", "application/problem+json"), (Self.requestHeader, requestID)]
        if status == 401 { headers.append(("www-authenticate", "Bearer")) }
        if status == 429 || status == 503 { headers.append(("retry-after", "1")) }
        return HTTPResponse(status: status, headers: headers, body: body)
    }

    static let requestHeader = "striketape-request-id"

    private static func title(_ status: Int) -> String {
        switch status {
        case 400: "Bad request"
        case 401: "Key needed"
        case 403: "Not allowed"
        case 404: "Not found"
        case 405: "Method not allowed"
        case 409: "Conflict"
        case 415: "JSON needed"
        case 422: "Not valid"
        case 428: "Version needed"
        case 429: "Too many requests"
        default: "Unavailable"
        }
    }
}
