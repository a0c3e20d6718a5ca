internal import CLibWebSockets
internal import Primitives

/// The one callback of every protocol: finds the handler of the socket and forwards.
@c(striketape_socket_event)
func striketapeSocketEvent(
    _ socket: OpaquePointer?,
    _ reason: lws_callback_reasons,
    _ user: UnsafeMutableRawPointer?,
    _ bytes: UnsafeMutableRawPointer?,
    _ count: Int
) -> Int32 {
    guard let socket, SocketReasons.isOfSocket(reason), let context = SocketContext.of(socket) else { return 0 }
    if let handler = context.handler(socket) {
        let code = handler.event(reason, socket, UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count))
        if reason == LWS_CALLBACK_WSI_DESTROY {
            lws_set_opaque_user_data(socket, nil)
            handler.destroyed()
        }
        return code
    }
    switch reason {
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        return context.accepted(socket)
    case LWS_CALLBACK_WSI_DESTROY, LWS_CALLBACK_CLOSED, LWS_CALLBACK_CLOSED_HTTP:
        return 0
    case LWS_CALLBACK_HTTP_BIND_PROTOCOL, LWS_CALLBACK_HTTP_DROP_PROTOCOL:
        return 0
    default:
        // A socket that nobody knows: its owner gave it up.
        return -1
    }
}

/// Which callbacks are about a socket that can have a slot.
enum SocketReasons {
    static func isOfSocket(_ reason: lws_callback_reasons) -> Bool {
        switch reason {
        case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED, LWS_CALLBACK_WSI_DESTROY,
            LWS_CALLBACK_HTTP_CONFIRM_UPGRADE, LWS_CALLBACK_FILTER_HTTP_CONNECTION,
            LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION, LWS_CALLBACK_HTTP, LWS_CALLBACK_HTTP_BODY,
            LWS_CALLBACK_HTTP_BODY_COMPLETION, LWS_CALLBACK_HTTP_WRITEABLE, LWS_CALLBACK_CLOSED_HTTP,
            LWS_CALLBACK_ESTABLISHED, LWS_CALLBACK_CLOSED, LWS_CALLBACK_RECEIVE, LWS_CALLBACK_RECEIVE_PONG,
            LWS_CALLBACK_SERVER_WRITEABLE, LWS_CALLBACK_WS_PEER_INITIATED_CLOSE,
            LWS_CALLBACK_RAW_ADOPT, LWS_CALLBACK_RAW_CONNECTED, LWS_CALLBACK_RAW_RX, LWS_CALLBACK_RAW_WRITEABLE,
            LWS_CALLBACK_RAW_CLOSE, LWS_CALLBACK_HTTP_BIND_PROTOCOL, LWS_CALLBACK_HTTP_DROP_PROTOCOL:
            true
        default:
            false
        }
    }
}

/// Where the library's own words go: nowhere, unless someone listens.
///
/// They repeat what a stranger sent and what events say too; a help when something of TLS or set-up fails.
package enum NetworkLog {
    private static let sink = Lock<(@Sendable (String) -> Void)?>(nil)
    private static let installed = Lock(false)

    /// Sends errors and warnings of the library to `body`, from any thread.
    package static func set(_ body: (@Sendable (String) -> Void)?) { sink.withLock { $0 = body } }

    static func install() {
        installed.withLock { done in
            guard !done else { return }
            done = true
            lws_set_log_level(Int32(LLL_ERR | LLL_WARN), striketapeLibraryLog)
        }
    }

    static func write(_ line: String) { sink.withLock { $0 }?(line) }
}

/// A line of the library's log.
@c(striketape_library_log)
private func striketapeLibraryLog(_ level: Int32, _ line: UnsafePointer<CChar>?) {
    guard let line else { return }
    NetworkLog.write(String(cString: line))
}
