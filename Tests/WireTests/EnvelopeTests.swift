import Primitives
import Testing
import Wire

@Suite struct EnvelopeTests {
    private func encoded(_ position: Envelope.Position) -> [UInt8] {
        var out: [UInt8] = []
        Envelope.encode(
            channel: Array("plan:p_1".utf8),
            epoch: "k3v9",
            position: position,
            n: 88,
            type: .hit,
            time: Instant(nanos: 5),
            payload: Array(#"{"a":{"b":"},"},"c":[1,2]}"#.utf8),
            into: &out
        )
        return out
    }

    @Test func isTheDocumentedText() {
        let text = String(decoding: encoded(.durable(offset: 412)), as: UTF8.self)
        #expect(
            text
                == #"{"ch":"plan:p_1","ep":"k3v9","off":412,"n":"88","type":"hit","t":"5","d":{"a":{"b":"},"},"c":[1,2]}}"#
        )
    }

    @Test func headerReadsBack() throws {
        let durable = try #require(EnvelopeHeader(encoded(.durable(offset: 412))))
        #expect(durable.offset == 412 && durable.n == 88 && durable.type == .hit && durable.base == nil)
        let bytes = encoded(.conflatable(base: 3, run: "r1", revision: 9))
        let live = try #require(EnvelopeHeader(bytes))
        #expect(live.offset == nil && live.base == 3 && live.run == "r1" && live.revision == 9)
        let members = try #require(JSONMembers.split(bytes[live.payload]))
        #expect(members.map(\.key) == ["a", "c"])
        #expect(String(decoding: members[0].value, as: UTF8.self) == #"{"b":"},"}"#)
    }

    @Test func refusesEveryCut() {
        let whole = encoded(.durable(offset: 1))
        for length in 0..<(whole.count - 2) {
            #expect(EnvelopeHeader(Array(whole[..<length])) == nil || whole[length - 1] == UInt8(ascii: "}"))
        }
    }
}
