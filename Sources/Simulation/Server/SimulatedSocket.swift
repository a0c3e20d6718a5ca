internal import Glibc
internal import Network

/// What a socket tells its server; loop thread only.
protocol SimulatedSocketHandler: AnyObject {
    func requested(_ request: SimulatedRequest, on socket: SimulatedSocket)
    func received(_ message: [UInt8], on socket: SimulatedSocket)
    /// Everything that waited has gone to the kernel.
    func drained(_ socket: SimulatedSocket)
    func closed(_ socket: SimulatedSocket)
}

/// One accepted connection: requests in turn, then perhaps a WebSocket; loop thread only.
///
/// It can do what a correct server can't: reset, freeze, fragment.
final class SimulatedSocket {
    /// Whatever session lives on it.
    var session: (any AnyObject)?
    /// Its place in the order of arrival.
    let number: Int
    private let descriptor: Int32
    private var watch: DescriptorWatch?
    private weak var handler: (any SimulatedSocketHandler)?
    private var requests = RequestReader()
    private var frames = WebSocketReader()
    private var out: [UInt8] = []
    private var sent = 0
    private(set) var isWebSocket = false
    private(set) var isOpen = true
    /// Half-open: reads and forgets, never answers.
    private(set) var isFrozen = false
    /// When a close frame went out, on the monotonic clock.
    private(set) var closingSince: Int64?
    private var endsWhenSent = false
    var fragments = false

    init(_ descriptor: Int32, number: Int, on loop: EventLoop, handler: any SimulatedSocketHandler) {
        self.descriptor = descriptor
        self.number = number
        self.handler = handler
        let watch = DescriptorWatch(descriptor, on: loop) { [weak self] isReadable, isWritable in
            if isWritable { self?.flush() }
            if isReadable { self?.read() }
        }
        self.watch = watch
        watch.wait(reading: true, writing: false)
    }

    /// Bytes that the kernel hasn't taken.
    var pendingBytes: Int { out.count - sent }

    // MARK: Out

    /// Sends one text message.
    func send(_ message: [UInt8]) {
        guard isOpen, isWebSocket, !isFrozen, closingSince == nil else { return }
        if fragments {
            WebSocketCodec.appendFragmented(message, to: &out)
        } else {
            WebSocketCodec.append(message, to: &out)
        }
        flush()
    }

    /// Answers a request.
    func respond(_ answer: SimulatedAnswer) {
        guard isOpen else { return }
        var head = "HTTP/1.1 \(answer.status) \(answer.status < 400 ? "OK" : "Error")\r\n"
        for (name, value) in answer.headers.sorted(by: { $0.key < $1.key }) { head += "\(name): \(value)\r\n" }
        head += "content-length: \(answer.body.count)\r\n\r\n"
        out += Array(head.utf8)
        out += answer.body
        flush()
    }

    /// Makes a WebSocket of it.
    func upgrade(_ request: SimulatedRequest) {
        guard isOpen, let key = request.headers["sec-websocket-key"] else { return }
        let head =
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            + "sec-websocket-accept: \(WebSocketCodec.accept(key))\r\n\r\n"
        out += Array(head.utf8)
        isWebSocket = true
        flush()
    }

    /// Sends a close frame; the connection ends when the peer answers or the server's patience does.
    func close(_ code: UInt16, _ reason: String = "") {
        guard isOpen, isWebSocket, closingSince == nil, !isFrozen else { return }
        WebSocketCodec.append(
            [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8.prefix(120)),
            .close,
            to: &out
        )
        closingSince = SystemClock.monotonicNanos()
        flush()
    }

    /// Ends it after what waits was sent, without a closing handshake.
    func drop() {
        endsWhenSent = true
        flush()
    }

    /// Ends it with a TCP reset.
    func reset() {
        guard isOpen else { return }
        var how = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &how, socklen_t(MemoryLayout<linger>.size))
        end()
    }

    /// Stays open and says nothing any more.
    func freeze() {
        isFrozen = true
        out.removeAll()
        sent = 0
    }

    /// Closes the descriptor.
    func end() {
        guard isOpen else { return }
        isOpen = false
        watch?.close()
        watch = nil
        Glibc.close(descriptor)
        handler?.closed(self)
    }

    private func flush() {
        guard isOpen else { return }
        let hadRest = pendingBytes > 0
        while sent < out.count {
            let written = out.withUnsafeBytes { bytes in
                Glibc.send(descriptor, bytes.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if written > 0 {
                sent += written
                continue
            }
            guard errno == EAGAIN || errno == EINTR else {
                end()
                return
            }
            if errno == EAGAIN { break }
        }
        if sent == out.count {
            out.removeAll(keepingCapacity: true)
            sent = 0
        } else if sent > 1 << 20 {
            out.removeFirst(sent)
            sent = 0
        }
        watch?.wait(reading: true, writing: pendingBytes > 0)
        guard pendingBytes == 0 else { return }
        if endsWhenSent {
            end()
        } else if hadRest {
            handler?.drained(self)
        }
    }

    // MARK: In

    private func read() {
        guard isOpen else { return }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else {
            if count == 0 || (errno != EAGAIN && errno != EINTR) { end() }
            return
        }
        if isFrozen { return }
        if isWebSocket {
            take(frames.read(buffer[..<count]))
        } else {
            requests.add(buffer[..<count])
            nextRequest()
        }
    }

    private func nextRequest() {
        while isOpen, !isWebSocket {
            switch requests.next() {
            case .incomplete: return
            case .broken:
                respond(SimulatedAnswer(status: 400, plain: "request not understood\n"))
                drop()
                return
            case .request(let request): handler?.requested(request, on: self)
            }
        }
        if isWebSocket { take(frames.read(requests.takeRest())) }
    }

    private func take(_ inputs: [WebSocketReader.Input]) {
        for input in inputs where isOpen {
            switch input {
            case .message(let message): if closingSince == nil { handler?.received(message, on: self) }
            case .ping(let payload):
                WebSocketCodec.append(payload, .pong, to: &out)
                flush()
            case .pong: break
            case .close(let code):
                if closingSince == nil {
                    WebSocketCodec.append([UInt8(code >> 8), UInt8(code & 0xFF)], .close, to: &out)
                }
                drop()
            case .broken(let code):
                close(code)
                drop()
            }
        }
    }
}

/// Listens on loopback and hands on what it accepts; loop thread only.
final class SimulatedListener {
    private let descriptor: Int32
    private var watch: DescriptorWatch?
    let port: Int

    /// - Throws: `SimulationError` where the address can't be had.
    init(host: String, port: Int, on loop: EventLoop, accepted: @escaping (Int32) -> Void) throws(SimulationError) {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let made = socket(AF_INET, type, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port)).bigEndian
        guard made >= 0, inet_pton(AF_INET, host, &address.sin_addr) == 1, (0...65_535).contains(port) else {
            if made >= 0 { close(made) }
            throw SimulationError(place: "\(host):\(port)", cause: "not a numeric address and a port below 65536")
        }
        var on: Int32 = 1
        setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { plain in
                bind(made, plain, length) == 0 && Glibc.listen(made, 128) == 0 && getsockname(made, plain, &length) == 0
            }
        }
        guard isBound else {
            let cause = String(cString: strerror(errno))
            close(made)
            throw SimulationError(place: "\(host):\(port)", cause: cause)
        }
        descriptor = made
        self.port = Int(UInt16(bigEndian: address.sin_port))
        let watch = DescriptorWatch(made, on: loop) { _, _ in
            while true {
                let client = accept(made, nil, nil)
                guard client >= 0 else { return }
                _ = fcntl(client, F_SETFL, O_NONBLOCK)
                _ = fcntl(client, F_SETFD, FD_CLOEXEC)
                var on: Int32 = 1
                setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
                accepted(client)
            }
        }
        self.watch = watch
        watch.wait(reading: true, writing: false)
    }

    /// Stops listening; idempotent.
    func stop() {
        guard let watch else { return }
        watch.close()
        self.watch = nil
        close(descriptor)
    }
}

/// The simulator can't listen, or what it should play can't be played: where, and why.
package struct SimulationError: Error, Equatable, CustomStringConvertible {
    package let place: String
    package let cause: String

    package init(place: String, cause: String) { (self.place, self.cause) = (place, cause) }

    package var description: String { "cannot listen on \(place): \(cause)" }
}
