import Glibc
import Primitives

/// A real HTTP server on loopback that does to each request what a test says, the bad things too.
final class ScriptedServer: @unchecked Sendable {
    // Unchecked: `log` is locked, everything else is set before the thread starts.

    /// What happens to a connection, in order.
    enum Step: Sendable {
        case send(String)
        /// Waits until the client gives up.
        case hold
        /// Ends with a reset instead of a proper end.
        case reset
        /// Sends for as long as somebody takes it.
        case sendForEver
    }

    struct Request: Sendable {
        /// Path and query.
        let target: String
        /// Request line and headers as they came.
        let head: String
        /// How many of the same target came before.
        let repetition: Int
    }

    let port: Int
    private let listener: Int32
    private let log = Lock<[Request]>([])
    private let answer: @Sendable (Request) -> [Step]

    init(_ answer: @escaping @Sendable (Request) -> [Step]) throws {
        self.answer = answer
        (listener, port) = try Self.listen()
        let me = Unmanaged.passRetained(self).toOpaque()
        var thread = pthread_t()
        pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<ScriptedServer>.fromOpaque(argument).takeRetainedValue().accept()
                return nil
            },
            me
        )
        pthread_detach(thread)
    }

    struct NoPort: Error {}

    /// A free port below the ephemeral ones, so that no client's own port can take it.
    private static func listen() throws -> (Int32, Int) {
        signal(SIGPIPE, SIG_IGN)
        for _ in 0..<200 {
            let port = UInt16.random(in: 20_000..<32_000)
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let bound = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if bound == 0, Glibc.listen(descriptor, 64) == 0 { return (descriptor, Int(port)) }
            close(descriptor)
        }
        throw NoPort()
    }

    var url: String { "http://127.0.0.1:\(port)" }

    /// All requests so far.
    var requests: [Request] { log.withLock { $0 } }

    /// Requests whose target begins so.
    func count(_ prefix: String) -> Int { requests.count { $0.target.hasPrefix(prefix) } }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    /// An answer with a body; `more` are further header lines.
    static func response(_ status: Int, _ body: String, more: [String] = []) -> Step {
        let lines = ["HTTP/1.1 \(status) X", "content-length: \(body.utf8.count)", "connection: close"] + more
        return .send(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    /// A good answer.
    static func response(_ body: String) -> Step { response(200, body) }

    private func accept() {
        while true {
            let connection = Glibc.accept(listener, nil, nil)
            guard connection >= 0 else { break }
            let job = Unmanaged.passRetained(Job(server: self, connection: connection)).toOpaque()
            var thread = pthread_t()
            pthread_create(
                &thread,
                nil,
                { argument in
                    guard let argument else { return nil }
                    let job = Unmanaged<Job>.fromOpaque(argument).takeRetainedValue()
                    job.server.serve(job.connection)
                    return nil
                },
                job
            )
            pthread_detach(thread)
        }
        close(listener)
    }

    private final class Job {
        let server: ScriptedServer
        let connection: Int32

        init(server: ScriptedServer, connection: Int32) {
            self.server = server
            self.connection = connection
        }
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        guard let head = readHead(connection) else { return }
        let target = String(head.split(separator: " ").dropFirst().first ?? "")
        let request = log.withLock { log in
            let request = Request(target: target, head: head, repetition: log.count { $0.target == target })
            log.append(request)
            return request
        }
        for step in answer(request) {
            switch step {
            case .send(let text): _ = write(Array(text.utf8), to: connection)
            case .hold:
                var byte: UInt8 = 0
                _ = recv(connection, &byte, 1, 0)
            case .reset:
                var linger = linger(l_onoff: 1, l_linger: 0)
                setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
            case .sendForEver:
                let block = [UInt8](repeating: UInt8(ascii: " "), count: 65_536)
                // Slower than a sanitizer's build reads, so that other tests go on.
                while write(block, to: connection) { usleep(5_000) }
            }
        }
    }

    private func readHead(_ connection: Int32) -> String? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while !bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func write(_ bytes: [UInt8], to connection: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { send(connection, $0.baseAddress, $0.count, 0) }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
