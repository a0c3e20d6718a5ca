/// The one host that requests, and so the key, go to.
///
/// Links of the provider give path and query only: they are sent to this base, whatever host they name, and one that
/// names another host is refused besides.
package struct RESTBase: Hashable, Sendable, CustomStringConvertible {
    package let scheme: String
    /// Lower case; an IPv6 address with its brackets.
    package let host: String
    package let port: Int
    /// Other names of the same provider, as its links may use.
    package let aliases: Set<String>

    /// Reads `https://host[:port]`, a slash at the end allowed; `http` for this machine only, since the key goes along.
    package init?(_ text: String, aliases: Set<String> = []) {
        guard let place = Place(text), place.target == "" || place.target == "/" else { return nil }
        guard place.scheme == "https" || Self.isLoopback(place.host) else { return nil }
        scheme = place.scheme
        host = place.host
        port = place.port
        self.aliases = aliases
    }

    /// The form that URLs begin with.
    package var description: String {
        port == Place.defaultPort(scheme) ? "\(scheme)://\(host)" : "\(scheme)://\(host):\(port)"
    }

    /// The URL of a request.
    package func url(of request: RESTRequest) -> String { description + request.target }

    /// The request that a link to a further page stands for.
    ///
    /// - Returns: nil where it leads to another host, port or scheme, or isn't a link.
    package func request(following link: String, entitlement: String) -> RESTRequest? {
        if link.hasPrefix("/") { return RESTRequest(target: link, entitlement: entitlement) }
        guard let place = Place(link), place.scheme == scheme, place.port == port,
            place.host == host || aliases.contains(host) && aliases.contains(place.host)
        else { return nil }
        return RESTRequest(target: place.target, entitlement: entitlement)
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "[::1]" { return true }
        // A name may begin like an address (127.evil.example).
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// An absolute URL in its parts.
    private struct Place {
        let scheme: String
        let host: String
        let port: Int
        let target: String

        init?(_ text: String) {
            guard text.utf8.count <= RESTRequest.targetLimit,
                text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }),
                let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://")
            else { return nil }
            scheme = text[..<colon].lowercased()
            guard let standard = Self.defaultPort(scheme) else { return nil }
            let rest = text[text.index(colon, offsetBy: 3)...]
            let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
            // A name before the host can make one host look like another.
            guard !authority.isEmpty, !authority.contains("@") else { return nil }
            target = String(rest[authority.endIndex...])
            let end = authority.last == "]" ? nil : authority.lastIndex(of: ":")
            guard let end else {
                host = authority.lowercased()
                port = standard
                return
            }
            guard let number = UInt16(authority[authority.index(after: end)...]), number > 0, end > authority.startIndex
            else { return nil }
            host = authority[..<end].lowercased()
            port = Int(number)
        }

        static func defaultPort(_ scheme: String) -> Int? {
            switch scheme {
            case "https": 443
            case "http": 80
            default: nil
            }
        }
    }
}

/// A provider's key for its REST interface: goes into one header, and prints as stars everywhere else.
package struct RESTKey: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let secret: String

    /// - Returns: nil where it is empty or has a byte that no header may carry.
    package init?(_ text: String) {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        secret = text
    }

    /// The value of the `Authorization` header; never logged, never in a URL.
    package var authorization: String { "Bearer \(secret)" }

    package var description: String { "***" }
    package var debugDescription: String { "***" }
    /// Nothing to see for `dump`.
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }

    /// The bytes without the key: a provider that echoes it must not bring it onto the tape.
    package func redacted(_ body: [UInt8]) -> [UInt8] {
        var result = body
        for form in Set([secret, PercentText.encoded(secret)]) { result = Self.replaced(Array(form.utf8), in: result) }
        return result
    }

    private static func replaced(_ secret: [UInt8], in body: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var copied = 0
        var index = 0
        while index + secret.count <= body.count {
            guard body[index] == secret[0], body[index..<(index + secret.count)].elementsEqual(secret) else {
                index += 1
                continue
            }
            out += body[copied..<index]
            out += Array("***".utf8)
            index += secret.count
            copied = index
        }
        return copied == 0 ? body : out + body[copied...]
    }

    /// The text without the key, and without its percent-encoded form.
    package func redacted(_ text: String) -> String {
        let once = PolygonKey(secret).redacted(text)
        let encoded = PercentText.encoded(secret)
        return encoded == secret ? once : PolygonKey(encoded).redacted(once)
    }
}
