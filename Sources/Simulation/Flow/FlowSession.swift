internal import Wire

/// One client of the simulated flow vendor: its joins (feeds.md 3.1).
///
/// Pure. The token is judged before the upgrade, so a session begins welcome; one frame a channel, one answer a frame.
package struct FlowSession: Sendable {
    /// What the server does next.
    package enum Action: Equatable, Sendable {
        case send(String)
    }

    /// Base names that can be joined alone, and those that can be with a ticker.
    package static let global: Set<String> = [
        "option_trades", "flow-alerts", "news", "lit_trades", "off_lit_trades", "market_tide", "interval_flow",
        "trading_halts", "contract_screener", "custom_alerts", "periscope",
    ]
    package static let ofTicker: Set<String> = [
        "option_trades", "price", "gex", "gex_strike", "gex_strike_expiry", "net_flow", "lit_trades", "off_lit_trades",
        "periscope",
    ]
    /// Joins of one connection; what comes beyond is refused.
    static let channelsMax = 2_000

    package private(set) var channels: Set<String> = []

    package init() {}

    /// Takes a client's frame; what isn't understood gets no answer, as none is known.
    package mutating func received(_ frame: [UInt8], moods: MoodSet = MoodSet()) -> [Action] {
        guard let message = try? JSONParser.parse(frame), let channel = message["channel"]?.string else { return [] }
        switch message["msg_type"]?.string {
        case "join":
            guard !moods.contains(.joinRefused), Self.exists(channel), channels.count < Self.channelsMax else {
                return [.send(Self.answer(channel, "error", reason: "unauthorized"))]
            }
            channels.insert(channel)
            return [.send(Self.answer(channel, "ok", reason: nil))]
        case "leave":
            channels.remove(channel)
            return [.send(Self.answer(channel, "ok", reason: nil))]
        default: return []
        }
    }

    private static func exists(_ channel: String) -> Bool {
        let parts = channel.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let base = parts.first else { return false }
        return parts.count == 1 ? global.contains(base) : ofTicker.contains(base) && !parts[1].isEmpty
    }

    private static func answer(_ channel: String, _ status: String, reason: String?) -> String {
        var out: [UInt8] = []
        JSONText.append(channel, to: &out)
        let response = reason.map { #"{"reason":"\#($0)"}"# } ?? "{}"
        return "[" + String(decoding: out, as: UTF8.self) + #",{"response":\#(response),"status":"\#(status)"}]"#
    }
}
