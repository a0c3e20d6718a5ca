import FeedProtocols
import Feeds
import MarketData
import Network
import Primitives
import Testing

/// A desk on a world's loop, its answers written down; used from the loop only, but for `answers`.
private final class DeskWorld: @unchecked Sendable {
    // Unchecked: `desk` is touched on the loop only, `heard` is locked.
    let world: RESTWorld
    private let heard = Lock<[RepairAnswer]>([])
    private var desk: RepairDesk?

    init(_ world: RESTWorld, coverage: Int64 = 20_000_000_000) throws {
        self.world = world
        try world.loop.sync { [self] in
            var limits = RepairBook.Limits()
            limits.settle = 0
            limits.poll = 5_000_000
            limits.coverage = coverage
            limits.answer = 600_000_000_000
            desk = RepairDesk(client: world.client, limits: limits, clock: { SystemClock.wall() }) { [heard] answer in
                heard.withLock { $0.append(answer) }
            }
        }
    }

    func repair(_ symbol: String, _ from: Instant, _ to: Instant) throws -> Int64 {
        try world.loop.sync { [self] in desk?.repair(symbol, from: from, to: to) ?? -1 }
    }

    func counters() throws -> RepairBook.Counters? { try world.loop.sync { [self] in desk?.counters } }

    func stop() throws { try world.loop.sync { [self] in desk?.stop() } }

    /// Waits for so many answers.
    func answers(_ count: Int) async throws -> [RepairAnswer] {
        try await eventually("\(count) answers") { heard.withLock { $0.count } >= count }
        return heard.withLock { $0 }
    }
}

@Suite struct RepairDeskTests {
    private let from = Instant(millis: 1_764_086_400_000)
    private func at(_ seconds: Int64) -> Instant { from.advanced(byNanos: seconds * 1_000_000_000) }

    /// Second bars of these seconds after `from`.
    private static func body(_ seconds: [Int], _ symbol: String = "SPY") -> String {
        let rows = seconds.map { #"{"t":\#(1_764_086_400_000 + $0 * 1_000),"o":1.5,"h":2,"l":1,"c":1.75,"v":10}"# }
        return #"{"ticker":"\#(symbol)","status":"OK","results":[\#(rows.joined(separator: ",\n"))]}"#
    }

    @Test func whatIsAnsweredIsWhatTheDoorReads() async throws {
        try await withWorld { _ in
            [ScriptedServer.response(Self.body(Array(0..<10)))]
        } body: { world in
            let desk = try DeskWorld(world)
            let ask = try desk.repair("SPY", from.advanced(byNanos: 500_000_000), at(10))
            let answer = try #require(try await desk.answers(1).first)
            #expect(answer.asks == [ask])
            #expect(answer.isCovered)
            #expect(answer.cause.isEmpty)
            #expect(answer.url.hasPrefix("/v2/aggs/ticker/SPY/range/1/second/1764086400000/1764086409999?"))
            #expect(world.server.requests.map(\.target) == [answer.url])
            let body = try #require(answer.body)
            #expect(!body.contains(0x0A))
            var symbols = SymbolTable()
            let read = body.withUnsafeBytes {
                RESTAnswer.decode(source: answer.source, url: answer.url, body: $0, symbols: &symbols)
            }
            guard case .bars(_, from, at(10), 1, let bars?) = read else {
                Issue.record("\(read)")
                return
            }
            #expect(bars.map(\.start) == (0..<10).map { at($0) })
        }
    }

    @Test func barsThatComeLateAreWaitedFor() async throws {
        try await withWorld { request in
            let last = [7, 8, 10][min(request.repetition, 2)]
            return [ScriptedServer.response(Self.body(Array(0..<last)))]
        } body: { world in
            let desk = try DeskWorld(world)
            _ = try desk.repair("SPY", from, at(10))
            let answer = try #require(try await desk.answers(1).first)
            #expect(answer.isCovered)
            #expect(world.server.requests.count == 3)
        }
    }

    @Test func shortBarsAreGivenInTheEndAndMarked() async throws {
        try await withWorld { _ in
            [ScriptedServer.response(Self.body([0, 1]))]
        } body: { world in
            let desk = try DeskWorld(world, coverage: 100_000_000)
            _ = try desk.repair("SPY", from, at(10))
            let answer = try #require(try await desk.answers(1).first)
            #expect(!answer.isCovered)
            #expect(answer.body != nil)
            #expect(answer.cause == "the bars end before the gap does")
            #expect(world.server.requests.count >= 2)
        }
    }

    @Test func aPlanWithoutSecondBarsGivesMinutes() async throws {
        try await withWorld { request in
            request.target.contains("/second/")
                ? [ScriptedServer.response(403, #"{"status":"NOT_AUTHORIZED"}"#)]
                : [ScriptedServer.response(Self.body([0, 60]))]
        } body: { world in
            let desk = try DeskWorld(world)
            _ = try desk.repair("SPY", from, at(70))
            let answer = try #require(try await desk.answers(1).first)
            #expect(answer.url.contains("/range/1/minute/1764086400000/1764086519999?"))
            #expect(answer.isCovered)
            _ = try desk.repair("QQQ", from, at(70))
            let other = try #require(try await desk.answers(2).last)
            // Bars of another symbol aren't taken, and seconds aren't asked for again.
            #expect(other.body == nil)
            #expect(other.cause.contains("another symbol"))
            #expect(world.server.count("/v2/aggs/ticker/QQQ/range/1/second") == 0)
            #expect(world.server.requests.count == 3)
        }
    }

    @Test(arguments: [
        ("{", "not JSON"), (#"{"results":[{"t":1764086400000}]}"#, "o: missing"), ("404 page not found", "not JSON"),
        (#"{"results":7}"#, "no array"),
    ])
    func whatCannotBeReadIsNoAnswer(_ body: String, _ cause: String) async throws {
        try await withWorld { _ in
            [ScriptedServer.response(body)]
        } body: { world in
            let desk = try DeskWorld(world)
            let ask = try desk.repair("SPY", from, at(10))
            let answer = try #require(try await desk.answers(1).first)
            #expect(answer.asks == [ask])
            #expect(answer.body == nil)
            #expect(answer.cause.contains(cause))
            #expect(world.server.requests.count == 1)
        }
    }

    @Test func refusedAndStoppedAsksAreAnsweredToo() async throws {
        try await withWorld { _ in
            [.hold]
        } body: { world in
            let desk = try DeskWorld(world)
            let bad = try desk.repair("O:BAD", from, at(10))
            let first = try #require(try await desk.answers(1).first)
            #expect(first.asks == [bad])
            #expect(first.body == nil)
            #expect(first.cause == "not a symbol")
            let open = try desk.repair("SPY", from, at(10))
            try await eventually("a request") { !world.server.requests.isEmpty }
            let joined = try desk.repair("SPY", from, at(5))
            try desk.stop()
            let last = try #require(try await desk.answers(2).last)
            #expect(last.asks == [open, joined])
            #expect(last.cause == "stopped")
            let counters = try desk.counters()
            #expect(counters?.failed == 1)
        }
    }
}
