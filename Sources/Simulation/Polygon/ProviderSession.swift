internal import Wire

/// One client's connection to the simulated provider: what it said, what it may hear.
///
/// Pure. /// Behaves as the real one is documented to (feeds.md 1.2): authentication is a message, one acknowledgement a pair, an
/// unknown channel is dropped without a word, an unknown ticker is acknowledged and never ticks, a pair subscribed twice
/// gets no second acknowledgement.
package struct ProviderSession: Sendable {
    /// What the server does next.
    package enum Action: Equatable, Sendable {
        case send(String)
        /// Without a close handshake, as the real one after a failed authentication.
        case drop
    }

    /// What a cluster serves.
    package static let channels: [String: Set<String>] = [
        "stocks": ["T", "Q", "A", "AM", "LULD", "NOI", "FMV"],
        "options": ["T", "Q", "A", "AM", "FMV"],
        "indices": ["V", "A", "AM"],
    ]

    package private(set) var isAuthenticated = false
    private let market: String
    private let key: String?
    private var pairs: Set<String> = []

    /// - Parameters:
    ///   - market: `stocks`, `options` or `indices`.
    ///   - key: The key to demand; any is taken where nil.
    package init(market: String, key: String?) {
        self.market = market
        self.key = key
    }

    /// The first frame of every connection.
    package static let greeting =
        #"[{"ev":"status","status":"connected","message":"Connected Successfully"}]"#

    /// Takes a client's frame.
    package mutating func received(_ frame: [UInt8]) -> [Action] {
        guard let message = try? JSONParser.parse(frame), let action = message["action"]?.string,
            let params = message["params"]?.string
        else { return [.send(Self.status("error", "invalid message"))] }
        switch action {
        case "auth": return authenticate(params)
        case "subscribe" where isAuthenticated: return subscribe(params)
        case "unsubscribe" where isAuthenticated: return unsubscribe(params)
        case "subscribe", "unsubscribe": return [.send(Self.status("error", "not authorized"))]
        default: return [.send(Self.status("error", "unknown action"))]
        }
    }

    /// Whether the client hears this pair.
    package func hears(channel: String, symbol: String) -> Bool {
        isAuthenticated && (pairs.contains("\(channel).\(symbol)") || pairs.contains("\(channel).*"))
    }

    /// Whether it subscribed to anything at all.
    package var hasSubscriptions: Bool { !pairs.isEmpty }

    private mutating func authenticate(_ given: String) -> [Action] {
        if let key, key != given {
            return [.send(Self.status("auth_failed", "authentication failed")), .drop]
        }
        isAuthenticated = true
        return [.send(Self.status("auth_success", "authenticated"))]
    }

    private mutating func subscribe(_ params: String) -> [Action] {
        var acks: [String] = []
        for pair in params.split(separator: ",").map(String.init) {
            guard let channel = pair.split(separator: ".", maxSplits: 1).first,
                Self.channels[market]?.contains(String(channel)) == true, pairs.insert(pair).inserted
            else { continue }
            acks.append(Self.object("success", "subscribed to: \(pair)"))
        }
        return acks.isEmpty ? [] : [.send("[" + acks.joined(separator: ",") + "]")]
    }

    private mutating func unsubscribe(_ params: String) -> [Action] {
        var acks: [String] = []
        for pair in params.split(separator: ",").map(String.init) where pairs.remove(pair) != nil {
            acks.append(Self.object("success", "unsubscribed to: \(pair)"))
        }
        return acks.isEmpty ? [] : [.send("[" + acks.joined(separator: ",") + "]")]
    }

    private static func status(_ status: String, _ message: String) -> String { "[\(object(status, message))]" }

    private static func object(_ status: String, _ message: String) -> String {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("ev", "status", to: &out)
        object.field("status", status as String?, to: &out)
        object.field("message", message as String?, to: &out)
        object.end(&out)
        return String(decoding: out, as: UTF8.self)
    }
}
