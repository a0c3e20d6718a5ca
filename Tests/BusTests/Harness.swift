import Bus
import MarketData
import Network
import Testing
import Wire

/// The implementations that the suite runs over.
enum BusKind: String, CaseIterable, Sendable {
    case memory
    case redis

    /// Those that can run here.
    static var installed: [BusKind] { allCases.filter { $0 != .redis || RedisServer.isInstalled } }
}

/// An engine's end and a gateway's end of one bus, running.
struct Harness: Sendable {
    let engine: RecordingEngine
    let subscriber = RecordingSubscriber()
    let log = FakeLog()
    let engineBus: any MessageBus & BusLogReader
    let gatewayBus: any MessageBus & BusLogReader
    private let loops: [EventLoop]
    private let server: RedisServer?

    /// Starts the memory twin.
    init(limits: BusLimits, engine: RecordingEngine) {
        self.engine = engine
        let bus = MemoryBus(limits: limits, log: log)
        engineBus = bus
        gatewayBus = bus
        loops = []
        server = nil
        bus.start(engine: engine, subscriber: subscriber)
    }

    /// Starts an engine's and a gateway's bus over a running server, which is stopped with them.
    init(
        _ server: RedisServer,
        engine: RecordingEngine = RecordingEngine(),
        prepare: (Harness) -> Void = { _ in },
        options change: (inout RedisOptions) throws -> Void
    ) throws {
        self.engine = engine
        self.server = server
        var options = RedisOptions(url: try RedisURL(server.url))
        options.demandPollMillis = 50
        try change(&options)
        loops = [EventLoop(name: "engine-bus"), EventLoop(name: "gateway-bus")]
        for loop in loops { loop.start() }
        engineBus = RedisBus(options: options, loop: loops[0], log: log)
        gatewayBus = RedisBus(options: options, loop: loops[1])
        prepare(self)
        engineBus.start(engine: engine, subscriber: nil)
        gatewayBus.start(engine: nil, subscriber: subscriber)
    }

    /// The counters of the engine's and the gateway's end over Redis.
    var counters: (engine: BusCounters, gateway: BusCounters) {
        ((engineBus as? RedisBus)?.counters() ?? BusCounters(), (gatewayBus as? RedisBus)?.counters() ?? BusCounters())
    }

    /// Waits until the bus's log holds the durable ones of these messages, and checks that there is no hole, no double
    /// and no other order.
    func expectWholeLog(_ messages: [Envelope], sourceLocation: SourceLocation = #_sourceLocation) async throws {
        for partition in 0..<16 {
            let sent = messages.filter { $0.outputClass == .durable && $0.channel.partition == partition }
            let last = sent.last?.partitionSequence ?? 0
            var kept: [LogEntry] = []
            // The log is read through the gateway's end: each look is a request, not a pause.
            for _ in 0..<5_000 {
                kept = (try? await gatewayBus.log(of: partition, from: 1, limit: 200_000)) ?? []
                if kept.last?.sequence ?? 0 >= last { break }
                try await Task.sleep(nanoseconds: 2_000_000)
            }
            #expect(kept.map(\.sequence) == sent.map(\.partitionSequence), sourceLocation: sourceLocation)
            #expect(kept.map(\.bytes) == sent.map(\.bytes), sourceLocation: sourceLocation)
            #expect(kept.map(\.channel) == sent.map(\.channel), sourceLocation: sourceLocation)
            #expect(kept.map(\.offset) == sent.map(\.offset), sourceLocation: sourceLocation)
        }
    }

    /// Waits until both ends are up.
    func waitUntilUp() async throws {
        try await engine.heard.wait("the engine's end comes up") { $0.states.last == .up }
        try await subscriber.heard.wait("the gateway's end comes up") { $0.states.last == .up }
    }

    /// Commits and releases, as the Sequencer does.
    func release(_ messages: [Envelope]) {
        log.commit(messages)
        engineBus.release(messages)
    }

    /// Stops the buses.
    func stopBuses() async {
        await gatewayBus.stop()
        await engineBus.stop()
    }

    /// Stops everything.
    func stop() async {
        await stopBuses()
        for loop in loops {
            loop.stop()
            loop.join()
        }
        server?.stop()
    }
}

/// Runs `body` over a started bus and stops it, also where `body` throws.
func withBus(
    _ kind: BusKind,
    limits: BusLimits = BusLimits(),
    engine: RecordingEngine = RecordingEngine(),
    _ body: (Harness) async throws -> Void
) async throws {
    switch kind {
    case .memory:
        let harness = Harness(limits: limits, engine: engine)
        do {
            try await harness.waitUntilUp()
            try await body(harness)
        } catch {
            await harness.stop()
            throw error
        }
        await harness.stop()
    case .redis:
        try await withRedis(engine: engine, options: { $0.limits = limits }) { harness, _ in
            try await harness.waitUntilUp()
            try await body(harness)
        }
    }
}

/// Runs `body` over buses on a server of their own.
func withRedis(
    _ arguments: [String] = [],
    engine: RecordingEngine = RecordingEngine(),
    options: (inout RedisOptions) throws -> Void = { _ in },
    prepare: (Harness, RedisServer) -> Void = { _, _ in },
    _ body: (Harness, RedisServer) async throws -> Void
) async throws {
    let server = try await RedisServer(arguments)
    let harness: Harness
    do {
        harness = try Harness(server, engine: engine, prepare: { prepare($0, server) }, options: options)
    } catch {
        server.stop()
        throw error
    }
    do {
        try await body(harness, server)
    } catch {
        await harness.stop()
        throw error
    }
    await harness.stop()
}
