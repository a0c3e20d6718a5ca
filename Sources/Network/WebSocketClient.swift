internal import CLibWebSockets
internal import Glibc
internal import Primitives

/// What a client tells; all calls on the loop thread.
package protocol WebSocketClientHandler: AnyObject {
    /// The handshake is done.
    func connected(_ client: WebSocketClient)
    /// A whole text message came, valid UTF-8; the bytes are only valid during the call.
    func text(_ message: UnsafeRawBufferPointer, on client: WebSocketClient)
    /// A whole binary message came; the bytes are only valid during the call.
    func binary(_ message: UnsafeRawBufferPointer, on client: WebSocketClient)
    /// The connection that was `connected` is gone; `code` is ours, the peer's, or 1006 if there was none.
    ///
    /// The library reports the peer's 1004–1006 and 1012–2999 as 1002.
    func closed(_ client: WebSocketClient, code: UInt16, reason: String)
    /// `connect` didn't lead to a connection: name, route, TLS, handshake or time.
    func failed(_ client: WebSocketClient, _ description: String)
}

/// A WebSocket client: one connection at a time, and no reconnecting of its own.
///
/// `connect` ends in `connected` … `closed`, or in `failed`; then it may be called again. Chain and name of a TLS
/// certificate are always verified, redirects are not followed. Loop thread only; it is `Sendable` so that other threads
/// can hand it back to the loop. A client that is connecting or connected is kept alive by its loop.
package final class WebSocketClient: @unchecked Sendable {
    // Unchecked: everything is touched by the loop thread only; entry points check it.
    package let loop: EventLoop
    package let options: WebSocketClientOptions
    let handler: any WebSocketClientHandler
    private var attempt: ClientSocket?
    private var outbox: [(bytes: [UInt8], isText: Bool)] = []
    private var outboxBytes = 0

    /// Makes a client that isn't connected yet; loop thread only.
    package init(loop: EventLoop, options: WebSocketClientOptions, handler: any WebSocketClientHandler) {
        loop.preconditionCurrent()
        self.loop = loop
        self.options = options
        self.handler = handler
    }

    /// Whether frames can be sent.
    package var isConnected: Bool { attempt?.isOpen ?? false }

    /// Whether `connect` would be refused: connecting, connected or closing.
    package var isBusy: Bool { attempt != nil }

    /// Starts a connection; the outcome comes later, never during the call.
    ///
    /// - Precondition: not busy.
    package func connect() {
        loop.preconditionCurrent()
        precondition(attempt == nil, "connect while connecting or connected")
        let socket = ClientSocket(self)
        attempt = socket
        socket.start()
    }

    /// Sends a text message; while an earlier one waits for the kernel, or a message is being received, it is queued.
    ///
    /// - Returns: `closed` when it isn't connected or the queue is full (`outboxBytesMax`): nothing was taken.
    @discardableResult
    package func send(_ text: String) -> WriteResult {
        var text = text
        return text.withUTF8 { send(UnsafeRawBufferPointer($0), isText: true) }
    }

    /// Sends a message; see `send(_:)`.
    @discardableResult
    package func send(_ bytes: UnsafeRawBufferPointer, isText: Bool) -> WriteResult {
        loop.preconditionCurrent()
        guard let attempt, attempt.isOpen else { return .closed }
        // During a message a pong may be due, which the library sends before it says that the socket is writable.
        let result = outbox.isEmpty && !attempt.isReceiving ? attempt.write(bytes, isText) : .pending
        guard result == .pending else { return result }
        guard outboxBytes + bytes.count <= options.outboxBytesMax else { return .closed }
        outbox.append((Array(bytes), isText))
        outboxBytes += bytes.count
        if attempt.isReceiving { attempt.requestWritable() }
        return .buffered
    }

    /// Sends a close frame and ends in `closed`; while connecting it gives up and ends in `failed`; idempotent.
    package func close(code: UInt16 = 1000, reason: String = "") {
        loop.preconditionCurrent()
        attempt?.close(code: code, reason: reason)
    }

    // MARK: From the socket

    /// Sends what was queued, as far as the kernel takes it.
    func flush(_ socket: ClientSocket) {
        while let next = outbox.first {
            let result = next.bytes.withUnsafeBytes { socket.write($0, next.isText) }
            guard result == .sent || result == .buffered else { return }
            outbox.removeFirst()
            outboxBytes -= next.bytes.count
        }
    }

    /// The attempt is over.
    func ended(_ socket: ClientSocket) {
        guard attempt === socket else { return }
        attempt = nil
        outbox.removeAll()
        outboxBytes = 0
    }
}
