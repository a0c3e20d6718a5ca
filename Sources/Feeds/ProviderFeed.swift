package import FeedProtocols
package import MarketData
package import Network
package import Primitives

/// What a feed tells the process around it, beside what goes to the engine.
package enum FeedEvent: Sendable {
    /// A pair brings nothing: the provider didn't acknowledge it, or refused it.
    case refused(pair: String, cause: String)
    /// A person should look; said once.
    case alert(String)
    /// Events between these exchange times are missing.
    case gap(after: Instant, before: Instant?)
}

/// How a feed is connected.
package struct ProviderFeedOptions: Sendable {
    package var client: WebSocketClientOptions
    package var key: PolygonKey
    package var subscriptions: Set<PolygonSubscription>
    package var limits: PolygonConnection.Limits
    /// Whether receive times are the wall clock's; a replayed market has no silence worth an alarm.
    package var watchesSilence: Bool

    package init(
        client: WebSocketClientOptions,
        key: PolygonKey,
        subscriptions: Set<PolygonSubscription>,
        limits: PolygonConnection.Limits = .init(),
        watchesSilence: Bool = true
    ) {
        self.client = client
        self.key = key
        self.subscriptions = subscriptions
        self.limits = limits
        self.watchesSilence = watchesSilence
    }
}

/// One connection to one market of the provider: a thin shell around `PolygonConnection`.
///
/// Frames go to the sink as they come; what the provider says about the connection goes to the machine, whose actions are
/// carried out in order. Feed loop thread only.
package final class ProviderFeed: WebSocketClientHandler {
    private let loop: EventLoop
    private let source: FeedSource
    private let sink: any EventSink
    private let clock: () -> Instant
    private let told: (FeedEvent) -> Void
    private let options: ProviderFeedOptions
    private var machine: PolygonConnection
    private var client: WebSocketClient?
    private var attempt = 0
    private var timer: TimerHandle?
    private var random = SystemRandomNumberGenerator()
    private var sessions = SessionClock(SessionCalendar())

    /// - Parameters:
    ///   - loop: the feed thread; everything happens on it.
    ///   - source: what the frames are recorded as.
    ///   - options: host, key, subscriptions, deadlines.
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
        self.loop = loop
        self.source = source
        self.options = options
        self.sink = sink
        self.clock = clock
        self.told = told
        machine = PolygonConnection(key: options.key, limits: options.limits)
    }

    /// Where the connection is.
    package var phase: PolygonConnection.Phase { machine.phase }

    package func start() {
        let now = clock()
        perform(machine.subscriptionsChanged(to: options.subscriptions, now: now))
        perform(machine.started(now: now))
    }

    /// Ends for good, with a close frame so that the provider frees the slot.
    package func stop() {
        perform(machine.stopped(now: clock()))
        timer?.cancel()
    }

    // MARK: Socket

    package func connected(_ client: WebSocketClient) {
        guard client === self.client else { return }
        perform(machine.connected(attempt: attempt, now: clock()))
    }

    package func text(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {
        guard client === self.client else { return }
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

    package func binary(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {
        // The provider documents text frames only; a binary one still shows that it lives.
        guard client === self.client else { return }
        machine.received(attempt: attempt, now: clock())
    }

    package func closed(_ client: WebSocketClient, code: UInt16, reason: String) {
        guard client === self.client else { return }
        gone(reason.isEmpty ? "closed with \(code)" : "closed with \(code): \(reason)")
    }

    package func failed(_ client: WebSocketClient, _ description: String) {
        guard client === self.client else { return }
        gone(description)
    }

    private func gone(_ words: String) {
        client = nil
        perform(machine.closed(attempt: attempt, words: words, now: clock(), random: random.next()))
    }

    // MARK: Actions

    private func perform(_ actions: [PolygonConnection.Action]) {
        for action in actions {
            switch action {
            case .connect(let number): connect(number)
            case .send(let frame):
                if client?.send(frame.text) == .closed { told(.alert("a frame to the provider was not taken")) }
            case .ping:
                // The client pings by itself and cuts a connection that doesn't answer: that it's still there is the pong.
                if client?.isConnected == true { machine.received(attempt: attempt, now: clock()) }
            case .close(let code):
                client?.close(code: code)
                client = nil
            case .report(let state, let cause): sink.feedChanged(source, to: state, cause: cause, at: clock())
            case .refused(let pair, let cause): told(.refused(pair: pair.description, cause: cause))
            case .gapOpened(let after): told(.gap(after: after, before: nil))
            case .gapClosed(let after, let before): told(.gap(after: after, before: before))
            case .alert(let words): told(.alert(words))
            }
        }
        arm()
    }

    private func connect(_ number: Int) {
        attempt = number
        let client = WebSocketClient(loop: loop, options: options.client, handler: self)
        self.client = client
        client.connect()
    }

    /// One timer, for the machine's deadline.
    private func arm() {
        timer?.cancel()
        guard machine.deadline != .distantFuture else { return }
        let delay = max(1_000_000, machine.deadline.nanos(since: clock()))
        timer = loop.schedule(after: delay) { [weak self] in self?.timerFired() }
    }

    private func timerFired() {
        let now = clock()
        let isRegular = options.watchesSilence && sessions.session(at: now) == .rth
        perform(machine.timerFired(now: now, isRegular: isRegular, random: random.next()))
    }
}
