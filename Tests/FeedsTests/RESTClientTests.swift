import FeedProtocols
import Feeds
import Glibc
import Network
import Primitives
import Testing

/// The client against a real server on loopback.
@Suite struct RESTClientTests {
    private func text(_ result: Result<RESTReply, RequestFailure>) -> String {
        result.value.map { String(decoding: $0.body, as: UTF8.self) } ?? "failed: \(result.words)"
    }

    @Test func aBodyComesWholeWithItsHeaders() async throws {
        try await withWorld { _ in
            [ScriptedServer.response(200, #"{"a":1}"#, more: ["X-Thing: 7", "Set-Cookie: a=b; Path=/"])]
        } body: { world in
            for _ in 0..<2 {
                let result = await world.get("x")
                #expect(text(result) == #"{"a":1}"#)
                #expect(result.value?.headers["x-thing"] == "7")
            }
            // A cookie that was set isn't sent: `end` looks at every head.
            #expect(world.server.requests.count == 2)
            #expect(world.server.requests[0].head.contains("User-Agent: striketape\r\n"))
        }
    }

    @Test func aLimitIsHeededAndAnErrorRepeated() async throws {
        try await withWorld { request in
            switch (request.target, request.repetition) {
            case ("/limited", 0): [ScriptedServer.response(429, "slow down", more: ["Retry-After: 1"])]
            case ("/broken", 0), ("/broken", 1): [ScriptedServer.response(500, "oops")]
            default: [ScriptedServer.response("done")]
            }
        } body: { world in
            #expect(await text(world.get("limited")) == "done")
            #expect(world.server.count("/limited") == 2)
            #expect(await text(world.get("broken")) == "done")
            #expect(world.server.count("/broken") == 3)
            let counters = try world.counters()
            #expect(counters.limited == 1)
        }
    }

    @Test func anErrorThatStaysEndsAfterFourTries() async throws {
        try await withWorld { _ in
            [ScriptedServer.response(503, #"{"status":"ERROR","error":"down"}"#)]
        } body: { world in
            #expect(await world.get("x").words == "tried 4 times, last: status 503: ERROR: down")
            #expect(world.server.requests.count == 4)
        }
    }

    @Test func aRefusedKeyIsSaidOnceAndNothingIsAskedAgain() async throws {
        try await withWorld { _ in
            [
                ScriptedServer.response(
                    401,
                    #"{"status":"ERROR","error":"Unknown API Key \#(canary)"}"#,
                    more: [#"WWW-Authenticate: Basic realm="x""#]
                )
            ]
        } body: { world in
            for _ in 0..<20 {
                #expect(await world.get("x").words == "the key is refused: ERROR: Unknown API Key ***")
            }
            #expect(world.server.requests.count == 1)
            #expect(world.told.withLock { $0 }.count == 1)
        }
    }

    @Test func aPlanWithoutTheDataIsSaidOnce() async throws {
        try await withWorld { request in
            request.target == "/chain"
                ? [ScriptedServer.response(403, #"{"status":"NOT_AUTHORIZED","message":"Upgrade."}"#)]
                : [ScriptedServer.response("ok")]
        } body: { world in
            for _ in 0..<20 {
                #expect(await world.get("chain").words == "not in the account's plan: NOT_AUTHORIZED: Upgrade.")
            }
            #expect(await text(world.get("bars")) == "ok")
            #expect(world.server.count("/chain") == 1)
            #expect(world.told.withLock { $0 }.count == 1)
        }
    }

    @Test func aPlainTextNotFoundIsNotRepeated() async throws {
        try await withWorld { _ in
            [ScriptedServer.response(404, "404 page not found\n")]
        } body: { world in
            #expect(await world.get("x").words == "status 404: 404 page not found")
            #expect(world.server.requests.count == 1)
        }
    }

    @Test func redirectsAreNotFollowed() async throws {
        let other = try ScriptedServer { _ in [ScriptedServer.response("stolen")] }
        defer { other.stop() }
        let url = other.url
        try await withWorld { request in
            let place = request.target == "/here" ? "/there" : "\(url)/there"
            return [ScriptedServer.response(302, "", more: ["Location: \(place)"])]
        } body: { world in
            #expect(await world.get("away").words == "redirected (302), which is not followed")
            #expect(await world.get("here").words == "redirected (302), which is not followed")
            #expect(world.server.requests.count == 2)
            #expect(other.requests.isEmpty)
        }
    }

    @Test func aBodyIsCutAtItsLimit() async throws {
        var options = URLSessionTransport.Options()
        options.bodyBytesMax = 100_000
        try await withWorld(transport: options) { request in
            switch request.target {
            case "/fits": [ScriptedServer.response(String(repeating: "x", count: 100_000))]
            case "/told": [.send("HTTP/1.1 200 X\r\ncontent-length: 100001\r\n\r\n"), .hold]
            default: [.send("HTTP/1.1 200 X\r\nconnection: close\r\n\r\n"), .sendForEver]
            }
        } body: { world in
            #expect(await world.get("fits").value?.body.count == 100_000)
            #expect(await world.get("told").words == "the body is too large")
            #expect(await world.get("endless").words == "the body is too large")
            #expect(world.server.requests.count == 3)
        }
    }

    @Test func aCutConnectionIsTriedAgain() async throws {
        try await withWorld { request in
            switch request.repetition {
            case 0: [.send("HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\nabc")]
            case 1: [.reset]
            case 2: []
            default: [ScriptedServer.response("whole")]
            }
        } body: { world in
            #expect(await text(world.get("x")) == "whole")
            #expect(world.server.requests.count == 4)
        }
    }

    @Test func aSlowBodyEndsAtTheDeadline() async throws {
        try await withWorld { _ in
            [.send("HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\nabc"), .hold]
        } body: { world in
            #expect(await world.get("x", within: 500_000_000).words == "no answer in time")
            let counters = try world.counters()
            #expect(counters.sent == 1)
        }
    }

    @Test func silenceEndsAnAttempt() async throws {
        var options = URLSessionTransport.Options()
        options.silenceSeconds = 1
        try await withWorld(transport: options) { request in
            request.repetition == 0 ? [.hold] : [ScriptedServer.response("awake")]
        } body: { world in
            #expect(await text(world.get("x")) == "awake")
            #expect(world.server.requests.count == 2)
        }
    }

    @Test func anUnreachableHostIsSaidOnce() async throws {
        try await withWorld { _ in
            []
        } body: { world in
            let gone = try RESTWorld { _ in [] }
            gone.server.stop()
            for _ in 0..<3 {
                #expect(await gone.get("x").words.hasPrefix("tried 4 times, last: "))
            }
            #expect(gone.told.withLock { $0 }.count == 1)
            let counters = try gone.counters()
            #expect(counters.sent == 12)
            try gone.end()
        }
    }

    @Test func noMoreAtOnceThanAllowed() async throws {
        let held = Lock((now: 0, most: 0))
        try await withWorld { _ in
            held.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            usleep(2_000)
            held.withLock { $0.now -= 1 }
            return [ScriptedServer.response("ok")]
        } body: { world in
            await withTaskGroup(of: String.self) { group in
                for index in 0..<40 {
                    group.addTask { await text(world.get("x\(index)")) }
                }
                for await answer in group { #expect(answer == "ok") }
            }
            #expect(held.withLock { $0.most } <= 4)
            #expect(world.server.requests.count == 40)
        }
    }

    @Test func stopEndsWhatIsOpen() async throws {
        try await withWorld { _ in
            [.hold]
        } body: { world in
            let words = Lock<String?>(nil)
            try world.loop.sync { [client = world.client] in
                client.get(RESTRequest(["x"], entitlement: "x"), .warmUp) { result in
                    words.withLock { $0 = result.words }
                }
            }
            try await eventually("a request") { !world.server.requests.isEmpty }
            try world.loop.sync { [client = world.client] in client.stop() }
            #expect(words.withLock { $0 } == "stopped")
            #expect(await world.get("y").words == "stopped")
            #expect(world.server.requests.count == 1)
        }
    }

    @Test func anEchoedKeyIsTakenOutOfTheBody() async throws {
        try await withWorld { _ in
            [ScriptedServer.response(#"{"next_url":"/x?apiKey=\#(canary)","results":[]}"#)]
        } body: { world in
            #expect(await text(world.get("x")) == #"{"next_url":"/x?apiKey=***","results":[]}"#)
        }
    }
}
