import FeedProtocols
import Feeds
import Network
import Primitives
import Testing

@Suite struct WarmUpTests {
    private static let bodies: [(path: String, body: String)] = [
        (
            "/v3/reference/conditions?asset_class=stocks",
            #"{"status":"OK","results":[{"id":37,"update_rules":{"consolidated":{"updates_high_low":false,"updates_open_close":false,"updates_volume":true}}}]}"#
        ),
        ("/v3/reference/conditions?asset_class=options", #"{"status":"OK","results":[{"id":209}]}"#),
        ("/v3/reference/exchanges?asset_class=stocks", #"{"status":"OK","results":[{"id":4},{"name":"no id"}]}"#),
        ("/v3/reference/exchanges?asset_class=options", #"{"status":"OK","results":[{"name":"no id"}]}"#),
        ("/v1/marketstatus/now", #"{"market":"open"}"#),
        ("/v1/marketstatus/upcoming", "[]"),
    ]

    /// Starts a warm-up and waits for all of its answers.
    private func run(_ world: RESTWorld) async throws -> [WarmUpItem: WarmUpAnswer] {
        let heard = Lock<[WarmUpAnswer]>([])
        try world.loop.sync { [client = world.client] in
            let warmUp = WarmUp(client: client) { answer in heard.withLock { $0.append(answer) } }
            warmUp.start()
            // What is under way isn't asked twice.
            warmUp.start()
        }
        try await eventually("all answers") { heard.withLock { $0.count } >= WarmUpItem.allCases.count }
        let answers = heard.withLock { $0 }
        #expect(Set(answers.map(\.item)).count == answers.count)
        return Dictionary(answers.map { ($0.item, $0) }) { first, _ in first }
    }

    @Test func everyItemIsAnsweredOnce() async throws {
        try await withWorld { request in
            let body = Self.bodies.first { request.target.hasPrefix($0.path) }?.body ?? "?"
            return [ScriptedServer.response(body)]
        } body: { world in
            let answers = try await run(world)
            for item in WarmUpItem.allCases where item != .optionExchanges {
                #expect(answers[item]?.body != nil, "\(item)")
                #expect(answers[item]?.cause == (item == .stockExchanges ? "1 row left out, id: missing" : ""))
                #expect(answers[item]?.url == item.request.target)
            }
            #expect(answers[.optionExchanges]?.body == nil)
            #expect(answers[.optionExchanges]?.cause == "no row can be read, id: missing")
            #expect(world.server.requests.count == 6)
        }
    }

    @Test func whatCannotBeHadIsAnsweredWithItsCause() async throws {
        try await withWorld { request in
            request.target.hasPrefix("/v1/marketstatus/now")
                ? [ScriptedServer.response(404, "404 page not found")]
                : [ScriptedServer.response(#"{"status":"ERROR","error":"bad day"}"#)]
        } body: { world in
            let answers = try await run(world)
            #expect(answers.values.allSatisfy { $0.body == nil })
            #expect(answers[.marketStatus]?.cause == "status 404: 404 page not found")
            #expect(answers[.holidays]?.cause == "the answer can't be used: ERROR: bad day")
            #expect(world.server.requests.count == 6)
        }
    }
}
