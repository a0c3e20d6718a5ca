package import FeedProtocols
package import MarketData
package import Network
package import Primitives

/// How the flow feed is connected.
package struct FlowFeedOptions: Sendable {
    /// The socket's address with the token in its path: never shown.
    package var client: WebSocketClientOptions
    package var token: UnusualWhalesToken
    /// What is joined; those of a ticker for every underlying selected.
    package var channels: [UnusualWhalesChannelKind]
    package var limits: UnusualWhalesConnection.Limits
    package var watchesSilence: Bool

    package init(
        client: WebSocketClientOptions,
        token: UnusualWhalesToken,
        channels: [UnusualWhalesChannelKind],
        limits: UnusualWhalesConnection.Limits = .init(),
        watchesSilence: Bool = true
    ) {
        self.client = client
        self.token = token
        self.channels = channels
        self.limits = limits
        self.watchesSilence = watchesSilence
    }
}

/// The one connection to the flow provider: a thin shell around `UnusualWhalesConnection`, its filter and its backfill.
///
/// What nobody wants is dropped before the sink sees it, and counted; alerts that a reconnect missed are asked for over
/// REST and given to the sink as the frames they would have been. Feed loop thread only.
package final class FlowFeed: MarketFeed {
    /// Asks for a path; the answer is the body, nil where it couldn't be had.
    package typealias Fetch = (_ path: String, _ done: @escaping ([UInt8]?) -> Void) -> Void

    package let source = FeedSource.flow
    private let socket: FeedSocket
    private let sink: any EventSink
    private let clock: () -> Instant
    private let told: (FeedEvent) -> Void
    private let fetch: Fetch?
    private let options: FlowFeedOptions
    private var machine: UnusualWhalesConnection
    private var filter = UnusualWhalesFilter(channels: [])
    private var backfill = UnusualWhalesBackfill()
    private var random = SystemRandomNumberGenerator()
    private var sessions = SessionClock(SessionCalendar())

    /// A feed that stands still; `fetch` asks the provider's REST interface, nil where it mustn't be asked.
    package init(
        loop: EventLoop,
        options: FlowFeedOptions,
        sink: any EventSink,
        fetch: Fetch?,
        clock: @escaping () -> Instant,
        told: @escaping (FeedEvent) -> Void
    ) {
        socket = FeedSocket(loop: loop, clock: clock)
        self.options = options
        self.sink = sink
        self.fetch = fetch
        self.clock = clock
        self.told = told
        machine = UnusualWhalesConnection(token: options.token, limits: options.limits)
        socket.listen(
            FeedSocket.Events(
                connected: { [unowned self] in perform(machine.connected(attempt: $0, now: self.clock())) },
                text: { [unowned self] in received($0, attempt: $1) },
                gone: { [unowned self] in gone($0, status: $2, words: $3) },
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
        // Index options trade under two roots, and the provider's channels go by root (feeds.md 3.3, trap 8).
        var tickers = selection.underlyings
        for (root, underlying) in Instrument.underlyingOfRoot where tickers.contains(underlying) {
            tickers.insert(root)
        }
        var channels: Set<UnusualWhalesChannel> = []
        for kind in options.channels {
            if let whole = UnusualWhalesChannel(kind), kind != .optionTrades {
                channels.insert(whole)
            } else {
                for ticker in tickers {
                    if let channel = UnusualWhalesChannel(kind, ticker) { channels.insert(channel) }
                }
            }
        }
        filter.want(channels, tickers: tickers)
        perform(machine.channelsChanged(to: channels, now: clock()))
    }

    // MARK: Socket

    private func received(_ message: UnsafeRawBufferPointer, attempt: Int) {
        let now = clock()
        perform(machine.frameReceived(message, attempt: attempt, now: now))
        guard filter.passes(message), backfill.admit(frame: message) else {
            socket.filtered()
            return
        }
        _ = sink.receive(frame: message, from: source, at: now)
    }

    private func gone(_ attempt: Int, status: Int?, words: String) {
        let cause = options.token.redacted(words)
        if let status {
            perform(machine.upgradeRefused(attempt: attempt, status: status, now: clock(), random: random.next()))
        } else {
            perform(machine.closed(attempt: attempt, words: cause, now: clock(), random: random.next()))
        }
    }

    private func timerFired() {
        let now = clock()
        let isRegular = options.watchesSilence && sessions.session(at: now) == .rth
        perform(machine.timerFired(now: now, isRegular: isRegular, random: random.next()))
    }

    // MARK: Actions

    private func perform(_ actions: [UnusualWhalesConnection.Action]) {
        for action in actions {
            switch action {
            case .connect(let number): socket.connect(number, options.client)
            case .send(let text):
                if !socket.send(text) { tell(.alert("a frame to the provider was not taken")) }
            case .ping:
                // The client pings by itself and cuts a connection that doesn't answer: that it's still there is the pong.
                if socket.isConnected { machine.received(attempt: machine.attempt, now: clock()) }
            case .close(let code): socket.close(code)
            case .report(let state, let cause): sink.feedChanged(source, to: state, cause: cause, at: clock())
            case .refused(let channel, let cause):
                socket.refused()
                told(.refused(pair: channel.description, cause: cause))
            case .gapOpened(let after): told(.gap(after: after, before: nil))
            case .gapClosed(let after, let before):
                told(.gap(after: after, before: before))
                if options.channels.contains(.flowAlerts) { fill(backfill.begin(after: after)) }
            case .alert(let words): tell(.alert(words))
            }
        }
        socket.arm(machine.deadline)
    }

    private func tell(_ event: FeedEvent) {
        socket.alerted()
        told(event)
    }

    // MARK: Backfill

    /// Fetches a page of missed alerts and gives them on.
    private func fill(_ request: UnusualWhalesBackfill.Request) {
        guard let fetch else { return backfill.abandon() }
        fetch(request.path) { [weak self] body in self?.filled(body) }
    }

    private func filled(_ body: [UInt8]?) {
        guard let body, let page = body.withUnsafeBytes({ backfill.answered($0) }) else {
            backfill.abandon()
            return tell(.alert("alerts that a reconnect missed could not be fetched"))
        }
        for frame in page.frames where frame.withUnsafeBytes({ filter.passes($0) }) {
            _ = frame.withUnsafeBytes { sink.receive(frame: $0, from: source, at: clock()) }
        }
        if page.isCut { tell(.alert("more alerts were missed than are fetched after a reconnect")) }
        if let next = page.next { fill(next) }
    }
}
