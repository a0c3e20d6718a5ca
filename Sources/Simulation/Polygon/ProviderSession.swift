internal import Wire

/// One client's connection to the simulated vendor: what it said, what it may hear.
///
/// Pure. Behaves as the real one is documented to (feeds.md 1.2, 1.3): authentication is a message, one acknowledgement a
/// pair, an unknown channel is dropped without a word, an unknown ticker is acknowledged and never ticks, a pair
/// subscribed twice gets no second acknowledgement, option quotes have no wildcard and end at 1,000 contracts.
package struct ProviderSession: Sendable {
    /// What the server does next.
    package enum Action: Equatable, Sendable {
        case send(String)
        /// Without a close handshake, as the real one after a failed authentication.
        case drop
        case close(UInt16)
    }

    /// Contracts whose quotes one connection gets; what is subscribed beyond is acknowledged and silent.
    package static let optionQuotesMax = 1_000
    /// Nanoseconds to authenticate in.
    package static let authNanosMax: Int64 = 10_000_000_000
    /// The same in the mood that doesn't hear the authentication.
    static let impatientNanosMax: Int64 = 2_000_000_000

    package private(set) var isAuthenticated = false
    /// The key it showed; empty before.
    package private(set) var shownKey = ""
    package let market: PolygonMarket
    private let key: String?
    private var pairs: Set<String> = []
    private var optionQuotes: Set<String> = []
    /// Counts changes of what is heard, so that others can keep a resolved form.
    package private(set) var version = 0
    private var hasTimedOut = false

    /// - Parameters:
    ///   - market: the cluster.
    ///   - key: The key to demand; any is taken where nil.
    package init(market: PolygonMarket, key: String?) {
        self.market = market
        self.key = key
    }

    /// The first frame of every connection.
    package static let greeting =
        #"[{"ev":"status","status":"connected","message":"Connected Successfully"}]"#
    /// What an evicted or refused connection hears; the real text ends in a space.
    package static let tooMany = status("max_connections", "Maximum number of websocket connections exceeded. ")

    /// Takes a client's frame; `refusedChannel` is the one that the plan lacks in the mood `not-authorized`.
    package mutating func received(
        _ frame: [UInt8],
        moods: MoodSet = MoodSet(),
        refusedChannel: String = "NOI"
    ) -> [Action] {
        guard let message = try? JSONParser.parse(frame), let action = message["action"]?.string,
            let params = message["params"]?.string
        else { return [.send(Self.status("error", "invalid message"))] }
        switch action {
        case "auth": return authenticate(params, moods)
        case "subscribe" where isAuthenticated:
            return subscribe(params, refused: moods.contains(.notAuthorized) ? refusedChannel : nil)
        case "unsubscribe" where isAuthenticated: return unsubscribe(params)
        case "subscribe", "unsubscribe": return [.send(Self.status("error", "not authorized"))]
        default: return [.send(Self.status("error", "unknown action"))]
        }
    }

    /// Whether the client hears this pair.
    package func hears(channel: String, symbol: String) -> Bool {
        guard isAuthenticated else { return false }
        if market == .options, channel == "Q" { return optionQuotes.contains(symbol) }
        return pairs.contains("\(channel).\(symbol)") || pairs.contains("\(channel).*")
    }

    /// Looks at the clock: too long without authentication ends the connection.
    package mutating func waited(nanos: Int64, moods: MoodSet = MoodSet()) -> [Action] {
        let limit = moods.contains(.authTimeout) ? Self.impatientNanosMax : Self.authNanosMax
        guard !isAuthenticated, !hasTimedOut, nanos > limit else { return [] }
        hasTimedOut = true
        return [.send(Self.status("auth_timeout", "No authentication request received.")), .close(1_008)]
    }

    /// Whether it subscribed to anything at all.
    package var hasSubscriptions: Bool { !pairs.isEmpty }

    private mutating func authenticate(_ given: String, _ moods: MoodSet) -> [Action] {
        if moods.contains(.authTimeout) { return [] }
        if moods.contains(.noWebSocketPlan) {
            return [.send(Self.status("auth_failed", "Your plan doesn't include websocket access.")), .drop]
        }
        if moods.contains(.authFailure) || (key != nil && key != given) {
            return [.send(Self.status("auth_failed", "authentication failed")), .drop]
        }
        isAuthenticated = true
        shownKey = given
        version += 1
        return [.send(Self.status("auth_success", "authenticated"))]
    }

    private mutating func subscribe(_ params: String, refused: String?) -> [Action] {
        var acks: [String] = []
        for pair in params.split(separator: ",").map(String.init) {
            let parts = pair.split(separator: ".", maxSplits: 1).map(String.init)
            guard let first = parts.first, let channel = PolygonChannelName(rawValue: first),
                market.channels.contains(channel)
            else { continue }
            if first == refused {
                acks.append(Self.object("error", "not authorized"))
                continue
            }
            let isOptionQuote = market == .options && channel == .quote
            if isOptionQuote, parts.last == "*" { continue }
            guard pairs.insert(pair).inserted else { continue }
            if isOptionQuote, parts.count == 2, optionQuotes.count < Self.optionQuotesMax {
                optionQuotes.insert(parts[1])
            }
            acks.append(Self.object("success", "subscribed to: \(pair)"))
        }
        version += 1
        return acks.isEmpty ? [] : [.send("[" + acks.joined(separator: ",") + "]")]
    }

    private mutating func unsubscribe(_ params: String) -> [Action] {
        var acks: [String] = []
        for pair in params.split(separator: ",").map(String.init) where pairs.remove(pair) != nil {
            if pair.hasPrefix("Q.") { optionQuotes.remove(String(pair.dropFirst(2))) }
            acks.append(Self.object("success", "unsubscribed to: \(pair)"))
        }
        version += 1
        return acks.isEmpty ? [] : [.send("[" + acks.joined(separator: ",") + "]")]
    }

    static func status(_ status: String, _ message: String) -> String { "[\(object(status, message))]" }

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

/// What a session hears of a model, resolved to one look at an array.
package struct HeardEvents: Sendable {
    /// One bit a channel, by instrument.
    private var bits: [UInt8]
    private(set) var version = -1

    init(instruments: Int) { bits = Array(repeating: 0, count: instruments) }

    private static func bit(_ channel: PolygonChannelName) -> UInt8 {
        switch channel {
        case .trade: 1
        case .quote: 2
        case .second: 4
        case .minute: 8
        case .band: 16
        case .value: 32
        case .imbalance: 64
        case .fairValue: 128
        }
    }

    /// Follows a session that changed.
    mutating func follow(_ session: ProviderSession, _ instruments: ModelInstruments) {
        guard session.version != version else { return }
        version = session.version
        for (index, instrument) in instruments.all.enumerated() {
            var found: UInt8 = 0
            if PolygonMarket(instrument.kind) == session.market {
                for channel in session.market.channels
                where session.hears(channel: channel.rawValue, symbol: instrument.ticker) { found |= Self.bit(channel) }
            }
            bits[index] = found
        }
    }

    func contains(_ channel: PolygonChannelName, _ symbol: Int32) -> Bool { bits[Int(symbol)] & Self.bit(channel) != 0 }
}
