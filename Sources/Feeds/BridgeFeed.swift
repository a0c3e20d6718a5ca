package import FeedProtocols
package import MarketData
package import Network
package import Primitives

/// The connection to the broker's bridge: a thin shell around `BridgeConnection`; feed loop thread only.
package final class BridgeFeed: MarketFeed {
    package let source = FeedSource.bridge
    private let socket: FeedSocket
    private let sink: any EventSink
    private let clock: () -> Instant
    private let told: (FeedEvent) -> Void
    private let client: WebSocketClientOptions
    private var machine: BridgeConnection
    private var random = SystemRandomNumberGenerator()

    /// A feed that stands still; a token is in the client's headers.
    package init(
        loop: EventLoop,
        client: WebSocketClientOptions,
        limits: BridgeConnection.Limits = .init(),
        sink: any EventSink,
        clock: @escaping () -> Instant,
        told: @escaping (FeedEvent) -> Void
    ) {
        socket = FeedSocket(loop: loop, clock: clock)
        self.client = client
        self.sink = sink
        self.clock = clock
        self.told = told
        machine = BridgeConnection(limits: limits)
        socket.listen(
            FeedSocket.Events(
                connected: { [unowned self] in perform(machine.connected(attempt: $0, now: self.clock())) },
                text: { [unowned self] in received($0, attempt: $1) },
                gone: { [unowned self] in gone($0, code: $1, status: $2, words: $3) },
                timer: { [unowned self] in perform(machine.timerFired(now: self.clock(), random: random.next())) }
            )
        )
    }

    package var phaseName: String {
        machine.phase == .live && !machine.hasBroker ? "without the broker" : machine.phase.rawValue
    }
    package var isLive: Bool { machine.hasBroker }
    package var counters: FeedCounters { socket.counters }

    package func start() { perform(machine.started(now: clock())) }

    package func stop() {
        perform(machine.stopped(now: clock()))
        socket.end()
    }

    package func want(_ selection: UniverseSelection) {
        // The dearest first, ten steps: what the protocol has.
        let steps = max(1, (selection.bridgeLines.count + 9) / 10)
        let wanted = selection.bridgeLines.enumerated().compactMap { place, symbol in
            BridgeKey(symbol: symbol).map { key in
                BridgeSubscription(
                    key,
                    depth: selection.bridgeBooks.contains(symbol) ? 5 : 0,
                    priority: 9 - place / steps
                )
            }
        }
        perform(machine.subscriptionsChanged(to: wanted, now: clock()))
    }

    private func received(_ message: UnsafeRawBufferPointer, attempt: Int) {
        let now = clock()
        perform(machine.frameReceived(message, attempt: attempt, now: now, random: random.next()))
        _ = sink.receive(frame: message, from: source, at: now)
    }

    private func gone(_ attempt: Int, code: UInt16?, status: Int?, words: String) {
        let (now, random) = (clock(), random.next())
        if let status {
            perform(machine.upgradeRefused(attempt: attempt, status: status, now: now, random: random))
        } else {
            perform(machine.closed(attempt: attempt, code: code, words: words, now: now, random: random))
        }
    }

    private func perform(_ actions: [BridgeConnection.Action]) {
        for action in actions {
            switch action {
            case .connect(let number): socket.connect(number, client)
            case .send(let text):
                if !socket.send(text) { alert("a frame to the bridge was not taken") }
            case .close(let code): socket.close(code)
            case .report(let state, let cause): sink.feedChanged(source, to: state, cause: cause, at: clock())
            case .refused(let key, let cause):
                socket.refused()
                told(.refused(pair: "\(key)", cause: cause))
            case .unserved(let shortfalls): told(.unserved(shortfalls.map { "\($0.key) \($0.part.rawValue)" }))
            case .stale, .fresh: break
            case .gapOpened(let after): told(.gap(after: after, before: nil))
            case .gapClosed(let after, let before): told(.gap(after: after, before: before))
            case .alert(let words): alert(words)
            }
        }
        socket.arm(machine.deadline)
    }

    private func alert(_ words: String) {
        socket.alerted()
        told(.alert(words))
    }
}
