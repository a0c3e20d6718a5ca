import Network
import Primitives
import Testing

@Suite struct HTTPTests {
    /// Sends `text` and reads until the server closes.
    private func exchange(
        _ bench: Bench,
        _ server: WebServer,
        _ text: String
    ) throws -> String {
        let raw = try RawSocket(port: try bench.port(server))
        raw.send(text)
        return raw.readAll()
    }

    @Test func answersWithTheFixedHeadersAndNoVersion() async throws {
        try await withBench { bench in
            let answer = try exchange(bench, bench.serve(), "GET /a/b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.hasSuffix("\r\n\r\nGET /a/b"))
            #expect(answer.contains("content-length: 8\r\n"))
            #expect(answer.contains("x-content-type-options: nosniff\r\n"))
            #expect(answer.contains("frame-ancestors 'none'"))
            #expect(answer.contains("referrer-policy: no-referrer\r\n"))
            #expect(answer.contains("cache-control: no-store\r\n"))
            #expect(!answer.lowercased().contains("server:"))
            #expect(!answer.lowercased().contains("libwebsockets"))
        }
    }

    @Test func theHandlerSeesTheRequest() async throws {
        let seen = Lock<HTTPRequest?>(nil)
        let behaviour = Behaviour(answer: { request in
            seen.withLock { $0 = request }
            return HTTPResponse(status: 201, headers: [("location", "/x\r\nevil: 1")], body: [])
        })
        try await withBench { bench in
            let answer = try exchange(
                bench,
                bench.serve(behaviour),
                "POST /plans/a%20b?symbol=SPY&note=1%2B1+x&empty HTTP/1.1\r\nHost: 127.0.0.1:8700\r\nOrigin: http://evil\r\n"
                    + "Content-Type: application/json\r\nAuthorization: Bearer k\r\nIdempotency-Key: i-1\r\n"
                    + "If-Match: \"3\"\r\nX-User-Id: u7\r\nCookie: secret\r\nConnection: close\r\n"
                    + "Content-Length: 7\r\n\r\n{\"a\":1}"
            )
            #expect(answer.hasPrefix("HTTP/1.1 201 Created\r\n"))
            #expect(answer.contains("location: /xevil: 1\r\n"))
            let request = try #require(seen.withLock { $0 })
            #expect(request.method == .post)
            #expect(request.path == "/plans/a b")
            #expect(request.argument("symbol") == "SPY")
            #expect(request.argument("note") == "1+1 x")
            #expect(request.argument("empty") == "")
            #expect(request.argument("none") == nil)
            #expect(request[.host] == "127.0.0.1:8700")
            #expect(request[.origin] == "http://evil")
            #expect(request[.contentType] == "application/json")
            #expect(request[.authorization] == "Bearer k")
            #expect(request[.idempotencyKey] == "i-1")
            #expect(request[.ifMatch] == "\"3\"")
            #expect(request[.userID] == "u7")
            #expect(request.peer == "127.0.0.1")
            #expect(!request.isSecure)
            #expect(String(decoding: request.body, as: UTF8.self) == "{\"a\":1}")
        }
    }

    @Test(arguments: HTTPRequest.Method.allCases)
    func everyMethodArrives(method: HTTPRequest.Method) async throws {
        try await withBench { bench in
            let body = method == .get || method == .head ? "" : "Content-Length: 0\r\n"
            let server = try bench.serve()
            _ = try exchange(
                bench,
                server,
                "\(method.rawValue) /m HTTP/1.1\r\nHost: x\r\n\(body)Connection: close\r\n\r\n"
            )
            #expect(bench.events.all == ["request \(method.rawValue) /m"])
        }
    }

    @Test func headHasNoBody() async throws {
        try await withBench { bench in
            let answer = try exchange(bench, bench.serve(), "HEAD /h HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(answer.contains("content-length: 7\r\n"))
            #expect(answer.hasSuffix("\r\n\r\n"))
        }
    }

    @Test func requestsOfOneConnectionAreAnsweredInOrder() async throws {
        try await withBench { bench in
            let server = try bench.serve()
            let raw = try RawSocket(port: try bench.port(server))
            raw.send("POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
            _ = raw.read(until: "POST /1")
            // Pipelined; behind a body in the same packet the library would leave the next request lying.
            raw.send(
                "GET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\n\r\n"
                    + "GET /4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            _ = raw.readAll()
            #expect(bench.events.all == ["request POST /1", "request GET /2", "request GET /3", "request GET /4"])
            let bodies = ["POST /1", "GET /2", "GET /3", "GET /4"]
            #expect(bodies.allSatisfy { raw.text.contains("\r\n\r\n\($0)") })
        }
    }

    @Test func anAnswerMayComeLaterFromAnotherThread() async throws {
        let later = EventLoop(name: "later")
        later.start()
        try await withBench { bench in
            let server = try bench.serve({ Later(later) })
            let raw = try RawSocket(port: try bench.port(server))
            raw.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /slow2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            let answer = raw.readAll()
            #expect(answer.components(of: "HTTP/1.1 200 OK") == 2)
            #expect(answer.contains("\r\n\r\nlate /slow"))
            #expect(answer.hasSuffix("\r\n\r\nlate /slow2"))
        }
        later.stop()
        later.join()
    }

    @Test func aBigAnswerArrivesWhole() async throws {
        let body = (0..<5_000_000).map { UInt8(ascii: "a") + UInt8($0 % 26) }
        try await withBench { bench in
            let server = try bench.serve(Behaviour(answer: { _ in HTTPResponse(status: 200, body: body) }))
            let raw = try RawSocket(port: try bench.port(server))
            raw.send("GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            while raw.read() {}
            // Compared before the expectation, which would print both.
            let isWhole = raw.received.suffix(5_000_000).elementsEqual(body)
            #expect(isWhole)
        }
    }

    @Test func aBodyAboveTheLimitIsRefusedAndTheNextRequestServed() async throws {
        try await withBench { bench in
            let server = try bench.serve { $0.bodyBytesMax = 1_000 }
            let raw = try RawSocket(port: try bench.port(server))
            raw.send("POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
            #expect(raw.read(until: "bytes\"}").hasPrefix("HTTP/1.1 413 "))
            raw.send(String(repeating: "x", count: 100_000))
            raw.send("GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(raw.readAll().hasSuffix("GET /next"))
            #expect(bench.events.all == ["request GET /next"])
            #expect(try bench.counters(server).tooBigBodies == 1)
        }
    }

    @Test(arguments: [
        ("Content-Length: -5\r\n", 400), ("Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        ("Content-Length: 99999999999999999999\r\n", 400), ("Content-Length: 1x\r\n", 400),
        ("Transfer-Encoding: chunked\r\n", 501), ("", 411),
    ])
    func aBodyOfUnclearLengthIsRefused(headers: String, status: Int) async throws {
        try await withBench { bench in
            let server = try bench.serve()
            let answer = try exchange(bench, server, "POST /p HTTP/1.1\r\nHost: x\r\n\(headers)\r\n5\r\nGET /smuggled")
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
            #expect(answer.contains("connection: close"))
            #expect(bench.events.all.isEmpty)
            #expect(try bench.counters(server).badRequests == 1)
        }
    }

    @Test func noAnswerIs503() async throws {
        try await withBench { bench in
            let server = try bench.serve(Behaviour(answer: { _ in nil })) { $0.answerNanosMax = 1_000_000 }
            let answer = try exchange(bench, server, "GET /never HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 503 "))
            #expect(try bench.counters(server).slowAnswers == 1)
        }
    }

    /// S7: nothing said, or headers that never end.
    @Test(arguments: ["", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
    func aSocketWithoutARequestIsCut(begin: String) async throws {
        try await withBench { bench in
            let server = try bench.serve { $0.requestNanosMax = 1_000_000 }
            let raw = try RawSocket(port: try bench.port(server))
            if !begin.isEmpty { raw.send(begin) }
            #expect(raw.isClosedByPeer())
            try await eventually("no socket left") { try bench.counters(server).sockets == 0 }
            #expect(try bench.counters(server).slowRequests == 1)
        }
    }

    @Test func aBodyThatNeverComesIsCut() async throws {
        try await withBench { bench in
            let server = try bench.serve { $0.requestNanosMax = 1_000_000 }
            let raw = try RawSocket(port: try bench.port(server))
            raw.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123")
            #expect(raw.isClosedByPeer())
            #expect(bench.events.all.isEmpty)
        }
    }

    /// S9: there is no file behind a path; what is left of it is the handler's to refuse.
    @Test(arguments: ["/ui/../../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd"])
    func pathsDoNotLeadOut(path: String) async throws {
        let behaviour = Behaviour(answer: { HTTPResponse(status: $0.path == "/" ? 200 : 404, body: []) })
        try await withBench { bench in
            let answer = try exchange(
                bench,
                bench.serve(behaviour),
                "GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            #expect(answer.hasPrefix("HTTP/1.1 404 ") || answer.hasPrefix("HTTP/1.1 403 ") || answer.isEmpty)
            #expect(!bench.events.all.contains { $0.contains("..") })
        }
    }

    /// The library decodes %00 behind a slash, where a C string would end; elsewhere it ends the connection itself.
    ///
    /// At the very end of a path it drops it: then the path is the one without.
    @Test(arguments: [
        ("/%00/secret", true), ("/%00b", true), ("/a/%00b", true), ("/a%00b", false), ("/a?b=%00c", false),
        ("/a?b%00=c", false),
    ])
    func aNULIsRefused(path: String, isAnswered: Bool) async throws {
        try await withBench { bench in
            let server = try bench.serve()
            let answer = try exchange(bench, server, "GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(isAnswered ? answer.hasPrefix("HTTP/1.1 400 ") : answer.isEmpty)
            let raw = try RawSocket(port: try bench.port(server))
            #expect(!raw.upgrade(path).hasPrefix("HTTP/1.1 101"))
            #expect(bench.events.all.isEmpty)
        }
    }

    /// S13: HTTP/2 in both forms, other upgrades, tunnels.
    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            + "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: foobar\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    ])
    func otherProtocolsAreRefused(begin: String) async throws {
        try await withBench { bench in
            let answer = try exchange(bench, bench.serve(), begin)
            #expect(!answer.contains("101"))
            #expect(!answer.contains("200"))
            #expect(bench.events.all.isEmpty)
        }
    }

    @Test func manySocketsWithoutARequestAreBounded() async throws {
        try await withBench { bench in
            let server = try bench.serve { $0.httpSocketsMax = 5 }
            let port = try bench.port(server)
            let sockets = try (0..<8).map { _ in try RawSocket(port: port) }
            try await eventually("three refused") { try bench.counters(server).refusedSockets == 3 }
            #expect(try bench.counters(server).accepted == 8)
            #expect(sockets.count == 8)
        }
    }

    @Test func aHeaderBlockAboveTheLimitIsRefused() async throws {
        try await withBench { bench in
            let server = try bench.serve()
            let big = String(repeating: "c", count: 20_000)
            let answer = try exchange(bench, server, "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: \(big)\r\n\r\n")
            #expect(!answer.contains("200"))
            #expect(bench.events.all.isEmpty)
        }
    }
}

/// Answers from another loop's thread, twice: the second answer doesn't count.
private final class Later: WebServerHandler {
    private let other: EventLoop

    init(_ other: EventLoop) { self.other = other }

    func request(_ request: HTTPRequest, _ responder: HTTPResponder) {
        other.execute {
            responder.respond(HTTPResponse("text/plain", "late \(request.path)"))
            responder.respond(HTTPResponse("text/plain", "never"))
        }
    }

    func opened(_ connection: WebSocketConnection) { connection.close(code: 4004) }
    func received(_ message: UnsafeRawBufferPointer, isText: Bool, on connection: WebSocketConnection) {}
    func writable(_ connection: WebSocketConnection) {}
    func closed(_ connection: WebSocketConnection, code: UInt16, reason: String) {}
}

extension String {
    /// How often `part` is in it.
    func components(of part: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.firstRange(of: part) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
