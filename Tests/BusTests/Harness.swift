import Bus
import MarketData
import Testing
import Wire

/// The implementations that the suite runs over.
enum BusKind: String, CaseIterable, Sendable {
    case memory
}

/// An engine's end and a gateway's end of one bus, running.
struct Harness {
    let engine: RecordingEngine
    let subscriber = RecordingSubscriber()
    let log = FakeLog()
    let engineBus: any MessageBus & BusLogReader
    let gatewayBus: any MessageBus & BusLogReader

    /// Starts a bus and waits until both ends are up.
    init(_ kind: BusKind, limits: BusLimits = BusLimits(), engine: RecordingEngine = RecordingEngine()) async throws {
        self.engine = engine
        switch kind {
        case .memory:
            let bus = MemoryBus(limits: limits, log: log)
            engineBus = bus
            gatewayBus = bus
            bus.start(engine: engine, subscriber: subscriber)
        }
        try await engine.heard.wait("the engine's end comes up") { $0.states.last == .up }
        try await subscriber.heard.wait("the gateway's end comes up") { $0.states.last == .up }
    }

    /// Commits and releases, as the Sequencer does.
    func release(_ messages: [Envelope]) {
        log.commit(messages)
        engineBus.release(messages)
    }

    func stop() async {
        await gatewayBus.stop()
        await engineBus.stop()
    }
}

/// Runs `body` over a started bus and stops it, also where `body` throws.
func withBus(
    _ kind: BusKind,
    limits: BusLimits = BusLimits(),
    engine: RecordingEngine = RecordingEngine(),
    _ body: (Harness) async throws -> Void
) async throws {
    let harness = try await Harness(kind, limits: limits, engine: engine)
    do {
        try await body(harness)
    } catch {
        await harness.stop()
        throw error
    }
    await harness.stop()
}
