internal import Foundation

/// A text that must never be shown: only `reveal()` gives it.
package struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let text: String

    package init(_ text: String) { self.text = text }

    /// The secret itself, for the one place that sends it.
    package func reveal() -> String { text }

    package var description: String { "[redacted]" }
    package var debugDescription: String { "[redacted]" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Where a server listens: an IP literal or `localhost`, and a port (0: the system picks one).
package struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    package let host: String
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `127.0.0.1:8700`, `[::1]:8700` or `localhost:8700`; nil where it is anything else.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.count <= 5, digits.utf8.allSatisfy({ (48...57).contains($0) }),
            let port = Int(digits), port <= 65_535
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard LoopbackRule.isIPv6(host) else { return nil }
        } else {
            guard host == "localhost" || LoopbackRule.isIPv4(host) else { return nil }
        }
        self.host = host
        self.port = port
    }

    /// Whether only this machine can reach it.
    package var isLoopback: Bool { LoopbackRule.isLoopback(host) }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Which hosts are this machine only.
enum LoopbackRule {
    static func isLoopback(_ host: String) -> Bool {
        if host.lowercased() == "localhost" { return true }
        if isIPv4(host) { return host.hasPrefix("127.") }
        var address = in6_addr()
        guard inet_pton(AF_INET6, host, &address) == 1 else { return false }
        return withUnsafeBytes(of: &address) { Array($0) } == [UInt8](repeating: 0, count: 15) + [1]
    }

    static func isIPv4(_ host: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, host, &address) == 1
    }

    static func isIPv6(_ host: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET6, host, &address) == 1
    }
}

/// A URL of a service we connect to; its password, if any, is never shown.
package struct ServiceURL: Sendable, Hashable, CustomStringConvertible {
    package let scheme: String
    package let user: String?
    package let password: Secret?
    /// Empty for a unix socket.
    package let host: String
    package let port: Int?
    /// With its leading slash, or empty.
    package let path: String

    /// Reads a URL without query and fragment; nil where it isn't one.
    package init?(_ text: String) {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            parts.query == nil, parts.fragment == nil
        else { return nil }
        if let port = parts.port, !(1...65_535).contains(port) { return nil }
        self.scheme = scheme
        user = parts.user.flatMap { $0.isEmpty ? nil : $0 }
        password = parts.password.map { Secret($0) }
        var host = parts.host ?? ""
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        self.host = host
        port = parts.port
        path = parts.path
    }

    /// Whether it leads to this machine only.
    package var isLoopback: Bool { host.isEmpty ? scheme == "unix" : LoopbackRule.isLoopback(host) }

    /// The whole text with the password, for the client that logs in; never to be shown.
    func revealed() -> String { text(password: password?.reveal()) }

    package var description: String { text(password: password.map { "\($0)" }) }

    private func text(password: String?) -> String {
        let login = "\(user ?? "")\(password.map { ":\($0)" } ?? "")"
        let shown = host.contains(":") ? "[\(host)]" : host
        return "\(scheme)://\(login.isEmpty ? "" : login + "@")\(shown)\(port.map { ":\($0)" } ?? "")\(path)"
    }
}
