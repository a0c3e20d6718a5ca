internal import Bus
internal import MarketData
internal import Network
internal import Primitives
internal import Wire

/// The gateway's state and shell on its loop: hands events to the hub and does what the hub says.
///
/// Loop thread only, but for `configuration`.
final class GatewayCore: @unchecked Sendable {
    // Unchecked: everything but the constants is touched by the loop thread only.
    let configuration: GatewayConfiguration
    let bus: any MessageBus
    let loop: EventLoop
    let seams: GatewaySeams
    let plans: PlanAPI
    let states: StateReader
    let calendar = SessionCalendar()
    var hub: Hub
    var access: AccessPolicy
    var sessions: [ConnectionID: Session] = [:]
    var messageRates: SlidingWindow
    var connectionRates: SlidingWindow
    private(set) var isDraining = false
    private(set) var busState = FeedState.down
    private(set) var busCause = "not connected yet"
    private(set) var inboxDropped: UInt64 = 0
    var requestCounts: [Int: UInt64] = [:]
    /// WebSocket messages of subscribers, and turns that wrote to some.
    var messagesReceived: UInt64 = 0
    private(set) var flushes: UInt64 = 0
    private var server: WebServer?
    private var adminServer: WebServer?
    private var adminHandler: AdminHandler?
    private var publicHandler: PublicHandler?
    private var turnHook: Int?
    private var timers: [TimerHandle] = []
    private var nextFlush: Int64 = 0
    private var buffer: [UInt8] = []
    private static let channelsPerCall = 256

    /// One WebSocket.
    final class Session {
        let connection: WebSocketConnection
        /// Nil until it is admitted: without a key at once, with one by its first `auth`.
        var id: ConnectionID?
        /// Channels that its path asks for.
        let implied: [String]
        /// A frame that the library didn't take.
        var leftover: [UInt8]?
        var authTimer: TimerHandle?

        init(_ connection: WebSocketConnection, implied: [String]) {
            self.connection = connection
            self.implied = implied
        }
    }

    init(configuration: GatewayConfiguration, bus: any MessageBus, loop: EventLoop, seams: GatewaySeams) {
        self.configuration = configuration
        self.bus = bus
        self.loop = loop
        self.seams = seams
        let symbols = configuration.symbols.isEmpty ? nil : Set(configuration.symbols)
        plans = PlanAPI(bus: bus)
        states = StateReader(bus: bus, symbols: symbols)
        hub = Hub(limits: configuration.limits, run: "g" + Base62.random(8), symbols: symbols)
        access = AccessPolicy(configuration, port: configuration.port)
        messageRates = SlidingWindow(limit: configuration.messagesPerSecond, nanos: 1_000_000_000)
        connectionRates = SlidingWindow(limit: configuration.connectionsPerMinute, nanos: 60_000_000_000)
    }

    var publicPort: Int { server?.port ?? 0 }
    var adminPort: Int { adminServer?.port ?? 0 }
    var counters: HubCounters { hub.counters }

    // MARK: Life

    func start() throws {
        precondition(server == nil, "gateway started twice")
        let handler = PublicHandler(self)
        var options = WebServerOptions()
        options.host = configuration.host
        options.port = configuration.port
        // One above the hub's limit: the hub refuses, in words.
        options.connectionsMax = configuration.limits.connections + 1
        let server = WebServer(loop: loop, options: options, handler: handler)
        try server.listen()
        publicHandler = handler
        self.server = server
        access = AccessPolicy(configuration, port: server.port)
        do {
            try startAdmin()
        } catch {
            server.stop()
            self.server = nil
            throw error
        }
        turnHook = loop.addTurnHook { [weak self] in self?.turnEnded() }
        let tick = max(1, configuration.flushMillis == 0 ? 25 : min(25, configuration.flushMillis)) * 1_000_000
        timers = [
            loop.schedule(after: tick, repeating: tick) { [weak self] in self?.tick() },
            loop.schedule(after: 0, repeating: 20_000_000_000) { [weak self] in self?.sayWanted() },
        ]
    }

    private func startAdmin() throws {
        guard let port = configuration.adminPort else { return }
        let handler = AdminHandler(
            metrics: { [unowned self] in seams.metrics() + GatewayMetrics.text(of: self) },
            dependencies: { [unowned self] in dependencies }
        )
        var options = WebServerOptions()
        options.host = configuration.adminHost
        options.port = port
        let server = WebServer(loop: loop, options: options, handler: handler)
        try server.listen()
        adminHandler = handler
        adminServer = server
    }

    private var dependencies: [Dependency] {
        let detail = isDraining ? "draining" : "port \(publicPort)"
        let listener = Dependency(name: "listener", isReady: !isDraining, detail: detail)
        return [listener, Dependency(name: "bus", isReady: busState == .up, detail: busCause)] + seams.dependencies()
    }

    /// What the listeners counted.
    var serverCounters: [(name: String, counters: WebServerCounters)] {
        [("public", server), ("admin", adminServer)].compactMap { name, server in
            server.map { (name, $0.counters) }
        }
    }

    func drain(_ done: @escaping () -> Void) {
        isDraining = true
        seams.log("gateway_draining", [("connections", String(sessions.count))])
        guard let server else { return done() }
        server.drain(
            code: CloseCode.restart.rawValue,
            reason: CloseCode.restart.reason,
            nanosMax: configuration.drainNanos,
            done: done
        )
    }

    func stop() {
        isDraining = true
        for timer in timers { timer.cancel() }
        timers = []
        if let turnHook { loop.removeTurnHook(turnHook) }
        turnHook = nil
        server?.stop()
        adminServer?.stop()
        server = nil
        adminServer = nil
    }

    // MARK: From the bus

    func take(_ events: [Gateway.BusEvent], dropped: UInt64) {
        let now = SystemClock.monotonicNanos()
        inboxDropped += dropped
        for event in events {
            switch event {
            case .received(let message): hub.received(message, now: now)
            case .interrupted(let channels): hub.interrupted(channels, now: now)
            case .changed(let state, let cause):
                busState = state
                busCause = cause
                seams.log("bus_changed", [("state", state.rawValue), ("cause", cause)])
                hub.busChanged(to: state, cause: cause, since: SystemClock.wall(), now: now)
            }
        }
    }

    /// Asks the bus for what the hub wants; answers come back as jobs of the loop.
    private func askBus() {
        let requests = hub.takeBusRequests()
        guard !requests.isEmpty else { return }
        if !requests.leave.isEmpty { bus.unsubscribe(requests.leave) }
        if !requests.join.isEmpty { bus.want(requests.join) }
        for part in Self.parts(requests.join) { read(part, subscribing: true) }
        for part in Self.parts(requests.read) { read(part, subscribing: false) }
    }

    private static func parts(_ channels: [Channel]) -> [[Channel]] {
        stride(from: 0, to: channels.count, by: channelsPerCall).map {
            Array(channels[$0..<min($0 + channelsPerCall, channels.count)])
        }
    }

    private func read(_ channels: [Channel], subscribing: Bool) {
        Task { [bus, loop] in
            do throws(BusError) {
                if subscribing { try await bus.subscribe(channels) }
                let states = try await bus.hotState(of: channels)
                loop.execute { [self] in
                    let now = SystemClock.monotonicNanos()
                    for (channel, state) in zip(channels, states) { hub.joined(channel, state, now: now) }
                }
            } catch {
                loop.execute { [self] in
                    let now = SystemClock.monotonicNanos()
                    for channel in channels { hub.joinFailed(channel, error.message, now: now) }
                }
            }
        }
    }

    private func sayWanted() {
        let channels = hub.watchedChannels
        if !channels.isEmpty { bus.want(channels) }
        let now = SystemClock.monotonicNanos()
        messageRates.sweep(now: now)
        connectionRates.sweep(now: now)
    }

    // MARK: Turns

    private func tick() {
        hub.tick(now: SystemClock.monotonicNanos())
    }

    /// The turn brought what it brought: one frame to everyone it concerns.
    private func turnEnded() {
        askBus()
        closeTooSlow()
        let now = SystemClock.monotonicNanos()
        guard now >= nextFlush else { return }
        nextFlush = now + configuration.flushMillis * 1_000_000
        hub.settle(now: now)
        let ready = hub.takeReady()
        if !ready.isEmpty { flushes += 1 }
        for id in ready {
            if let session = sessions[id] { flush(session, now: now) }
        }
        closeTooSlow()
        askBus()
    }

    private func closeTooSlow() {
        for (id, code) in hub.takeClosing() {
            guard let session = sessions[id] else { continue }
            seams.log(
                "subscriber_closed",
                [("code", String(code.rawValue)), ("peer", session.connection.request.peer)]
            )
            close(session, code)
        }
    }

    /// Writes what waits, while the pipe takes it.
    func flush(_ session: Session, now: Int64) {
        guard let id = session.id else { return }
        let connection = session.connection
        while connection.isWritable {
            if let leftover = session.leftover {
                session.leftover = nil
                guard write(leftover, session) else { return }
                continue
            }
            buffer.removeAll(keepingCapacity: true)
            let result = hub.flush(id, now: now, wall: SystemClock.wall(), into: &buffer)
            if case .nothing = result { return }
            guard write(buffer, session), case .more = result else { return }
        }
        connection.requestWritable()
    }

    private func write(_ bytes: [UInt8], _ session: Session) -> Bool {
        switch bytes.withUnsafeBytes({ session.connection.write($0) }) {
        case .sent, .buffered: return true
        case .pending:
            session.leftover = bytes
            return false
        case .closed: return false
        }
    }

    func close(_ session: Session, _ code: CloseCode, reason: String? = nil) {
        if let id = session.id {
            hub.closed(id, now: SystemClock.monotonicNanos())
            sessions[id] = nil
            session.id = nil
        }
        session.authTimer?.cancel()
        session.connection.close(code: code.rawValue, reason: reason ?? code.reason)
    }
}
