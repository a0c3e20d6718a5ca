internal import MarketData
internal import Network
internal import Primitives
internal import Wire

/// The admin listener: alive, ready, metrics.
///
/// Loop thread only.
final class AdminHandler: WebServerHandler {
    private let metrics: () -> [UInt8]
    private let dependencies: () -> [Dependency]

    /// What `/metrics` shows, and what `/readyz` depends on; asked for at each request.
    init(metrics: @escaping () -> [UInt8], dependencies: @escaping () -> [Dependency]) {
        self.metrics = metrics
        self.dependencies = dependencies
    }

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
            let type = ("content-type", "text/plain; version=0.0.4")
            responder.respond(HTTPResponse(status: 200, headers: [type], body: metrics()))
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
        let dependencies = dependencies()
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
