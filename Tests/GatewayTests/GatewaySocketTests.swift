import Bus
import Gateway
import Network
import Primitives
import Testing
import Wire

extension ServerTests {
    /// The WebSocket side over real sockets and the memory bus.
    @Suite(.serialized) struct GatewaySocketTests {
        @Test func snapshotThenDeltasAndEachHitOnce() async throws {
            try await withGateway { bench in
                bench.engine.plan("p_1")
                bench.engine.tick("SPY", #"{"last":100.5,"bid":100.4,"ask":100.6}"#)
                let subscriber = try bench.connect()
                subscriber.subscribe("plan:p_1", "plans", "symbol:SPY", "health")
                try await subscriber.heard.wait(for: #""op":"subscribed""#)
                try await subscriber.heard.wait(for: #"{"ch":"plan:p_1","ep":"e1","off":0"#)
                try await subscriber.heard.wait(for: #""price":100.5"#)
                bench.engine.tick("SPY", #"{"last":101}"#)
                try await subscriber.heard.wait(for: #""price":101,"#)
                for number in 1...20 { bench.engine.hit("p_1", number: number) }
                try await subscriber.heard.wait(for: #""off":20"#, times: 2)
                let lines = subscriber.heard.all
                for channel in ["plan:p_1", "plans:local"] {
                    for offset in 1...20 {
                        let head = #"{"ch":"\#(channel)","ep":"e1","off":\#(offset),"#
                        #expect(lines.count { $0.hasPrefix(head) && $0.contains(#""type":"hit""#) } == 1)
                    }
                }
                #expect(!lines.contains { $0.contains(#""op":"gap""#) })
            }
        }

        @Test func pathsImplyTheirChannels() async throws {
            try await withGateway { bench in
                bench.engine.plan("p_1")
                let plan = try bench.connect("/ws/plans/p_1")
                try await plan.heard.wait(for: #""ch":"plan:p_1""#)
                let stream = try bench.connect("/stream/SPY")
                try await stream.heard.wait(for: #""ch":"symbol:SPY""#)
                try await stream.heard.wait(for: #""ch":"bands:SPY""#)
                let nowhere = try bench.connect("/nowhere")
                try await nowhere.heard.wait(for: "closed 4004")
            }
        }

        @Test func aPlanOfAnotherIsUnknown() async throws {
            try await withGateway { bench in
                bench.engine.plan("p_2", owner: "somebody")
                let subscriber = try bench.connect()
                subscriber.subscribe("plan:p_2", "plan:p_3")
                try await subscriber.heard.wait(for: #""code":"unknown_channel""#, times: 2)
                let answers = subscriber.heard.all.filter { $0.contains("unknown_channel") }
                #expect(Set(answers.map { $0.replacing("p_3", with: "p_2") }).count == 1)
            }
        }

        @Test func aWrongRequestIsAnsweredAndABadFrameCloses() async throws {
            try await withGateway { bench in
                let subscriber = try bench.connect()
                subscriber.send(#"{"id":7,"op":"subscribe","channels":[{"ch":"health","maxrate":1}]}"#)
                try await subscriber.heard.wait(for: #"{"id":7,"op":"error","code":"bad_request""#)
                subscriber.send(#"{"id":8,"op":"ping"}"#)
                try await subscriber.heard.wait(for: #"{"id":8,"op":"pong"}"#)
                subscriber.send("rubbish")
                try await subscriber.heard.wait(for: "closed 4001")
            }
        }

        @Test func tenMegabytesAreTooMuchAndTheRestGoesOn() async throws {
            try await withGateway { bench in
                let other = try bench.connect()
                let subscriber = try bench.connect()
                try await subscriber.heard.wait(for: "connected")
                subscriber.send(String(repeating: "x", count: 10_000_000))
                try await subscriber.heard.wait(for: "closed 1009")
                other.send(#"{"id":8,"op":"ping"}"#)
                try await other.heard.wait(for: "pong")
            }
        }

        @Test func withAKeyTheFirstFrameIsAuth() async throws {
            let key = "0123456789abcdef"
            try await withGateway { configuration in
                configuration.apiKey = key
                configuration.authNanos = 300_000_000
            } _: { bench in
                let none = try bench.connect()
                none.subscribe("health")
                try await none.heard.wait(for: "closed 4003")
                let wrong = try bench.connect()
                wrong.send(#"{"id":1,"op":"auth","token":"0123456789abcdeg"}"#)
                try await wrong.heard.wait(for: "closed 4003")
                let silent = try bench.connect()
                try await silent.heard.wait(for: "closed 4003")
                let right = try bench.connect("/stream/SPY")
                right.send(#"{"id":1,"op":"auth","token":"\#(key)"}"#)
                try await right.heard.wait(for: #""op":"authenticated","user":"local""#)
                try await right.heard.wait(for: #""ch":"symbol:SPY""#)
                let header = try bench.connect("/stream/SPY", [("Authorization", "Bearer \(key)")])
                try await header.heard.wait(for: #""ch":"symbol:SPY""#)
                #expect(!bench.logged.all.contains { $0.contains(key) || $0.contains("abcdeg") })
                #expect(!right.heard.all.contains { $0.contains(key) })
            }
        }

        @Test func aForeignOriginGetsNothing() async throws {
            try await withGateway { bench in
                let evil = try bench.connect("/stream/SPY", [("Origin", "http://127.0.0.1:\(bench.port).evil.example")])
                try await evil.heard.wait(for: "closed 4003 origin not allowed")
                #expect(!evil.heard.all.contains { $0.contains("symbol:SPY") })
                let own = try bench.connect("/stream/SPY", [("Origin", "http://127.0.0.1:\(bench.port)")])
                try await own.heard.wait(for: #""ch":"symbol:SPY""#)
            }
        }

        @Test func tooManyMessagesClose() async throws {
            try await withGateway {
                $0.messagesPerSecond = 5
            } _: { bench in
                let subscriber = try bench.connect()
                for _ in 0..<20 { subscriber.send(#"{"op":"ping"}"#) }
                try await subscriber.heard.wait(for: "closed 4009")
            }
        }

        @Test func aboveTheConnectionLimitIsToldSo() async throws {
            try await withGateway {
                $0.limits.connections = 1
            } _: { bench in
                let first = try bench.connect()
                try await first.heard.wait(for: "connected")
                let second = try bench.connect()
                // 1013 is shown as 1002 by this library's client.
                try await second.heard.wait(for: "closed")
                #expect(try bench.gateway.counters().connectionsRefused == 1)
            }
        }

        @Test func textIsPassedOnAsTextWhateverItHolds() async throws {
            try await withGateway { bench in
                bench.engine.plan("p_1", rationale: #""<script>alert(1)</script>\"]},[{\u0000""#)
                let subscriber = try bench.connect("/ws/plans/p_1")
                try await subscriber.heard.wait(for: #""rationale":"<script>alert(1)</script>\"]},[{\u0000""#)
                #expect(!subscriber.heard.all.contains { $0.contains("no array") })
            }
        }

        @Test func drainingSaysRestartAndNotReady() async throws {
            try await withGateway { bench in
                let subscriber = try bench.connect("/stream/SPY")
                try await subscriber.heard.wait(for: #""ch":"symbol:SPY""#)
                let admin = HTTPClient(host: "127.0.0.1", port: bench.adminPort)
                #expect(try await admin.sent("GET", "/readyz").status == 200)
                await bench.gateway.drain()
                // 1012 is shown as 1002 by this library's client; the reason is the gateway's.
                try await subscriber.heard.wait(for: "closed")
                #expect(subscriber.heard.all.contains { $0.contains("restart: reconnect") })
                let answer = try await admin.sent("GET", "/readyz")
                #expect(answer.status == 503)
                #expect(String(decoding: answer.body, as: UTF8.self).contains(#""listener":{"ready":false"#))
                await #expect(throws: HTTPClient.Failure.self) { try await bench.http("GET", "/") }
            }
        }

        @Test func aSubscriberThatDoesNotReadIsClosedAndTheOthersGoOn() async throws {
            try await withGateway { bench in
                let reader = try bench.connect()
                reader.subscribe("plans")
                try await reader.heard.wait(for: #""op":"subscribed""#)
                let stuck = try RawSubscriber(port: bench.port)
                try stuck.subscribe("plans")
                try await eventually("two subscriptions") { try bench.gateway.counters().messagesOut >= 4 }
                // More than the kernel and the reserve take.
                let text = String(repeating: "x", count: 4_000)
                var sent = 0
                while try bench.gateway.counters().closedSlow == 0, sent < 10_000 {
                    bench.engine.publish(Channel(.plans, "local"), .note, .durable, #"{"text":"\#(text)"}"#)
                    sent += 1
                    try await reader.heard.wait(for: #""off":\#(sent),"#)
                }
                #expect(try bench.gateway.counters().closedSlow == 1)
                #expect(bench.logged.all.contains { $0.contains("subscriber_closed code=4008") })
                let lines = reader.heard.all.filter { $0.contains(#""type":"note""#) }
                #expect(lines.count == sent)
            }
        }

        @Test func theTailGoesOnByItselfAfterALostConnection() async throws {
            try await withGateway { bench in
                bench.engine.plan("p_1")
                let heard = Heard()
                let tail = WebSocketTail(
                    loop: bench.clientLoop,
                    url: try WebSocketURL("ws://127.0.0.1:\(bench.port)/ws"),
                    channels: ["plans"]
                ) { event in
                    switch event {
                    case .message(let header, _): heard.add("\(header.type.name) \(header.offset ?? -1)")
                    case .gap(_, let from, let to, _): heard.add("gap \(from) \(to ?? -1)")
                    case .note(let text): heard.add("note \(text)")
                    }
                } ended: {
                    heard.add("ended \($0)")
                }
                tail.start()
                try await heard.wait(for: "snapshot 0")
                bench.engine.hit("p_1", number: 1)
                try await heard.wait(for: "hit 1")
                await bench.gateway.drain()
                try await heard.wait(for: "note connection lost")
                tail.stop()
                #expect(heard.all.count { $0 == "hit 1" } == 1)
            }
        }
    }
}

/// A subscriber that stops reading: a raw socket with a small receive buffer.
final class RawSubscriber {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = try RawSocket.connect(port: port, receiveBytes: 4_096)
        let head = """
            GET /ws HTTP/1.1\r
            Host: 127.0.0.1:\(port)\r
            Connection: Upgrade\r
            Upgrade: websocket\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Protocol: striketape.v1\r
            \r

            """
        RawSocket.write(descriptor, Array(head.utf8))
    }

    func subscribe(_ channel: String) throws {
        let text = Array(#"{"op":"subscribe","channels":["\#(channel)"]}"#.utf8)
        // A masked text frame below 126 bytes; the mask is zero.
        RawSocket.write(descriptor, [0x81, 0x80 | UInt8(text.count), 0, 0, 0, 0] + text)
    }

    deinit { RawSocket.close(descriptor) }
}
