/// What a client tells; all calls on the loop thread.
package protocol WebSocketClientHandler: AnyObject {
    /// The handshake is done.
    func connected(_ client: WebSocketClient)
    /// A whole text message came, valid UTF-8; the bytes are only valid during the call.
    func text(_ message: UnsafeRawBufferPointer, on client: WebSocketClient)
    /// A whole binary message came; the bytes are only valid during the call.
    func binary(_ message: UnsafeRawBufferPointer, on client: WebSocketClient)
    /// The connection that was `connected` is gone; `code` is ours, the peer's as it sent it, 1005 if its close frame had
    /// none, or 1006 if there was no close frame.
    ///
    /// The reason is one line without control characters; with 1006 it names what the system or TLS said.
    func closed(_ client: WebSocketClient, code: UInt16, reason: String)
    /// `connect` didn't lead to a connection: name, route, TLS, handshake or time.
    ///
    /// One line without control characters. A server that answers something else than an upgrade is told by its status and
    /// the beginning of its words, without what of the request was secret.
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
    var tally = WebSocketClientCounters()
    /// What the server chose of the subprotocols offered, of the last connection.
    package internal(set) var subprotocol: String?
    /// The HTTP status with which the server answered the last handshake instead of an upgrade; known in `failed`.
    package internal(set) var refusedStatus: Int?

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

    /// What it has read so far, over all its connections.
    package var counters: WebSocketClientCounters {
        loop.preconditionCurrent()
        return tally
    }

    /// Bytes of frames that wait for the kernel.
    package var unsentBytes: Int {
        loop.preconditionCurrent()
        return attempt?.unsentBytes ?? 0
    }

    /// Sends a text message, at once; what the kernel doesn't take is queued.
    ///
    /// - Returns: `sent`, `buffered`, or `closed` when it isn't connected or too much waits already (`outboxBytesMax`):
    ///   nothing was taken then. Never `pending`.
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
        let waiting = attempt.unsentBytes
        // With an empty queue a message of any size is taken.
        guard waiting == 0 || waiting + bytes.count <= options.outboxBytesMax else { return .closed }
        return attempt.write(isText ? .text : .binary, bytes)
    }

    /// Sends a close frame at once and ends in `closed`, at the latest after `closeNanosMax`; while connecting it gives up
    /// and ends in `failed`; idempotent.
    ///
    /// - Precondition: a code that may be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999, or 1005 for none.
    package func close(code: UInt16 = 1000, reason: String = "") {
        loop.preconditionCurrent()
        attempt?.close(code: code, reason: reason)
    }

    /// The attempt is over.
    func ended(_ socket: ClientSocket) {
        guard attempt === socket else { return }
        attempt = nil
    }
}

/// What a client has read, for metrics.
package struct WebSocketClientCounters: Sendable, Equatable {
    /// Times that bytes came.
    package var reads = 0
    /// Bytes behind the handshake, frames' headers and all.
    package var bytes = 0
    /// Whole messages; what is being told is added at the end of its read.
    package var messages = 0
    package var pings = 0
    package var pongs = 0
    /// Pings that got no pong, as too much waited to be sent.
    package var unansweredPings = 0
}
