internal import CLibWebSockets
internal import Glibc
internal import Primitives

/// One accepted socket: first requests and answers in turn, then perhaps a WebSocket; loop thread only.
///
/// `ServerSocket+HTTP` has the requests, `WebSocketConnection` the WebSocket.
final class ServerSocket: SocketHandler {
    enum Phase {
        /// Waiting for a request, or for the rest of its headers.
        case idle
        /// The body of a request is coming.
        case body(HTTPRequest)
        /// The handler is thinking.
        case handling(HTTPRequest.Method)
        /// An answer is being sent.
        case answering(PendingResponse)
        /// A WebSocket: handshake done or about to be.
        case webSocket(WebSocketConnection)
        /// Being cut: nothing of it counts any more.
        case dead
    }

    let server: WebServer
    unowned let context: SocketContext
    private(set) var handle = SlotHandle(index: 0, generation: 0)
    /// Only valid before `destroyed`.
    let socket: OpaquePointer
    var phase = Phase.idle
    /// When the present phase must be over; the WebSocket has its own deadlines.
    var deadline: Int64
    /// Counts requests, so that a late answer can't hit the next one.
    var requestNumber = 0
    /// Whether the connection ends after the present request.
    var closesAfterAnswer = false
    private(set) var isDraining = false

    init(server: WebServer, context: SocketContext, socket: OpaquePointer) {
        self.server = server
        self.context = context
        self.socket = socket
        deadline = SystemClock.monotonicNanos() + server.options.requestNanosMax
        handle = context.add(self, for: socket)
    }

    var connection: WebSocketConnection? {
        guard case .webSocket(let connection) = phase, connection.wasOpened else { return nil }
        return connection
    }

    // MARK: Events

    func event(_ reason: lws_callback_reasons, _ socket: OpaquePointer, _ bytes: UnsafeRawBufferPointer) -> Int32 {
        switch reason {
        case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: return confirmUpgrade()
        case LWS_CALLBACK_HTTP: return requestBegan()
        case LWS_CALLBACK_HTTP_BODY: return bodyCame(bytes)
        case LWS_CALLBACK_HTTP_BODY_COMPLETION: return bodyEnded()
        case LWS_CALLBACK_HTTP_WRITEABLE: return httpWritable()
        case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: return upgradeBegan()
        case LWS_CALLBACK_RAW_ADOPT, LWS_CALLBACK_RAW_CONNECTED, LWS_CALLBACK_RAW_RX, LWS_CALLBACK_RAW_WRITEABLE:
            // CONNECT would make a raw socket of it.
            server.tally.refusedUpgrades += 1
            return -1
        case LWS_CALLBACK_CLOSED_HTTP:
            phase = .dead
            return 0
        case LWS_CALLBACK_CLOSED:
            if case .webSocket(let connection) = phase { connection.ended() }
            phase = .dead
            return 0
        default:
            guard case .webSocket(let connection) = phase else { return 0 }
            return connection.event(reason, bytes)
        }
    }

    func destroyed() {
        if case .webSocket(let connection) = phase { connection.ended() }
        phase = .dead
        context.slots.remove(handle)
        server.destroyed(handle)
    }

    func sweep(now: Int64) {
        switch phase {
        case .webSocket(let connection) where connection.wasOpened: connection.sweep(now: now)
        case .idle, .body:
            guard now > deadline else { return }
            if requestNumber == 0 { server.tally.slowRequests += 1 }
            cut()
        case .handling:
            guard now > deadline else { return }
            server.tally.slowAnswers += 1
            respond(.problem(503, "no answer in time"), number: requestNumber)
        case .answering, .webSocket:
            guard now > deadline else { return }
            cut()
        case .dead: return
        }
    }

    /// Closes the socket at the next turn, without a close frame or an answer.
    func cut() {
        if case .dead = phase { return }
        if case .webSocket(let connection) = phase { connection.ended() }
        phase = .dead
        striketape_kill(socket)
    }

    /// Lets it end: WebSockets are closed, what waits is cut, requests under way are the last.
    func drain(code: UInt16, reason: String) {
        isDraining = true
        switch phase {
        case .webSocket(let connection): connection.close(code: code, reason: reason)
        case .idle: cut()
        case .body, .handling, .answering, .dead: return
        }
    }

    // MARK: Upgrades

    /// Only websocket, and never by reading what the callback hands over (reliability.md 0.1, 0.2).
    private func confirmUpgrade() -> Int32 {
        guard header(WSI_TOKEN_UPGRADE)?.lowercased() == "websocket", case .idle = phase else {
            server.tally.refusedUpgrades += 1
            return -1
        }
        return 0
    }

    private func upgradeBegan() -> Int32 {
        guard case .idle = phase, var request = parseRequest(), request.method == .get else {
            server.tally.badRequests += 1
            return -1
        }
        request.body = []
        phase = .webSocket(WebSocketConnection(self, request))
        server.tally.upgrades += 1
        return 0
    }
}
