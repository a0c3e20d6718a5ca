internal import MarketData
internal import Network
internal import Primitives
internal import Wire

/// The admin listener: alive, ready, metrics.
///
/// Loop thread only.
final class AdminHandler: WebServerHandler {
    private unowned let core: GatewayCore

    init(_ core: GatewayCore) { self.core = core }

    func request(_ request: HTTPRequest, _ responder: HTTPResponder) {
        let requestID = Identifiers.request()
        guard isLoopback(request) else {
            return responder.respond(
                Problem(403, "host_not_allowed", "Host: not a loopback name").response(requestID: requestID)
            )
        }
        guard request.method == .get || request.method == .head else {
            let problem = Problem(405, "method_not_allowed", "\(request.method.rawValue) is not GET")
            return responder.respond(problem.response(requestID: requestID))
        }
        switch request.path {
        case "/healthz":
            responder.respond(PlanAPI.json(200, Array(#"{"status":"alive"}"#.utf8)))
        case "/readyz":
            responder.respond(ready())
        case "/metrics":
            let body = core.seams.metrics() + GatewayMetrics.text(of: core)
            responder.respond(
                HTTPResponse(status: 200, headers: [("content-type", "text/plain; version=0.0.4")], body: body)
            )
        default:
            responder.respond(Problem.notFound.response(requestID: requestID))
        }
    }

    /// A page of somewhere else can't read it through a rebound name, nor call it.
    private func isLoopback(_ request: HTTPRequest) -> Bool {
        guard request[.origin] == nil, let host = request[.host] else { return false }
        let name = host.hasPrefix("[") ? host.prefix { $0 != "]" } + "]" : host.prefix { $0 != ":" }
        let port = host.dropFirst(name.count)
        guard port.isEmpty || (port.first == ":" && UInt16(port.dropFirst()) != nil) else { return false }
        return GatewayConfiguration.isLoopback(String(name))
    }

    private func ready() -> HTTPResponse {
        let listener = Dependency(
            name: "listener",
            isReady: !core.isDraining,
            detail: core.isDraining ? "draining" : "port \(core.publicPort)"
        )
        let bus = Dependency(name: "bus", isReady: core.busState == .up, detail: core.busCause)
        let dependencies = [listener, bus] + core.seams.dependencies()
        let isReady = dependencies.allSatisfy(\.isReady)
        var body: [UInt8] = []
        var object = JSONObject(&body)
        object.field("status", isReady ? "ready" : "not ready", to: &body)
        object.key("dependencies", to: &body)
        var list = JSONObject(&body)
        for dependency in dependencies {
            list.key(dependency.name, to: &body)
            var entry = JSONObject(&body)
            entry.field("ready", dependency.isReady, to: &body)
            entry.field("detail", dependency.detail, to: &body)
            entry.end(&body)
        }
        list.end(&body)
        object.end(&body)
        return PlanAPI.json(isReady ? 200 : 503, body)
    }

    // No WebSockets here.

    func opened(_ connection: WebSocketConnection) {
        connection.close(code: CloseCode.unknownPath.rawValue, reason: CloseCode.unknownPath.reason)
    }

    func received(_ message: UnsafeRawBufferPointer, isText: Bool, on connection: WebSocketConnection) {}

    func writable(_ connection: WebSocketConnection) {}

    func closed(_ connection: WebSocketConnection, code: UInt16, reason: String) {}
}

/// The gateway's own metrics in Prometheus's text form.
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
        ]
        var text = ""
        for (name, help, value) in totals { append(name, help, "counter", value, to: &text) }
        append("connections", "Subscribers now.", "gauge", UInt64(core.hub.connectionCount), to: &text)
        append("subscriptions", "Subscriptions now.", "gauge", UInt64(core.hub.subscriptionCount), to: &text)
        append("channels", "Channels watched now.", "gauge", UInt64(core.hub.channelCount), to: &text)
        text += "# HELP striketape_gateway_http_requests_total Requests answered.\n"
        text += "# TYPE striketape_gateway_http_requests_total counter\n"
        for (family, count) in core.requestCounts.sorted(by: { $0.key < $1.key }) {
            text += "striketape_gateway_http_requests_total{status=\"\(family)xx\"} \(count)\n"
        }
        return Array(text.utf8)
    }

    private static func append(_ name: String, _ help: String, _ type: String, _ value: UInt64, to text: inout String) {
        text += "# HELP striketape_gateway_\(name) \(help)\n# TYPE striketape_gateway_\(name) \(type)\n"
        text += "striketape_gateway_\(name) \(value)\n"
    }
}
