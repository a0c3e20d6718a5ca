import Network
import Primitives
import Testing

@Suite struct WebSocketTests {
    @Test func echoesTextAndBinary() async throws {
        try await withBench { bench in
            let (client, events) = try bench.connect(to: bench.serve())
            try await events.wait(for: "connected")
            try bench.loop.sync {
                #expect(client.isConnected)
                client.send("hello, µ")
                let bytes = (0..<1_000).map { UInt8(truncatingIfNeeded: $0) }
                bytes.withUnsafeBytes { _ = client.send($0, isText: false) }
            }
            try await events.wait(for: "text hello, µ")
            let sum = checksum((0..<1_000).map { UInt8(truncatingIfNeeded: $0) })
            try await events.wait(for: "binary of 1000 sum \(sum)")
            try bench.loop.sync { client.close(code: 1000, reason: "done") }
            let ours = try await events.wait(for: "closed")
            #expect(ours == "closed 1000 done")
            let theirs = try await bench.events.wait(for: "closed")
            #expect(theirs == "closed 1000 done")
            try await eventually("free") { try bench.loop.sync { !client.isBusy } }
        }
    }

    @Test func fragmentsAreAssembledInBothDirections() async throws {
        try await withBench { bench in
            let server = try bench.serve()
            let raw = try RawSocket(port: try bench.port(server))
            #expect(raw.upgrade().hasPrefix("HTTP/1.1 101"))
            raw.forget(upTo: "\r\n\r\n")
            // A character cut by the fragments, a ping between them.
            let text = Array("prices: µ µ µ".utf8)
            raw.send(RawSocket.frame(Array(text[..<9]), opcode: 1, isLast: false))
            raw.send(RawSocket.frame([1, 2, 3], opcode: 9))
            raw.send(RawSocket.frame(Array(text[9...]), opcode: 0))
            var echo: [UInt8]?
            var pong: [UInt8]?
            while echo == nil || pong == nil, let frame = raw.readFrame() {
                if frame.opcode == 1 { echo = frame.payload }
                if frame.opcode == 10 { pong = frame.payload }
            }
            #expect(echo == text)
            #expect(pong == [1, 2, 3])
        }
    }

    /// S5: a thousand fragments.
    @Test func aThousandFragmentsMakeOneMessage() async throws {
        try await withBench { bench in
            let server = try bench.serve()
            let raw = try RawSocket(port: try bench.port(server))
            _ = raw.upgrade()
            raw.forget(upTo: "\r\n\r\n")
            for number in 0..<1_000 {
                let piece: [UInt8] = [UInt8(ascii: "a") + UInt8(number % 26)]
                raw.send(RawSocket.frame(piece, opcode: number == 0 ? 1 : 0, isLast: number == 999))
            }
            let frame = try #require(raw.readFrame())
            #expect(frame.payload.count == 1_000)
            #expect(frame.payload[26] == UInt8(ascii: "a"))
            #expect(bench.events.count("received 1000") == 1)
        }
    }

    @Test(arguments: [(65_536, true), (65_537, false)])
    func theMessageLimitIsExact(size: Int, isTaken: Bool) async throws {
        try await withBench { bench in
            let server = try bench.serve(Behaviour(echoes: false))
            let raw = try RawSocket(port: try bench.port(server))
            _ = raw.upgrade()
            raw.forget(upTo: "\r\n\r\n")
            raw.send(RawSocket.frame([UInt8](repeating: UInt8(ascii: "x"), count: size), opcode: 1))
            if isTaken {
                try await bench.events.wait(for: "received \(size)")
            } else {
                #expect(raw.closeCode() == 1009)
                #expect(try bench.counters(server).tooBigMessages == 1)
                #expect(bench.events.count("received") == 0)
            }
        }
    }

    /// The limit counts over fragments, too.
    @Test func fragmentsAboveTheLimitAreRefused() async throws {
        try await withBench { bench in
            let server = try bench.serve { $0.messageBytesMax = 100 }
            let raw = try RawSocket(port: try bench.port(server))
            _ = raw.upgrade()
            raw.forget(upTo: "\r\n\r\n")
            let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 60)
            raw.send(RawSocket.frame(piece, opcode: 1, isLast: false))
            raw.send(RawSocket.frame(piece, opcode: 0, isLast: false))
            #expect(raw.closeCode() == 1009)
        }
    }

    /// S5: the announced length is refused, so nothing of it is kept (`MessageAssemblerTests.whatIsAnnouncedCounts`).
    ///
    /// The memory of the process can't tell, as other tests run in it.
    @Test func tenMegabytesAreRefused() async throws {
        try await withBench { bench in
            let server = try bench.serve()
            let raw = try RawSocket(port: try bench.port(server))
            _ = raw.upgrade()
            raw.forget(upTo: "\r\n\r\n")
            raw.send(RawSocket.header(10_000_000, opcode: 1))
            let block = [UInt8](repeating: UInt8(ascii: "x"), count: 100_000)
            for _ in 0..<100 { guard raw.send(block) else { break } }
            #expect(raw.closeCode() == 1009)
            #expect(bench.events.count("received") == 0)
            try await bench.events.wait(for: "closed 1009")
        }
    }

    @Test(arguments: [
        ("cut at the end", [[0x61, 0xC2]]),
        ("cut, then an empty last fragment", [[0x61, 0xC2], []]),
        ("overlong", [[0xC0, 0x80]]),
        ("surrogate", [[0xED, 0xA0, 0x80]]),
    ])
    func textThatIsNotUTF8IsRefused(what: String, pieces: [[UInt8]]) async throws {
        try await withBench { bench in
            let server = try bench.serve()
            let raw = try RawSocket(port: try bench.port(server))
            _ = raw.upgrade()
            raw.forget(upTo: "\r\n\r\n")
            for (index, piece) in pieces.enumerated() {
                raw.send(RawSocket.frame(piece, opcode: index == 0 ? 1 : 0, isLast: index == pieces.count - 1))
            }
            #expect(raw.closeCode() == 1007, "\(what)")
            #expect(bench.events.count("received") == 0)
        }
    }

    /// A reader that doesn't read: nothing is lost, nothing piles up, all comes in order when it reads again.
    @Test func aSlowReaderIsHeldBackWithoutLoss() async throws {
        let source = FrameSource(count: 150, size: 10_000)
        let behaviour = Behaviour(
            opened: { source.write(to: $0) },
            writable: { source.write(to: $0) }
        )
        try await withBench { bench in
            let server = try bench.serve(behaviour) { $0.sendBufferBytes = 16_384 }
            let raw = try RawSocket(port: try bench.port(server), receiveBuffer: 4_096)
            _ = raw.upgrade()
            try await eventually("a full pipe") { source.pending > 0 }
            #expect(source.written < 150)
            raw.forget(upTo: "\r\n\r\n")
            for number in 0..<150 {
                let frame = try #require(raw.readFrame())
                #expect(frame.payload == source.payload(number))
            }
            try await eventually("all written") { source.written == 150 }
        }
    }

    @Test func joinedFragmentsAreOneArray() async throws {
        let behaviour = Behaviour(opened: { connection in
            connection.write(joining: [])
            connection.write(joining: [Array("1".utf8)])
            connection.write(joining: ["{\"a\":1}", "2", "\"x\""].map { Array($0.utf8) })
        })
        try await withBench { bench in
            let (_, events) = try bench.connect(to: bench.serve(behaviour))
            try await events.wait(for: "text", times: 3)
            #expect(events.all == ["connected", "text []", "text [1]", "text [{\"a\":1},2,\"x\"]"])
        }
    }

    @Test func aBigFrameArrivesWhole() async throws {
        let payload = (0..<3_000_000).map { UInt8(ascii: "a") + UInt8($0 % 23) }
        let behaviour = Behaviour(opened: { connection in payload.withUnsafeBytes { _ = connection.write($0) } })
        try await withBench { bench in
            let (_, events) = try bench.connect(to: bench.serve(behaviour))
            try await events.wait(for: "text of 3000000 sum \(checksum(payload))")
        }
    }

    @Test func aClientRefusesWhatIsTooBig() async throws {
        let behaviour = Behaviour(opened: { $0.write(String(repeating: "x", count: 5_000)) })
        try await withBench { bench in
            let (_, events) = try bench.connect(to: bench.serve(behaviour)) { $0.messageBytesMax = 4_999 }
            let line = try await events.wait(for: "closed")
            #expect(line.hasPrefix("closed 1009"))
            #expect(events.count("text") == 0)
        }
    }

    @Test func aClientQueuesWhatDoesNotFit() async throws {
        try await withBench { bench in
            let server = try bench.serve(Behaviour(echoes: false)) { $0.messageBytesMax = 1 << 20 }
            let (client, events) = try bench.connect(to: server) { $0.outboxBytesMax = 20_000_000 }
            try await events.wait(for: "connected")
            try bench.loop.sync {
                let text = String(repeating: "y", count: 1_000_000)
                for _ in 0..<20 { #expect(client.send(text) != .closed) }
            }
            try await bench.events.wait(for: "received 1000000", times: 20)
        }
    }
}

/// Writes numbered frames as fast as a connection takes them; loop thread, read from the test.
private final class FrameSource: Sendable {
    private let state = Lock((next: 0, pending: 0))
    private let count: Int
    private let size: Int

    init(count: Int, size: Int) {
        self.count = count
        self.size = size
    }

    var written: Int { state.withLock { $0.next } }
    var pending: Int { state.withLock { $0.pending } }

    func payload(_ number: Int) -> [UInt8] { (0..<size).map { UInt8(ascii: "0") + UInt8(($0 + number) % 10) } }

    func write(to connection: WebSocketConnection) {
        while written < count {
            let frame = payload(written)
            switch frame.withUnsafeBytes({ connection.write($0) }) {
            case .sent: state.withLock { $0.next += 1 }
            case .buffered:
                state.withLock { $0.next += 1 }
                #expect(connection.unsentBytes > 0)
                #expect(!connection.isWritable)
            case .pending:
                state.withLock { $0.pending += 1 }
                return
            case .closed: return
            }
        }
    }
}
