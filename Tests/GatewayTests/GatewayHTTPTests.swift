import Bus
import Gateway
import Network
import Primitives
import Testing
import Wire

extension ServerTests {
    /// The HTTP side over real sockets and the memory bus.
    @Suite(.serialized) struct GatewayHTTPTests {
        private func text(_ answer: HTTPClient.Answer) -> String { String(decoding: answer.body, as: UTF8.self) }

        private static let plan = """
            {"id":"p_mine","owner":"evil","symbol":"SPY","side":"long","entry":{"type":"touch","price":100.123456},\
            "stop":{"price":99},"targets":[{"price":102,"fraction":1}]}
            """

        @Test func thePageIsServedWithItsPolicy() async throws {
            try await withGateway { bench in
                for (path, type) in [
                    ("/", "text/html"), ("/app.css", "text/css"), ("/app.js", "text/javascript"),
                    ("/base.js", "text/javascript"), ("/net.js", "text/javascript"), ("/view.js", "text/javascript"),
                    ("/icon.svg", "image/svg+xml"),
                ] {
                    let answer = try await bench.http("GET", path)
                    #expect(answer.status == 200 && answer.headers["content-type"]?.hasPrefix(type) == true)
                    #expect(answer.body.count > 200)
                    #expect(answer.headers["content-security-policy"]?.contains("default-src 'self'") == true)
                    #expect(answer.headers["x-content-type-options"] == "nosniff")
                }
                for path in ["/ui/../../etc/passwd", "/../etc/passwd", "/.git/config", "/app.js/x"] {
                    #expect(try await bench.http("GET", path).status == 404)
                }
            }
        }

        @Test func aPlanIsMadeShownChangedAndCancelled() async throws {
            try await withGateway { bench in
                let created = try await bench.http("POST", "/api/v1/plans", Self.plan)
                #expect(created.status == 201)
                let body = try JSONParser.parse(created.body)
                let id = try #require(body["id"]?.string)
                #expect(id.hasPrefix("p_") && id.utf8.count == 18 && id != "p_mine")
                #expect(body["owner"]?.string == "local")
                #expect(body["entry"]?["price"] == .number("100.123456"))
                #expect(created.headers["location"] == "/api/v1/plans/\(id)" && created.headers["etag"] == "\"1\"")
                let list = try await JSONParser.parse(bench.http("GET", "/api/v1/plans").body)
                #expect(list["plans"]?.array?.count == 1)
                #expect(try await bench.http("GET", "/api/v1/plans/\(id)").status == 200)
                #expect(try await bench.http("PATCH", "/api/v1/plans/\(id)", #"{"size":3}"#).status == 428)
                #expect(try await bench.http("PATCH", "/api/v1/plans/\(id)", #"{"version":2}"#).status == 409)
                #expect(try await bench.http("PATCH", "/api/v1/plans/\(id)", #"{"version":1,"size":3}"#).status == 200)
                #expect(
                    try await bench.http("PATCH", "/api/v1/plans/\(id)", "{}", [("If-Match", "\"1\"")]).status == 200
                )
                let amend = try #require(bench.engine.commands.last { $0.operation == .amend })
                #expect(String(decoding: amend.body, as: UTF8.self) == #"{"id":"\#(id)","version":1}"#)
                #expect(try await bench.http("DELETE", "/api/v1/plans/\(id)?version=1").status == 200)
            }
        }

        @Test func aRepeatedKeyIsOneCommand() async throws {
            try await withGateway { bench in
                let headers = [("Idempotency-Key", "order-7")]
                let first = try await bench.http("POST", "/api/v1/plans", Self.plan, headers)
                let again = try await bench.http("POST", "/api/v1/plans", Self.plan, headers)
                #expect(first.status == 201 && first.body == again.body)
                #expect(bench.engine.commands.count == 1)
                #expect(
                    try await bench.http("POST", "/api/v1/plans", Self.plan, [("Idempotency-Key", "a b")]).status == 400
                )
            }
        }

        @Test func everyProblemIsADocumentWithTheRequestsId() async throws {
            try await withGateway { bench in
                let cases: [(String, String, String, [(String, String)], Int, String)] = [
                    ("POST", "/api/v1/plans", "{}", [], 422, "\"problems\":[{\"field\":\"entry\""),
                    ("POST", "/api/v1/plans", "[1]", [], 400, "expected an object, found an array"),
                    ("POST", "/api/v1/plans", "{\"a\":", [], 400, "not JSON at byte"),
                    ("POST", "/api/v1/plans", "", [], 415, "application/json"),
                    ("GET", "/api/v1/plans/p_none", "", [], 404, "or not yours"),
                    ("GET", "/idea/p_none", "", [], 404, "or not yours"),
                    ("GET", "/api/v1/plans/p_%2e%2e%2f", "", [], 404, "no such thing"),
                    ("PUT", "/api/v1/plans", "{}", [], 405, "PUT is not one of GET, POST"),
                    ("GET", "/nowhere", "", [], 404, "no such thing"),
                    ("GET", "/api/v1/stream/state", "", [], 400, "channels"),
                    ("GET", "/api/v1/plans", "", [("Origin", "https://evil.example")], 403, "Origin"),
                ]
                for (method, path, body, headers, status, part) in cases {
                    let answer = try await bench.http(method, path, body, headers)
                    #expect(answer.status == status, "\(method) \(path): \(text(answer))")
                    #expect(text(answer).contains(part), "\(method) \(path): \(text(answer))")
                    #expect(answer.headers["content-type"] == "application/problem+json")
                    let id = try #require(try JSONParser.parse(answer.body)["requestId"]?.string)
                    try await bench.logged.wait(for: "request_id=\(id)")
                }
            }
        }

        @Test func aForeignHostIsRefused() async throws {
            try await withGateway {
                $0.allowedHosts = ["desk.example:8700"]
            } _: { bench in
                let answer = try await bench.http("GET", "/")
                #expect(answer.status == 403 && text(answer).contains("host_not_allowed"))
            }
        }

        @Test func withAKeyTheApiAsksForIt() async throws {
            let key = "0123456789abcdef"
            try await withGateway {
                $0.apiKey = key
            } _: { bench in
                #expect(try await bench.http("GET", "/").status == 200)
                let none = try await bench.http("GET", "/api/v1/plans")
                #expect(none.status == 401 && none.headers["www-authenticate"] == "Bearer")
                for wrong in ["Bearer x", "Basic \(key)", "Bearer \(key)x", "Bearer", key] {
                    #expect(try await bench.http("GET", "/api/v1/plans", "", [("Authorization", wrong)]).status == 401)
                }
                let client = try PlanClient(url: "http://127.0.0.1:\(bench.port)", key: key)
                let list = try await away { try client.list() }
                #expect(list["plans"] == .array([]))
            }
        }

        @Test func theStateIsTheFrameThatAWebSocketWouldBegin() async throws {
            try await withGateway { bench in
                bench.engine.plan("p_1")
                bench.engine.tick("SPY", #"{"last":100.5}"#)
                let answer = try await bench.http(
                    "GET",
                    "/api/v1/stream/state?channels=plan:p_1,symbol:SPY,plan:p_none,rubbish"
                )
                #expect(answer.status == 200)
                let frame = try ServerFrame.parse(answer.body)
                #expect(frame.count == 4)
                guard case .envelope(let plan, let bytes) = frame[0], case .envelope(let symbol, _) = frame[1],
                    case .control("error", _) = frame[2], case .control("error", _) = frame[3]
                else { return #expect(Bool(false), "\(text(answer))") }
                #expect(plan.type == .snapshot && symbol.channel.name == "symbol:SPY")
                #expect(String(decoding: bytes, as: UTF8.self).contains(#""derived":{"price":100.5,"plR":null"#))
                let idea = try await JSONParser.parse(bench.http("GET", "/idea/p_1").body)
                #expect(idea["plan"]?["id"]?.string == "p_1" && idea["derived"]?["price"] == .number("100.5"))
                #expect(try text(await bench.http("GET", "/api/v1/symbols")) == #"{"symbols":["SPY","QQQ"]}"#)
            }
        }

        @Test func withoutAnEngineCommandsAreUnavailable() async throws {
            try await withGateway { bench in
                await bench.bus.stop()
                let answer = try await bench.http("GET", "/api/v1/plans")
                #expect(answer.status == 503 && text(answer).contains("unavailable"))
                #expect(try await bench.http("GET", "/").status == 200)
            }
        }

        @Test func theAdminListenerTellsHealthAndMetrics() async throws {
            try await withGateway { bench in
                let admin = HTTPClient(host: "127.0.0.1", port: bench.adminPort)
                #expect(try await admin.sent("GET", "/healthz").status == 200)
                try await eventually("ready") { try await admin.sent("GET", "/readyz").status == 200 }
                let metrics = try text(await admin.sent("GET", "/metrics"))
                #expect(
                    metrics.contains("striketape_test 1\n") && metrics.contains("striketape_gateway_connections 0\n")
                )
                for line in metrics.split(separator: "\n") where !line.hasPrefix("#") {
                    #expect(line.split(separator: " ").count == 2, "\(line)")
                }
                #expect(try await bench.http("GET", "/metrics").status == 404)
                #expect(try await bench.http("GET", "/readyz").status == 404)
                var evil = admin
                evil.headers.append(("Origin", "https://evil.example"))
                #expect(try await evil.sent("GET", "/metrics").status == 403)
                #expect(try await admin.sent("POST", "/healthz").status == 405)
            }
        }

        @Test func whatIsWronglyConfiguredDoesNotStart() throws {
            let loop = EventLoop(name: "unused")
            var configuration = GatewayConfiguration()
            configuration.host = "0.0.0.0"
            configuration.adminHost = "192.168.1.2"
            configuration.flushMillis = -1
            let gateway = Gateway(configuration: configuration, bus: MemoryBus(), loop: loop)
            do {
                try gateway.start()
                Issue.record("started")
            } catch {
                let text = "\(error)"
                for part in ["gateway.apiKey; found none", "admin.listen", "gateway.flushMs"] {
                    #expect(text.contains(part))
                }
            }
            configuration = GatewayConfiguration()
            configuration.host = "0.0.0.0"
            configuration.apiKey = "0123456789abcdef"
            #expect(configuration.problems.isEmpty)
            configuration.apiKey = "short"
            #expect(configuration.problems == ["gateway.apiKey: at least 16 bytes, found 5"])
        }

        @Test func aTakenPortIsAnError() async throws {
            try await withGateway { bench in
                let port = bench.port
                #expect(throws: GatewayError.self) { _ = try GatewayBench { $0.port = port } }
            }
        }
    }
}
