/// Where a Redis is and as whom to speak to it: `redis://[user:password@]host[:port][/db]` or
/// `unix://[user:password@]/path/to/socket[?db=N]`.
///
/// The password is in no description.
package struct RedisURL: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// How the server is reached.
    package enum Place: Sendable, Equatable {
        case tcp(host: String, port: UInt16)
        case unix(path: String)
    }

    package let place: Place
    /// Empty: the default user.
    package let user: String
    let password: String
    package let database: Int

    /// Reads a URL.
    ///
    /// - Throws: `BusError.refused` naming what is wrong; without the URL's text, which may hold the password.
    package init(_ text: String) throws(BusError) {
        guard let separator = Self.position(of: "://", in: text) else {
            throw Self.wrong("it has no scheme; write redis://host:port/0")
        }
        let scheme = text[..<separator.lowerBound]
        var rest = text[separator.upperBound...]
        (user, password) = try Self.credentials(&rest)
        switch scheme {
        case "redis": (place, database) = try Self.tcp(rest)
        case "unix", "redis+unix": (place, database) = try Self.unix(rest)
        case "rediss", "tls":
            throw Self.wrong("TLS isn't supported; use a unix socket, or a TLS tunnel (stunnel, HAProxy) on this host")
        default: throw Self.wrong("its scheme is neither redis nor unix")
        }
    }

    package var description: String {
        switch place {
        case .tcp(let host, let port): "redis://\(host.contains(":") ? "[\(host)]" : host):\(port)/\(database)"
        case .unix(let path): "unix://\(path)?db=\(database)"
        }
    }

    package var customMirror: Mirror { Mirror(self, children: ["url": description]) }

    private static func wrong(_ what: String) -> BusError { BusError(.refused, "Redis URL: \(what)") }

    private static func position(of pattern: String, in text: String) -> Range<String.Index>? {
        var index = text.startIndex
        while index < text.endIndex {
            if text[index...].hasPrefix(pattern) { return index..<text.index(index, offsetBy: pattern.count) }
            index = text.index(after: index)
        }
        return nil
    }

    private static func credentials(_ rest: inout Substring) throws(BusError) -> (String, String) {
        // A path may hold an @, a password only an escaped one: the last @ before the first slash counts.
        let authority = rest.prefix { $0 != "/" }
        guard let at = authority.lastIndex(of: "@") else { return ("", "") }
        let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        rest = rest[rest.index(after: at)...]
        guard let user = unescaped(parts[0]), let password = unescaped(parts.count == 2 ? parts[1] : "") else {
            throw wrong("user or password holds a broken % escape")
        }
        return (user, password)
    }

    private static func tcp(_ rest: Substring) throws(BusError) -> (Place, Int) {
        let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard !parts.isEmpty else { throw wrong("it names no host") }
        var host = parts[0]
        var port: UInt16 = 6_379
        // [::1]:6379 or host:6379
        if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") {
            guard let number = UInt16(host[host.index(after: colon)...]), number > 0 else {
                throw wrong("its port isn't a number from 1 to 65535")
            }
            port = number
            host = host[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { throw wrong("it names no host") }
        return (.tcp(host: String(host), port: port), try database(parts.count == 2 ? parts[1] : ""))
    }

    private static func unix(_ rest: Substring) throws(BusError) -> (Place, Int) {
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = parts.first, path.hasPrefix("/"), path.utf8.count <= 107 else {
            throw wrong("a socket's path begins with / and has at most 107 bytes")
        }
        guard parts.count == 2 else { return (.unix(path: String(path)), 0) }
        guard parts[1].hasPrefix("db=") else { throw wrong("only ?db=N may follow a socket's path") }
        return (.unix(path: String(path)), try database(parts[1].dropFirst(3)))
    }

    private static func database(_ text: Substring) throws(BusError) -> Int {
        if text.isEmpty { return 0 }
        guard let number = Int(text), (0...16_383).contains(number) else {
            throw wrong("its database isn't a number from 0")
        }
        return number
    }

    private static func unescaped(_ text: Substring) -> String? {
        var out: [UInt8] = []
        var bytes = text.utf8.makeIterator()
        while let byte = bytes.next() {
            guard byte == UInt8(ascii: "%") else {
                out.append(byte)
                continue
            }
            guard let high = bytes.next(), let low = bytes.next(),
                let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)
            else { return nil }
            out.append(value)
        }
        return String(validating: out, as: UTF8.self)
    }
}
