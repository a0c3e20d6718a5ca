internal import CLibWebSockets
internal import Primitives

/// What a socket's events are given to; found through the slot table.
protocol SocketHandler: AnyObject {
    /// One callback of the library; what is not 0 closes the socket.
    func event(_ reason: lws_callback_reasons, _ socket: OpaquePointer, _ bytes: UnsafeRawBufferPointer) -> Int32
    /// Looks at deadlines; about twice a second.
    func sweep(now: Int64)
    /// The socket is gone for good; nothing comes after this.
    func destroyed()
}

/// A libwebsockets context on a loop: slots, virtual host, and the way down at the end.
///
/// Loop thread only. Each server has its own, as the library would mix up the virtual hosts of one context by the `Host`
/// header. Freed when the loop ends.
final class SocketContext {
    private unowned let loop: EventLoop
    private let context: OpaquePointer
    var slots = SlotTable<any SocketHandler>()
    /// Gives a freshly accepted socket its slot.
    private var accepting: ((OpaquePointer) -> Int32)?
    let output = OutputBuffer()
    /// What the library keeps pointers to until its context is gone.
    private var protocolTables: [ProtocolTable] = []

    /// Whether a context of this process has set up TLS; held while one is made, as that touches globals of the library.
    private static let isTLSReady = Lock(false)
    private static let sweepNanos: Int64 = 500_000_000
    /// The library's own timeout of a handshake; ours are the ones that count, this is a second line.
    private static let librarySeconds: UInt32 = 60

    init(_ loop: EventLoop) throws(NetworkError) {
        loop.preconditionCurrent()
        NetworkLog.install()
        guard EventPipe.isOurs else {
            throw NetworkError(.cannotSetUp, place: loop.name, cause: "EventPipe is not in place")
        }
        self.loop = loop
        let uv = loop.uvLoop.assumingMemoryBound(to: uv_loop_t.self)
        // The library gives it back in every callback; it goes when the context has gone.
        let me = Unmanaged<Box>.passRetained(Box())
        let made = Self.isTLSReady.withLock { isReady in
            defer { isReady = true }
            return striketape_context_create(uv, me.toOpaque(), Self.librarySeconds, !isReady).map {
                UInt(bitPattern: $0)
            }
        }
        guard let context = made.flatMap({ OpaquePointer(bitPattern: $0) }) else {
            me.release()
            throw NetworkError(.cannotSetUp, place: loop.name, cause: "libwebsockets made no context")
        }
        self.context = context
        me.takeUnretainedValue().context = self
        loop.schedule(after: Self.sweepNanos, repeating: Self.sweepNanos) { [weak self] in self?.sweep() }
        // In two steps, as the library closes its handles through the loop; the closures keep this object until then.
        loop.addCloser { [self] in
            lws_context_destroy(self.context)
        } finally: { [self] in
            lws_context_destroy(self.context)
            me.release()
            protocolTables.removeAll()
        }
    }

    /// Holds the way back from C; weak, as the loop's closers own the context.
    private final class Box {
        weak var context: SocketContext?
    }

    /// The context behind a socket.
    static func of(_ socket: OpaquePointer) -> SocketContext? {
        guard let context = lws_get_context(socket), let user = lws_context_user(context) else { return nil }
        return Unmanaged<Box>.fromOpaque(user).takeUnretainedValue().context
    }

    /// The handler of a socket, nil while it has none.
    func handler(_ socket: OpaquePointer) -> (any SocketHandler)? {
        SlotHandle(bits: UInt(bitPattern: lws_get_opaque_user_data(socket))).flatMap { slots[$0] }
    }

    /// Adds a handler and ties the socket to it.
    func add(_ handler: any SocketHandler, for socket: OpaquePointer) -> SlotHandle {
        let handle = slots.insert(handler)
        lws_set_opaque_user_data(socket, UnsafeMutableRawPointer(bitPattern: handle.bits))
        return handle
    }

    private func sweep() {
        let now = SystemClock.monotonicNanos()
        for handler in slots.values { handler.sweep(now: now) }
    }

    // MARK: Server

    /// A virtual host for accepted sockets; `accepting` gives each its slot and answers 0, or -1 to drop it.
    func serverHost(
        subprotocols: [String],
        tls: ServerTLS?,
        accepting: @escaping (OpaquePointer) -> Int32
    ) throws(NetworkError) -> OpaquePointer {
        // A name that nobody offers stands for no subprotocol.
        let table = ProtocolTable(names: subprotocols.isEmpty ? ["-"] : subprotocols, receiveBytes: 2_048)
        protocolTables.append(table)
        self.accepting = accepting
        let certificate = tls.map { UnsafePointer(table.keep($0.certificateFile)) }
        let key = tls.map { UnsafePointer(table.keep($0.keyFile)) }
        guard let host = striketape_server_vhost(context, table.keep("server"), certificate, key, table.pointer) else {
            throw NetworkError(
                tls == nil ? .cannotSetUp : .badTLSFile,
                place: tls?.certificateFile ?? loop.name,
                cause: "libwebsockets made no virtual host; certificate and key must be PEM and belong together"
            )
        }
        return host
    }

    /// A socket without a slot announced itself.
    func accepted(_ socket: OpaquePointer) -> Int32 { accepting?(socket) ?? -1 }
}

/// The array of protocols that a virtual host points to, and the C strings beside it.
final class ProtocolTable {
    let pointer: UnsafeMutablePointer<lws_protocols>
    private var strings: [UnsafeMutablePointer<CChar>] = []

    /// One protocol a name, all with the one callback.
    init(names: [String], receiveBytes: Int) {
        pointer = .allocate(capacity: names.count + 1)
        pointer.initialize(repeating: lws_protocols(), count: names.count + 1)
        for (index, name) in names.enumerated() {
            pointer[index].name = UnsafePointer(keep(name))
            pointer[index].callback = striketapeSocketEvent
            pointer[index].rx_buffer_size = receiveBytes
            // The library sends at most so much at once and buffers the rest.
            pointer[index].tx_packet_size = 1 << 20
        }
    }

    deinit {
        pointer.deallocate()
        for string in strings { string.deallocate() }
    }

    /// A C string that lives as long as the table.
    func keep(_ text: String) -> UnsafeMutablePointer<CChar> {
        let utf8 = text.utf8CString
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: utf8.count)
        for (index, byte) in utf8.enumerated() { (copy + index).initialize(to: byte) }
        strings.append(copy)
        return copy
    }
}
