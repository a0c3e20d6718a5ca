/// Where a client connects to, and its limits.
package struct WebSocketClientOptions: Sendable {
    package var url: WebSocketURL
    /// Further headers of the handshake.
    package var headers: [(name: String, value: String)] = []
    /// Offered if given; several separated by commas.
    package var subprotocol: String?
    /// A PEM file that replaces the system's certificate authorities (tests, private gateways).
    package var caFile: String?
    /// Bytes of a message; above: close 1009.
    package var messageBytesMax = 16 << 20
    /// Bytes of messages that wait to be sent.
    package var outboxBytesMax = 1 << 20
    /// From `connect` to `connected`.
    package var connectNanosMax: Int64 = 10_000_000_000
    /// A ping goes out this often.
    package var pingEveryNanos: Int64 = 25_000_000_000
    /// Without any frame for the ping interval and this long, the connection is dead.
    package var silenceNanosMax: Int64 = 5_000_000_000
    /// From a close to its end; above: the socket is cut.
    package var closeNanosMax: Int64 = 3_000_000_000

    package init(url: WebSocketURL) { self.url = url }
}

/// A `ws://` or `wss://` address.
package struct WebSocketURL: Sendable, Hashable, CustomStringConvertible {
    package let isSecure: Bool
    /// A name or a numeric address, without brackets.
    package let host: String
    package let port: Int
    /// Path and query, beginning with a slash.
    package let path: String

    package init(isSecure: Bool, host: String, port: Int, path: String = "/") {
        self.isSecure = isSecure
        self.host = host
        self.port = port
        self.path = path
    }

    /// Reads `ws://host[:port][/path]` or `wss://…`; user names, fragments and white space are not taken.
    package init(_ text: String) throws(NetworkError) {
        func bad(_ cause: String) -> NetworkError { NetworkError(.badAddress, place: text, cause: cause) }
        let isSecure = text.hasPrefix("wss://")
        guard isSecure || text.hasPrefix("ws://") else { throw bad("must begin with ws:// or wss://") }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw bad("only visible ASCII characters") }
        let rest = text.dropFirst(isSecure ? 6 : 5)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let path = rest.dropFirst(authority.count)
        guard !authority.contains("@"), !rest.contains("#") else { throw bad("no user name or fragment") }
        var host = authority
        var port = isSecure ? 443 : 80
        // The last colon, unless it is inside the brackets of an IPv6 address.
        if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
            guard let number = Int(authority[authority.index(after: colon)...]), (1...65_535).contains(number) else {
                throw bad("port must be 1 to 65535")
            }
            port = number
            host = authority[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { throw bad("host is missing") }
        self.init(
            isSecure: isSecure,
            host: String(host),
            port: port,
            path: path.hasPrefix("/") ? String(path) : "/" + path
        )
    }

    /// The `Host` header: with the port unless it is the scheme's own.
    var hostHeader: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    package var description: String { "\(isSecure ? "wss" : "ws")://\(hostHeader)\(path)" }
}
