import Glibc
import Network
import Primitives

/// A server that does what no library would do: each connection runs `script` on a thread of its own.
final class RawServer: Sendable {
    let port: Int
    private let descriptor: Int32
    private let script: @Sendable (RawPeer) -> Void

    init(_ script: @escaping @Sendable (RawPeer) -> Void) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        self.script = script
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) | listen(descriptor, 64) | getsockname(descriptor, $0, &length)
            }
        }
        guard status == 0 else { throw RawSocket.SocketError(what: "bind", code: errno) }
        port = Int(UInt16(bigEndian: address.sin_port))
        spawn { [descriptor, script] in
            while true {
                let peer = accept(descriptor, nil, nil)
                guard peer >= 0 else { return }
                spawn { script(RawPeer(peer)) }
            }
        }
    }

    deinit {
        // Wakes the thread that accepts.
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}

/// Runs `body` on a thread of its own.
private func spawn(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(Box(body)).toOpaque()
    pthread_create(
        &thread,
        nil,
        { argument in
            if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
            return nil
        },
        argument
    )
    pthread_detach(thread)
}

/// An accepted socket, blocking, with a timeout; closed when dropped.
final class RawPeer {
    private let descriptor: Int32
    private var received: [UInt8] = []

    fileprivate init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var timeout = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Reads once; false at the end.
    func read() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        received += buffer[..<count]
        return true
    }

    /// The request's head.
    func request() -> String {
        while !String(decoding: received, as: UTF8.self).contains("\r\n\r\n") { guard read() else { break } }
        let text = String(decoding: received, as: UTF8.self)
        received = []
        return text
    }

    /// Answers the upgrade.
    func upgrade() {
        let line = request().split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key: ") }
        let key = WebSocketKey(text: String(line?.dropFirst(19) ?? ""))
        send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: \(key.accept)\r\n\r\n"
        )
    }

    /// Reads until the client ends; all that came behind the request.
    func readAll() -> [UInt8] {
        while read() {}
        return received
    }

    /// What came and wasn't taken by `request`.
    var bytes: [UInt8] { received }

    /// Waits until the peer has ended it, and reads nothing.
    func waitForEnd() {
        // POLLRDHUP, which is hidden behind a feature macro; a reset is told in any case.
        var state = pollfd(fd: descriptor, events: 0x2000, revents: 0)
        poll(&state, 1, 60_000)
    }

    /// Makes the end of this object a reset instead of an orderly close.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    }
}

/// The frames of a client: opcode and payload, unmasked; what isn't masked is left out.
func clientFrames(_ bytes: [UInt8]) -> [(opcode: UInt8, payload: [UInt8])] {
    var frames: [(opcode: UInt8, payload: [UInt8])] = []
    var rest = bytes[...]
    while rest.count >= 6 {
        let head = Array(rest.prefix(14))
        guard head[1] & 0x80 != 0 else { return frames }
        var length = Int(head[1] & 0x7F)
        var size = 2
        if length == 126 {
            length = Int(head[2]) << 8 | Int(head[3])
            size = 4
        } else if length == 127 {
            length = head[2..<10].reduce(0) { $0 << 8 | Int($1) }
            size = 10
        }
        guard rest.count >= size + 4 + length else { return frames }
        let mask = head[size..<(size + 4)]
        let payload = rest.dropFirst(size + 4).prefix(length)
        frames.append((head[0] & 0x0F, zip(payload, 0...).map { $0 ^ mask[mask.startIndex + $1 & 3] }))
        rest = rest.dropFirst(size + 4 + length)
    }
    return frames
}
