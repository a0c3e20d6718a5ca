import Network
import Primitives

/// The testee of `ops/autobahn`: an echo server and an echo client built on Network.
///
/// `NetworkEcho server PORT` serves until it is killed; `NetworkEcho client PORT AGENT` walks through all cases of a
/// fuzzing server and ends; `NetworkEcho burst …` measures what a client costs.
@main
enum NetworkEcho {
    /// The biggest message of the cases has 16 MiB.
    static let messageBytesMax = 32 << 20

    static func main() async throws {
        let arguments = CommandLine.arguments
        let loop = EventLoop(name: "echo")
        if arguments.count >= 2, arguments[1] == "burst" {
            loop.start()
            try await Burst.run(loop, arguments.dropFirst(2).compactMap { Int($0) })
            loop.stop()
            return loop.join()
        }
        guard arguments.count >= 3, let port = Int(arguments[2]) else { return usage() }
        loop.start()
        switch arguments[1] {
        case "server":
            let server = try await loop.run {
                var options = WebServerOptions()
                options.port = port
                options.subprotocols = []
                options.messageBytesMax = messageBytesMax
                options.sendBufferBytes = nil
                let server = WebServer(loop: loop, options: options, handler: EchoServer())
                try server.listen()
                return server
            }
            print("listening on \(try await loop.run { server.port })")
            try await Task.sleep(for: .seconds(3_600))
        case "client":
            try await EchoClient.walk(loop, port: port, agent: arguments.count > 3 ? arguments[3] : "striketape")
        default: usage()
        }
        loop.stop()
        loop.join()
    }

    private static func usage() {
        print("usage: NetworkEcho server PORT | NetworkEcho client PORT AGENT | NetworkEcho burst …")
    }
}

/// Sends back each message when the socket says that it is writable.
private final class EchoServer: WebServerHandler {
    private final class Line {
        var waiting: [(bytes: [UInt8], isText: Bool)] = []
    }

    func request(_ request: HTTPRequest, _ responder: HTTPResponder) {
        responder.respond(HTTPResponse(status: 404, "text/plain", "only WebSockets here"))
    }

    func opened(_ connection: WebSocketConnection) { connection.owner = Line() }

    func received(_ message: UnsafeRawBufferPointer, isText: Bool, on connection: WebSocketConnection) {
        guard let line = connection.owner as? Line else { return }
        // Not at once: the cases want the pong of a ping that came in the same packet before the message, which is
        // stricter than the protocol; the library sends a pong before it says that a socket is writable.
        line.waiting.append((Array(message), isText))
        connection.requestWritable()
    }

    func writable(_ connection: WebSocketConnection) {
        guard let line = connection.owner as? Line else { return }
        while let next = line.waiting.first {
            let result = next.bytes.withUnsafeBytes { connection.write($0, isText: next.isText) }
            guard result != .pending else { return }
            line.waiting.removeFirst()
        }
    }

    func closed(_ connection: WebSocketConnection, code: UInt16, reason: String) {}
}

/// Connects, sends back each message, and tells what it heard when the connection is over.
private final class EchoClient: WebSocketClientHandler {
    private let echoes: Bool
    private var last = ""
    private var ended: ((String?) -> Void)?

    private init(echoes: Bool, ended: @escaping (String?) -> Void) {
        self.echoes = echoes
        self.ended = ended
    }

    /// Runs every case and asks for the report.
    static func walk(_ loop: EventLoop, port: Int, agent: String) async throws {
        guard let text = try await visit(loop, port, "/getCaseCount", echoes: false), let count = Int(text) else {
            throw NetworkError(.badAddress, place: "port \(port)", cause: "no fuzzing server answers")
        }
        print("\(count) cases")
        for number in 1...max(1, count) {
            _ = try await visit(loop, port, "/runCase?case=\(number)&agent=\(agent)", echoes: true)
        }
        _ = try await visit(loop, port, "/updateReports?agent=\(agent)", echoes: false)
    }

    /// The last text of one connection; nil when it couldn't be made.
    private static func visit(_ loop: EventLoop, _ port: Int, _ path: String, echoes: Bool) async throws -> String? {
        await withCheckedContinuation { continuation in
            loop.execute {
                var options = WebSocketClientOptions(
                    url: WebSocketURL(isSecure: false, host: "127.0.0.1", port: port, path: path)
                )
                options.messageBytesMax = NetworkEcho.messageBytesMax
                options.outboxBytesMax = 4 * NetworkEcho.messageBytesMax
                let handler = EchoClient(echoes: echoes) { continuation.resume(returning: $0) }
                WebSocketClient(loop: loop, options: options, handler: handler).connect()
            }
        }
    }

    func connected(_ client: WebSocketClient) {}

    func text(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {
        if echoes { client.send(message, isText: true) } else { last = String(decoding: message, as: UTF8.self) }
    }

    func binary(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {
        if echoes { client.send(message, isText: false) }
    }

    func closed(_ client: WebSocketClient, code: UInt16, reason: String) { end(last) }

    func failed(_ client: WebSocketClient, _ description: String) {
        print("failed: \(description)")
        end(nil)
    }

    private func end(_ result: String?) {
        ended?(result)
        ended = nil
    }
}
