import Glibc

/// A plain TCP socket that says what no library would say; blocking, with a timeout.
final class RawSocket {
    private let descriptor: Int32
    private(set) var received: [UInt8] = []

    init(port: Int, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var bytes = receiveBuffer { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(4)) }
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw SocketError(what: "connect", code: errno) }
    }

    deinit { Glibc.close(descriptor) }

    struct SocketError: Error {
        let what: String
        let code: Int32
    }

    /// Sends all of it; false when the peer has gone.
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

    /// Reads once into `received`; false at the end, on an error or after 10 s.
    func read() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        received.append(contentsOf: buffer[..<count])
        return true
    }

    /// Reads until the peer closes; what came, as text.
    func readAll() -> String {
        while read() {}
        return text
    }

    /// Reads until `end` has come.
    func read(until end: String) -> String {
        while !text.contains(end), read() {}
        return text
    }

    /// Whether the peer closed, after reading what it still sent.
    func isClosedByPeer() -> Bool {
        while true {
            var byte: UInt8 = 0
            let count = recv(descriptor, &byte, 1, 0)
            if count > 0 { continue }
            return count == 0 || errno == ECONNRESET
        }
    }

    func forget() { received.removeAll() }

    /// Forgets what came up to and with `end`.
    func forget(upTo end: String) {
        let pattern = Array(end.utf8)
        guard let at = (0..<received.count).first(where: { received[$0...].starts(with: pattern) }) else { return }
        received.removeFirst(at + pattern.count)
    }

    var text: String { String(decoding: received, as: UTF8.self) }

    /// Opens a WebSocket by hand; the answer's head.
    func upgrade(_ path: String = "/ws", headers: String = "") -> String {
        send(
            "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\(headers)\r\n"
        )
        return read(until: "\r\n\r\n")
    }

    /// A masked client frame; the mask is zero, which is allowed.
    static func frame(_ payload: [UInt8], opcode: UInt8, isLast: Bool = true) -> [UInt8] {
        header(payload.count, opcode: opcode, isLast: isLast) + payload
    }

    static func header(_ count: Int, opcode: UInt8, isLast: Bool = true) -> [UInt8] {
        var bytes = [(isLast ? 0x80 : 0) | opcode]
        switch count {
        case ..<126: bytes.append(0x80 | UInt8(count))
        case ..<65_536: bytes += [0x80 | 126, UInt8(count >> 8), UInt8(count & 0xFF)]
        default: bytes += [0x80 | 127] + (0..<8).reversed().map { UInt8(count >> ($0 * 8) & 0xFF) }
        }
        return bytes + [0, 0, 0, 0]
    }

    /// Reads one server frame: opcode, last, payload; nil at the end.
    func readFrame() -> (opcode: UInt8, isLast: Bool, payload: [UInt8])? {
        func need(_ count: Int) -> Bool {
            while received.count < count { guard read() else { return false } }
            return true
        }
        guard need(2) else { return nil }
        var head = 2
        var length = Int(received[1] & 0x7F)
        if length == 126 {
            guard need(4) else { return nil }
            length = Int(received[2]) << 8 | Int(received[3])
            head = 4
        } else if length == 127 {
            guard need(10) else { return nil }
            length = received[2..<10].reduce(0) { $0 << 8 | Int($1) }
            head = 10
        }
        guard need(head + length) else { return nil }
        let frame = (received[0] & 0x0F, received[0] & 0x80 != 0, Array(received[head..<(head + length)]))
        received.removeFirst(head + length)
        return frame
    }

    /// Reads frames until a close frame; its code, 1005 without one, nil when the socket just ended.
    func closeCode() -> UInt16? {
        while let frame = readFrame() {
            guard frame.opcode == 8 else { continue }
            return frame.payload.count < 2 ? 1005 : UInt16(frame.payload[0]) << 8 | UInt16(frame.payload[1])
        }
        return nil
    }
}

/// A server that accepts, perhaps upgrades, and then says nothing; on a thread of its own.
final class SilentServer {
    private let descriptor: Int32
    let port: Int

    init(answersUpgrade: Bool) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) | listen(descriptor, 8) | getsockname(descriptor, $0, &length)
            }
        }
        guard status == 0 else { throw RawSocket.SocketError(what: "bind", code: errno) }
        port = Int(UInt16(bigEndian: address.sin_port))
        guard answersUpgrade else { return }
        var thread = pthread_t()
        let argument = UnsafeMutableRawPointer(bitPattern: Int(descriptor))
        pthread_create(
            &thread,
            nil,
            { argument in
                SilentServer.answer(Int32(Int(bitPattern: argument)))
                return nil
            },
            argument
        )
        pthread_detach(thread)
    }

    deinit { close(descriptor) }

    /// Upgrades one connection, computing the accept key by hand, and keeps it open until the peer goes.
    private static func answer(_ descriptor: Int32) {
        let peer = accept(descriptor, nil, nil)
        guard peer >= 0 else { return }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        var text = ""
        while !text.contains("\r\n\r\n") {
            let count = recv(peer, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
        let key = text.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key: ") }?.dropFirst(
            19
        )
        let accept = AcceptKey.of(String(key ?? ""))
        let head =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(accept)\r\n\r\n"
        _ = head.withCString { send(peer, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
        while recv(peer, &buffer, buffer.count, 0) > 0 {}
        close(peer)
    }
}

/// `Sec-WebSocket-Accept` of a key (RFC 6455, 1.3): SHA-1 in Base64, written out as tests have no Foundation.
enum AcceptKey {
    static func of(_ key: String) -> String { base64(sha1(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))) }

    private static func sha1(_ message: [UInt8]) -> [UInt8] {
        var h: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        var bytes = message + [0x80]
        while bytes.count % 64 != 56 { bytes.append(0) }
        bytes += (0..<8).reversed().map { UInt8(truncatingIfNeeded: (message.count * 8) >> ($0 * 8)) }
        func rotate(_ value: UInt32, _ by: UInt32) -> UInt32 { value << by | value >> (32 - by) }
        for block in stride(from: 0, to: bytes.count, by: 64) {
            var w = (0..<16).map { word in
                (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[block + word * 4 + $1]) }
            }
            for t in 16..<80 { w.append(rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1)) }
            var (a, b, c, d, e) = (h[0], h[1], h[2], h[3], h[4])
            for t in 0..<80 {
                let (f, k): (UInt32, UInt32) =
                    switch t {
                    case ..<20: (b & c | ~b & d, 0x5A82_7999)
                    case ..<40: (b ^ c ^ d, 0x6ED9_EBA1)
                    case ..<60: (b & c | b & d | c & d, 0x8F1B_BCDC)
                    default: (b ^ c ^ d, 0xCA62_C1D6)
                    }
                let next = rotate(a, 5) &+ f &+ e &+ k &+ w[t]
                (e, d, c, b, a) = (d, c, rotate(b, 30), a, next)
            }
            h = zip(h, [a, b, c, d, e]).map { $0 &+ $1 }
        }
        return h.flatMap { word in (0..<4).reversed().map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let chunk = bytes[start..<min(start + 3, bytes.count)]
            let value = (0..<3).reduce(0) { $0 << 8 | (start + $1 < bytes.count ? Int(bytes[start + $1]) : 0) }
            for index in 0..<4 {
                text.append(index <= chunk.count ? alphabet[value >> (18 - 6 * index) & 63] : "=")
            }
        }
        return text
    }
}
