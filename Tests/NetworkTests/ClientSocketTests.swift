import Glibc
import Network
import Primitives
import Testing

/// The client against servers that keep to nothing.
@Suite struct ClientSocketTests {
    private func withServer(
        _ script: @escaping @Sendable (RawPeer) -> Void,
        path: String = "/",
        change: @escaping @Sendable (inout WebSocketClientOptions) -> Void = { _ in },
        test body: (Bench, WebSocketClient, Events) async throws -> Void
    ) async throws {
        try await withBench { bench in
            let server = try RawServer(script)
            let (client, events) = try bench.connect("ws://127.0.0.1:\(server.port)\(path)", change)
            try await body(bench, client, events)
            withExtendedLifetime(server) {}
        }
    }

    @Test(
        arguments: [
            ([0x03, 0xF4], "closed 1012 "), ([0x03, 0xF5] + Array("later".utf8), "closed 1013 later"),
            ([0x11, 0x39] + Array("kicked\u{0}\n out".utf8), "closed 4409 kicked out"), ([], "closed 1005 "),
            ([0x03, 0xF0], "closed 1008 "), ([0x0B, 0xB7], "closed 2999"),
        ] as [([UInt8], String)]
    )
    func thePeersCloseIsToldAsItCame(payload: [UInt8], line: String) async throws {
        let echo = Lock<[UInt8]?>(nil)
        try await withServer { peer in
            peer.upgrade()
            peer.send(serverFrame("hello") + serverFrame(payload, 8))
            let answer = clientFrames(peer.readAll())
            echo.withLock { $0 = answer.first { $0.opcode == 8 }?.payload }
        } test: { _, _, events in
            let told = try await events.wait(for: "closed")
            let isAllowed = !line.hasSuffix("2999")
            #expect(told == (isAllowed ? line : "closed 1002 close code 2999 may not be sent"))
            try await eventually("an answer") { echo.withLock { $0 != nil } }
            #expect(echo.withLock { $0?.prefix(2) } == (isAllowed ? payload.prefix(2) : [0x03, 0xEA]))
            #expect(events.all == ["connected", "text hello", told])
        }
    }

    @Test func anEndWithoutACloseFrameIsNamed() async throws {
        try await withServer { peer in
            peer.upgrade()
            peer.send(serverFrame("hello"))
        } test: { _, _, events in
            let line = try await events.wait(for: "closed")
            #expect(line == "closed 1006 connection lost: ended without a close frame")
        }
        try await withServer { peer in
            peer.upgrade()
            peer.reset()
        } test: { _, _, events in
            let line = try await events.wait(for: "closed")
            #expect(line == "closed 1006 connection lost: Connection reset by peer")
        }
    }

    /// A reset after each number of bytes of a whole exchange, ours going out at the same time.
    @Test func aResetAtAnyMomentIsOneToldEnd() async throws {
        let text = String(repeating: "q", count: 100)
        let moments = Array(0...6)
        for moment in moments {
            let server = try RawServer { peer in
                peer.reset()
                if moment == 0 { return }
                if moment == 1 { _ = peer.request(); return }
                if moment == 2 {
                    _ = peer.request()
                    peer.send("HTTP/1.1 101 Switching")
                    return
                }
                peer.upgrade()
                if moment == 3 { return }
                peer.send(Array(serverFrame(text).prefix(moment == 4 ? 1 : 50)))
                if moment == 5 { return }
                peer.send(serverFrame([0x03, 0xE8], 8))
            }
            try await withBench { bench in
                for _ in 0..<10 {
                    let (client, events) = try bench.connect("ws://127.0.0.1:\(server.port)/")
                    try await eventually("an end at \(moment): \(events.all)") {
                        try bench.loop.sync { client.send(text) }
                        return events.count("failed") + events.count("closed") > 0
                    }
                    #expect(events.count("failed") + events.count("closed") == 1)
                    #expect(events.all.allSatisfy { !$0.utf8.contains(0) })
                    let isBusy = try bench.loop.sync { client.isBusy }
                    #expect(!isBusy)
                }
            }
        }
    }

    @Test func aRefusalNamesStatusAndWordsButNoSecret() async throws {
        try await withServer(
            { peer in
                let target = peer.request().split(separator: " ").dropFirst().first ?? ""
                let body = "bad key in \(target)"
                // The words a moment later than the head, and the connection left open.
                peer.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: \(body.utf8.count)\r\n\r\n")
                peer.send(body)
                _ = peer.readAll()
            },
            path: "/ws?token=t0ken-SECRET9"
        ) { _, _, events in
            let line = try await events.wait(for: "failed")
            #expect(line == "failed HTTP 401 Unauthorized: bad key in /ws?***")
        }
    }

    /// A body that never comes is waited for a moment only.
    @Test func aRefusalWithoutItsWordsIsToldAllTheSame() async throws {
        try await withServer { peer in
            _ = peer.request()
            peer.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\nbusy")
            _ = peer.readAll()
        } test: { _, _, events in
            let line = try await events.wait(for: "failed")
            #expect(line == "failed HTTP 503 Service Unavailable: busy")
        }
    }

    @Test(arguments: [
        ("SSH-2.0-x\r\n", "the answer is not HTTP: SSH-2.0-x"),
        ("HTTP/1.1 302 Found\r\nLocation: /b?k=1\r\n\r\n", "HTTP 302 Found to /b, redirects are not followed"),
        ("", "closed without an answer"), ("HTTP/1.1 10", "closed in the middle of the answer"),
    ])
    func anAnswerThatIsNoUpgradeIsNamed(answer: String, words: String) async throws {
        try await withServer { peer in
            _ = peer.request()
            peer.send(answer)
        } test: { _, _, events in
            let line = try await events.wait(for: "failed")
            #expect(line == "failed \(words)")
        }
    }

    @Test func aRefusedRouteNamesAddressAndCause() async throws {
        try await withBench { bench in
            let (_, events) = try bench.connect("ws://127.0.0.1:1/")
            let line = try await events.wait(for: "failed")
            #expect(line == "failed 127.0.0.1: Connection refused")
        }
    }

    /// Frames that come with the answer's last byte, and a client that closes on the first.
    @Test func whatComesBehindACloseOfOursIsNotTold() async throws {
        let heard = Lock<[UInt8]>([])
        try await withServer { peer in
            let line = peer.request().split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Key: ") }
            let key = WebSocketKey(text: String(line?.dropFirst(19) ?? ""))
            peer.send(
                Array(
                    ("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                        + "Sec-WebSocket-Accept: \(key.accept)\r\n\r\n").utf8
                ) + serverFrame("first") + serverFrame("second")
            )
            // Reads our close frame, answers it and only then ends.
            while clientFrames(heard.withLock { $0 }).isEmpty, peer.read() { heard.withLock { $0 = peer.bytes } }
            peer.send(serverFrame("third") + serverFrame([0x03, 0xE8], 8))
            _ = peer.readAll()
        } test: { bench, client, events in
            try await events.wait(for: "connected")
            try await events.wait(for: "text second")
            try bench.loop.sync { client.close(code: 1000, reason: "enough") }
            let line = try await events.wait(for: "closed")
            #expect(line == "closed 1000 enough")
            #expect(events.count("text third") == 0)
            #expect(clientFrames(heard.withLock { $0 }).first?.payload == [0x03, 0xE8] + Array("enough".utf8))
        }
    }

    /// The close frame is out when the loop ends right behind it, whatever lies unread.
    @Test func aLoopThatEndsLosesNoCloseFrame() async throws {
        let frames = Lock<[UInt8]?>(nil)
        let server = try RawServer { peer in
            peer.upgrade()
            peer.send(serverFrame("hello"))
            let all = peer.readAll()
            frames.withLock { $0 = all }
        }
        let bench = Bench()
        let (client, events) = try bench.connect("ws://127.0.0.1:\(server.port)/")
        try await events.wait(for: "text hello")
        try bench.loop.sync { client.close(code: 1000) }
        bench.end()
        try await eventually("the server's end") { frames.withLock { $0 != nil } }
        #expect(clientFrames(frames.withLock { $0 ?? [] }).first?.payload == [0x03, 0xE8])
        #expect(events.count("closed 1000") == 1)
    }

    @Test func aCloseWithoutAnAnswerEndsInTime() async throws {
        try await withServer(
            { peer in
                peer.upgrade()
                _ = peer.readAll()
            },
            change: { $0.closeNanosMax = 100_000_000 }
        ) { bench, client, events in
            try await events.wait(for: "connected")
            try bench.loop.sync { client.close(code: 4000, reason: "over") }
            let line = try await events.wait(for: "closed")
            #expect(line == "closed 4000 over")
        }
    }

    /// Frames of all sizes in one stream, far above what a read takes: nothing is lost, doubled or out of order.
    @Test func aBurstIsReadWholeAndInOrder() async throws {
        let total = 20_000
        let sum = Lock((count: 0, hash: UInt64(0)))
        let expected = Lock(UInt64(0))
        let server = try RawServer { peer in
            var random = SeededGenerator(seed: 7)
            var hash: UInt64 = 0
            peer.upgrade()
            var block: [UInt8] = []
            for number in 0..<total {
                let text = "\(number) " + String(repeating: "x", count: Int.random(in: 0...3_000, using: &random))
                hash = hash &* 31 &+ UInt64(text.utf8.count) &+ UInt64(number)
                block += serverFrame(text)
                if block.count > 500_000 {
                    peer.send(block)
                    block = []
                }
            }
            expected.withLock { $0 = hash }
            peer.send(block + serverFrame([0x03, 0xE8], 8))
            _ = peer.readAll()
        }
        try await withBench { bench in
            let counting = Counting(sum)
            try bench.loop.sync {
                let url = try WebSocketURL("ws://127.0.0.1:\(server.port)/")
                WebSocketClient(loop: bench.loop, options: WebSocketClientOptions(url: url), handler: counting)
                    .connect()
            }
            try await eventually("all frames") { counting.isOver.withLock { $0 } }
            let seen = sum.withLock { $0 }
            #expect(seen.count == total)
            #expect(seen.hash == expected.withLock { $0 })
        }
    }

    @Test func pingsAreAnsweredInOrderAndCounted() async throws {
        let pongs = Lock<[[UInt8]]?>(nil)
        try await withServer { peer in
            peer.upgrade()
            peer.send((0..<10).flatMap { serverFrame([$0], 9) } + serverFrame("now") + serverFrame([], 8))
            let all = clientFrames(peer.readAll()).filter { $0.opcode == 10 }.map(\.payload)
            pongs.withLock { $0 = all }
        } test: { bench, client, events in
            try await events.wait(for: "closed 1005")
            try await eventually("the server's end") { pongs.withLock { $0 != nil } }
            #expect(pongs.withLock { $0 } == (0..<10).map { [UInt8($0)] })
            let counters = try bench.loop.sync { client.counters }
            #expect(counters.pings == 10)
            #expect(counters.messages == 1)
            #expect(counters.unansweredPings == 0)
        }
    }

    /// A server that reads nothing: what we send is bounded, and so are the pongs.
    @Test func whatWaitsIsBounded() async throws {
        try await withServer(
            { peer in
                peer.upgrade()
                peer.waitForEnd()
            },
            change: { $0.outboxBytesMax = 100_000 }
        ) { bench, client, events in
            try await events.wait(for: "connected")
            let results = try bench.loop.sync {
                let text = String(repeating: "y", count: 10_000)
                return (0..<2_000).map { _ in client.send(text) }
            }
            #expect(results.first == .sent)
            let isBuffered = results.contains(.buffered)
            #expect(isBuffered)
            #expect(results.last == .closed)
            let waiting = try bench.loop.sync { client.unsentBytes }
            #expect(waiting > 0)
            #expect(waiting < 200_000)
        }
    }
}

/// Sums up what it hears; loop thread.
private final class Counting: WebSocketClientHandler, Sendable {
    private let sum: Lock<(count: Int, hash: UInt64)>
    let isOver = Lock(false)

    init(_ sum: Lock<(count: Int, hash: UInt64)>) { self.sum = sum }

    func connected(_ client: WebSocketClient) {}

    func text(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {
        let digits = message.prefix { $0 != 0x20 }
        let number = UInt64(String(decoding: digits, as: UTF8.self)) ?? 0
        sum.withLock { $0 = ($0.count + 1, $0.hash &* 31 &+ UInt64(message.count) &+ number) }
    }

    func binary(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {}
    func closed(_ client: WebSocketClient, code: UInt16, reason: String) { isOver.withLock { $0 = true } }
    func failed(_ client: WebSocketClient, _ description: String) { isOver.withLock { $0 = true } }
}
