import Foundation
import Glibc
import MarketData
import Network
import Primitives
import Testing
import Wire

@testable import Simulation

/// A simulated market on its own loop, and clients of `Network` against it.
final class Loopback: @unchecked Sendable {
    // Unchecked: everything but `port` is touched on the loop thread.
    let loop = EventLoop(name: "sim-test")
    private(set) var port = 0
    private var market: SimulatedMarket?

    init(_ options: SimulationOptions, rate: Double = 300) throws {
        loop.start()
        port = try loop.sync { [self] in
            let market = SimulatedMarket(loop: loop, options: options, feed: .model(Sample.options(rate: rate)))
            self.market = market
            return try market.listen(host: "127.0.0.1", port: 0)
        }
    }

    func begin(_ step: ScenarioStep) throws { try loop.sync { [self] in market?.begin(step) } }

    var counters: SimulationCounters {
        get throws { try loop.sync { [self] in market?.counters ?? SimulationCounters() } }
    }

    func end() {
        loop.stop()
        loop.join()
    }
}

/// A client that keeps what it hears.
final class Listener: WebSocketClientHandler, @unchecked Sendable {
    // Unchecked: `state` has a lock, the rest is set once.
    private struct State {
        var messages: [String] = []
        var ended: String?
        var isConnected = false
    }

    private let state = Lock(State())
    private let loop: EventLoop
    private let opening: [String]
    private let client = Lock<WebSocketClient?>(nil)

    init(
        _ loop: EventLoop,
        port: Int,
        path: String,
        opening: [String],
        headers: [(String, String)] = [],
        pingMillis: Int64 = 60_000
    ) throws {
        self.loop = loop
        self.opening = opening
        try loop.sync { [self] in
            var options = WebSocketClientOptions(url: try WebSocketURL("ws://127.0.0.1:\(port)\(path)"))
            options.headers = headers.map { (name: $0.0, value: $0.1) }
            options.pingEveryNanos = pingMillis * 1_000_000
            options.silenceNanosMax = pingMillis * 1_000_000
            let client = WebSocketClient(loop: loop, options: options, handler: self)
            self.client.withLock { $0 = client }
            client.connect()
        }
    }

    func send(_ text: String) { loop.execute { [self] in _ = client.withLock { $0 }?.send(text) } }

    func connected(_ client: WebSocketClient) {
        state.withLock { $0.isConnected = true }
        for text in opening { client.send(text) }
    }

    func text(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {
        state.withLock { $0.messages.append(String(decoding: message, as: UTF8.self)) }
    }

    func binary(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {}
    func closed(_ client: WebSocketClient, code: UInt16, reason: String) {
        state.withLock { $0.ended = "closed \(code)" }
    }
    func failed(_ client: WebSocketClient, _ description: String) {
        state.withLock { $0.ended = "failed \(description)" }
    }

    var messages: [String] { state.withLock { $0.messages } }
    var ended: String? { state.withLock { $0.ended } }

    /// Waits until what was heard fulfils a condition; false after a minute.
    func hears(_ condition: ([String]) -> Bool) -> Bool { Self.waits { condition(messages) } }

    func ends(_ condition: (String) -> Bool = { _ in true }) -> Bool { Self.waits { ended.map(condition) ?? false } }

    static func waits(_ condition: () -> Bool) -> Bool {
        let deadline = SystemClock.monotonicNanos() + 60_000_000_000
        while SystemClock.monotonicNanos() < deadline {
            if condition() { return true }
            usleep(5_000)
        }
        return condition()
    }
}

@Suite(.serialized) struct LoopbackTests {
    private static let auth = #"{"action":"auth","params":"k"}"#

    private static func polygon(
        _ world: Loopback,
        _ pairs: String,
        path: String = "/stocks",
        pingMillis: Int64 = 60_000
    ) throws -> Listener {
        let opening = [auth, #"{"action":"subscribe","params":"\#(pairs)"}"#]
        return try Listener(world.loop, port: world.port, path: path, opening: opening, pingMillis: pingMillis)
    }

    @Test func threeProtocolsOnOnePortAgree() throws {
        let world = try Loopback(SimulationOptions(key: "k", speed: 2))
        defer { world.end() }
        let stocks = try Self.polygon(world, "T.SPY,Q.SPY,AM.*,A.SPY")
        let options = try Self.polygon(world, "T.*", path: "/options")
        let indices = try Self.polygon(world, "V.I:SPX", path: "/indices")
        let flow = try Listener(
            world.loop,
            port: world.port,
            path: "/socket?token=k",
            opening: ["option_trades", "price:SPY"].map { #"{"channel":"\#($0)","msg_type":"join"}"# }
        )
        let bridge = try Listener(
            world.loop,
            port: world.port,
            path: "/ib/v1",
            opening: [
                #"{"op":"hello","v":1}"#,
                #"{"op":"set","id":"s","subs":[{"k":"STK:SPY:SMART:USD","l1":true,"depth":5}]}"#,
            ],
            headers: [("authorization", "Bearer k")]
        )
        #expect(stocks.hears { $0.first?.contains("Connected Successfully") ?? false })
        #expect(
            stocks.hears { messages in
                messages.contains { $0.contains(#""ev":"T""#) } && messages.contains { $0.contains(#""ev":"A""#) }
            }
        )
        #expect(options.hears { $0.contains { $0.contains(#""ev":"T","sym":"O:"#) } })
        #expect(indices.hears { $0.contains { $0.contains(#""ev":"V""#) } })
        #expect(
            flow.hears {
                $0.contains { $0.hasPrefix(#"["price:SPY",{"close""#) } && $0.contains { $0.contains("option_symbol") }
            }
        )
        #expect(bridge.hears { $0.contains { $0.contains(#""ev":"d""#) } && $0.contains { $0.contains(#""ev":"q""#) } })
        #expect(bridge.hears { $0.contains { $0.contains(#""ev":"hb""#) } })
        let (status, body) = try Self.get(world.port, "/v2/last/nbbo/SPY", "k")
        #expect(status == 200 && body.contains(#""T":"SPY""#))
        let (flowStatus, flowBody) = try Self.get(world.port, "/api/option-trades/flow-alerts?limit=5", "k")
        #expect(flowStatus == 200 && flowBody.hasPrefix(#"{"data":["#))
        #expect(try Self.get(world.port, "/v2/last/nbbo/SPY", "wrong").0 == 401)
    }

    @Test func theOlderConnectionIsEvictedOrTheNewcomerRefused() throws {
        let world = try Loopback(SimulationOptions(key: "k", speed: 1))
        defer { world.end() }
        let older = try Self.polygon(world, "T.SPY")
        #expect(older.hears { $0.contains { $0.contains("subscribed to: T.SPY") } })
        let newer = try Self.polygon(world, "T.SPY")
        #expect(older.ends { $0 == "closed 1008" })
        #expect(older.messages.contains { $0.contains("max_connections") })
        #expect(newer.hears { $0.contains { $0.contains("subscribed to: T.SPY") } } && newer.ended == nil)
        try world.begin(ScenarioStep(at: 0, provider: .polygon, mood: .refuseNewcomer))
        let third = try Self.polygon(world, "T.SPY")
        #expect(third.ends { $0 == "closed 1008" })
        #expect(
            third.messages.contains { $0.contains("subscribed to") }
                && third.messages.last?.contains("max_connections") ?? false
        )
        #expect(newer.ended == nil)
    }

    @Test(arguments: [
        (Mood.reset, "closed 1006"), (.abort, "closed 1006"), (.close1008, "closed 1008"), (.close1012, "closed 1012"),
        (.halfOpen, "closed 1006"),
    ]) func connectionsEndAsTheMoodSays(mood: Mood, ending: String) throws {
        let world = try Loopback(SimulationOptions(key: "k", speed: 1))
        defer { world.end() }
        let client = try Self.polygon(world, "Q.SPY", pingMillis: mood == .halfOpen ? 500 : 60_000)
        #expect(client.hears { $0.contains { $0.contains(#""ev":"Q""#) } })
        try world.begin(ScenarioStep(at: 0, provider: .polygon, mood: mood))
        #expect(client.ends { $0 == ending }, "\(client.ended ?? "open")")
    }

    @Test func hugeAndFragmentedFramesArrive() throws {
        let world = try Loopback(SimulationOptions(key: "k", speed: 2))
        defer { world.end() }
        try world.begin(ScenarioStep(at: 0, provider: .polygon, mood: .hugeFrames))
        try world.begin(ScenarioStep(at: 0, provider: .polygon, mood: .fragments))
        let client = try Self.polygon(world, "Q.*")
        #expect(client.hears { $0.contains { $0.utf8.count > 2 << 20 } })
        #expect(client.messages.allSatisfy { $0.hasPrefix("[") && $0.hasSuffix("]") })
        #expect(client.ended == nil)
    }

    @Test func wrongKeysAreRefusedAsEachVendorDoes() throws {
        let world = try Loopback(SimulationOptions(key: "secret", speed: 1))
        defer { world.end() }
        let stocks = try Self.polygon(world, "T.SPY")
        #expect(stocks.ends { $0 == "closed 1006" })
        #expect(stocks.messages.contains { $0.contains("auth_failed") })
        let flow = try Listener(world.loop, port: world.port, path: "/socket?token=k", opening: [])
        #expect(flow.ends { $0.hasPrefix("failed") }, "\(flow.ended ?? "open")")
        #expect(try Self.get(world.port, "/socket?token=k", "k", more: "upgrade: websocket\r\n").0 == 401)
        let bridge = try Listener(world.loop, port: world.port, path: "/ib/v1", opening: [])
        #expect(bridge.ends { $0 == "closed 4003" }, "\(bridge.ended ?? "open")")
    }

    @Test func atFullSpeedNothingIsLostAndTheBarsAgree() throws {
        let world = try Loopback(SimulationOptions(key: "k", speed: nil))
        defer { world.end() }
        let client = try Self.polygon(world, "T.SPY,AM.SPY")
        #expect(client.hears { $0.contains { $0.contains(#""ev":"AM""#) } && $0.count > 100 })
        var sequences: [Int64] = []
        var volume: [Int64: Int64] = [:]
        var bars: [(Int64, Int64)] = []
        for message in client.messages {
            for object in try JSONParser.parse(message.utf8).array ?? [] {
                if object["ev"]?.string == "T" {
                    sequences.append(object["q"]?.integer ?? 0)
                    let micros = DecimalText.micros((object["ds"]?.string ?? "").utf8) ?? 0
                    volume[(object["t"]?.integer ?? 0) / 60_000 * 60_000, default: 0] += micros
                } else if object["ev"]?.string == "AM" {
                    bars.append((object["s"]?.integer ?? 0, DecimalText.micros((object["dv"]?.string ?? "").utf8) ?? 0))
                }
            }
        }
        #expect(sequences.count > 200 && zip(sequences, sequences.dropFirst()).allSatisfy { $0 < $1 })
        #expect(!bars.isEmpty)
        for (start, sum) in bars { #expect(volume[start] == sum, "minute \(start)") }
    }

    @Test func theBridgeGoesAwayAndComesBackWithANewEpoch() throws {
        let world = try Loopback(SimulationOptions(key: nil, speed: 1))
        defer { world.end() }
        let hello = [#"{"op":"hello","v":1}"#]
        let first = try Listener(world.loop, port: world.port, path: "/ib/v1", opening: hello)
        #expect(first.hears { !$0.isEmpty })
        try world.begin(ScenarioStep(at: 0, provider: .bridge, mood: .restart, seconds: 1))
        #expect(first.ends())
        let away = try Listener(world.loop, port: world.port, path: "/ib/v1", opening: hello)
        #expect(away.ends { $0.hasPrefix("failed") })
        var second: Listener?
        let isBack = try Self.retry {
            let client = try Listener(world.loop, port: world.port, path: "/ib/v1", opening: hello)
            second = client
            return client.hears { !$0.isEmpty || client.ended != nil } && client.ended == nil
        }
        #expect(isBack)
        func epoch(_ listener: Listener?) -> String? {
            (listener?.messages.first).flatMap { try? JSONParser.parse($0.utf8) }?.array?.first?["epoch"]?.string
        }
        #expect(epoch(first) != nil && epoch(second) != nil && epoch(first) != epoch(second))
    }

    private static func retry(_ attempt: () throws -> Bool) throws -> Bool {
        for _ in 0..<50 {
            if try attempt() { return true }
            usleep(100_000)
        }
        return false
    }

    /// One GET over a plain socket.
    private static func get(_ port: Int, _ target: String, _ key: String, more: String = "") throws -> (Int, String) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let isOpen = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        try #require(isOpen)
        let request = Array(
            "GET \(target) HTTP/1.1\r\nhost: 127.0.0.1:\(port)\r\nauthorization: Bearer \(key)\r\n\(more)\r\n".utf8
        )
        _ = request.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, 0) }
        var out: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !isWhole(out) {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            out += buffer[..<count]
        }
        let text = String(decoding: out, as: UTF8.self)
        let parts = text.components(separatedBy: "\r\n\r\n")
        return (Int(text.dropFirst(9).prefix(3)) ?? 0, parts.dropFirst().joined(separator: "\r\n\r\n"))
    }

    private static func isWhole(_ bytes: [UInt8]) -> Bool {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n"), let field = text.range(of: "content-length: ") else { return false }
        let length = Int(text[field.upperBound...].prefix { $0.isNumber }) ?? 0
        return text[end.upperBound...].utf8.count >= length
    }
}

@Suite struct WebSocketCodecTests {
    @Test func theHandshakeOfTheRFC() {
        #expect(WebSocketCodec.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(
            WebSocketCodec.base64([]) == "" && WebSocketCodec.base64([0x66]) == "Zg=="
                && WebSocketCodec.base64([0x66, 0x6F]) == "Zm8="
        )
    }

    @Test(arguments: [0, 1, 125, 126, 65_535, 65_536]) func clientFramesAreReadHoweverTheyAreCut(length: Int) {
        let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var frame: [UInt8] = [0x81]
        if length < 126 {
            frame.append(0x80 | UInt8(length))
        } else if length < 65_536 {
            frame += [0xFE, UInt8(length >> 8), UInt8(length & 0xFF)]
        } else {
            frame += [0xFF, 0, 0, 0, 0, 0, UInt8(length >> 16), UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF)]
        }
        let mask: [UInt8] = [1, 2, 3, 4]
        frame += mask + payload.enumerated().map { $0.element ^ mask[$0.offset & 3] }
        let whole = WebSocketReader()
        #expect(whole.inputs(frame) == [.message(payload)])
        var cut = WebSocketReader()
        var found: [WebSocketReader.Input] = []
        for start in stride(from: 0, to: frame.count, by: max(1, frame.count / 7)) {
            found += cut.read(frame[start..<min(frame.count, start + max(1, frame.count / 7))])
        }
        #expect(found == [.message(payload)])
    }

    @Test(
        arguments: [
            ([0x81, 0x01, 0x41], 1_002), ([0xC1, 0x81, 0, 0, 0, 0, 0x41], 1_002),
            ([0x80, 0x81, 0, 0, 0, 0, 0x41], 1_002),
            ([0x81, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0], 1_009),
        ] as [([UInt8], UInt16)]
    ) func brokenFramesAreToldWithACode(frame: [UInt8], code: UInt16) {
        let reader = WebSocketReader()
        #expect(reader.inputs(frame) == [.broken(code)])
    }

    @Test func requestsAreCutFromTheStream() {
        var reader = RequestReader()
        reader.add(
            Array(
                "GET /v2/a%20b?x=1&y=%2B HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer k\r\n\r\nGET / HTTP/1.1\r\n".utf8
            )
        )
        let first = reader.next()
        guard case .request(let request) = first else {
            Issue.record("no request")
            return
        }
        #expect(request.path == "/v2/a b" && request.argument("x") == "1" && request.argument("y") == "+")
        #expect(request.bearer == "k")
        let second = reader.next()
        #expect(second == .incomplete)
        reader.add(Array("bad\r\n\r\n".utf8))
        let third = reader.next()
        #expect(third == .broken)
    }
}

// What `#expect` can't call itself, as it changes the value.
extension WebSocketReader {
    fileprivate func inputs(_ bytes: [UInt8]) -> [Input] {
        var copy = self
        return copy.read(bytes)
    }
}
