internal import Network

/// The gateway's own metrics in Prometheus's text form.
///
/// Loop thread only.
enum GatewayMetrics {
    static func text(of core: GatewayCore) -> [UInt8] {
        let counters = core.counters
        let totals: [(String, String, UInt64)] = [
            ("bus_messages_total", "Messages heard from the bus.", counters.messagesIn),
            ("bus_strays_total", "Messages of channels that nobody watches here.", counters.strays),
            ("bus_inbox_dropped_total", "Messages dropped as the loop was behind.", core.inboxDropped),
            ("holes_total", "Missing messages noticed.", counters.holes),
            ("states_read_total", "Channel states read from the bus.", counters.statesRead),
            ("read_failures_total", "Reads and subscriptions that the bus refused.", counters.readFailures),
            ("malformed_plans_total", "Plan states that could not be understood.", counters.malformedPlans),
            ("gaps_sent_total", "Gaps told to subscribers.", counters.gapsSent),
            ("messages_sent_total", "Messages sent to subscribers.", counters.messagesOut),
            ("frames_sent_total", "Frames sent to subscribers.", counters.framesOut),
            ("sent_bytes_total", "Bytes sent to subscribers.", counters.bytesOut),
            ("encoded_total", "Texts that the gateway made itself.", counters.encoded),
            ("request_errors_total", "Requests of subscribers that were refused.", counters.requestErrors),
            ("slow_closed_total", "Subscribers closed as too slow.", counters.closedSlow),
            ("connections_total", "Subscribers accepted.", counters.connectionsAccepted),
            ("connections_refused_total", "Subscribers above the limit.", counters.connectionsRefused),
            ("received_messages_total", "WebSocket messages of subscribers.", core.messagesReceived),
            ("flushes_total", "Turns of the loop that wrote to subscribers.", core.flushes),
        ]
        var text = ""
        for (name, help, value) in totals { append("gateway_" + name, help, value, to: &text) }
        append("gateway_connections", "Subscribers now.", UInt64(core.hub.connectionCount), to: &text)
        append("gateway_subscriptions", "Subscriptions now.", UInt64(core.hub.subscriptionCount), to: &text)
        append("gateway_channels", "Channels watched now.", UInt64(core.hub.channelCount), to: &text)
        text += head("gateway_http_requests_total", "Requests answered.")
        for (family, count) in core.requestCounts.sorted(by: { $0.key < $1.key }) {
            text += "striketape_gateway_http_requests_total{status=\"\(family)xx\"} \(count)\n"
        }
        text += web(core.serverCounters)
        return Array(text.utf8)
    }

    /// What the listeners counted; the admin listener's under `listener="admin"`.
    private static func web(_ listeners: [(name: String, counters: WebServerCounters)]) -> String {
        let families: [(String, String, (WebServerCounters) -> Int)] = [
            ("accepted_sockets_total", "Sockets accepted.", { $0.accepted }),
            ("requests_total", "HTTP requests read.", { $0.requests }),
            ("upgrades_total", "WebSockets opened.", { $0.upgrades }),
            ("refused_upgrades_total", "Upgrades to something else than a WebSocket.", { $0.refusedUpgrades }),
            ("refused_sockets_total", "Sockets refused: too many without a WebSocket.", { $0.refusedSockets }),
            ("refused_connections_total", "WebSockets above the limit.", { $0.refusedConnections }),
            ("too_big_messages_total", "WebSocket messages above the limit.", { $0.tooBigMessages }),
            ("too_big_bodies_total", "Request bodies above the limit.", { $0.tooBigBodies }),
            ("bad_requests_total", "Requests that are no HTTP.", { $0.badRequests }),
            ("slow_requests_total", "Sockets without a request in time.", { $0.slowRequests }),
            ("slow_answers_total", "Requests without an answer in time.", { $0.slowAnswers }),
            ("silent_closed_total", "WebSockets closed: not a frame for too long.", { $0.silent }),
            ("sockets", "Sockets now.", { $0.sockets }),
            ("connections", "WebSockets now.", { $0.connections }),
        ]
        var text = ""
        for (name, help, value) in families {
            text += head("web_" + name, help)
            for listener in listeners {
                text += "striketape_web_\(name){listener=\"\(listener.name)\"} \(value(listener.counters))\n"
            }
        }
        return text
    }

    private static func append(_ name: String, _ help: String, _ value: UInt64, to text: inout String) {
        text += head(name, help) + "striketape_\(name) \(value)\n"
    }

    /// A name that ends in `_total` is a counter's, another a gauge's.
    private static func head(_ name: String, _ help: String) -> String {
        let type = name.hasSuffix("_total") ? "counter" : "gauge"
        return "# HELP striketape_\(name) \(help)\n# TYPE striketape_\(name) \(type)\n"
    }
}
