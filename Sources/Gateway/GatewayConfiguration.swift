/// What a gateway needs to know; Application maps the configuration file to it.
package struct GatewayConfiguration: Sendable {
    /// The public listener: page, API, WebSocket; port 0 takes a free one.
    package var host = "127.0.0.1"
    package var port = 8700
    /// The admin listener, nil for none; it has no key, so loopback only.
    package var adminHost = "127.0.0.1"
    package var adminPort: Int? = 8701
    /// Needed to bind to anything but loopback; nil or empty: every (loopback) caller is `localUser`.
    package var apiKey: String?
    /// Who a caller is, with the key or without one.
    package var localUser = "local"
    /// `Host` headers that are answered, without regard to case; nil: loopback names with the listener's port.
    package var allowedHosts: [String]?
    /// `Origin` headers that are answered; nil: `http://` before each allowed host.
    ///
    /// A request without one isn't a browser's, and is answered.
    package var allowedOrigins: [String]?
    /// The served symbols, empty: any; another one's channel is unknown.
    package var symbols: [String] = []
    /// At most this often goes out what waits; 0: at the end of each turn of the loop.
    package var flushMillis: Int64 = 0
    package var limits = HubLimits()
    /// WebSocket messages and API requests of one address within a second.
    package var messagesPerSecond = 100
    /// New WebSockets of one address within a minute.
    package var connectionsPerMinute = 600
    /// With a key: how long a WebSocket may stay without `auth`.
    package var authNanos: Int64 = 5_000_000_000
    /// How long a drain waits for closing handshakes.
    package var drainNanos: Int64 = 5_000_000_000

    package init() {}

    /// Addresses that only this machine reaches.
    package static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host == "[::1]" || host == "lo" || isLoopbackV4(host)
    }

    private static func isLoopbackV4(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    var key: [UInt8]? {
        guard let apiKey, !apiKey.isEmpty else { return nil }
        return Array(apiKey.utf8)
    }

    /// Everything that is wrong, each with key, what is allowed and what was found.
    package var problems: [String] {
        var found: [String] = []
        if !Self.isLoopback(host), key == nil {
            found.append("gateway.listen: \(host) is reachable from outside, which needs gateway.apiKey; found none")
        }
        if adminPort != nil, !Self.isLoopback(adminHost) {
            found.append("admin.listen: a loopback address, found \(adminHost)")
        }
        for (name, value) in [("gateway.listen", port), ("admin.listen", adminPort ?? 0)]
        where !(0...65_535).contains(value) {
            found.append("\(name): a port from 0 to 65535, found \(value)")
        }
        if let key, key.count < 16 { found.append("gateway.apiKey: at least 16 bytes, found \(key.count)") }
        if !(0...5_000).contains(flushMillis) { found.append("gateway.flushMs: 0 to 5000, found \(flushMillis)") }
        if !Self.isUserName(localUser) {
            found.append("gateway.localUser: 1 to 64 letters, digits, '.', '_' or '-', found \(localUser)")
        }
        return found
    }

    static func isUserName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { Base62.isDigit($0) || [0x2D, 0x2E, 0x5F].contains($0) }
    }
}

/// A gateway that can't start.
package struct GatewayError: Error, CustomStringConvertible {
    package enum Code: String, Sendable {
        case configuration
        case listen
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "gateway \(code.rawValue): \(message)" }
}
