internal import Console
internal import Network
internal import Primitives
internal import Wire

/// The public listener: pages, API, WebSockets.
///
/// Loop thread only.
final class PublicHandler: WebServerHandler {
    private unowned let core: GatewayCore

    init(_ core: GatewayCore) { self.core = core }

    // MARK: HTTP

    func request(_ request: HTTPRequest, _ responder: HTTPResponder) {
        let requestID = Identifiers.request()
        let route: Route
        do throws(Problem) {
            route = try admit(request)
        } catch {
            finish(error.response(requestID: requestID), request, requestID, responder, error.code)
            return
        }
        switch route {
        case .file(let place):
            let file = ConsoleFiles.all[place]
            let headers = [("content-type", file.contentType), ("cache-control", "no-cache")]
            finish(HTTPResponse(status: 200, headers: headers, body: file.bytes), request, requestID, responder)
        case .symbols:
            finish(symbols(), request, requestID, responder)
        case .session:
            let body = SessionAnswer.json(at: SystemClock.wall(), core.calendar)
            finish(PlanAPI.json(200, body), request, requestID, responder)
        default:
            answer(route, request, requestID, responder)
        }
    }

    /// Host, origin, key and rate; then what it asks for.
    private func admit(_ request: HTTPRequest) throws(Problem) -> Route {
        switch core.access.judge(request) {
        case .badHost: throw Problem(403, "host_not_allowed", "Host: not one that this gateway answers to")
        case .badOrigin: throw Problem(403, "origin_not_allowed", "Origin: not one that this gateway answers to")
        case .fine: break
        }
        let route = try Route.of(request)
        if route.isOpen { return route }
        guard core.messageRates.allows(request.peer, now: SystemClock.monotonicNanos()) else {
            let limit = core.configuration.messagesPerSecond
            throw Problem(429, "rate_limited", "more than \(limit) requests a second from \(request.peer)")
        }
        guard core.access.isAuthorised(request) else {
            throw Problem(401, "unauthorised", "Authorization: expected Bearer and the key")
        }
        return route
    }

    private func symbols() -> HTTPResponse {
        var body = Array(#"{"symbols":["#.utf8)
        for (index, symbol) in core.configuration.symbols.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            JSONText.append(symbol, to: &body)
        }
        body.append(contentsOf: "]}".utf8)
        return PlanAPI.json(200, body)
    }

    /// What needs the bus: answered later, from another thread.
    private func answer(_ route: Route, _ request: HTTPRequest, _ requestID: String, _ responder: HTTPResponder) {
        let api = PublicAPI(user: core.configuration.localUser, plans: core.plans, states: core.states)
        let core = core
        Task {
            let outcome = await api.outcome(of: route, request, requestID: requestID)
            core.loop.execute { core.answered(outcome.response.status, request, requestID, outcome.failure) }
            responder.respond(PublicAPI.marked(outcome.response, requestID))
        }
    }

    private func finish(
        _ response: HTTPResponse,
        _ request: HTTPRequest,
        _ requestID: String,
        _ responder: HTTPResponder,
        _ failure: String? = nil
    ) {
        core.answered(response.status, request, requestID, failure)
        responder.respond(PublicAPI.marked(response, requestID))
    }

    // MARK: WebSocket

    func opened(_ connection: WebSocketConnection) {
        let request = connection.request
        guard !core.isDraining else { return refuse(connection, .restart) }
        guard core.connectionRates.allows(request.peer, now: SystemClock.monotonicNanos()) else {
            return refuse(connection, .rateLimited)
        }
        switch core.access.judge(request) {
        case .badHost: return refuse(connection, .unauthorised, "host not allowed")
        case .badOrigin: return refuse(connection, .unauthorised, "origin not allowed")
        case .fine: break
        }
        guard let implied = SocketPath.channels(request.path) else { return refuse(connection, .unknownPath) }
        let session = GatewayCore.Session(connection, implied: implied)
        connection.owner = session
        if core.access.isAuthorised(request) {
            core.admit(session)
        } else {
            session.authTimer = core.loop.schedule(after: core.configuration.authNanos) { [weak core, weak session] in
                guard let core, let session, session.id == nil else { return }
                core.close(session, .unauthorised)
            }
        }
    }

    private func refuse(_ connection: WebSocketConnection, _ code: CloseCode, _ reason: String? = nil) {
        core.seams.log(
            "connection_refused",
            [("code", String(code.rawValue)), ("peer", connection.request.peer), ("reason", reason ?? code.reason)]
        )
        connection.close(code: code.rawValue, reason: reason ?? code.reason)
    }

    func received(_ message: UnsafeRawBufferPointer, isText: Bool, on connection: WebSocketConnection) {
        guard let session = connection.owner as? GatewayCore.Session else { return }
        core.messagesReceived += 1
        let now = SystemClock.monotonicNanos()
        guard core.messageRates.allows(connection.request.peer, now: now) else {
            return core.close(session, .rateLimited)
        }
        guard isText else { return core.close(session, .badFrame) }
        let request: ClientRequest
        do throws(RequestError) {
            request = try ClientRequest.parse(message)
        } catch {
            return fail(session, error)
        }
        guard let id = session.id else { return authenticate(session, request) }
        core.hub.requested(request, by: id, now: now)
    }

    private func fail(_ session: GatewayCore.Session, _ error: RequestError) {
        guard error.code != .badFrame else { return core.close(session, .badFrame) }
        guard let id = session.id else { return core.close(session, .unauthorised) }
        core.hub.failed(error, by: id)
    }

    private func authenticate(_ session: GatewayCore.Session, _ request: ClientRequest) {
        guard case .auth(let requestID, let token) = request, core.access.isKey(token) else {
            core.seams.log("auth_refused", [("peer", session.connection.request.peer)])
            return core.close(session, .unauthorised)
        }
        core.admit(session)
        if let id = session.id {
            core.hub.answer(id, ServerReply.authenticated(id: requestID, user: core.configuration.localUser))
        }
    }

    func writable(_ connection: WebSocketConnection) {
        guard let session = connection.owner as? GatewayCore.Session else { return }
        core.flush(session, now: SystemClock.monotonicNanos())
    }

    func closed(_ connection: WebSocketConnection, code: UInt16, reason: String) {
        guard let session = connection.owner as? GatewayCore.Session else { return }
        session.authTimer?.cancel()
        guard let id = session.id else { return }
        session.id = nil
        core.sessions[id] = nil
        core.hub.closed(id, now: SystemClock.monotonicNanos())
    }
}

extension GatewayCore {
    /// Makes a WebSocket a subscriber, with what its path asks for.
    func admit(_ session: Session) {
        session.authTimer?.cancel()
        session.authTimer = nil
        guard let id = hub.connected(user: configuration.localUser) else { return close(session, .overload) }
        session.id = id
        sessions[id] = session
        guard !session.implied.isEmpty else { return }
        let channels = session.implied.map { ChannelRequest(name: $0) }
        hub.requested(.subscribe(id: .null, channels), by: id, now: SystemClock.monotonicNanos())
    }

    /// Notes an answered request.
    func answered(_ status: Int, _ request: HTTPRequest, _ requestID: String, _ failure: String?) {
        requestCounts[status / 100, default: 0] += 1
        var fields = [
            ("request_id", requestID), ("method", request.method.rawValue), ("path", request.path),
            ("status", String(status)), ("peer", request.peer),
        ]
        if let failure { fields.append(("code", failure)) }
        seams.log("http_request", fields)
    }
}
