internal import CLibWebSockets
internal import Primitives

/// A WebSocket that a client opened to a `WebServer`; loop thread only.
package final class WebSocketConnection {
    /// Identifies it in the loop, also after it has gone; `index` is dense.
    package let handle: SlotHandle
    /// The request that opened it: path, query, host, origin, peer.
    package let request: HTTPRequest
    /// Whatever the owner of the server keeps about it.
    package var owner: AnyObject?
    private let socket: WebSocketPeer
    private unowned let server: WebServer
    private(set) var wasOpened = false
    private var hasEnded = false

    init(_ socket: ServerSocket, _ request: HTTPRequest) {
        handle = socket.handle
        self.request = request
        server = socket.server
        self.socket = WebSocketPeer(
            socket: socket.socket,
            output: socket.context.output,
            limits: WebSocketLimits(server: socket.server.options)
        )
    }

    // MARK: For its owner

    /// Whether a frame would be taken now.
    package var isWritable: Bool { socket.isWritable }

    /// At most so many bytes of the last frame have not reached the kernel yet.
    package var unsentBytes: Int { socket.unsentBytes }

    /// Writes one text frame of `count` bytes that `fill` lays down, at once if nothing waits.
    ///
    /// The frame is put together in the loop's own buffer, so many messages become one frame without another copy;
    /// `fill` isn't called unless the frame is taken.
    @discardableResult
    package func write(count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) -> WriteResult {
        socket.write(count: count, LWS_WRITE_TEXT, fill)
    }

    /// Writes one text frame: `fragments` between `open` and `close`, with `separator` between them.
    @discardableResult
    package func write(
        joining fragments: [[UInt8]],
        open: UInt8 = UInt8(ascii: "["),
        separator: UInt8 = UInt8(ascii: ","),
        close: UInt8 = UInt8(ascii: "]")
    ) -> WriteResult {
        let count = fragments.reduce(2 + max(0, fragments.count - 1)) { $0 + $1.count }
        return write(count: count) { buffer in
            buffer[0] = open
            var offset = 1
            for (index, fragment) in fragments.enumerated() {
                if index > 0 {
                    buffer[offset] = separator
                    offset += 1
                }
                fragment.withUnsafeBytes {
                    UnsafeMutableRawBufferPointer(rebasing: buffer[offset...]).copyMemory(from: $0)
                }
                offset += fragment.count
            }
            buffer[offset] = close
        }
    }

    /// Writes one frame with these bytes.
    @discardableResult
    package func write(_ bytes: UnsafeRawBufferPointer, isText: Bool = true) -> WriteResult {
        socket.write(count: bytes.count, isText ? LWS_WRITE_TEXT : LWS_WRITE_BINARY) { $0.copyMemory(from: bytes) }
    }

    /// Writes one text frame.
    @discardableResult
    package func write(_ text: String) -> WriteResult {
        var text = text
        return text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
    }

    /// Asks for `writable` at the next chance, whether or not something waits.
    package func requestWritable() { socket.requestWritable() }

    /// Sends a close frame with code and reason, as soon as nothing waits before it; idempotent, the first one counts.
    package func close(code: UInt16, reason: String = "") { socket.close(code: code, reason: reason) }

    // MARK: Events

    func event(_ reason: lws_callback_reasons, _ bytes: UnsafeRawBufferPointer) -> Int32 {
        switch reason {
        case LWS_CALLBACK_ESTABLISHED: return established()
        case LWS_CALLBACK_RECEIVE:
            return socket.received(bytes) { message, isText in
                server.handler.received(message, isText: isText, on: self)
            } tooBig: {
                server.tally.tooBigMessages += 1
            }
        case LWS_CALLBACK_RECEIVE_PONG:
            socket.sawFrame()
            return 0
        case LWS_CALLBACK_SERVER_WRITEABLE:
            return socket.writable { server.handler.writable(self) }
        case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
            socket.peerCloses(bytes)
            return 0
        default: return 0
        }
    }

    private func established() -> Int32 {
        wasOpened = true
        server.connectionOpened()
        socket.opened()
        if server.connectionCount > server.options.connectionsMax {
            server.tally.refusedConnections += 1
            close(code: 1013, reason: "too many connections")
        }
        server.handler.opened(self)
        return 0
    }

    /// Tells its end, once.
    func ended() {
        socket.ended()
        guard wasOpened, !hasEnded else { return }
        hasEnded = true
        server.connectionClosed()
        let (code, reason) = socket.closeOutcome
        server.handler.closed(self, code: code, reason: reason)
        owner = nil
    }

    func sweep(now: Int64) {
        switch socket.sweep(now: now) {
        case .fine: return
        case .silent: server.tally.silent += 1
        case .stuck: break
        }
        ended()
    }
}
