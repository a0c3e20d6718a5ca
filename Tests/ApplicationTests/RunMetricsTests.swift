import Application
import FeedProtocols
import Foundation
import Gateway
import Telemetry
import Testing

/// What `/metrics` of a real process shows, held against Prometheus' rules and docs/operations.md.
@Suite(.serialized) struct RunMetricsTests {
    @Test func anEngineAloneHasItsAdminListener() async throws {
        try await withRun(.engine) { run, admin in
            #expect(run.gatewayPort == nil)
            #expect(try admin.send("GET", "/healthz").status == 200)
            let ready = try admin.send("GET", "/readyz")
            let text = String(decoding: ready.body, as: UTF8.self)
            #expect(text.contains(#""bus":{"ready":"#) && text.contains(#""journal":{"ready":true"#), "\(text)")
            #expect(try admin.send("GET", "/api/v1/plans").status == 404)
            var foreign = admin
            foreign.headers = [("Origin", "http://example.com")]
            #expect(try foreign.send("GET", "/metrics").status == 403)
        }
    }

    @Test func namesFollowTheRulesAndAreDocumented() async throws {
        var known: Set<String> = []
        for roles in [Roles.engine, .all] {
            try await withRun(roles) { _, admin in
                let answer = try admin.send("GET", "/metrics")
                #expect(answer.status == 200)
                known.formUnion(Self.lint(String(decoding: answer.body, as: UTF8.self)))
            }
        }
        for name in [
            "bus_pending_messages", "bus_reconnects_total", "bus_held_dropped_total", "commit_seconds",
            "sequencer_blocked_posts_total", "web_requests_total", "gateway_slow_closed_total",
        ] { #expect(known.contains("striketape_" + name), "\(name)") }
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/operations.md")
        let documented = Set(
            try String(contentsOf: page, encoding: .utf8).split(separator: "\n")
                .filter { $0.hasPrefix("| `striketape_") }
                .map { String($0.dropFirst(3).prefix { $0 != "`" }) }
        )
        #expect(known.subtracting(documented).sorted() == [])
        #expect(documented.subtracting(known).sorted() == [])
    }

    /// What promtool checks, as far as we break it or not: each sample belongs to a family with help and type, counters
    /// end in `_total` and nothing else does, units are base units and spelled out.
    private static func lint(_ text: String) -> Set<String> {
        var types: [String: String] = [:]
        var helped: Set<String> = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            if line.hasPrefix("# HELP ") {
                #expect(words.count > 3 && helped.insert(words[2]).inserted, "\(line)")
                continue
            }
            if line.hasPrefix("# TYPE ") {
                #expect(helped.contains(words[2]) && types.updateValue(words[3], forKey: words[2]) == nil, "\(line)")
                continue
            }
            let sample = String(line.prefix { $0 != "{" && $0 != " " })
            var family = sample
            for ending in ["_bucket", "_sum", "_count"] where types[family] == nil && sample.hasSuffix(ending) {
                family = String(sample.dropLast(ending.count))
            }
            #expect(types[family] != nil, "\(line) has no type")
            #expect(Double(words[words.count - 1]) != nil, "\(line)")
        }
        for (name, type) in types {
            #expect(
                name.hasPrefix("striketape_")
                    && name.allSatisfy { "abcdefghijklmnopqrstuvwxyz0123456789_".contains($0) }
            )
            #expect(name.hasSuffix("_total") == (type == "counter"), "\(name) is a \(type)")
            for part in name.split(separator: "_") {
                #expect(
                    !["ms", "us", "ns", "millis", "nanos", "kb", "mb", "minutes", "s", "b"].contains(part),
                    "\(name)"
                )
            }
        }
        return Set(types.keys)
    }

    /// A live run over a short tape, with the bus in memory and free ports.
    private func withRun(_ roles: Roles, _ body: (LiveRun, HTTPClient) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("run-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        var mix = FrameMix(seed: 3, symbols: 2)
        var frame: [UInt8] = []
        _ = mix.appendFrame(to: &frame)
        let tape = directory.appendingPathComponent("made.jsonl")
        try Data(Array(#"{"t":1763994600000000000,"src":"polygon.stocks","frame":"#.utf8) + frame + Array("}\n".utf8))
            .write(to: tape)
        var loader = ConfigurationLoader(
            environment: [
                "STRIKETAPE_STATE_DIR": directory.appendingPathComponent("state").path,
                "STRIKETAPE_ENGINE_CLOCK": "exchange",
                "STRIKETAPE_GATEWAY_LISTEN": "127.0.0.1:0", "STRIKETAPE_ADMIN_LISTEN": "127.0.0.1:0",
            ]
        )
        loader.feedIsTape = true
        let configuration = try loader.load().configuration
        let run = LiveRun(
            configuration,
            roles: roles,
            tapeFiles: [tape.path],
            log: LogSetup(configuration, sink: NoLog())
        )
        try run.start()
        do {
            let port = try #require(run.adminPort)
            try await body(run, HTTPClient(host: "127.0.0.1", port: port))
        } catch {
            await run.stop()
            throw error
        }
        await run.stop()
    }

    private struct NoLog: LogSink {
        func write(_ line: [UInt8]) {}
    }
}
