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
