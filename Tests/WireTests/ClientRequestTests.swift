import Testing
import Wire

@Suite struct ClientRequestTests {
    private func parse(_ text: String) throws(RequestError) -> ClientRequest {
        try ClientRequest.parse(text.utf8)
    }

    @Test func readsTheDocumentedForm() throws {
        let text = """
            {"id":1,"op":"subscribe","channels":["plan:p_7Q2",{"ch":"symbol:SPY","maxRate":4,\
            "since":{"ep":"k3v9","off":410},"stamps":true}]}
            """
        let spy = ChannelRequest(
            name: "symbol:SPY",
            maxRate: 4,
            since: ResumePoint(epoch: "k3v9", offset: 410),
            stamps: true
        )
        #expect(try parse(text) == .subscribe(id: .number("1"), [ChannelRequest(name: "plan:p_7Q2"), spy]))
        #expect(try parse(#"{"op":"ping"}"#) == .ping(id: .null))
        #expect(try parse(#"{"op":"auth","id":"a","token":"t"}"#) == .auth(id: .string("a"), token: "t"))
        let unsubscribe = try parse(#"{"op":"unsubscribe","channels":["health"]}"#)
        #expect(unsubscribe == .unsubscribe(id: .null, [ChannelRequest(name: "health")]))
    }

    @Test func anUnknownChannelIsRefusedAlone() throws {
        guard case .subscribe(_, let channels) = try parse(#"{"op":"subscribe","channels":["health","nonsense:x"]}"#)
        else { return #expect(Bool(false), "not a subscribe") }
        #expect(channels.map(\.channel) == [Channel(.health), nil])
    }

    @Test(arguments: [
        (#"nonsense"#, RequestError.Code.badFrame, "byte 0"),
        (#"[1]"#, .badFrame, "expected an object"),
        (#"{"op":"subscribe","channels":["health"]"#, .badFrame, "byte"),
        (#"{}"#, .badRequest, "op: expected a text"),
        (#"{"op":"fly","id":3}"#, .unknownOperation, "\"fly\""),
        (#"{"op":"subscribe"}"#, .badRequest, "channels: expected an array"),
        (#"{"op":"subscribe","channels":[]}"#, .badRequest, "channels"),
        (#"{"op":"subscribe","channels":[1]}"#, .badRequest, "channels[0]"),
        (#"{"op":"subscribe","channels":["health",{"maxRate":1}]}"#, .badRequest, "channels[1].ch"),
        (#"{"op":"subscribe","channels":[{"ch":"health","maxrate":1}]}"#, .badRequest, "channels[0].maxrate: unknown"),
        (#"{"op":"subscribe","channels":[{"ch":"health","maxRate":0}]}"#, .badRequest, "channels[0].maxRate"),
        (#"{"op":"subscribe","channels":[{"ch":"health","maxRate":1e9}]}"#, .badRequest, "maxRate"),
        (#"{"op":"subscribe","channels":[{"ch":"health","since":{"ep":"k"}}]}"#, .badRequest, "since.off"),
        (#"{"op":"subscribe","channels":[{"ch":"health","since":7}]}"#, .badRequest, "since: expected an object"),
        (#"{"op":"subscribe","channels":[{"ch":"health","stamps":"yes"}]}"#, .badRequest, "stamps"),
        (#"{"op":"unsubscribe","channels":[{"ch":"health"}]}"#, .badRequest, "a channel's name"),
        (#"{"op":"ping","extra":1}"#, .badRequest, "extra: unknown field"),
        (#"{"op":"auth"}"#, .badRequest, "token"),
        (#"{"op":"ping","id":{}}"#, .badRequest, "id"),
    ])
    func saysWhatIsWrong(_ text: String, _ code: RequestError.Code, _ fragment: String) {
        do throws(RequestError) {
            let request = try parse(text)
            Issue.record("accepted \(request)")
        } catch {
            #expect(error.code == code, "\(error)")
            #expect(error.message.contains(fragment), "\(error)")
        }
    }

    @Test func theErrorNamesTheRequestButNotTheSecret() {
        do throws(RequestError) {
            let long = String(repeating: "s3cr", count: 3_000)
            _ = try parse(#"{"id":9,"op":"auth","token":"\#(long)"}"#)
            Issue.record("accepted")
        } catch {
            #expect(error.id == .number("9"))
            #expect(!error.message.contains("s3cr"))
        }
    }

    @Test func everyCutIsAnErrorNotACrash() {
        let whole = #"{"id":1,"op":"subscribe","channels":["plan:p_7Q2",{"ch":"symbol:SPY","maxRate":4.5}]}"#
        for length in 0..<whole.utf8.count {
            #expect(throws: RequestError.self) { try ClientRequest.parse(whole.utf8.prefix(length)) }
        }
    }
}
