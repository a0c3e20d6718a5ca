internal import CLibWebSockets

/// Answers one request, once, from any thread; what comes after the first answer, or too late, is dropped.
package struct HTTPResponder: Sendable {
    let loop: EventLoop
    /// Weak, so that a handler may keep responders without keeping its server.
    weak let server: WebServer?
    let handle: SlotHandle
    /// Which request of the socket, as a later one may have the same handle.
    let number: Int

    /// Sends the answer.
    package func respond(_ response: HTTPResponse) {
        if loop.isCurrent {
            deliver(response)
        } else {
            // A refused job means that the loop has ended, and the socket with it, or is overrun: then the socket's
            // own deadline answers 503.
            loop.execute { deliver(response) }
        }
    }

    private func deliver(_ response: HTTPResponse) {
        guard let socket = server?.context?.slots[handle] as? ServerSocket else { return }
        socket.respond(response, number: number)
    }
}

/// The part of an answer that is still to be sent.
struct PendingResponse {
    private let bytes: [UInt8]
    private var sent = 0
    /// Whether the connection ends with it.
    let closes: Bool
    /// Bytes a write.
    private static let chunk = 65_536

    init(_ response: HTTPResponse, to method: HTTPRequest.Method, close: Bool) {
        closes = close
        let hasBody = method != .head && response.status != 204 && response.status != 304
        bytes = response.head(close: close) + (hasBody ? response.body : [])
    }

    /// Writes what the pipe may take now; nil when the socket is dead, true when all is handed on.
    mutating func write(to socket: OpaquePointer, through output: OutputBuffer) -> Bool? {
        let count = min(Self.chunk, bytes.count - sent)
        let from = sent
        let isLast = sent + count == bytes.count
        let result = output.with(count: count) { buffer in
            bytes.withUnsafeBytes {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[from..<(from + count)]))
            }
        } send: { start in
            lws_write(socket, start, count, isLast ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP)
        }
        guard result >= 0 else { return nil }
        sent += count
        return isLast
    }
}
