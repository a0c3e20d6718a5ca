import Bus
import Dispatch
import Gateway
import Glibc
import MarketData
import Network
import Primitives
import Testing
import Wire

/// A gateway on real sockets over the memory bus, with an engine that does what it is told.
final class GatewayBench: Sendable {
    let loop = EventLoop(name: "gateway")
    let clientLoop = EventLoop(name: "clients")
    let bus = MemoryBus()
    let engine: FakeEngine
    let gateway: Gateway
    let logged = Heard()
    let port: Int
    let adminPort: Int

    init(_ change: (inout GatewayConfiguration) -> Void = { _ in }) throws {
        loop.start()
        clientLoop.start()
        var configuration = GatewayConfiguration()
        configuration.port = 0
        configuration.adminPort = 0
        configuration.symbols = ["SPY", "QQQ"]
        configuration.messagesPerSecond = 10_000
        change(&configuration)
        engine = FakeEngine(bus)
        var seams = GatewaySeams()
        let logged = logged
        seams.log = { event, fields in logged.add("\(event) \(fields.map { "\($0.0)=\($0.1)" }.joined(separator: " "))")
        }
        seams.metrics = { Array("# TYPE striketape_test gauge\nstriketape_test 1\n".utf8) }
        seams.dependencies = { [Dependency(name: "engine", isReady: true, detail: "test")] }
        gateway = Gateway(configuration: configuration, bus: bus, loop: loop, seams: seams)
        try gateway.start()
        (port, adminPort) = try gateway.ports()
        bus.start(engine: engine, subscriber: gateway)
    }

    func http(
        _ method: String,
        _ path: String,
        _ body: String = "",
        _ headers: [(String, String)] = []
    ) async throws
        -> HTTPClient.Answer
    {
        var client = HTTPClient(host: "127.0.0.1", port: port)
        client.headers = headers.map { (name: $0.0, value: $0.1) }
        return try await client.sent(method, path, body: Array(body.utf8))
    }

    func connect(_ path: String = "/ws", _ headers: [(String, String)] = []) throws -> Subscriber {
        let port = port
        let loop = clientLoop
        return try loop.sync {
            var options = WebSocketClientOptions(url: try WebSocketURL("ws://127.0.0.1:\(port)\(path)"))
            options.subprotocol = "striketape.v1"
            options.outboxBytesMax = 16 << 20
            options.headers = headers.map { (name: $0.0, value: $0.1) }
            return Subscriber(loop: loop, options: options)
        }
    }

    func end() {
        gateway.stop()
        loop.stop()
        clientLoop.stop()
        loop.join()
        clientLoop.join()
    }
}

/// Runs `body` with a bench and ends it.
func withGateway(
    _ change: (inout GatewayConfiguration) -> Void = { _ in },
    _ body: (GatewayBench) async throws -> Void
) async throws {
    let bench = try GatewayBench(change)
    do {
        try await body(bench)
        await bench.bus.stop()
        bench.end()
    } catch {
        await bench.bus.stop()
        bench.end()
        throw error
    }
}

extension HTTPClient {
    /// Sends from a thread of its own: a blocked one of the tasks' pool would keep the gateway from answering.
    func sent(_ method: String, _ path: String, body: [UInt8] = []) async throws -> Answer {
        let client = self
        return try await away { try client.send(method, path, body: body) }
    }
}

/// Runs what blocks on a thread of its own.
func away<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(with: Result { try body() }) }
    }
}

/// Lines from any thread.
final class Heard: Sendable {
    private let lines = Lock<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func add(_ line: String) { lines.withLock { $0.append(line) } }

    /// Waits until a line contains `part` so many times; fails the test after 10 s.
    func wait(for part: String, times: Int = 1, _ location: SourceLocation = #_sourceLocation) async throws {
        try await eventually("\(part) × \(times) in \(all.suffix(20))", location) {
            self.all.count { $0.contains(part) } >= times
        }
    }
}

/// Waits for a condition that another thread makes true.
func eventually(
    _ what: @autoclosure () -> String,
    _ location: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = SystemClock.monotonicNanos() + 10_000_000_000
    while try await !condition() {
        guard SystemClock.monotonicNanos() < deadline else {
            Issue.record("never came: \(what())", sourceLocation: location)
            throw TimeIsUp()
        }
        try await Task.sleep(nanoseconds: 1_000_000)
    }
}

struct TimeIsUp: Error {}

/// A WebSocket that writes down what it hears, one line a message.
final class Subscriber: WebSocketClientHandler, @unchecked Sendable {
    // Unchecked: everything but the constants is touched on its loop only.
    let heard = Heard()
    private let loop: EventLoop
    private var client: WebSocketClient?
    private var waiting: [String] = []

    init(loop: EventLoop, options: WebSocketClientOptions) {
        self.loop = loop
        let client = WebSocketClient(loop: loop, options: options, handler: self)
        self.client = client
        client.connect()
    }

    /// Sends now, or as soon as there is a connection.
    func send(_ text: String) {
        loop.execute { [self] in
            guard let client, client.isConnected else { return waiting.append(text) }
            client.send(text)
        }
    }

    func subscribe(_ channels: String...) {
        let names = channels.map { "\"\($0)\"" }.joined(separator: ",")
        send(#"{"id":1,"op":"subscribe","channels":[\#(names)]}"#)
    }

    func connected(_ client: WebSocketClient) {
        heard.add("connected")
        for text in waiting { client.send(text) }
        waiting = []
    }

    func text(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {
        guard let frame = try? JSONParser.parse(message), let elements = frame.array else {
            return heard.add("no array: \(String(decoding: message.prefix(200), as: UTF8.self))")
        }
        for element in elements {
            var bytes: [UInt8] = []
            JSONText.append(element, to: &bytes)
            heard.add(String(decoding: bytes, as: UTF8.self))
        }
    }

    func binary(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) { heard.add("binary") }

    func closed(_ client: WebSocketClient, code: UInt16, reason: String) { heard.add("closed \(code) \(reason)") }

    func failed(_ client: WebSocketClient, _ description: String) { heard.add("failed \(description)") }
}

/// An engine that keeps plans in a dictionary and publishes what the test says.
final class FakeEngine: BusEngine, Sendable {
    private struct State {
        var n: Int64 = 0
        var plans: [String: JSONValue] = [:]
        var offsets: [Channel: Int64] = [:]
        var sequences: [Int: Int64] = [:]
        var revisions: [Channel: Int64] = [:]
        var commands: [Command] = []
    }

    private let state = Lock(State())
    private let bus: MemoryBus

    init(_ bus: MemoryBus) { self.bus = bus }

    var commands: [Command] { state.withLock { $0.commands } }

    func demanded(_ channels: Set<Channel>) {}

    func busChanged(to state: FeedState, cause: String) {}

    func publish(_ channel: Channel, _ type: MessageType, _ outputClass: OutputClass, _ payload: String) {
        state.withLock { state in
            state.n += 1
            var offset = state.offsets[channel, default: 0]
            var sequence: Int64 = 0
            let position: Envelope.Position
            switch outputClass {
            case .durable:
                offset += 1
                sequence = state.sequences[channel.partition, default: 0] + 1
                state.sequences[channel.partition] = sequence
                state.offsets[channel] = offset
                position = .durable(offset: offset)
            case .conflatable:
                let revision = state.revisions[channel, default: 0] + 1
                state.revisions[channel] = revision
                position = .conflatable(base: offset, run: "r1", revision: revision)
            case .state, .reply, .request: position = .snapshot(offset: offset)
            }
            var bytes: [UInt8] = []
            Envelope.encode(
                channel: Array(channel.name.utf8),
                epoch: "e1",
                position: position,
                n: state.n,
                type: type,
                time: SystemClock.wall(),
                payload: Array(payload.utf8),
                into: &bytes
            )
            let envelope = Envelope(
                channel: channel,
                type: type,
                outputClass: outputClass,
                offset: offset,
                partitionSequence: sequence,
                n: state.n,
                index: 0,
                bytes: bytes
            )
            bus.release([envelope])
        }
    }

    func tick(_ symbol: String, _ payload: String) { publish(Channel(.symbol, symbol), .tick, .conflatable, payload) }

    /// Gives a plan its whole value.
    func plan(_ id: String, owner: String = "local", rationale: String = "null", hits: String = "[]") {
        let plan = """
            {"id":"\(id)","version":1,"owner":"\(owner)","symbol":"SPY","contract":null,"triggerOn":"underlying",\
            "side":"long","style":"intraday","trigger":"last","entry":{"type":"touch","price":100},"stop":{"price":99},\
            "targets":[{"price":102,"fraction":1}],"rationale":\(rationale)}
            """
        let payload = """
            {"plan":\(plan),"state":"armed","stop":99,"filled":0,"hits":\(hits),"blind":false,"derived":{}}
            """
        publish(Channel(.plan, id), .snapshot, .state, payload)
    }

    func hit(_ id: String, number: Int) {
        let payload = #"{"plan":"\#(id)","version":1,"i":\#(number),"kind":"entry","k":null,"price":100,"t":"1"}"#
        publish(Channel(.plan, id), .hit, .durable, payload)
        publish(Channel(.plans, "local"), .hit, .durable, payload)
        plan(id, hits: "[\(payload)]")
    }

    func commanded(_ command: Command) {
        let reply = state.withLock { state in
            state.commands.append(command)
            return Self.answer(command, &state.plans)
        }
        if command.operation == .create, let id = (try? JSONParser.parse(command.body))?["id"]?.string {
            let plan = state.withLock { $0.plans[id] }
            if let plan { publishNew(plan, id) }
        }
        bus.reply(to: command.id, payload: Array(reply.utf8))
    }

    private func publishNew(_ plan: JSONValue, _ id: String) {
        let payload = """
            {"plan":\(Self.text(plan)),"state":"armed","stop":\(Self.text(plan["stop"]?["price"] ?? .null)),"filled":0,\
            "hits":[],"blind":false,"derived":{}}
            """
        publish(Channel(.plan, id), .snapshot, .state, payload)
        publish(Channel(.plans, "local"), .status, .durable, #"{"plan":"\#(id)","state":"armed","version":1}"#)
    }

    private static func answer(_ command: Command, _ plans: inout [String: JSONValue]) -> String {
        guard let body = try? JSONParser.parse(command.body), case .object(let members) = body else {
            return #"{"ok":false,"code":"invalid","problems":[]}"#
        }
        let id = body["id"]?.string ?? ""
        switch command.operation {
        case .create:
            guard body["entry"] != nil else {
                return #"{"ok":false,"code":"invalid","problems":[{"field":"entry","message":"needed"}]}"#
            }
            guard body["stop"]?["price"]?.micros != nil else {
                let problem = #"{"field":"stop.price","message":"expected a price"}"#
                return #"{"ok":false,"code":"invalid","problems":[\#(problem),{"field":"sessions","message":"none"}]}"#
            }
            let plan = JSONValue.object(members + [("owner", .string(command.owner)), ("version", .number("1"))])
            plans[id] = plan
            return #"{"ok":true,"plan":\#(text(plan))}"#
        case .list:
            let own = plans.values.filter { $0["owner"]?.string == command.owner }
            return #"{"ok":true,"plans":\#(text(.array(Array(own))))}"#
        case .show, .amend, .cancel, .adjust:
            guard let plan = plans[id], plan["owner"]?.string == command.owner else {
                return #"{"ok":false,"code":"not_found"}"#
            }
            if command.operation != .show, body["version"] != plan["version"] {
                return #"{"ok":false,"code":"conflict","problems":[{"field":"version","message":"is 1"}]}"#
            }
            return #"{"ok":true,"plan":\#(text(plan))}"#
        }
    }

    private static func text(_ value: JSONValue) -> String {
        var bytes: [UInt8] = []
        JSONText.append(value, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
