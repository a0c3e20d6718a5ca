import FeedProtocols
import Feeds
import Network
import Primitives
import Testing

/// The key of all tests: it must be seen in the header, and nowhere else.
let canary = "CANARY-secret-4711"

/// A loop with a client of a scripted server; what it says is written down.
final class RESTWorld: Sendable {
    let loop: EventLoop
    let server: ScriptedServer
    let client: RESTClient
    let told = Lock<[String]>([])

    init(
        rate: RateWindow = .perSecond(1_000),
        transport: URLSessionTransport.Options = .init(),
        _ change: (inout RequestLimits) -> Void = { _ in },
        _ answer: @escaping @Sendable (ScriptedServer.Request) -> [ScriptedServer.Step]
    ) throws {
        let loop = EventLoop(name: "rest-test")
        let server = try ScriptedServer(answer)
        self.loop = loop
        self.server = server
        loop.start()
        var limits = RequestLimits()
        limits.backoff = 2_000_000
        change(&limits)
        let base = try #require(RESTBase(server.url))
        let key = try #require(RESTKey(canary))
        let options = RESTClientOptions(base: base, key: key, rate: rate, limits: limits)
        let told = told
        client = try loop.sync {
            RESTClient(
                loop: loop,
                options: options,
                transport: URLSessionTransport(options: transport),
                clock: { SystemClock.wall() },
                told: { event in told.withLock { $0.append("\(event)") } }
            )
        }
    }

    /// Asks and waits for the end.
    func get(
        _ path: String,
        _ priority: RequestPriority = .warmUp,
        within: Int64? = nil
    ) async -> Result<RESTReply, RequestFailure> {
        let request = RESTRequest([path], entitlement: path)
        return await withCheckedContinuation { continuation in
            loop.execute { [client] in
                client.get(request, priority, within: within) { continuation.resume(returning: $0) }
            }
        }
    }

    /// What the client has counted.
    func counters() throws -> RequestCounters { try loop.sync { [client] in client.counters } }

    /// Asks for all pages and waits for the end.
    func fetch(
        _ request: RESTRequest,
        _ limits: RESTFetchLimits = RESTFetchLimits()
    ) async -> Result<RESTBody, RequestFailure> {
        await withCheckedContinuation { continuation in
            loop.execute { [client] in
                RESTFetch.start(request, on: client, .warmUp, limits: limits) { continuation.resume(returning: $0) }
            }
        }
    }

    /// Ends all; the key was said to nobody but the server's header.
    func end() throws {
        try loop.sync { [client] in client.stop() }
        loop.stop()
        loop.join()
        server.stop()
        #expect(!told.withLock { $0 }.joined().contains(canary))
        for request in server.requests {
            #expect(!request.target.contains(canary))
            #expect(request.head.contains("Authorization: Bearer \(canary)\r\n"))
            #expect(!request.head.lowercased().contains("cookie"))
        }
    }
}

/// For tests whose server holds a request: they wait for the test's own thread, which may be kept waiting itself.
var patient: URLSessionTransport.Options {
    var options = URLSessionTransport.Options()
    options.silenceSeconds = 600
    return options
}

/// Runs `body` with a world and ends it.
func withWorld(
    rate: RateWindow = .perSecond(1_000),
    transport: URLSessionTransport.Options = .init(),
    _ change: (inout RequestLimits) -> Void = { _ in },
    _ answer: @escaping @Sendable (ScriptedServer.Request) -> [ScriptedServer.Step],
    body: (RESTWorld) async throws -> Void
) async throws {
    let world = try RESTWorld(rate: rate, transport: transport, change, answer)
    do {
        try await body(world)
    } catch {
        try world.end()
        throw error
    }
    try world.end()
}

/// Waits for a condition that another thread makes true; fails the test after 20 s.
func eventually(
    _ what: String,
    _ location: SourceLocation = #_sourceLocation,
    _ condition: () throws -> Bool
) async throws {
    let until = SystemClock.monotonicNanos() + 20_000_000_000
    while try !condition() {
        try #require(SystemClock.monotonicNanos() < until, "waited in vain for \(what)", sourceLocation: location)
        try await Task.sleep(for: .milliseconds(1))
    }
}

extension Result where Failure == RequestFailure {
    /// The failure's words, empty for a success.
    var words: String {
        if case .failure(let failure) = self { failure.description } else { "" }
    }

    var value: Success? { try? get() }
}
