package import FeedProtocols
package import MarketData
package import Network
package import Primitives

/// How a market's feed is connected.
package struct ProviderFeedOptions: Sendable {
    package var client: WebSocketClientOptions
    package var key: PolygonKey
    package var limits: PolygonConnection.Limits
    /// Whether receive times are the wall clock's; a replayed market has no silence worth an alarm.
    package var watchesSilence: Bool

    package init(
        client: WebSocketClientOptions,
        key: PolygonKey,
        limits: PolygonConnection.Limits = .init(),
        watchesSilence: Bool = true
    ) {
        self.client = client
        self.key = key
        self.limits = limits
        self.watchesSilence = watchesSilence
    }
}

/// One connection to one market of the provider: a thin shell around `PolygonConnection`.
///
/// Frames go to the sink as they come; what the provider says about the connection goes to the machine, whose actions are
/// carried out in order. Feed loop thread only.
package final class ProviderFeed: MarketFeed {
    package let source: FeedSource
    private let socket: FeedSocket
    private let sink: any EventSink
    private let clock: () -> Instant
    private let told: (FeedEvent) -> Void
    private let options: ProviderFeedOptions
    private var machine: PolygonConnection
    private var random = SystemRandomNumberGenerator()
    private var sessions = SessionClock(SessionCalendar())

    /// - Parameters:
    ///   - loop: the feed thread; everything happens on it.
    ///   - source: the market, which the frames are recorded as.
    ///   - options: host, key, deadlines.
    ///   - sink: takes the frames.
    ///   - clock: the wall clock, for receive times and deadlines.
    ///   - told: hears what isn't the engine's.
    package init(
        loop: EventLoop,
        source: FeedSource,
        options: ProviderFeedOptions,
        sink: any EventSink,
        clock: @escaping () -> Instant,
        told: @escaping (FeedEvent) -> Void
    ) {
        socket = FeedSocket(loop: loop, clock: clock)
        self.source = source
        self.options = options
        self.sink = sink
        self.clock = clock
        self.told = told
        machine = PolygonConnection(key: options.key, limits: options.limits)
        socket.listen(
            FeedSocket.Events(
                connected: { [unowned self] in perform(machine.connected(attempt: $0, now: self.clock())) },
                text: { [unowned self] in received($0, attempt: $1) },
                gone: { [unowned self] attempt, _, _, words in
                    perform(machine.closed(attempt: attempt, words: words, now: self.clock(), random: random.next()))
                },
                timer: { [unowned self] in timerFired() }
            )
        )
    }

    package var phaseName: String { machine.phase.rawValue }
    package var isLive: Bool { machine.phase == .live }
    package var counters: FeedCounters { socket.counters }

    package func start() { perform(machine.started(now: clock())) }

    package func stop() {
        perform(machine.stopped(now: clock()))
        socket.end()
    }

    package func want(_ selection: UniverseSelection) {
        let pairs = MarketSubscriptions.of(source, selection)
        perform(machine.subscriptionsChanged(to: pairs, now: clock()))
    }

    // MARK: Socket

    private func received(_ message: UnsafeRawBufferPointer, attempt: Int) {
        let now = clock()
        let outcome = sink.receive(frame: message, from: source, at: now)
        if let first = outcome.firstTime, let last = outcome.lastTime {
            let actions = machine.dataReceived(attempt: attempt, first: first, last: last, now: now)
            if !actions.isEmpty { perform(actions) }
        } else {
            machine.received(attempt: attempt, now: now)
        }
        for notice in outcome.notices {
            let status = ProviderStatus(status: notice.status, message: notice.message)
            perform(machine.statusReceived(status, attempt: attempt, now: now, random: random.next()))
        }
    }

    private func timerFired() {
        let now = clock()
        let isRegular = options.watchesSilence && sessions.session(at: now) == .rth
        perform(machine.timerFired(now: now, isRegular: isRegular, random: random.next()))
    }

    // MARK: Actions

    private func perform(_ actions: [PolygonConnection.Action]) {
        for action in actions {
            switch action {
            case .connect(let number): socket.connect(number, options.client)
            case .send(let frame):
                if !socket.send(frame.text) { tell(.alert("a frame to the provider was not taken")) }
            case .ping:
                // The client pings by itself and cuts a connection that doesn't answer: that it's still there is the pong.
                if socket.isConnected { machine.received(attempt: machine.attempt, now: clock()) }
            case .close(let code): socket.close(code)
            case .report(let state, let cause): sink.feedChanged(source, to: state, cause: cause, at: clock())
            case .refused(let pair, let cause): tell(.refused(pair: pair.description, cause: cause))
            case .gapOpened(let after): tell(.gap(after: after, before: nil))
            case .gapClosed(let after, let before): tell(.gap(after: after, before: before))
            case .alert(let words): tell(.alert(words))
            }
        }
        socket.arm(machine.deadline)
    }

    private func tell(_ event: FeedEvent) {
        switch event {
        case .alert: socket.alerted()
        case .refused: socket.refused()
        case .gap, .unserved: break
        }
        told(event)
    }
}

/// What to subscribe to on a market for what was selected.
package enum MarketSubscriptions {
    package static func of(_ market: FeedSource, _ selection: UniverseSelection) -> Set<PolygonSubscription> {
        var found: Set<PolygonSubscription> = []
        func add(_ symbols: Set<String>, _ channels: [PolygonChannel]) {
            for symbol in symbols {
                for channel in channels {
                    if let subscription = PolygonSubscription(channel, symbol) { found.insert(subscription) }
                }
            }
        }
        switch market {
        case .stocks: add(selection.equities, [.minuteBar, .trade, .quote, .priceBands])
        case .options:
            add(selection.contracts, [.minuteBar, .trade])
            add(selection.quotedContracts, [.quote])
        case .indices: add(selection.indices, [.indexValue, .minuteBar])
        case .flow, .bridge: break
        }
        return found
    }
}
