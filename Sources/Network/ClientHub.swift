internal import Glibc
internal import Primitives

/// What the clients of one loop share: read buffer, TLS rules, the clock's turn, and the end of the loop; loop thread only.
///
/// It keeps attempts and transports alive until they are over.
final class ClientHub {
    unowned let loop: EventLoop
    /// Where every transport reads; what is in it is only valid until the next read.
    let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 262_144, alignment: 64)
    /// No new route is opened any more.
    private(set) var isClosed = false
    private var transports: [ObjectIdentifier: ClientTransport] = [:]
    private var sockets: [ObjectIdentifier: ClientSocket] = [:]
    /// By CA file; "" for the system's authorities.
    private var contexts: [String: TLSContext] = [:]

    private static let sweepNanos: Int64 = 500_000_000

    private init(_ loop: EventLoop) {
        self.loop = loop
        loop.schedule(after: Self.sweepNanos, repeating: Self.sweepNanos) { [unowned self] in sweep() }
        loop.addCloser { [unowned self] in close() }
    }

    deinit { readBuffer.deallocate() }

    /// The hub of `loop`.
    static func of(_ loop: EventLoop) -> ClientHub {
        if let hub = loop.clientHub { return hub }
        let hub = ClientHub(loop)
        loop.clientHub = hub
        return hub
    }

    func add(_ socket: ClientSocket) { sockets[ObjectIdentifier(socket)] = socket }

    func remove(_ socket: ClientSocket) { sockets[ObjectIdentifier(socket)] = nil }

    func add(_ transport: ClientTransport) { transports[ObjectIdentifier(transport)] = transport }

    func remove(_ transport: ClientTransport) { transports[ObjectIdentifier(transport)] = nil }

    /// The rules for a CA file, read once.
    func context(caFile: String?) throws(NetworkError) -> TLSContext {
        if let file = caFile, access(file, R_OK) != 0 {
            throw NetworkError(.badTLSFile, place: file, cause: String(cString: strerror(errno)))
        }
        if let context = contexts[caFile ?? ""] { return context }
        let context = try TLSContext(caFile: caFile)
        contexts[caFile ?? ""] = context
        return context
    }

    private func sweep() {
        let now = SystemClock.monotonicNanos()
        for socket in Array(sockets.values) { socket.sweep(now: now) }
        for transport in Array(transports.values) { transport.sweep(now: now) }
    }

    private func close() {
        isClosed = true
        for socket in Array(sockets.values) { socket.loopEnds() }
        for transport in Array(transports.values) { transport.cut() }
    }
}
