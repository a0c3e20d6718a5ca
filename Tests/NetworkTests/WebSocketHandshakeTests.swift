import Primitives
import Testing

@testable import Network

@Suite struct WebSocketHandshakeTests {
    private static let key = WebSocketKey(text: "dGhlIHNhbXBsZSBub25jZQ==")
    private static let good = [
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ]

    private func handshake(
        _ path: String = "/chat",
        _ change: (inout WebSocketClientOptions) -> Void = { _ in }
    ) -> WebSocketHandshake {
        var options = WebSocketClientOptions(
            url: WebSocketURL(isSecure: false, host: "server.example.com", port: 80, path: path)
        )
        change(&options)
        return WebSocketHandshake(options, key: Self.key)
    }

    private func answer(_ status: String, _ fields: [String], _ body: String = "") -> String {
        ([status] + fields).joined(separator: "\r\n") + "\r\n\r\n" + body
    }

    /// Feeds the pieces until an outcome, then the end.
    private func outcome(_ handshake: inout WebSocketHandshake, _ pieces: [[UInt8]]) -> WebSocketHandshake.Outcome {
        for piece in pieces {
            let outcome = piece.withUnsafeBytes { handshake.received($0) }
            if outcome != .incomplete { return outcome }
        }
        return .incomplete
    }

    private func refusal(_ text: String, _ path: String = "/chat", headers: [(String, String)] = []) -> String {
        var handshake = handshake(path) { $0.headers = headers.map { (name: $0.0, value: $0.1) } }
        switch outcome(&handshake, [Array(text.utf8)]) {
        case .refused(let words): return words
        case .accepted: return "accepted"
        case .incomplete: return handshake.ended()
        }
    }

    /// RFC 6455, 1.3 and 4.2.2.
    @Test func theKeyOfTheStandard() {
        #expect(Self.key.accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        let key = WebSocketKey((0x0807_0605_0403_0201, 0x100F_0E0D_0C0B_0A09))
        #expect(key.text == "AQIDBAUGBwgJCgsMDQ4PEA==")
        #expect(key.accept == AcceptKey.of(key.text))
    }

    @Test func theRequestIsWhole() throws {
        let plain = try handshake().request()
        #expect(
            String(decoding: plain, as: UTF8.self)
                == "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        let more = try handshake("/a?b=1") {
            $0.subprotocol = "chat, superchat"
            $0.headers = [(name: "Authorization", value: "Bearer k")]
        }.request()
        let text = String(decoding: more, as: UTF8.self)
        #expect(text.hasPrefix("GET /a?b=1 HTTP/1.1\r\n"))
        #expect(text.hasSuffix("Sec-WebSocket-Protocol: chat, superchat\r\nAuthorization: Bearer k\r\n\r\n"))
    }

    @Test func whatWouldBreakTheRequestIsRefused() {
        let headers = [
            ("X", "a\r\nEvil: 1"), ("X", "a\u{0}"), ("X Y", "a"), ("", "a"), ("X:", "a"), ("Host", "other"),
            ("sec-websocket-key", "k"),
        ]
        for (name, value) in headers {
            let handshake = handshake { $0.headers = [(name: name, value: value)] }
            let error = Result { try handshake.request() }.failure as? NetworkError
            #expect(error?.code == .badAddress, "\(name)")
            #expect(error?.description.contains("Evil") == false)
        }
        for path in ["no-slash", "/a b", "/a\r\nX: 1", "/\u{0}", "/µ"] {
            #expect(throws: NetworkError.self) { try handshake(path).request() }
        }
    }

    @Test func theAnswerOfTheStandardIsTaken() {
        var handshake = handshake { $0.subprotocol = "chat, superchat" }
        let text = answer("HTTP/1.1 101 Switching Protocols", Self.good + ["Sec-WebSocket-Protocol: chat"])
        let bytes = Array(text.utf8)
        #expect(outcome(&handshake, [bytes + [0x81, 0x00]]) == .accepted(consumed: bytes.count))
        #expect(handshake.subprotocol == "chat")
    }

    @Test func caseBlanksAndListsAreUnderstood() {
        var handshake = handshake()
        let text = answer(
            "HTTP/1.1 101",
            ["UPGRADE:WebSocket \t", "connection: keep-alive, UPGRADE", Self.good[2] + "  ", "X-Empty:"]
        )
        #expect(outcome(&handshake, [Array(text.utf8)]) == .accepted(consumed: text.utf8.count))
        #expect(handshake.subprotocol == nil)
    }

    /// Interim answers before it, cut at every byte, with a frame behind it.
    @Test func aCutAtEveryByteChangesNothing() {
        let text =
            answer("HTTP/1.1 103 Early Hints", ["Link: </x>"]) + answer("HTTP/1.1 100 Continue", [])
            + answer("HTTP/1.1 101 Switching Protocols", Self.good)
        let bytes = Array(text.utf8) + [0x81, 0x00]
        for place in 0...bytes.count {
            var handshake = handshake()
            let pieces = [Array(bytes[..<place]), Array(bytes[place...])]
            let isInFirst = place >= text.utf8.count
            let consumed = text.utf8.count - (isInFirst ? 0 : place)
            #expect(outcome(&handshake, pieces) == .accepted(consumed: consumed), "cut at \(place)")
        }
        var handshake = handshake()
        #expect(outcome(&handshake, bytes.map { [$0] }) == .accepted(consumed: 1))
    }

    @Test func a101ThatDoesNotFitIsRefused() {
        func words(_ fields: [String]) -> String { refusal(answer("HTTP/1.1 101 Switching Protocols", fields)) }
        #expect(words(Self.good) == "accepted")
        #expect(words(Array(Self.good[1...])) == "the answer upgrades to something else")
        #expect(words(["Upgrade: h2c"] + Self.good[1...]) == "the answer upgrades to something else")
        #expect(words([Self.good[0], "Connection: close", Self.good[2]]) == "the answer's Connection is no upgrade")
        let key = "the answer's Sec-WebSocket-Accept doesn't fit the key"
        #expect(words(Array(Self.good[..<2])) == key)
        #expect(words(Self.good[..<2] + ["Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo="]) == key)
        #expect(words(Self.good + [Self.good[2]]) == key)
        #expect(words(Self.good + ["Sec-WebSocket-Extensions: permessage-deflate"]).contains("extension"))
        #expect(words(Self.good + ["Sec-WebSocket-Protocol: chat"]).contains("subprotocol"))
    }

    @Test func heads() {
        #expect(refusal("SSH-2.0-OpenSSH_9.2\r\n") == "the answer is not HTTP: SSH-2.0-OpenSSH_9.2")
        #expect(refusal("\u{15}\u{3}\u{1}\u{0}\u{2}") == "the answer is not HTTP: ")
        #expect(refusal("HTTP/2 200\r\n\r\n").hasPrefix("the answer is not HTTP"))
        for bad in [
            "HTTP/1.1 1O1 x", "HTTP/1.1", "HTTP/1.1 1010 x", "HTTP/1.1 200 OK\r\nno colon", "HTTP/1.1 200\r\n: x",
        ] {
            #expect(refusal(bad + "\r\n\r\n") == "the answer's head is not understood", "\(bad)")
        }
        #expect(refusal("HTTP/1.1 200 OK\r\nA: \u{0}\r\n\r\n") == "the answer's head is not understood")
        #expect(refusal("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n") == "the answer's head is not understood")
        let many = [String](repeating: "A: b", count: 200)
        #expect(refusal(answer("HTTP/1.1 200 OK", many)) == "the answer's head is not understood")
        let long = "HTTP/1.1 200 OK\r\nA: " + String(repeating: "x", count: 20_000)
        #expect(refusal(long) == "the answer's head is above 16384 bytes")
        #expect(refusal("") == "closed without an answer")
        #expect(refusal("HTTP/1.1 101 Swi") == "closed in the middle of the answer")
    }

    @Test func refusalsNameStatusAndWords() {
        let body = "{\"error\":\r\n\t\"Unknown API\u{0} Key\"}"
        let length = "Content-Length: \(body.utf8.count)"
        #expect(
            refusal(answer("HTTP/1.1 401 Unauthorized", [length], body + "rest"))
                == "HTTP 401 Unauthorized: {\"error\": \"Unknown API Key\"}"
        )
        #expect(refusal(answer("HTTP/1.1 403 Forbidden", ["Content-Length: 0"])) == "HTTP 403 Forbidden")
        #expect(refusal(answer("HTTP/1.1 204", [])) == "HTTP 204")
        // Without a length the end of the connection ends it.
        #expect(refusal(answer("HTTP/1.0 503 Busy", [], "later")) == "HTTP 503 Busy: later")
        let chunks = "6;x=y\r\nlimit \r\n7\r\nreached\r\n0\r\n\r\n"
        #expect(
            refusal(answer("HTTP/1.1 429 No", ["Transfer-Encoding: chunked"], chunks)) == "HTTP 429 No: limit reached"
        )
        let moved = ["Location: https://other.example.com/ws?token=t-SECRET", "Content-Length: 0"]
        #expect(
            refusal(answer("HTTP/1.1 301 Moved Permanently", moved))
                == "HTTP 301 Moved Permanently to https://other.example.com/ws, redirects are not followed"
        )
        let long = refusal(answer("HTTP/1.1 500 No", [], String(repeating: "word ", count: 1_000)))
        #expect(long.count < 280)
    }

    /// What was secret in the request isn't repeated, wherever the server puts it, and whatever is cut.
    @Test func secretsAreBlottedOut() {
        let secret = "t0ken-SECRET9"
        let body = "no /ws?token=\(secret)&x=1 for Bearer \(secret): " + String(repeating: "-", count: 50)
        for cut in 0...body.utf8.count {
            let words = refusal(
                answer("HTTP/1.1 404 \(secret)", [], String(body.prefix(cut))),
                "/ws?token=\(secret)&x=1",
                headers: [("Authorization", "Bearer \(secret)")]
            )
            #expect(words.hasPrefix("HTTP 404 ***"))
            #expect(!words.contains("t0ke"), "\(words)")
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func rubbishNeverTraps(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let start = Array("HTTP/1.1 ".utf8)
        let alphabet = Array("HTTP/1. 0123456789:\r\n\r\n,;abc\u{0}".utf8) + [0xFF, 0xC3]
        for _ in 0..<2_000 {
            var handshake = handshake("/x?y=SECRET")
            var bytes = Bool.random(using: &random) ? start : []
            for _ in 0..<Int.random(in: 0...80, using: &random) {
                bytes.append(alphabet.randomElement(using: &random) ?? 0)
            }
            let place = Int.random(in: 0...bytes.count, using: &random)
            if outcome(&handshake, [Array(bytes[..<place]), Array(bytes[place...])]) == .incomplete {
                #expect(!handshake.ended().utf8.contains(0), "seed \(seed)")
            }
        }
    }
}
