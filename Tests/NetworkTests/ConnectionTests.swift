import Glibc
import Network
import Primitives
import Testing

/// The life of connections: who gets in, how they end.
@Suite struct ConnectionTests {
    /// S1: the hook sees what it needs, and the browser can read why it was refused.
    @Test func theHookSeesOriginAndHostAndMayRefuse() async throws {
        let seen = Lock<[HTTPRequest]>([])
        let behaviour = Behaviour(refuse: { request in
            seen.withLock { $0.append(request) }
            return request[.origin] == "http://evil" ? (4003, "origin not allowed") : nil
        })
        try await withBench { bench in
            let server = try bench.serve(behaviour)
            let port = try bench.port(server)
            let evil = try RawSocket(port: port)
            #expect(evil.upgrade("/ws/plans/p_1?x=1", headers: "Origin: http://evil\r\n").hasPrefix("HTTP/1.1 101"))
            evil.forget(upTo: "\r\n\r\n")
            let frame = try #require(evil.readFrame())
            #expect(frame.opcode == 8)
            #expect(frame.payload == [0x0F, 0xA3] + Array("origin not allowed".utf8))
            let (_, events) = try bench.connect(to: server) { $0.headers = [("Origin", "http://good")] }
            try await events.wait(for: "connected")
            let requests = seen.withLock { $0 }
            let origins = requests.map { $0[.origin] }
            #expect(origins == ["http://evil", "http://good"])
            #expect(requests[0].path == "/ws/plans/p_1")
            #expect(requests[0].argument("x") == "1")
            #expect(requests[0][.host] == "127.0.0.1")
            #expect(requests[1][.host] == "127.0.0.1:\(port)")
            #expect(requests[1].peer == "127.0.0.1")
        }
    }

    @Test func theSubprotocolIsNegotiated() async throws {
        try await withBench { bench in
            let server = try bench.serve()
            let port = try bench.port(server)
            let good = try RawSocket(port: port).upgrade(headers: "Sec-WebSocket-Protocol: x, striketape.v1\r\n")
            #expect(good.lowercased().contains("sec-websocket-protocol: striketape.v1\r\n"))
            let none = try RawSocket(port: port).upgrade()
            #expect(none.hasPrefix("HTTP/1.1 101"))
            #expect(!none.lowercased().contains("sec-websocket-protocol"))
            let other = try RawSocket(port: port).upgrade(headers: "Sec-WebSocket-Protocol: other\r\n")
            #expect(!other.contains("101"))
            #expect(bench.events.count("opened") == 2)
        }
    }

    @Test func aServerWithoutSubprotocolsTakesPlainClients() async throws {
        try await withBench { bench in
            let (_, events) = try bench.connect(to: bench.serve { $0.subprotocols = [] })
            try await events.wait(for: "connected")
        }
    }

    @Test func noVersionIsToldInTheHandshake() async throws {
        try await withBench { bench in
            let head = try RawSocket(port: bench.port(bench.serve())).upgrade().lowercased()
            #expect(!head.contains("libwebsockets"))
            #expect(!head.contains("server:"))
        }
    }

    @Test func aboveTheLimitAConnectionIsTold1013() async throws {
        try await withBench { bench in
            let server = try bench.serve { $0.connectionsMax = 2 }
            for _ in 0..<2 { try await bench.connect(to: server).1.wait(for: "connected") }
            let third = try RawSocket(port: try bench.port(server))
            _ = third.upgrade()
            third.forget(upTo: "\r\n\r\n")
            #expect(third.closeCode() == 1013)
            #expect(try bench.counters(server).refusedConnections == 1)
        }
    }

    /// R15: everybody is told 1012, then it is over.
    @Test func drainTellsEverybodyAndEnds() async throws {
        try await withBench { bench in
            let server = try bench.serve()
            let port = try bench.port(server)
            let sockets = try (0..<20).map { _ in
                let socket = try RawSocket(port: port)
                _ = socket.upgrade()
                socket.forget(upTo: "\r\n\r\n")
                return socket
            }
            try await bench.events.wait(for: "opened", times: 20)
            let idle = try RawSocket(port: port)
            let done = Events()
            try bench.serverLoop.sync {
                server.drain(nanosMax: 5_000_000_000) { done.add("drained") }
                server.drain(nanosMax: 5_000_000_000) { done.add("drained") }
            }
            for socket in sockets {
                #expect(socket.closeCode() == 1012)
                // A peer that answers the close frame; one that doesn't is cut.
                socket.send(RawSocket.frame([0x03, 0xF4], opcode: 8))
            }
            #expect(idle.isClosedByPeer())
            try await done.wait(for: "drained", times: 2)
            #expect(bench.events.count("closed 1012 restart") == 20)
            #expect(try bench.counters(server).sockets == 0)
            let late = Result { try RawSocket(port: port) }.failure
            #expect(late is RawSocket.SocketError)
        }
    }

    @Test func drainCutsWhoDoesNotAnswer() async throws {
        try await withBench { bench in
            let server = try bench.serve { $0.closeNanosMax = 3_600_000_000_000 }
            let raw = try RawSocket(port: try bench.port(server))
            _ = raw.upgrade()
            try await bench.events.wait(for: "opened")
            let done = Events()
            try bench.serverLoop.sync { server.drain(nanosMax: 1_000_000) { done.add("drained") } }
            try await done.wait(for: "drained")
            #expect(raw.isClosedByPeer())
        }
    }

    /// A request under way is answered, and is the last of its connection.
    @Test func drainLetsARequestFinish() async throws {
        let held = Lock<[HTTPResponder]>([])
        try await withBench { bench in
            let server = try bench.serve({ Holding(held) })
            let raw = try RawSocket(port: try bench.port(server))
            raw.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
            try await eventually("a request") { held.withLock { $0.count == 1 } }
            let done = Events()
            try bench.serverLoop.sync { server.drain(nanosMax: 10_000_000_000) { done.add("drained") } }
            held.withLock { $0 }[0].respond(HTTPResponse("text/plain", "at last"))
            let answer = raw.readAll()
            #expect(answer.contains("connection: close\r\n"))
            #expect(answer.hasSuffix("at last"))
            try await done.wait(for: "drained")
        }
    }

    @Test func stopIsIdempotentAndTheServerCanListenAgain() async throws {
        try await withBench { bench in
            let server = try bench.serve()
            let port = try bench.port(server)
            let (client, events) = try bench.connect("ws://127.0.0.1:\(port)/")
            try await events.wait(for: "connected")
            let handle = try #require(try bench.serverLoop.sync { server.connections.first?.handle })
            try bench.serverLoop.sync { server.connection(handle)?.write("by handle") }
            try await events.wait(for: "text by handle")
            try bench.serverLoop.sync {
                server.stop()
                server.stop()
                #expect(server.port == 0)
            }
            try await events.wait(for: "closed 1006")
            let stale = try bench.serverLoop.sync { server.connection(handle)?.handle }
            #expect(stale == nil)
            try bench.loop.sync { client.connect() }
            try await events.wait(for: "failed")
            // The same port again, with a server of the same loop.
            let next = try bench.serve { $0.port = port }
            try bench.loop.sync { client.connect() }
            try await events.wait(for: "connected", times: 2)
            #expect(try bench.counters(next).connections == 1)
            try bench.loop.sync { client.send("still here") }
            try await events.wait(for: "text still here")
        }
    }

    @Test func aTakenPortIsAClearError() async throws {
        try await withBench { bench in
            let port = try bench.port(bench.serve())
            let taken = Result { try bench.serve { $0.port = port } }.failure as? NetworkError
            #expect(taken?.code == .cannotListen)
            #expect(taken?.description.contains("127.0.0.1:\(port)") == true)
            let unknown = Result { try bench.serve { $0.host = "no.such.host" } }.failure as? NetworkError
            #expect(unknown?.code == .badAddress)
        }
    }

    @Test func twoServersOfOneLoopDoNotMix() async throws {
        try await withBench { bench in
            let first = try bench.serve { $0.subprotocols = ["first"] }
            let second = try bench.serve { $0.subprotocols = ["second"] }
            let raw = try RawSocket(port: try bench.port(second))
            #expect(raw.upgrade(headers: "Sec-WebSocket-Protocol: second\r\n").hasPrefix("HTTP/1.1 101"))
            #expect(try bench.counters(first).accepted == 0)
            #expect(try bench.counters(second).upgrades == 1)
        }
    }

    @Test func connectionsComeAndGoWithoutLeavingSlots() async throws {
        try await withBench { bench in
            let server = try bench.serve()
            let port = try bench.port(server)
            for round in 1...10 {
                let sockets = try (0..<20).map { index in
                    let socket = try RawSocket(port: port)
                    // Some go in the middle of the handshake, some after it.
                    if index % 4 == 0 { socket.send("GET / HT") } else { _ = socket.upgrade() }
                    return socket
                }
                try await bench.events.wait(for: "opened", times: round * 15)
                #expect(sockets.count == 20)
            }
            try await eventually("no socket left") { try bench.counters(server).sockets == 0 }
            let counters = try bench.counters(server)
            #expect(counters.connections == 0)
            #expect(counters.accepted == 200)
            #expect(counters.upgrades == 150)
            #expect(bench.events.count("closed") == 150)
        }
    }

    @Test func silenceEndsAConnectionAndPongsKeepIt() async throws {
        try await withBench { bench in
            let server = try bench.serve {
                $0.pingEveryNanos = 200_000_000
                $0.silenceNanosMax = 3_000_000_000
            }
            // A library answers the pings; a raw socket doesn't.
            let (client, alive) = try bench.connect(to: server)
            try await alive.wait(for: "connected")
            let dead = try RawSocket(port: try bench.port(server))
            _ = dead.upgrade()
            dead.forget(upTo: "\r\n\r\n")
            let ping = try #require(dead.readFrame())
            #expect(ping.opcode == 9)
            #expect(dead.isClosedByPeer())
            try await bench.events.wait(for: "closed 1006 no frame for")
            #expect(try bench.counters(server).silent == 1)
            let isConnected = try bench.loop.sync { client.isConnected }
            #expect(isConnected)
        }
    }

    @Test func aClientGivesUpASilentServer() async throws {
        try await withBench { bench in
            let silent = try SilentServer(answersUpgrade: true)
            let (_, events) = try bench.connect("ws://127.0.0.1:\(silent.port)/") {
                $0.pingEveryNanos = 100_000_000
                $0.silenceNanosMax = 100_000_000
            }
            try await events.wait(for: "connected")
            let line = try await events.wait(for: "closed")
            #expect(line.hasPrefix("closed 1006 no frame for"))
        }
    }

    @Test func failuresAreToldOnce() async throws {
        try await withBench { bench in
            let silent = try SilentServer(answersUpgrade: false)
            let server = try bench.serve()
            let port = try bench.port(server)
            try bench.serverLoop.sync { server.stop() }
            let (_, refused) = try bench.connect("ws://127.0.0.1:\(port)/")
            let (_, unknown) = try bench.connect("ws://no-such-host.invalid/")
            let (_, late) = try bench.connect("ws://127.0.0.1:\(silent.port)/") { $0.connectNanosMax = 50_000_000 }
            let (_, noFile) = try bench.connect("wss://127.0.0.1:\(port)/") { $0.caFile = "/no/such/file" }
            let (client, given) = try bench.connect("ws://127.0.0.1:\(silent.port)/")
            try bench.loop.sync { client.close() }
            for events in [refused, unknown, late, noFile, given] { try await events.wait(for: "failed") }
            #expect(unknown.all[0].contains("no-such-host.invalid"))
            #expect(late.all[0].contains("after 50 ms; "))
            #expect(noFile.all[0].contains("/no/such/file"))
            #expect(given.all == ["failed given up"])
            for events in [refused, unknown, late, noFile, given] { #expect(events.all.count == 1) }
        }
    }

    @Test func anAnswerThatIsNoUpgradeIsAFailure() async throws {
        try await withBench { bench in
            let server = try bench.serve()
            let (_, events) = try bench.connect(to: server) { $0.subprotocol = "other" }
            try await events.wait(for: "failed")
            let (_, named) = try bench.connect("ws://localhost:\(try bench.port(server))/named")
            try await named.wait(for: "connected")
        }
    }

    @Test func urlsAreRead() throws {
        let url = try WebSocketURL("wss://socket.example.com/stocks?x=1")
        #expect(url == WebSocketURL(isSecure: true, host: "socket.example.com", port: 443, path: "/stocks?x=1"))
        #expect(try WebSocketURL("ws://[::1]:8702").description == "ws://[::1]:8702/")
        #expect(try WebSocketURL("ws://h:80/a").description == "ws://h/a")
        for bad in ["http://x", "ws://", "ws://h:0", "ws://h:x", "ws://u@h", "ws://h/#f", "ws://h/ a", "ws://h:70000"] {
            #expect(throws: NetworkError.self, "\(bad)") { try WebSocketURL(bad) }
        }
    }
}

/// Keeps its responders for the test.
private final class Holding: WebServerHandler {
    private let held: Lock<[HTTPResponder]>

    init(_ held: Lock<[HTTPResponder]>) { self.held = held }

    func request(_ request: HTTPRequest, _ responder: HTTPResponder) { held.withLock { $0.append(responder) } }
    func opened(_ connection: WebSocketConnection) {}
    func received(_ message: UnsafeRawBufferPointer, isText: Bool, on connection: WebSocketConnection) {}
    func writable(_ connection: WebSocketConnection) {}
    func closed(_ connection: WebSocketConnection, code: UInt16, reason: String) {}
}

extension Result {
    /// The error, nil when it went well.
    var failure: Failure? {
        switch self {
        case .success: nil
        case .failure(let error): error
        }
    }
}
