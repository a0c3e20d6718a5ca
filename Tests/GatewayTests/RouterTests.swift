import Gateway
import Network
import Testing
import Wire

@Suite struct RouterTests {
    @Test(arguments: [
        (HTTPRequest.Method.get, "/api/v1/plans", Route.listPlans), (.head, "/api/v1/plans", .listPlans),
        (.post, "/api/v1/plans", .createPlan), (.get, "/api/v1/plans/p_1", .showPlan("p_1")),
        (.patch, "/api/v1/plans/p_1", .amendPlan("p_1")), (.delete, "/api/v1/plans/p_1", .cancelPlan("p_1")),
        (.get, "/idea/p_1", .idea("p_1")), (.get, "/api/v1/stream/state", .state), (.get, "/api/v1/symbols", .symbols),
        (.get, "/", .file(0)),
    ])
    func knowsItsPaths(_ method: HTTPRequest.Method, _ path: String, _ route: Route) throws {
        #expect(try Route.of(HTTPRequest(method: method, path: path)) == route)
    }

    @Test(arguments: [
        (HTTPRequest.Method.get, "/api/v1/plans/", 404), (.get, "/api/v1/plans/a/b", 404), (.get, "/idea/", 404),
        (.get, "/api/v1/plans/../x", 404), (.get, "/API/v1/plans", 404), (.get, "//", 404),
        (.get, "/api/v1/plans/\(String(repeating: "x", count: 71))", 404), (.put, "/api/v1/plans", 405),
        (.post, "/", 405), (.delete, "/idea/p_1", 405), (.options, "/api/v1/plans/p_1", 405),
    ])
    func refusesTheRest(_ method: HTTPRequest.Method, _ path: String, _ status: Int) {
        do throws(Problem) {
            let route = try Route.of(HTTPRequest(method: method, path: path))
            Issue.record("\(path) is \(route)")
        } catch {
            #expect(error.status == status)
        }
    }

    @Test func socketPaths() {
        #expect(SocketPath.channels("/ws") == [])
        #expect(SocketPath.channels("/ws/plans/p_1") == ["plan:p_1"])
        #expect(SocketPath.channels("/stream/BRK.B") == ["symbol:BRK.B", "bands:BRK.B"])
        for path in ["/", "/ws/", "/ws/plans/", "/ws/plans/a/b", "/stream/", "/WS", "/ws?x"] {
            #expect(SocketPath.channels(path) == nil)
        }
    }

    @Test func theEnginesAnswersBecomeProblems() throws {
        let table = [("invalid", 422), ("not_found", 404), ("conflict", 409), ("unavailable", 503), ("other", 503)]
        for (code, status) in table {
            let answer = try JSONParser.parse(#"{"ok":false,"code":"\#(code)"}"#.utf8)
            #expect(Problem(answer: answer)?.status == status)
        }
        #expect(Problem(answer: try JSONParser.parse(#"{"ok":true}"#.utf8)) == nil)
    }

    @Test func identifiersAreLongAndSafe() {
        let ids = Set((0..<1_000).map { _ in Identifiers.plan() })
        #expect(ids.count == 1_000)
        #expect(ids.allSatisfy { Identifiers.isPlan($0) && Channel("plan:\($0)") != nil && $0.utf8.count == 18 })
    }

    @Test func aKeyKeepsItsPlanUntilItIsOld() {
        var table = IdempotencyTable(limit: 2)
        var made = 0
        func id(_ owner: String, _ key: String) -> String {
            table.planID(owner: owner, key: key) {
                made += 1
                return "p_\(made)"
            }
        }
        #expect([id("a", "1"), id("a", "1"), id("b", "1"), id("a", "1")] == ["p_1", "p_1", "p_2", "p_1"])
        #expect(id("a", "2") == "p_3")
        #expect(id("a", "1") == "p_4")
    }
}
