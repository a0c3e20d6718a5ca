internal import CLibWebSockets
internal import Glibc

/// A listening TCP socket on a loop that hands on what it accepts; loop thread only.
final class Listener {
    private unowned let loop: EventLoop
    private let descriptor: Int32
    private let poll: UnsafeMutablePointer<uv_poll_t>
    private let accepted: (Int32) -> Void
    private var isClosed = false
    let port: Int

    /// Accepted sockets a turn, so that a flood doesn't starve the others.
    private static let batch = 64
    /// When the process has no descriptor left, accepting rests so long.
    private static let restNanos: Int64 = 100_000_000

    /// Binds a numeric address and listens; `accepted` gets each new descriptor and owns it.
    init(loop: EventLoop, host: String, port: Int, accepted: @escaping (Int32) -> Void) throws(NetworkError) {
        loop.preconditionCurrent()
        self.loop = loop
        self.accepted = accepted
        descriptor = try Self.bind(host, port)
        self.port = Self.boundPort(descriptor)
        poll = .allocate(capacity: 1)
        poll.initialize(to: uv_poll_t())
        check(uv_poll_init(loop.uvLoop.assumingMemoryBound(to: uv_loop_t.self), poll, descriptor), "uv_poll_init")
        poll.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        listen()
    }

    /// Stops listening; idempotent.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        poll.pointee.data = nil
        uv_poll_stop(poll)
        // libuv needs the memory until its close callback; the descriptor may go at once.
        uv_close(poll.asHandle, striketapeListenerClosed)
        Glibc.close(descriptor)
    }

    private func listen() {
        guard !isClosed else { return }
        check(uv_poll_start(poll, Int32(UV_READABLE.rawValue), striketapeListenerReady), "uv_poll_start")
    }

    fileprivate func ready() {
        for _ in 0..<Self.batch where !isClosed {
            let socket = striketape_accept(descriptor)
            guard socket < 0 else {
                var on: Int32 = 1
                setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
                accepted(socket)
                continue
            }
            if errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS { rest() }
            return
        }
    }

    private func rest() {
        uv_poll_stop(poll)
        loop.schedule(after: Self.restNanos) { [weak self] in self?.listen() }
    }

    private static func bind(_ host: String, _ port: Int) throws(NetworkError) -> Int32 {
        let place = "\(host):\(port)"
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_PASSIVE | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard (0...65_535).contains(port), getaddrinfo(host, String(port), &hints, &found) == 0, let address = found
        else { throw NetworkError(.badAddress, place: place, cause: "not a numeric address and a port below 65536") }
        defer { freeaddrinfo(found) }
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.pointee.ai_family, type, 0)
        guard descriptor >= 0 else { throw failure(place) }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        guard Glibc.bind(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0,
            Glibc.listen(descriptor, 1_024) == 0
        else {
            let error = failure(place)
            Glibc.close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func failure(_ place: String) -> NetworkError {
        NetworkError(.cannotListen, place: place, cause: String(cString: strerror(errno)))
    }

    private static func boundPort(_ descriptor: Int32) -> Int {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &storage) { bytes in
            guard let start = bytes.baseAddress else { return 0 }
            getsockname(descriptor, start.assumingMemoryBound(to: sockaddr.self), &length)
            // Family, then the port in network order, in IPv4 and IPv6 alike.
            return Int(bytes[2]) << 8 | Int(bytes[3])
        }
    }
}

/// Somebody connects.
@c(striketape_listener_ready)
private func striketapeListenerReady(_ poll: UnsafeMutablePointer<uv_poll_t>?, _ status: Int32, _ events: Int32) {
    guard let data = poll?.pointee.data else { return }
    Unmanaged<Listener>.fromOpaque(data).takeUnretainedValue().ready()
}

/// libuv is done with a listener's memory.
@c(striketape_listener_closed)
private func striketapeListenerClosed(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    guard let handle else { return }
    UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_poll_t.self).deallocate()
}
