package import Network
package import Primitives

/// One frame of a recorded market, and when.
package struct SimulatedFrame: Sendable {
    package var time: Instant
    /// The cluster that sends it.
    package var market: PolygonMarket
    package var bytes: [UInt8]

    package init(time: Instant, market: PolygonMarket, bytes: [UInt8]) {
        self.time = time
        self.market = market
        self.bytes = bytes
    }
}

/// Where a recorded market's frames come from, in order of time.
package protocol FrameSource {
    /// The next frame, nil at the end.
    mutating func next() throws -> SimulatedFrame?
}

/// What a simulated market plays.
package enum SimulatedFeed {
    case model(ModelOptions)
    /// Recorded frames of the first vendor; the others, and REST, have nothing to say then.
    case frames(any FrameSource)
}

/// How the simulated market behaves.
package struct SimulationOptions: Sendable {
    /// The key, token or bearer that clients must show; any where nil.
    package var key: String?
    /// Market seconds a second; nil: as fast as the sockets take it, and nothing is lost.
    package var speed: Double?
    package var providers: [SimulatedKind] = SimulatedKind.allCases
    package var scenario = Scenario()
    /// Connections that one key may have in one cluster of the first vendor.
    package var connectionsMax = 1
    /// The market begins when so many connections have subscribed.
    package var startConnections = 1
    /// Bytes that wait for a slow client at most; above, the connection is cut, as the real one does.
    package var backlogBytesMax = 8 << 20
    /// Bytes above which the flow vendor drops messages without a word.
    package var flowBacklogBytesMax = 1 << 20

    package init(key: String? = nil, speed: Double? = 1) {
        self.key = key
        self.speed = speed
    }
}

/// What a simulated market did so far.
package struct SimulationCounters: Equatable, Sendable {
    package var frames = 0
    package var bytes = 0
    package var events = 0
    package var cutClients = 0
    /// Messages of the flow vendor that a slow client never got.
    package var dropped = 0
    package var requests = 0
    package var connections = 0
    package var moods = 0
}

/// A market on loopback that speaks three vendors' protocols on one port: shell of the pure sessions and the model.
///
/// The first subscription starts it; then its time goes on whether or not somebody listens (at `speed` nil it waits for
/// its listeners). Loop thread only.
package final class SimulatedMarket {
    package internal(set) var counters = SimulationCounters()
    /// Sockets at once; what comes beyond is reset.
    private static let socketsMax = 1_000
    /// Called once, when the day or the tape has ended and everything was sent.
    package var finished: (() -> Void)?

    let loop: EventLoop
    let options: SimulationOptions
    /// The model; nil where a tape plays.
    var model: MarketModel?
    var source: (any FrameSource)?
    var encoder: PolygonEncoder?
    var flowFeed = FlowFeed()
    var flowREST = FlowREST()
    var sockets: [ObjectIdentifier: SimulatedSocket] = [:]
    var moods: [SimulatedKind: MoodSet] = [:]
    var refusedChannel = "NOI"
    /// Scenario steps that are still to begin, and ends of those that hold.
    var steps: [ScenarioStep]
    var endings: [(at: Double, step: ScenarioStep)] = []
    /// Bars that a mood holds back: market time of release.
    var heldBars: [(release: Instant, event: ModelEvent)] = []
    /// The bridge isn't there until then, on the monotonic clock.
    var bridgeAwayUntil: Int64 = 0
    var bridgeLife = 0
    var origin: (loop: Int64, market: Instant)?
    var pending: SimulatedFrame?
    var hasEnded = false
    var dropCount = 0
    var oddFrames = 0
    private var listener: SimulatedListener?
    private var timers: [TimerHandle] = []
    private var isPumpPosted = false
    private var arrivals = 0

    /// A market that doesn't listen yet.
    package init(loop: EventLoop, options: SimulationOptions, feed: SimulatedFeed) {
        loop.preconditionCurrent()
        self.loop = loop
        self.options = options
        steps = options.scenario.steps
        switch feed {
        case .model(let modelOptions):
            let model = MarketModel(modelOptions)
            encoder = PolygonEncoder(instruments: model.instruments)
            self.model = model
        case .frames(let source): self.source = source
        }
    }

    /// Listens.
    ///
    /// - Throws: `SimulationError` where the port is taken.
    /// - Returns: the bound port.
    package func listen(host: String, port: Int) throws -> Int {
        let listener = try SimulatedListener(host: host, port: port, on: loop) { [weak self] in self?.accepted($0) }
        self.listener = listener
        timers.append(loop.schedule(after: 50_000_000, repeating: 50_000_000) { [weak self] in self?.sweep() })
        loop.addCloser { [weak self] in self?.stop() }
        return listener.port
    }

    /// Ends every connection and stops listening; idempotent.
    package func stop() {
        listener?.stop()
        listener = nil
        for timer in timers { timer.cancel() }
        timers.removeAll()
        for socket in Array(sockets.values) { socket.end() }
    }

    /// Lets a mood begin now, as a scenario's step would.
    package func begin(_ step: ScenarioStep) { start(step) }

    private func accepted(_ descriptor: Int32) {
        arrivals += 1
        counters.connections += 1
        let socket = SimulatedSocket(descriptor, number: arrivals, on: loop, handler: self)
        sockets[ObjectIdentifier(socket)] = socket
        if sockets.count > Self.socketsMax { socket.reset() }
    }

    /// Connections in the order in which they came, so that a run repeats.
    var ordered: [SimulatedSocket] { sockets.values.sorted { $0.number < $1.number } }

    func moods(of kind: SimulatedKind) -> MoodSet { moods[kind] ?? MoodSet() }

    var marketNow: Instant { model?.now ?? pending?.time ?? .zero }

    // MARK: Pace

    /// Starts the market once enough clients have subscribed.
    func beginIfWanted() {
        guard origin == nil else { return }
        let subscribed = sockets.values.filter { ($0.session as? any SimulatedClient)?.hasSubscriptions ?? false }
        guard subscribed.count >= options.startConnections else { return }
        if source != nil {
            do { pending = try source?.next() } catch { hasEnded = true }
            guard pending != nil else { return }
        }
        origin = (SystemClock.monotonicNanos(), marketNow)
        if options.speed == nil {
            pump()
        } else {
            timers.append(loop.schedule(after: 2_000_000, repeating: 2_000_000) { [weak self] in self?.pump() })
        }
    }

    /// Sends everything that is due.
    func pump() {
        guard let origin, !hasEnded else { return }
        guard let speed = options.speed else {
            pumpUnhurried()
            return
        }
        let elapsed = Double(SystemClock.monotonicNanos() - origin.loop)
        play(until: origin.market.advanced(byNanos: Int64(elapsed * speed)))
    }

    /// As fast as the listeners take it: a step, a look at who is behind, the next step, for some milliseconds.
    private func pumpUnhurried() {
        let until = SystemClock.monotonicNanos() + 20_000_000
        while !hasEnded, SystemClock.monotonicNanos() < until {
            let listeners = sockets.values.filter { $0.isWebSocket && !$0.isFrozen && $0.closingSince == nil }
            if listeners.isEmpty || listeners.contains(where: { $0.pendingBytes > 0 }) { return }
            let next = pending?.time ?? marketNow.advanced(byNanos: 20_000_000)
            play(until: next)
        }
        guard !hasEnded else { return }
        postPump()
    }

    /// Pumps after the loop's other work; at most one waits.
    func postPump() {
        guard !isPumpPosted, listener != nil else { return }
        isPumpPosted = true
        loop.schedule(after: 0) { [weak self] in
            self?.isPumpPosted = false
            self?.pump()
        }
    }

    private func play(until: Instant) {
        advanceScenario(to: until)
        if model != nil { playModel(until: until) } else { playFrames(until: until) }
    }

    private func playModel(until: Instant) {
        var events: [ModelEvent] = []
        // Taken out and put back, so that no copy is made while it changes.
        guard var model else { return }
        self.model = nil
        model.advance(to: until, into: &events)
        self.model = model
        counters.events += events.count
        distribute(events)
        if model.hasEnded { finish() }
    }

    private func playFrames(until: Instant) {
        while let frame = pending, frame.time <= until {
            deliver(frame)
            do { pending = try source?.next() } catch { pending = nil }
            // Unhurried, each frame waits for its listeners.
            if options.speed == nil { break }
        }
        if pending == nil { finish() }
    }

    private func finish() {
        hasEnded = true
        tellEnd()
    }

    /// Tells the end once the sockets' rests have gone.
    private func tellEnd() {
        guard hasEnded, let finished, sockets.values.allSatisfy({ $0.pendingBytes == 0 }) else { return }
        self.finished = nil
        finished()
    }

    /// Twenty times a second: deadlines of sessions, sockets that don't end, heartbeats while nothing plays.
    private func sweep() {
        let now = SystemClock.monotonicNanos()
        for socket in ordered where socket.isOpen {
            if let since = socket.closingSince, now - since > 3_000_000_000 {
                socket.end()
                continue
            }
            guard let client = socket.session as? PolygonClient,
                !moods(of: .polygon).contains(.authTimeout) || !client.session.isAuthenticated
            else { continue }
            act(client.session.waited(nanos: now - client.opened, moods: moods(of: .polygon)), on: socket)
        }
        if origin == nil || hasEnded { distributeBridge([]) }
        tellEnd()
        if origin != nil, options.speed == nil { pump() }
        if origin != nil, !hasEnded { advanceScenario(to: marketNow) }
    }
}
