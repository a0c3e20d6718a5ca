import Primitives
import Testing
import Wire

@Suite struct ServerFrameTests {
    @Test func repliesAreTheDocumentedTexts() {
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        let plan = Channel(.plan, "p_1")
        let channel = SubscribedChannel(channel: plan, epoch: "k3", offset: 4, recovered: false)
        #expect(
            text(ServerReply.subscribed(id: .number("1"), [channel]))
                == #"{"id":1,"op":"subscribed","channels":[{"ch":"plan:p_1","ep":"k3","off":4,"recovered":false}]}"#
        )
        #expect(
            text(ServerReply.unsubscribed(id: .string("a\"b"), ["health"]))
                == #"{"id":"a\"b","op":"unsubscribed","channels":["health"]}"#
        )
        #expect(text(ServerReply.pong(id: .null)) == #"{"id":null,"op":"pong"}"#)
        #expect(
            text(ServerReply.error(id: .null, code: "c", message: "m", channel: "x:y"))
                == #"{"id":null,"op":"error","code":"c","message":"m","ch":"x:y"}"#
        )
        #expect(
            text(ServerReply.gap(channel: plan, from: 2, to: nil, reason: .busLost))
                == #"{"op":"gap","ch":"plan:p_1","from":2,"to":null,"reason":"bus_lost"}"#
        )
    }

    @Test func readsEnvelopesAndRepliesOfOneFrame() throws {
        var envelope: [UInt8] = []
        Envelope.encode(
            channel: Array("symbol:SPY".utf8),
            epoch: "e",
            position: .conflatable(base: 0, run: "r", revision: 3),
            n: 7,
            type: .tick,
            time: Instant(nanos: 5),
            payload: Array(#"{"last":145.10,"x":"\u0001é"}"#.utf8),
            into: &envelope
        )
        let pong = ServerReply.pong(id: .null)
        let frame = [UInt8(ascii: "[")] + envelope + [UInt8(ascii: ",")] + pong + [UInt8(ascii: "]")]
        let messages = try ServerFrame.parse(frame)
        let header = try #require(EnvelopeHeader(envelope))
        #expect(
            messages == [.envelope(header, envelope), .control(operation: "pong", try JSONParser.parse(pong))]
        )
    }

    @Test(arguments: [#"{}"#, #"[{}]"#, #"[1]"#, #"[{"ch":"health"}]"#, #"["#])
    func whatIsNoFrameIsAnError(_ text: String) {
        #expect(throws: JSONError.self) { try ServerFrame.parse(text.utf8) }
    }
}
