/// A request, whole and within its limits, or the one that opened a WebSocket.
package struct HTTPRequest: Sendable, Equatable {
    package enum Method: String, Sendable, CaseIterable {
        case get = "GET"
        case head = "HEAD"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
        case options = "OPTIONS"
    }

    /// The headers that are read, all others are ignored: allow-list.
    package enum Header: String, Sendable, CaseIterable {
        case host
        case origin
        case authorization
        case contentType = "content-type"
        case contentLength = "content-length"
        case accept
        case ifMatch = "if-match"
        case ifNoneMatch = "if-none-match"
        case userAgent = "user-agent"
        case forwardedFor = "x-forwarded-for"
        case idempotencyKey = "idempotency-key"
        case userID = "x-user-id"
        case lastEventID = "last-event-id"
    }

    package var method: Method
    /// The path, percent-decoded and with `..` resolved by the library; begins with a slash.
    package var path: String
    /// The arguments after the question mark, in order, percent-decoded by the library; `+` is a space.
    package var arguments: [Argument]
    package var headers: [Header: String]
    /// The peer's numeric address.
    package var peer: String
    /// Whether it came over TLS to this process.
    package var isSecure: Bool
    package var body: [UInt8]

    package init(
        method: Method = .get,
        path: String,
        arguments: [Argument] = [],
        headers: [Header: String] = [:],
        peer: String = "",
        isSecure: Bool = false,
        body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.arguments = arguments
        self.headers = headers
        self.peer = peer
        self.isSecure = isSecure
        self.body = body
    }

    /// The value of a header, nil when absent.
    package subscript(header: Header) -> String? { headers[header] }

    /// The first argument of that name, nil when absent.
    package func argument(_ name: String) -> String? { arguments.first { $0.name == name }?.value }

    /// One `name=value` of the query.
    package struct Argument: Sendable, Equatable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }
}

/// The answer to a request, whole.
package struct HTTPResponse: Sendable, Equatable {
    package var status: Int
    /// Further headers; those of `HTTPResponse.fixedHeaders` and the length are added, line ends in values removed.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// An answer with a text of some media type.
    package init(status: Int = 200, _ type: String, _ text: String) {
        self.init(status: status, headers: [("content-type", type)], body: Array(text.utf8))
    }

    package static func == (a: Self, b: Self) -> Bool {
        a.status == b.status && a.body == b.body && a.headers.elementsEqual(b.headers) { $0 == $1 }
    }

    /// The headers of every answer: no guessing of types, nothing from elsewhere, no frames, no referrer.
    package static let fixedHeaders: [(name: String, value: String)] = [
        ("x-content-type-options", "nosniff"),
        (
            "content-security-policy",
            "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'"
        ),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
    ]

    /// Status line and headers, as sent.
    func head(close: Bool) -> [UInt8] {
        var text = "HTTP/1.1 \(status) \(Self.phrase(status))\r\n"
        for (name, value) in Self.fixedHeaders { text += "\(name): \(value)\r\n" }
        for (name, value) in headers { text += "\(Self.clean(name)): \(Self.clean(value))\r\n" }
        if !headers.contains(where: { $0.name.lowercased() == "cache-control" }) {
            text += "cache-control: no-store\r\n"
        }
        // Neither 204 nor 304 has a body, nor may it have a length.
        if status != 204, status != 304 { text += "content-length: \(body.count)\r\n" }
        if close { text += "connection: close\r\n" }
        return Array((text + "\r\n").utf8)
    }

    /// A header part without what would begin another line.
    private static func clean(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
    }

    private static func phrase(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 304: "Not Modified"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 409: "Conflict"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 415: "Unsupported Media Type"
        case 422: "Unprocessable Content"
        case 428: "Precondition Required"
        case 429: "Too Many Requests"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        default: "Status \(status)"
        }
    }
}
