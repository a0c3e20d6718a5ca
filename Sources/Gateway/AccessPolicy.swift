package import Network

/// Who may speak to the public listener: exact lists of hosts and origins, and the API key.
///
/// Pure.
package struct AccessPolicy: Sendable {
    package enum Verdict: Sendable, Equatable {
        case fine
        case badHost
        case badOrigin
    }

    private let hosts: Set<String>
    private let origins: Set<String>
    private let key: [UInt8]?

    /// Takes the lists, or makes the default ones of the port that is bound.
    package init(_ configuration: GatewayConfiguration, port: Int) {
        let names = configuration.allowedHosts ?? ["127.0.0.1:\(port)", "localhost:\(port)", "[::1]:\(port)"]
        hosts = Set(names.map { $0.lowercased() })
        origins = Set((configuration.allowedOrigins ?? names.map { "http://\($0)" }).map { $0.lowercased() })
        key = configuration.key
    }

    package var needsKey: Bool { key != nil }

    /// Judges the headers that a page of somewhere else can't choose.
    ///
    /// Host against DNS rebinding, origin against foreign pages; whole values, never parts.
    package func judge(_ request: HTTPRequest) -> Verdict {
        guard let host = request[.host], hosts.contains(host.lowercased()) else { return .badHost }
        guard let origin = request[.origin] else { return .fine }
        return origins.contains(origin.lowercased()) ? .fine : .badOrigin
    }

    /// Whether a request carries the key; true where none is configured.
    package func isAuthorised(_ request: HTTPRequest) -> Bool {
        guard key != nil else { return true }
        guard let header = request[.authorization] else { return false }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return false }
        return isKey(String(parts[1]))
    }

    /// Compares with the key in a time that depends on the key's length alone.
    package func isKey(_ text: String) -> Bool {
        guard let key else { return true }
        let found = Array(text.utf8)
        var difference = UInt8(found.count == key.count ? 0 : 1)
        for (index, byte) in key.enumerated() {
            difference |= byte ^ (index < found.count ? found[index] : 0)
        }
        return difference == 0
    }
}
