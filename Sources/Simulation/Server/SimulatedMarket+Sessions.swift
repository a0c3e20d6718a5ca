internal import Network
internal import Primitives

/// A session on a socket.
protocol SimulatedClient: AnyObject {
    var kind: SimulatedKind { get }
    var hasSubscriptions: Bool { get }
}

final class PolygonClient: SimulatedClient {
    var session: ProviderSession
    var heard: HeardEvents
    let opened: Int64
    /// The objects of the frame that is being gathered.
    var frame: [UInt8] = []
    /// A newcomer that the cap refuses once it has subscribed.
    var isRefused = false
    let kind = SimulatedKind.polygon

    init(session: ProviderSession, instruments: Int, opened: Int64) {
        (self.session, self.opened) = (session, opened)
        heard = HeardEvents(instruments: instruments)
    }

    var hasSubscriptions: Bool { session.hasSubscriptions }
}

final class FlowClient: SimulatedClient {
    var session = FlowSession()
    let kind = SimulatedKind.flow
    var hasSubscriptions: Bool { !session.channels.isEmpty }
}

final class BridgeClient: SimulatedClient {
    var session: BridgeSession
    let kind = SimulatedKind.bridge
    /// Since when more than four megabytes wait for it.
    var behindSince: Int64?

    init(session: BridgeSession) { self.session = session }

    var hasSubscriptions: Bool { session.hasSubscriptions }
}

// Requests, upgrades and what clients say.
extension SimulatedMarket: SimulatedSocketHandler {
    func requested(_ request: SimulatedRequest, on socket: SimulatedSocket) {
        counters.requests += 1
        let isUpgrade = request.headers["upgrade"]?.lowercased() == "websocket"
        guard isUpgrade else {
            socket.respond(answer(request))
            return
        }
        guard let kind = Self.kind(of: request.path), options.providers.contains(kind) else {
            socket.respond(
                SimulatedAnswer(status: 404, plain: "a WebSocket at /stocks, /options, /indices, /socket, /ib/v1\n")
            )
            return
        }
        if let refusal = refusal(kind, request) {
            socket.respond(refusal)
            return
        }
        guard moods(of: kind).contains(.slowStart) else {
            open(kind, request, socket)
            return
        }
        loop.schedule(after: 5_000_000_000) { [weak self, weak socket] in
            guard let self, let socket, socket.isOpen else { return }
            open(kind, request, socket)
        }
    }

    static func kind(of path: String) -> SimulatedKind? {
        if PolygonMarket(rawValue: String(path.dropFirst())) != nil { return .polygon }
        if path == "/socket" { return .flow }
        return path == "/ib/v1" ? .bridge : nil
    }

    /// What an upgrade is answered with instead; nil where it is welcome.
    private func refusal(_ kind: SimulatedKind, _ request: SimulatedRequest) -> SimulatedAnswer? {
        switch kind {
        case .polygon: return nil
        case .flow:
            let token = request.argument("token") ?? request.bearer
            let isKnown = token.map { !$0.isEmpty && (options.key == nil || options.key == $0) } ?? false
            guard isKnown, !moods(of: .flow).contains(.authFailure) else {
                return SimulatedAnswer(status: 401, json: #"{"error":"Unauthorized"}"#)
            }
        case .bridge:
            if SystemClock.monotonicNanos() < bridgeAwayUntil {
                return SimulatedAnswer(status: 503, plain: "restarting\n")
            }
        }
        return model == nil ? SimulatedAnswer(status: 404, plain: "a tape plays: only the first vendor speaks\n") : nil
    }

    private func open(_ kind: SimulatedKind, _ request: SimulatedRequest, _ socket: SimulatedSocket) {
        let now = SystemClock.monotonicNanos()
        socket.upgrade(request)
        guard socket.isOpen else { return }
        socket.fragments = moods(of: kind).contains(.fragments)
        switch kind {
        case .polygon:
            guard let market = PolygonMarket(rawValue: String(request.path.dropFirst())) else {
                preconditionFailure("an upgrade of an unknown cluster: \(request.path)")
            }
            socket.session = PolygonClient(
                session: ProviderSession(market: market, key: options.key),
                instruments: model?.instruments.all.count ?? 0,
                opened: now
            )
            socket.send(Array(ProviderSession.greeting.utf8))
        case .flow: socket.session = FlowClient()
        case .bridge:
            let epoch = FlowEncoder.identifier(model?.options.seed ?? 0, UInt64(bridgeLife))
            let client = BridgeClient(session: BridgeSession(epoch: epoch, openedWallNanos: now))
            socket.session = client
            if let key = options.key, request.bearer != key { socket.close(4_003, "not authorized") }
        }
    }

    func received(_ message: [UInt8], on socket: SimulatedSocket) {
        switch socket.session {
        case let client as PolygonClient: receivedPolygon(message, client, socket)
        case let client as FlowClient:
            for case .send(let text) in client.session.received(message, moods: moods(of: .flow)) {
                socket.send(Array(text.utf8))
            }
        case let client as BridgeClient:
            guard let model else { return }
            act(client.session.received(message, model, at: moment, moods: moods(of: .bridge)), on: socket)
        default: return
        }
        beginIfWanted()
    }

    private func receivedPolygon(_ message: [UInt8], _ client: PolygonClient, _ socket: SimulatedSocket) {
        let wasAuthenticated = client.session.isAuthenticated
        let actions = client.session.received(message, moods: moods(of: .polygon), refusedChannel: refusedChannel)
        if client.session.isAuthenticated, !wasAuthenticated { makeRoom(for: client, socket) }
        act(actions, on: socket)
        if let model { client.heard.follow(client.session, model.instruments) }
        if client.isRefused, client.hasSubscriptions {
            socket.send(Array(ProviderSession.tooMany.utf8))
            socket.close(1_008)
        }
    }

    /// The cap of connections a key and cluster: the oldest goes, or the newcomer in a mood.
    private func makeRoom(for client: PolygonClient, _ socket: SimulatedSocket) {
        let others = ordered.filter { other in
            guard other !== socket, other.isOpen, other.closingSince == nil, let their = other.session as? PolygonClient
            else { return false }
            return their.session.isAuthenticated && their.session.market == client.session.market
                && their.session.shownKey == client.session.shownKey
        }
        guard others.count >= options.connectionsMax else { return }
        if moods(of: .polygon).contains(.refuseNewcomer) {
            client.isRefused = true
            return
        }
        for other in others.prefix(others.count - options.connectionsMax + 1) {
            other.send(Array(ProviderSession.tooMany.utf8))
            other.close(1_008)
        }
    }

    func act(_ actions: [ProviderSession.Action], on socket: SimulatedSocket) {
        for action in actions {
            switch action {
            case .send(let text): socket.send(Array(text.utf8))
            case .drop: socket.drop()
            case .close(let code): socket.close(code)
            }
        }
    }

    func act(_ actions: [BridgeSession.Action], on socket: SimulatedSocket) {
        for action in actions {
            switch action {
            case .send(let bytes): deliver(bytes, to: socket)
            case .close(let code, let reason): socket.close(code, reason)
            }
        }
    }

    var moment: BridgeSession.Moment {
        let skew = moods(of: .bridge).contains(.clockSkew) ? Int64(1_500_000_000) : 0
        return BridgeSession.Moment(
            wallNanos: SystemClock.monotonicNanos(),
            market: marketNow.advanced(byNanos: skew)
        )
    }

    func drained(_ socket: SimulatedSocket) {
        if options.speed == nil { postPump() }
    }

    func closed(_ socket: SimulatedSocket) {
        sockets[ObjectIdentifier(socket)] = nil
        if options.speed == nil, origin != nil { postPump() }
    }

    // MARK: REST

    private func answer(_ request: SimulatedRequest) -> SimulatedAnswer {
        guard let model else {
            return SimulatedAnswer(status: 404, plain: "a WebSocket at /stocks, /options, /indices\n")
        }
        if options.providers.contains(.polygon), PolygonREST.serves(request.path) {
            let base = "http://" + (request.headers["host"] ?? "127.0.0.1")
            return PolygonREST(model: model, key: options.key, moods: moods(of: .polygon), base: base).answer(request)
        }
        if options.providers.contains(.flow), FlowREST.serves(request.path) {
            return flowREST.answer(
                request,
                model,
                key: options.key,
                moods: moods(of: .flow),
                wallNanos: SystemClock.monotonicNanos()
            )
        }
        return SimulatedAnswer(status: 404, plain: "404 page not found\n")
    }
}
