internal import CLibWebSockets
internal import Glibc
internal import Primitives

/// One attempt of a client: name, addresses in turn, handshake, connection; loop thread only.
final class ClientSocket: SocketHandler {
    private enum Phase {
        case resolving
        /// Trying `addresses[next - 1]`.
        case connecting
        case open
        /// Told its end.
        case over
    }

    private let client: WebSocketClient
    private var phase = Phase.resolving
    private var addresses: [String] = []
    private var next = 0
    private var lastFailure = "no address"
    private var deadline: TimerHandle?
    private var context: SocketContext?
    private var handle: SlotHandle?
    private var socket: OpaquePointer?
    private var peer: WebSocketPeer?
    /// Whether the handler is being told of a message.
    private(set) var isReceiving = false

    init(_ client: WebSocketClient) { self.client = client }

    var isOpen: Bool { if case .open = phase { true } else { false } }

    // MARK: Towards a connection

    func start() {
        deadline = client.loop.schedule(after: client.options.connectNanosMax) { [self] in
            fail("no connection after \(client.options.connectNanosMax / 1_000_000) ms; \(lastFailure)")
        }
        if let file = client.options.caFile, access(file, R_OK) != 0 {
            // Told at the next turn: the outcome never comes during `connect`.
            let cause = "CA file \(file): \(String(cString: strerror(errno)))"
            client.loop.schedule(after: 0) { [self] in fail(cause) }
            return
        }
        Resolver.resolve(client.options.url.host, on: client.loop) { [self] result in
            guard case .resolving = phase else { return }
            switch result {
            case .success(let addresses):
                self.addresses = addresses
                phase = .connecting
                tryNext()
            case .failure(let error): fail(error.cause)
            }
        }
    }

    /// Tries the next address, or tells the last one's failure.
    private func tryNext() {
        guard case .connecting = phase else { return }
        guard next < addresses.count else { return fail(lastFailure) }
        next += 1
        do {
            let context = try SocketContext.ofClients(client.loop)
            self.context = context
            let host = try context.clientHost(caFile: client.options.caFile)
            let handle = context.slots.insert(self)
            self.handle = handle
            let started = connect(context, host, handle, addresses[next - 1])
            guard !started else { return }
            context.slots.remove(handle)
            self.handle = nil
            client.loop.schedule(after: 0) { [self] in tryNext() }
        } catch {
            fail("\(error)")
        }
    }

    private func connect(
        _ context: SocketContext,
        _ host: OpaquePointer,
        _ handle: SlotHandle,
        _ address: String
    ) -> Bool {
        let url = client.options.url
        // The library copies the strings during the call.
        return withCStrings([address, url.hostHeader, url.path, client.options.subprotocol ?? ""]) { strings in
            ProtocolTable.clientName.withCString { local in
                var target = striketape_target()
                target.vhost = host
                target.address = strings[0]
                target.port = Int32(url.port)
                target.host = strings[1]
                target.path = strings[2]
                target.subprotocol = client.options.subprotocol == nil ? nil : strings[3]
                target.local_protocol = local
                target.tls = url.isSecure
                target.handle = UnsafeMutableRawPointer(bitPattern: handle.bits)
                socket = context.connect(&target)
                return socket != nil
            }
        }
    }

    private func withCStrings<Result>(
        _ texts: [String],
        _ pointers: [UnsafePointer<CChar>] = [],
        _ body: ([UnsafePointer<CChar>]) -> Result
    ) -> Result {
        guard pointers.count < texts.count else { return body(pointers) }
        return texts[pointers.count].withCString { withCStrings(texts, pointers + [$0], body) }
    }

    // MARK: Events

    func event(_ reason: lws_callback_reasons, _ socket: OpaquePointer, _ bytes: UnsafeRawBufferPointer) -> Int32 {
        switch reason {
        case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER: return addHeaders(socket, bytes)
        case LWS_CALLBACK_CLIENT_ESTABLISHED: return established(socket)
        case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
            if let problem = striketape_certificate_problem(socket) {
                lastFailure = "certificate refused: \(String(cString: problem))"
            } else {
                lastFailure = bytes.isEmpty ? "connection refused or lost" : String(decoding: bytes, as: UTF8.self)
            }
            giveUpSocket()
            tryNext()
            return 0
        case LWS_CALLBACK_CLIENT_RECEIVE: return received(bytes)
        case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
            peer?.sawFrame()
            return 0
        case LWS_CALLBACK_CLIENT_WRITEABLE:
            guard let peer else { return 0 }
            return peer.writable { client.flush(self) }
        case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
            peer?.peerCloses(bytes)
            return 0
        case LWS_CALLBACK_CLIENT_CLOSED:
            closed()
            return 0
        default: return 0
        }
    }

    func destroyed() {
        if let handle { context?.slots.remove(handle) }
        socket = nil
        closed()
    }

    func sweep(now: Int64) {
        guard case .open = phase, let peer else { return }
        if case .fine = peer.sweep(now: now) { return }
        closed()
    }

    private func addHeaders(_ socket: OpaquePointer, _ bytes: UnsafeRawBufferPointer) -> Int32 {
        // `in` points to the write position, `len` is the room.
        guard let start = bytes.baseAddress else { return 0 }
        let position = UnsafeMutableRawPointer(mutating: start).assumingMemoryBound(
            to: UnsafeMutablePointer<UInt8>?.self
        )
        guard let from = position.pointee else { return -1 }
        let end = from + bytes.count
        for (name, value) in client.options.headers {
            let failed = name.withCString { name in
                var value = value
                return value.withUTF8 {
                    lws_add_http_header_by_name(
                        socket,
                        "\(String(cString: name)):",
                        $0.baseAddress,
                        Int32($0.count),
                        position,
                        end
                    )
                }
            }
            if failed != 0 { return -1 }
        }
        return 0
    }

    private func established(_ socket: OpaquePointer) -> Int32 {
        guard case .connecting = phase, let context else { return -1 }
        deadline?.cancel()
        deadline = nil
        let peer = WebSocketPeer(
            socket: socket,
            output: context.output,
            limits: WebSocketLimits(client: client.options)
        )
        self.peer = peer
        peer.opened()
        phase = .open
        client.handler.connected(client)
        return 0
    }

    private func received(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        guard let peer else { return -1 }
        isReceiving = true
        defer { isReceiving = false }
        return peer.received(bytes) { message, isText in
            if isText {
                client.handler.text(message, on: client)
            } else {
                client.handler.binary(message, on: client)
            }
        } tooBig: {
        }
    }

    // MARK: Ends

    func requestWritable() { peer?.requestWritable() }

    func write(_ bytes: UnsafeRawBufferPointer, _ isText: Bool) -> WriteResult {
        guard let peer else { return .closed }
        return peer.write(count: bytes.count, isText ? LWS_WRITE_TEXT : LWS_WRITE_BINARY) { $0.copyMemory(from: bytes) }
    }

    func close(code: UInt16, reason: String) {
        switch phase {
        case .resolving, .connecting: client.loop.schedule(after: 0) { [self] in fail("given up") }
        case .open: peer?.close(code: code, reason: reason)
        case .over: return
        }
    }

    /// Tells that there is no connection, once.
    private func fail(_ description: String) {
        switch phase {
        case .resolving, .connecting: break
        case .open, .over: return
        }
        phase = .over
        deadline?.cancel()
        deadline = nil
        let open = socket
        giveUpSocket()
        if let open { striketape_kill(open) }
        client.ended(self)
        client.handler.failed(client, description)
    }

    /// Tells that the connection is over, once.
    private func closed() {
        guard case .open = phase, let peer else { return }
        phase = .over
        let (code, reason) = peer.closeOutcome
        peer.ended()
        client.ended(self)
        client.handler.closed(client, code: code, reason: reason)
    }

    /// Unties the present socket: what it still says finds nobody.
    private func giveUpSocket() {
        if let handle { context?.slots.remove(handle) }
        handle = nil
        socket = nil
    }
}
