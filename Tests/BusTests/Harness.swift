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

    /// Starts a bus; over Redis with a server of its own, two buses, and a loop for each.
    ///
    /// - Parameter prepare: sees the harness before the bus is started.
    init(_ kind: BusKind, limits: BusLimits, engine: RecordingEngine, prepare: (Harness) -> Void) async throws {
        self.engine = engine
        switch kind {
        case .memory:
            let bus = MemoryBus(limits: limits, log: log)
            engineBus = bus
            gatewayBus = bus
            loops = []
            server = nil
            prepare(self)
            bus.start(engine: engine, subscriber: subscriber)
        case .redis:
            let server = try await RedisServer()
            var options = RedisOptions(url: try RedisURL(server.url))
            options.limits = limits
            options.demandPollMillis = 50
            loops = [EventLoop(name: "engine-bus"), EventLoop(name: "gateway-bus")]
            for loop in loops { loop.start() }
            engineBus = RedisBus(options: options, loop: loops[0], log: log)
            gatewayBus = RedisBus(options: options, loop: loops[1])
            self.server = server
            prepare(self)
            engineBus.start(engine: engine, subscriber: nil)
            gatewayBus.start(engine: nil, subscriber: subscriber)
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
    prepare: (Harness) -> Void = { _ in },
    _ body: (Harness) async throws -> Void
) async throws {
    let harness = try await Harness(kind, limits: limits, engine: engine, prepare: prepare)
    do {
        try await harness.waitUntilUp()
        try await body(harness)
    } catch {
        await harness.stop()
        throw error
    }
    await harness.stop()
}
