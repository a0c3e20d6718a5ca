internal import CLibWebSockets
internal import Primitives

/// The limits of one WebSocket of a server.
struct WebSocketLimits {
    var messageBytesMax: Int
    var pingEveryNanos: Int64
    var silenceNanosMax: Int64
    var closeNanosMax: Int64

    init(server options: WebServerOptions) {
        messageBytesMax = options.messageBytesMax
        pingEveryNanos = options.pingEveryNanos
        silenceNanosMax = options.silenceNanosMax
        closeNanosMax = options.closeNanosMax
    }
}

/// A server's end of a WebSocket: writing, assembling, pings, closing; loop thread only.
///
/// The one exception to "write only in the writable callback": a frame is written at once where nothing waits in the
/// library, as that saves two `epoll_ctl` a frame. What the kernel doesn't take the library copies and sends later, so
/// at most one frame waits there.
final class WebSocketPeer {
    enum Health {
        case fine
        /// No frame for too long; the socket is being cut.
        case silent
        /// A close that didn't end in time; the socket is being cut.
        case stuck
    }

    /// nil once the socket must not be touched any more.
    private var socket: OpaquePointer?
    private let output: OutputBuffer
    private let limits: WebSocketLimits
    private var assembler: MessageAssembler
    private var isOpen = false
    private var lastFrame: Int64 = 0
    private var lastPing: Int64 = 0
    private var lastCount = 0
    /// Our close: what is to be sent, and since when.
    private var closing: (code: UInt16, reason: String, since: Int64)?
    /// The peer's close.
    private var peerClose: (code: UInt16, reason: String)?
    private var wantsWritable = false

    init(socket: OpaquePointer, output: OutputBuffer, limits: WebSocketLimits) {
        self.socket = socket
        self.output = output
        self.limits = limits
        assembler = MessageAssembler(limit: limits.messageBytesMax)
    }

    func opened() {
        isOpen = true
        lastFrame = SystemClock.monotonicNanos()
        lastPing = lastFrame
    }

    /// The code and reason to tell: ours if we closed, else the peer's, else 1006.
    var closeOutcome: (code: UInt16, reason: String) {
        if let closing { return (closing.code, closing.reason) }
        return peerClose ?? (1006, "connection lost")
    }

    // MARK: Writing

    var isWritable: Bool {
        guard isOpen, closing == nil, peerClose == nil, let socket else { return false }
        return lws_partial_buffered(socket) == 0
    }

    var unsentBytes: Int {
        guard let socket, isOpen, lws_partial_buffered(socket) != 0 else { return 0 }
        return lastCount
    }

    func write(
        count: Int,
        _ kind: lws_write_protocol,
        _ fill: (UnsafeMutableRawBufferPointer) -> Void
    ) -> WriteResult {
        guard isOpen, closing == nil, peerClose == nil, let socket else { return .closed }
        guard lws_partial_buffered(socket) == 0 else {
            wantsWritable = true
            return .pending
        }
        let written = output.with(count: count, fill: fill) { lws_write(socket, $0, count, kind) }
        guard written >= 0 else {
            cut()
            return .closed
        }
        guard lws_partial_buffered(socket) != 0 else { return .sent }
        lastCount = count
        wantsWritable = true
        return .buffered
    }

    func requestWritable() {
        guard isOpen, let socket else { return }
        wantsWritable = true
        lws_callback_on_writable(socket)
    }

    /// The socket takes bytes again, and nothing waits in the library.
    func writable(_ tell: () -> Void) -> Int32 {
        guard socket != nil else { return -1 }
        if closing != nil {
            beginClose()
            return 0
        }
        guard wantsWritable else { return 0 }
        wantsWritable = false
        tell()
        return 0
    }

    // MARK: Reading

    func sawFrame() { lastFrame = SystemClock.monotonicNanos() }

    /// Takes what came of a message; `deliver` gets whole ones.
    func received(
        _ bytes: UnsafeRawBufferPointer,
        deliver: (UnsafeRawBufferPointer, _ isText: Bool) -> Void,
        tooBig: () -> Void
    ) -> Int32 {
        guard let socket else { return -1 }
        sawFrame()
        // After our close what still comes is thrown away.
        guard closing == nil else { return 0 }
        let isText = lws_frame_is_binary(socket) == 0
        let outcome = assembler.add(
            bytes,
            announced: lws_remaining_packet_payload(socket),
            isLast: lws_is_final_fragment(socket) != 0,
            isText: isText
        )
        switch outcome {
        case .incomplete: break
        case .whole: deliver(bytes, isText)
        case .assembled:
            assembler.bytes.withUnsafeBytes { deliver($0, isText) }
            assembler.clear()
        case .tooBig:
            tooBig()
            assembler.clear()
            close(code: 1009, reason: "message above \(limits.messageBytesMax) bytes")
        case .badText:
            assembler.clear()
            close(code: 1007, reason: "text is not UTF-8")
        }
        return 0
    }

    // MARK: Closing

    func peerCloses(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 2 else {
            peerClose = (1005, "")
            return
        }
        let code = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
        peerClose = (code, String.clean(bytes.dropFirst(2)))
    }

    func close(code: UInt16, reason: String) {
        guard closing == nil, peerClose == nil, let socket else { return }
        closing = (code, reason, SystemClock.monotonicNanos())
        if isOpen { lws_callback_on_writable(socket) }
    }

    /// Begins the closing handshake; only where nothing waits, else the library would close without a frame.
    ///
    /// Returning -1 from the writable callback, as the library's manual says, loses the close frame on a libuv loop in
    /// Debian's build: it closes the socket a second time "to confirm that this has no problem".
    private func beginClose() {
        guard let socket, let closing, isOpen, lws_partial_buffered(socket) == 0 else { return }
        isOpen = false
        // A control frame has at most 125 bytes, two of them the code.
        var reason = Array(closing.reason.prefix(utf8Count: 123).utf8)
        lws_close_reason(socket, lws_close_status(UInt32(closing.code)), &reason, reason.count)
        striketape_begin_close(socket)
    }

    /// The socket is gone or given up.
    func ended() {
        isOpen = false
        socket = nil
        assembler.clear()
    }

    /// Closes the socket at the next turn, without a frame.
    func cut() {
        guard let socket else { return }
        isOpen = false
        self.socket = nil
        striketape_kill(socket)
    }

    // MARK: Time

    /// Sends the ping that is due and looks at the deadlines.
    func sweep(now: Int64) -> Health {
        guard let socket else { return .fine }
        if let closing {
            guard now > closing.since + limits.closeNanosMax else { return .fine }
            cut()
            return .stuck
        }
        guard isOpen else { return .fine }
        if now > lastFrame + limits.pingEveryNanos + limits.silenceNanosMax {
            closing = (1006, "no frame for \((now - lastFrame) / 1_000_000) ms", now)
            cut()
            return .silent
        }
        // A peer that doesn't read gets no ping; its silence ends it all the same.
        if now > lastPing + limits.pingEveryNanos, lws_partial_buffered(socket) == 0 {
            lastPing = now
            // With a byte in it: the library doesn't tell of an empty pong.
            let written = output.with(count: 1) {
                $0[0] = 0
            } send: {
                lws_write(socket, $0, 1, LWS_WRITE_PING)
            }
            if written < 0 { cut() }
        }
        return .fine
    }
}
