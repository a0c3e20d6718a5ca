import FeedProtocols
import Feeds
import Primitives
import Testing

@Suite struct RESTFetchTests {
    private func text(_ result: Result<RESTBody, RequestFailure>) -> String {
        result.value.map { String(decoding: $0.body, as: UTF8.self) } ?? "failed: \(result.words)"
    }

    /// Pages 0, 1, … of one row each, the last without a link.
    private static func page(_ number: Int, of count: Int, host: String = "") -> String {
        let link = number + 1 < count ? #","next_url":"\#(host)/v3/pages?cursor=\#(number + 1)""# : ""
        return #"{"status":"OK","results":[{"row":\#(number)}]\#(link)}"#
    }

    @Test func pagesAreFollowedAsTheLinksStand() async throws {
        try await withWorld { request in
            let number = Int(request.target.split(separator: "cursor=").dropFirst().last ?? "") ?? 0
            let host = request.head.split(separator: "\r\n").first { $0.hasPrefix("Host: ") }?.dropFirst(6) ?? ""
            return [ScriptedServer.response(Self.page(number, of: 3, host: "http://\(host)"))]
        } body: { world in
            let result = await world.fetch(RESTRequest(["v3", "pages"], [("limit", "1")], entitlement: "e"))
            #expect(text(result) == #"{"status":"OK","results":[{"row":0},{"row":1},{"row":2}]}"#)
            #expect(result.value?.pages == 3)
            #expect(result.value?.isWhole == true)
            #expect(
                world.server.requests.map(\.target)
                    == ["/v3/pages?limit=1", "/v3/pages?cursor=1", "/v3/pages?cursor=2"]
            )
        }
    }

    @Test func aLinkToAnotherHostIsRefused() async throws {
        let other = try ScriptedServer { _ in [ScriptedServer.response("{}")] }
        defer { other.stop() }
        let url = other.url
        try await withWorld { _ in
            [ScriptedServer.response(#"{"results":[],"next_url":"\#(url)/v3/pages?cursor=1"}"#)]
        } body: { world in
            let words = await world.fetch(RESTRequest(["v3", "pages"], entitlement: "e")).words
            #expect(words == "the answer can't be used: a link to another place than \(world.server.url)")
            #expect(world.server.requests.count == 1)
            #expect(other.requests.isEmpty)
        }
    }

    @Test func limitsOfPagesAndBytes() async throws {
        try await withWorld { request in
            let number = Int(request.target.split(separator: "cursor=").dropFirst().last ?? "") ?? 0
            return [ScriptedServer.response(Self.page(number, of: 1_000))]
        } body: { world in
            var limits = RESTFetchLimits()
            limits.pagesMax = 4
            let capped = await world.fetch(RESTRequest(["v3", "pages"], entitlement: "e"), limits)
            #expect(capped.value?.isWhole == false)
            #expect(capped.value?.pages == 4)
            #expect(world.server.requests.count == 4)
            limits.bytesMax = 100
            let large = await world.fetch(RESTRequest(["v3", "pages"], entitlement: "e"), limits)
            #expect(large.words == "the body is too large")
        }
    }

    @Test(arguments: ["{", "", "404 page not found", #"{"status":"ERROR","error":"bad"}"#, #"{"results":1}"#])
    func whatCannotBeUsedIsNotRepeated(_ body: String) async throws {
        try await withWorld { _ in
            [ScriptedServer.response(body)]
        } body: { world in
            let result = await world.fetch(RESTRequest(["v3", "pages"], entitlement: "e"))
            if body.hasPrefix(#"{"results""#) {
                // The rows' reader says what is wrong with it.
                #expect(text(result) == body)
            } else {
                #expect(result.words.hasPrefix("the answer can't be used: "))
            }
            #expect(world.server.requests.count == 1)
        }
    }
}
