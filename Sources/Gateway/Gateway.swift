package import Bus
package import MarketData
package import Network
internal import Primitives
package import Wire

/// How something that the process depends on is doing, for `/readyz`.
package struct Dependency: Sendable, Equatable {
    package var name: String
    package var isReady: Bool
    package var detail: String

    package init(name: String, isReady: Bool, detail: String) {
        self.name = name
        self.isReady = isReady
        self.detail = detail
    }
}

/// What the gateway asks of and tells to the rest of the process; each may be called on the gateway loop.
package struct GatewaySeams: Sendable {
    /// The process's metrics in Prometheus's text form; the gateway's own are added.
    package var metrics: @Sendable () -> [UInt8] = { [] }
    /// What else `/readyz` depends on; the bus and the listener are added.
    package var dependencies: @Sendable () -> [Dependency] = { [] }
    /// Takes a line for the log: an event's name and its fields, which hold no secret.
    package var log: @Sendable (_ event: String, _ fields: [(String, String)]) -> Void = { _, _ in }

    package init() {}
}

/// The gateway: HTTP and WebSocket for people and programs, in front of a bus.
///
/// Everything runs on one loop, which may be shared with nothing that blocks. Life: `init` → `start` → the bus is
/// started with it as its subscriber → `drain` → `stop`. Any thread, but not the loop's own for `start` and `stop`.
package final class Gateway: BusSubscriber, Sendable {
    private let loop: EventLoop
    private let core: GatewayCore
    private let inbox = Lock(Inbox())

    /// What came from the bus and isn't taken yet.
    private struct Inbox {
        var events: [BusEvent] = []
        var isWoken = false
        var dropped: UInt64 = 0
    }

    enum BusEvent: Sendable {
        case received(ReceivedMessage)
        case interrupted([Channel])
        case changed(FeedState, String)
    }

    /// Messages from the bus that wait for the loop; what comes above it is dropped, which the hub sees as a hole.
    private static let inboxMax = 65_536

    package init(
        configuration: GatewayConfiguration,
        bus: any MessageBus,
        loop: EventLoop,
        seams: GatewaySeams = GatewaySeams()
    ) {
        self.loop = loop
        core = GatewayCore(configuration: configuration, bus: bus, loop: loop, seams: seams)
    }

    /// Checks the configuration and listens.
    ///
    /// - Throws: `GatewayError` that names every wrong setting, or the address that can't be had.
    package func start() throws {
        let problems = core.configuration.problems
        guard problems.isEmpty else {
            throw GatewayError(.configuration, problems.joined(separator: "; "))
        }
        do {
            try loop.sync { [core] in try core.start() }
        } catch let error as NetworkError {
            throw GatewayError(.listen, "\(error)")
        }
    }

    /// The bound ports; 0 where it doesn't listen.
    package func ports() throws -> (public: Int, admin: Int) {
        let ports = try loop.sync { [core] in [core.publicPort, core.adminPort] }
        return (ports[0], ports[1])
    }

    package func counters() throws -> HubCounters { try loop.sync { [core] in core.counters } }

    /// Says not ready, accepts nobody, closes every subscriber with 1012; returns when they are gone or time is up.
    package func drain() async {
        await withCheckedContinuation { continuation in
            let posted = loop.execute { [core] in core.drain { continuation.resume() } }
            if !posted { continuation.resume() }
        }
    }

    /// Ends everything at once; idempotent.
    package func stop() {
        // A loop that has ended has closed its sockets itself.
        try? loop.sync { [core] in core.stop() }
    }

    // MARK: From the bus, on its thread

    package func received(_ message: ReceivedMessage) { post(.received(message)) }

    package func interrupted(_ channels: [Channel]) { post(.interrupted(channels)) }

    package func busChanged(to state: FeedState, cause: String) { post(.changed(state, cause)) }

    private func post(_ event: BusEvent) {
        let mustWake = inbox.withLock { inbox in
            if case .received = event, inbox.events.count >= Self.inboxMax {
                inbox.dropped += 1
                return false
            }
            inbox.events.append(event)
            defer { inbox.isWoken = true }
            return !inbox.isWoken
        }
        guard mustWake else { return }
        let posted = loop.execute { [self] in takeInbox() }
        // The loop's queue is full: the next event tries again.
        if !posted { inbox.withLock { $0.isWoken = false } }
    }

    private func takeInbox() {
        let (events, dropped) = inbox.withLock { inbox in
            defer {
                inbox.events = []
                inbox.isWoken = false
                inbox.dropped = 0
            }
            return (inbox.events, inbox.dropped)
        }
        core.take(events, dropped: dropped)
    }
}
