internal import CLibWebSockets
internal import Glibc

/// What a server asks and tells; all calls on the loop thread.
package protocol WebServerHandler: AnyObject {
    /// A request came whole; answer through `responder`, now or later, from any thread, once.
    func request(_ request: HTTPRequest, _ responder: HTTPResponder)
    /// A WebSocket is open; look at `connection.request` and close it with a code if it isn't welcome.
    func opened(_ connection: WebSocketConnection)
    /// A whole message came; the bytes are only valid during the call.
    func received(_ message: UnsafeRawBufferPointer, isText: Bool, on connection: WebSocketConnection)
    /// Writing makes sense again after a `write` that answered `pending` or `buffered`.
    func writable(_ connection: WebSocketConnection)
    /// A WebSocket that was `opened` is gone; `code` is the peer's, ours, or 1006 if there was none.
    func closed(_ connection: WebSocketConnection, code: UInt16, reason: String)
}

/// An HTTP/1.1 and WebSocket server on a loop.
///
/// HTTP/2 and every other upgrade are refused (reliability.md 0). Loop thread only, but for what says otherwise; it is
/// `Sendable` so that other threads can hand it back to the loop. Life: `init` → `listen` → `drain` or `stop`, which the
/// end of the loop does too. A server that listens is kept alive by its loop.
package final class WebServer: @unchecked Sendable {
    // Unchecked: everything is touched by the loop thread only; entry points check it.
    package let loop: EventLoop
    package let options: WebServerOptions
    let handler: any WebServerHandler
    private(set) var context: SocketContext?
    private var host: OpaquePointer?
    private var listener: Listener?
    private var sockets: [SlotHandle: ServerSocket] = [:]
    private var drained: [() -> Void] = []
    private var isDraining = false
    private var drainTimer: TimerHandle?
    var tally = WebServerCounters()

    /// Makes a server that doesn't listen yet; loop thread only.
    package init(loop: EventLoop, options: WebServerOptions, handler: any WebServerHandler) {
        loop.preconditionCurrent()
        self.loop = loop
        self.options = options
        self.handler = handler
    }

    /// The bound port, 0 while it doesn't listen.
    package var port: Int {
        loop.preconditionCurrent()
        return listener?.port ?? 0
    }

    package var counters: WebServerCounters {
        loop.preconditionCurrent()
        var counters = tally
        counters.sockets = sockets.count
        counters.connections = connectionCount
        return counters
    }

    /// The open WebSockets, in no order.
    package var connections: [WebSocketConnection] {
        loop.preconditionCurrent()
        return sockets.values.compactMap(\.connection)
    }

    /// The open WebSocket of a handle, nil when it has gone: what another thread keeps instead of the connection.
    package func connection(_ handle: SlotHandle) -> WebSocketConnection? {
        loop.preconditionCurrent()
        return sockets[handle]?.connection
    }

    private(set) var connectionCount = 0

    /// Binds and accepts from now on; again after `stop` or a finished `drain`.
    ///
    /// - Throws: `NetworkError` when the address can't be had or a TLS file can't be read.
    package func listen() throws(NetworkError) {
        loop.preconditionCurrent()
        precondition(listener == nil && !isDraining, "listen while listening or draining")
        let host = try setUp()
        listener = try Listener(loop: loop, host: options.host, port: options.port) { [self] descriptor in
            tally.accepted += 1
            guard sockets.count - connectionCount < options.httpSocketsMax else {
                tally.refusedSockets += 1
                close(descriptor)
                return
            }
            if var bytes = options.sendBufferBytes {
                setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
            }
            // The socket comes back through `accepting`; when that fails the library has closed it.
            _ = lws_adopt_socket_vhost(host, descriptor)
        }
    }

    private func setUp() throws(NetworkError) -> OpaquePointer {
        if let host { return host }
        for file in [options.tls?.certificateFile, options.tls?.keyFile] {
            guard let file, access(file, R_OK) != 0 else { continue }
            throw NetworkError(.badTLSFile, place: file, cause: String(cString: strerror(errno)))
        }
        let context = try SocketContext(loop)
        let host = try context.serverHost(subprotocols: options.subprotocols, tls: options.tls) {
            [weak self, unowned context] socket in
            guard let self, listener != nil else { return -1 }
            let server = ServerSocket(server: self, context: context, socket: socket)
            sockets[server.handle] = server
            return 0
        }
        loop.addCloser { [weak self] in self?.closeListener() }
        self.context = context
        self.host = host
        return host
    }

    /// Stops listening, closes every WebSocket with `code` and lets requests under way finish; then calls `done`.
    ///
    /// What isn't closed after `nanosMax` is cut. Idempotent: every `done` is called.
    package func drain(code: UInt16 = 1012, reason: String = "restart", nanosMax: Int64, done: @escaping () -> Void) {
        loop.preconditionCurrent()
        drained.append(done)
        guard !isDraining else { return }
        isDraining = true
        closeListener()
        for socket in Array(sockets.values) { socket.drain(code: code, reason: reason) }
        finishDrainIfEmpty()
        guard isDraining else { return }
        drainTimer = loop.schedule(after: nanosMax) { [weak self] in self?.cutAll() }
    }

    /// Stops listening and cuts every socket, without a close frame; idempotent.
    package func stop() {
        loop.preconditionCurrent()
        closeListener()
        cutAll()
    }

    // MARK: Sockets

    func connectionOpened() { connectionCount += 1 }

    func connectionClosed() { connectionCount -= 1 }

    func destroyed(_ handle: SlotHandle) {
        sockets[handle] = nil
        finishDrainIfEmpty()
    }

    private func closeListener() {
        listener?.close()
        listener = nil
    }

    private func cutAll() {
        for socket in Array(sockets.values) { socket.cut() }
    }

    private func finishDrainIfEmpty() {
        guard isDraining, sockets.isEmpty else { return }
        isDraining = false
        drainTimer?.cancel()
        let waiting = drained
        drained.removeAll()
        for done in waiting { done() }
    }
}
