internal import MarketData
package import Network
package import Primitives

/// One frame that the simulated provider sends, and when.
package struct SimulatedFrame: Sendable {
    package var time: Instant
    /// `stocks`, `options` or `indices`: the cluster that sends it.
    package var market: String
    package var bytes: [UInt8]

    package init(time: Instant, market: String, bytes: [UInt8]) {
        self.time = time
        self.market = market
        self.bytes = bytes
    }
}

/// Where a simulated provider's frames come from, in order of time.
package protocol FrameSource {
    /// The next frame, nil at the end.
    mutating func next() throws -> SimulatedFrame?
}

/// How a simulated provider behaves.
package struct ProviderOptions: Sendable {
    /// The key it demands; any where nil.
    package var key: String?
    /// Market seconds a second; nil: as fast as the sockets take it.
    package var speed: Double?
    /// Bytes that wait for a slow client at most; above, the connection is cut, as the real one does.
    package var backlogBytesMax = 8 << 20

    package init(key: String? = nil, speed: Double? = 1) {
        self.key = key
        self.speed = speed
    }
}

/// A provider on loopback: its protocol, its pace, its way with slow clients.
///
/// The first subscription starts the market, so that a single client misses nothing; a client that comes later, or comes
/// back, hears what comes from then on. Loop thread only.
package final class SimulatedProvider: WebServerHandler {
    /// What it did so far.
    package struct Counters: Sendable {
        package var frames = 0
        package var bytes = 0
        package var cutClients = 0
    }

    package private(set) var counters = Counters()
    /// Called once, when the source has ended and everything was sent.
    package var finished: (() -> Void)?

    private final class Client {
        var session: ProviderSession
        let market: String
        var backlog: [[UInt8]] = []
        var backlogBytes = 0

        init(session: ProviderSession, market: String) {
            self.session = session
            self.market = market
        }
    }

    private let loop: EventLoop
    private let options: ProviderOptions
    private var source: any FrameSource
    private var pending: SimulatedFrame?
    private var hasEnded = false
    private var connections: [WebSocketConnection] = []
    /// Loop time and market time at which the market began; nil before.
    private var origin: (loop: Int64, market: Instant)?
    private var timer: TimerHandle?

    package init(loop: EventLoop, options: ProviderOptions, source: any FrameSource) {
        self.loop = loop
        self.options = options
        self.source = source
    }

    // MARK: Server

    package func request(_ request: HTTPRequest, _ responder: HTTPResponder) {
        responder.respond(HTTPResponse(status: 404, headers: [], body: Array("a WebSocket at /stocks\n".utf8)))
    }

    package func opened(_ connection: WebSocketConnection) {
        let market = String(connection.request.path.dropFirst())
        guard ProviderSession.channels[market] != nil else {
            connection.close(code: 1008, reason: "no such market")
            return
        }
        connection.owner = Client(session: ProviderSession(market: market, key: options.key), market: market)
        connections.append(connection)
        send(Array(ProviderSession.greeting.utf8), to: connection)
    }

    package func received(_ message: UnsafeRawBufferPointer, isText: Bool, on connection: WebSocketConnection) {
        guard let client = connection.owner as? Client else { return }
        for action in client.session.received(Array(message)) {
            switch action {
            case .send(let text): send(Array(text.utf8), to: connection)
            case .drop: connection.close(code: 1008)
            }
        }
        if origin == nil, client.session.hasSubscriptions { begin() }
    }

    package func writable(_ connection: WebSocketConnection) {
        guard let client = connection.owner as? Client else { return }
        while let frame = client.backlog.first {
            switch write(frame, to: connection) {
            case .sent, .buffered:
                client.backlog.removeFirst()
                client.backlogBytes -= frame.count
            case .pending, .closed: return
            }
        }
        if options.speed == nil { pump() }
    }

    package func closed(_ connection: WebSocketConnection, code: UInt16, reason: String) {
        connections.removeAll { $0 === connection }
        if options.speed == nil, origin != nil { pump() }
    }

    // MARK: Market

    private func begin() {
        do { pending = try source.next() } catch { hasEnded = true }
        guard let first = pending else { return }
        origin = (SystemClock.monotonicNanos(), first.time)
        if options.speed == nil {
            pump()
        } else {
            timer = loop.schedule(after: 2_000_000, repeating: 2_000_000) { [weak self] in self?.pump() }
        }
    }

    /// Sends everything that is due.
    private func pump() {
        guard let origin, !hasEnded else { return }
        var until = Instant.distantFuture
        if let speed = options.speed {
            until = origin.market.advanced(byNanos: Int64(Double(SystemClock.monotonicNanos() - origin.loop) * speed))
        }
        while let frame = pending, frame.time <= until {
            if options.speed == nil, connections.isEmpty || connections.contains(where: { isBehind($0) }) { return }
            deliver(frame)
            do { pending = try source.next() } catch { pending = nil }
        }
        if pending == nil { end() }
    }

    private func end() {
        hasEnded = true
        timer?.cancel()
        finished?()
    }

    private func isBehind(_ connection: WebSocketConnection) -> Bool {
        guard let client = connection.owner as? Client else { return false }
        return !client.backlog.isEmpty
    }

    private func deliver(_ frame: SimulatedFrame) {
        for connection in connections {
            guard let client = connection.owner as? Client, client.market == frame.market else { continue }
            let session = client.session
            guard
                let bytes = FrameFilter.filter(
                    frame.bytes,
                    isWanted: { session.hears(channel: $0.channel, symbol: $0.symbol) }
                )
            else { continue }
            counters.frames += 1
            counters.bytes += bytes.count
            send(bytes, to: connection)
        }
    }

    private func send(_ bytes: [UInt8], to connection: WebSocketConnection) {
        guard let client = connection.owner as? Client else { return }
        if client.backlog.isEmpty {
            switch write(bytes, to: connection) {
            case .sent, .buffered, .closed: return
            case .pending: break
            }
        }
        client.backlog.append(bytes)
        client.backlogBytes += bytes.count
        if client.backlogBytes > options.backlogBytesMax {
            counters.cutClients += 1
            connection.close(code: 1008)
        }
    }

    private func write(_ bytes: [UInt8], to connection: WebSocketConnection) -> WriteResult {
        bytes.withUnsafeBytes { connection.write($0) }
    }
}

/// A walk as a source: one frame each `stepNanos` of market time.
package struct WalkSource: FrameSource {
    private var walk: MarketWalk
    private var time: Instant
    private let stepNanos: Int64

    package init(walk: MarketWalk, start: Instant, stepNanos: Int64 = 20_000_000) {
        self.walk = walk
        self.stepNanos = stepNanos
        time = start
    }

    package mutating func next() throws -> SimulatedFrame? {
        while true {
            time = time.advanced(byNanos: stepNanos)
            guard let frame = walk.frame(at: time) else { continue }
            return SimulatedFrame(time: time, market: "stocks", bytes: Array(frame.utf8))
        }
    }
}
