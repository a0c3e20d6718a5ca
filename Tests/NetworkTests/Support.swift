import Glibc
import Network
import Primitives
import Testing

/// A loop, a server and clients that end with the test.
final class Bench: Sendable {
    let loop: EventLoop
    let serverLoop: EventLoop
    let events = Events()

    init() {
        loop = EventLoop(name: "clients")
        serverLoop = EventLoop(name: "server")
        loop.start()
        serverLoop.start()
    }

    /// Starts an echo server; `change` sets its options.
    func serve(
        _ behaviour: Behaviour = Behaviour(),
        _ change: @escaping @Sendable (inout WebServerOptions) -> Void = { _ in }
    ) throws -> WebServer {
        let events = events
        return try serve({ Echo(events, behaviour) }, change)
    }

    /// Starts a server with a handler that is made on the loop.
    func serve(
        _ makeHandler: @escaping @Sendable () -> any WebServerHandler,
        _ change: @escaping @Sendable (inout WebServerOptions) -> Void = { _ in }
    ) throws -> WebServer {
        try serverLoop.sync { [serverLoop] in
            var options = WebServerOptions()
            change(&options)
            let server = WebServer(loop: serverLoop, options: options, handler: makeHandler())
            try server.listen()
            return server
        }
    }

    /// Connects a client that writes down what it hears.
    func connect(
        _ url: String,
        _ change: @escaping @Sendable (inout WebSocketClientOptions) -> Void = { _ in }
    ) throws -> (WebSocketClient, Events) {
        let events = Events()
        let client = try loop.sync { [loop] in
            var options = WebSocketClientOptions(url: try WebSocketURL(url))
            change(&options)
            let client = WebSocketClient(loop: loop, options: options, handler: Listener(events))
            client.connect()
            return client
        }
        return (client, events)
    }

    func connect(
        to server: WebServer,
        _ path: String = "/ws",
        _ change: @escaping @Sendable (inout WebSocketClientOptions) -> Void = { _ in }
    ) throws -> (WebSocketClient, Events) {
        try connect("ws://127.0.0.1:\(try port(server))\(path)", change)
    }

    func port(_ server: WebServer) throws -> Int { try serverLoop.sync { server.port } }

    func counters(_ server: WebServer) throws -> WebServerCounters { try serverLoop.sync { server.counters } }

    /// Ends both loops and waits for them.
    func end() {
        serverLoop.stop()
        loop.stop()
        serverLoop.join()
        loop.join()
        #expect(!loop.counters.endedUnclosed)
        #expect(!serverLoop.counters.endedUnclosed)
    }
}

/// Runs `body` with a bench and ends it.
func withBench(_ body: (Bench) async throws -> Void) async throws {
    let bench = Bench()
    do {
        try await body(bench)
        bench.end()
    } catch {
        bench.end()
        throw error
    }
}

/// What was heard, in order; from any thread.
final class Events: Sendable {
    private let lines = Lock<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func add(_ line: String) { lines.withLock { $0.append(line) } }

    func count(_ prefix: String) -> Int { all.count { $0.hasPrefix(prefix) } }

    /// Waits until a line begins with `prefix`; fails the test after 10 s.
    @discardableResult
    func wait(for prefix: String, times: Int = 1, _ location: SourceLocation = #_sourceLocation) async throws -> String
    {
        try await eventually("\(prefix) in \(all)", location) { self.count(prefix) >= times }
        return all.last { $0.hasPrefix(prefix) } ?? ""
    }
}

/// Waits for a condition that another thread makes true.
func eventually(
    _ what: @autoclosure () -> String,
    _ location: SourceLocation = #_sourceLocation,
    _ condition: () throws -> Bool
) async throws {
    let deadline = SystemClock.monotonicNanos() + 10_000_000_000
    while try !condition() {
        guard SystemClock.monotonicNanos() < deadline else {
            Issue.record("never came: \(what())", sourceLocation: location)
            throw TimeIsUp()
        }
        try await Task.sleep(nanoseconds: 1_000_000)
    }
}

struct TimeIsUp: Error {}

/// What the echo server does otherwise.
struct Behaviour: Sendable {
    /// Asked when a WebSocket opens: a close code and reason, or nil to keep it.
    var refuse: @Sendable (HTTPRequest) -> (UInt16, String)? = { _ in nil }
    /// Whether messages come back.
    var echoes = true
    /// Answers requests; nil never answers.
    var answer: @Sendable (HTTPRequest) -> HTTPResponse? = {
        HTTPResponse("text/plain", "\($0.method.rawValue) \($0.path)")
    }
    /// Runs when a WebSocket is open, on the loop thread.
    var opened: @Sendable (WebSocketConnection) -> Void = { _ in }
    var writable: @Sendable (WebSocketConnection) -> Void = { _ in }
}

/// The server's side of the tests; loop thread only.
private final class Echo: WebServerHandler {
    private let events: Events
    private let behaviour: Behaviour

    init(_ events: Events, _ behaviour: Behaviour) {
        self.events = events
        self.behaviour = behaviour
    }

    func request(_ request: HTTPRequest, _ responder: HTTPResponder) {
        events.add("request \(request.method.rawValue) \(request.path)")
        if let response = behaviour.answer(request) { responder.respond(response) }
    }

    func opened(_ connection: WebSocketConnection) {
        events.add("opened \(connection.request.path)")
        if let (code, reason) = behaviour.refuse(connection.request) { connection.close(code: code, reason: reason) }
        behaviour.opened(connection)
    }

    func received(_ message: UnsafeRawBufferPointer, isText: Bool, on connection: WebSocketConnection) {
        events.add("received \(message.count)")
        if behaviour.echoes { connection.write(message, isText: isText) }
    }

    func writable(_ connection: WebSocketConnection) { behaviour.writable(connection) }

    func closed(_ connection: WebSocketConnection, code: UInt16, reason: String) {
        events.add("closed \(code) \(reason)")
    }
}

/// The client's side; loop thread only.
private final class Listener: WebSocketClientHandler {
    private let events: Events

    init(_ events: Events) { self.events = events }

    func connected(_ client: WebSocketClient) { events.add("connected") }

    func text(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {
        events.add(
            message.count > 200
                ? "text of \(message.count) sum \(checksum(message))"
                : "text \(String(decoding: message, as: UTF8.self))"
        )
    }

    func binary(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {
        events.add("binary of \(message.count) sum \(checksum(message))")
    }

    func closed(_ client: WebSocketClient, code: UInt16, reason: String) { events.add("closed \(code) \(reason)") }

    func failed(_ client: WebSocketClient, _ description: String) { events.add("failed \(description)") }
}

/// A sum that notices order (FNV-1a).
func checksum(_ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}
