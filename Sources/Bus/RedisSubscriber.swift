internal import MarketData
internal import Network
internal import Wire

/// The gateway's end that listens: one connection with all subscriptions; loop thread only.
final class RedisSubscriber {
    private struct Waiter {
        let id: Int
        var names: Set<String>
        let timer: TimerHandle
        let done: (Result<Void, BusError>) -> Void
    }

    /// Names a request: Redis reads each request whole.
    private static let requestNames = 500
    /// Channels of one process.
    private static let channelsMax = 1 << 20

    private let loop: EventLoop
    private let options: RedisOptions
    private let counters: CounterBox
    private var subscriber: (any BusSubscriber)?
    private var connection: RedisConnection<Never>?
    private var set = SubscriptionSet(limit: RedisSubscriber.channelsMax)
    private var waiters: [Waiter] = []
    private var nextWaiter = 0
    /// Set after a loss, until every channel is confirmed again.
    private var isInterrupted = false
    /// The answers to commands.
    var onReply: (_ command: String, _ payload: [UInt8]) -> Void = { _, _ in }
    /// Called when the connection comes, goes, or is whole again.
    var onChange: (_ cause: String) -> Void = { _ in }
    /// Called before `onChange` with the channels that were cut and are delivered again.
    var onInterrupted: ([Channel]) -> Void = { _ in }

    init(loop: EventLoop, options: RedisOptions, subscriber: any BusSubscriber, counters: CounterBox) {
        self.loop = loop
        self.options = options
        self.subscriber = subscriber
        self.counters = counters
    }

    /// Connected, and every channel that was cut is delivered again.
    var isWhole: Bool { connection?.isReady == true && !isInterrupted }

    func start(seed: UInt64) {
        connection = RedisConnection(
            name: "subscriber",
            loop: loop,
            options: options,
            isSubscriber: true,
            seed: seed,
            introduction: { [["CLIENT", "SETNAME", "striketape-gateway"]] },
            events: RedisConnection.Events(
                ready: { [self] in ready() },
                reply: { [self] _, reply in received(reply) },
                lost: { [self] cause, wasReady, _ in lost(cause, wasReady) },
                heartbeat: { [self] in connection?.send(nil) { $0.append(contentsOf: RedisCommand.text(["PING"])) } }
            )
        )
        connection?.start()
    }

    func stop() {
        connection?.stop()
        subscriber = nil
        let open = waiters
        waiters = []
        for waiter in open {
            waiter.timer.cancel()
            waiter.done(.failure(BusError(.unavailable, "the bus is stopped")))
        }
    }

    // MARK: Requests

    /// Subscribes to names of Redis and calls `done` once the server has confirmed all of them.
    func subscribe(_ names: [String], _ done: @escaping (Result<Void, BusError>) -> Void) {
        guard subscriber != nil else { return done(.failure(BusError(.unavailable, "the bus isn't running"))) }
        guard connection?.outputBytes ?? 0 < options.outputBytesMax else {
            counters.add(\.outputFull)
            return done(.failure(BusError(.unavailable, "the subscriber's output is full")))
        }
        guard let requests = set.add(names) else {
            counters.add(\.overLimit)
            return done(.failure(BusError(.tooMany, "more than \(Self.channelsMax) channels")))
        }
        request(requests)
        let open = Set(names.filter { !set.isConfirmed($0) })
        guard !open.isEmpty else { return done(.success(())) }
        nextWaiter += 1
        let id = nextWaiter
        let timer = loop.schedule(after: options.limits.replyMillis * 1_000_000) { [weak self] in self?.timeOut(id) }
        waiters.append(Waiter(id: id, names: open, timer: timer, done: done))
    }

    func unsubscribe(_ names: [String]) {
        let left = set.remove(names)
        for chunk in chunks(left) { send("UNSUBSCRIBE", chunk) }
        connection?.flush()
    }

    private func request(_ names: [String]) {
        guard let connection, connection.isReady else { return }
        for chunk in chunks(names) {
            send("SUBSCRIBE", chunk)
            set.requested(Array(chunk))
        }
        connection.flush()
    }

    private func chunks(_ names: [String]) -> [ArraySlice<String>] {
        stride(from: 0, to: names.count, by: Self.requestNames).map {
            names[$0..<min($0 + Self.requestNames, names.count)]
        }
    }

    private func send(_ command: String, _ names: ArraySlice<String>) {
        connection?.send(nil) { $0.append(contentsOf: RedisCommand.text([command] + names)) }
    }

    private func timeOut(_ id: Int) {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return }
        let late = waiters.remove(at: index)
        // What was never confirmed and nobody else waits for is given up.
        let others = waiters.reduce(into: Set<String>()) { $0.formUnion($1.names) }
        let interrupted = Set(set.interrupted)
        unsubscribe(late.names.filter { !others.contains($0) && !interrupted.contains($0) })
        late.done(.failure(BusError(.timedOut, "no confirmation within \(options.limits.replyMillis) ms")))
    }

    // MARK: Events

    private func ready() {
        request(set.names)
        if isInterrupted { settle() } else { onChange("connected") }
    }

    private func lost(_ cause: String, _ wasReady: Bool) {
        if wasReady {
            counters.add(\.reconnects)
            isInterrupted = true
        }
        set.wentOffline()
        onChange(cause)
    }

    private func received(_ reply: RedisReply) {
        guard let parts = reply.elements, parts.count == 3, let kind = parts[0].string, let name = parts[1].string
        else {
            // A heartbeat's answer, or a refusal.
            if let error = reply.errorText {
                counters.add(\.serverErrors)
                connection?.restart("subscription refused: \(RedisReply.code(of: error))")
            }
            return
        }
        switch kind {
        case "message": if let bytes = parts[2].bytes { deliver(name, bytes) }
        case "subscribe": if set.confirmed(name) { confirmed(name) }
        default: break
        }
    }

    private func confirmed(_ name: String) {
        var done: [Waiter] = []
        for index in waiters.indices.reversed() where waiters[index].names.remove(name) != nil {
            if waiters[index].names.isEmpty { done.append(waiters.remove(at: index)) }
        }
        settle()
        for waiter in done {
            waiter.timer.cancel()
            waiter.done(.success(()))
        }
    }

    /// Tells the interruption once everything is delivered again.
    private func settle() {
        guard isInterrupted, set.isWhole else { return }
        isInterrupted = false
        onInterrupted(set.interrupted.compactMap(Self.channel))
        onChange("subscribed again")
    }

    private func deliver(_ name: String, _ bytes: [UInt8]) {
        if name.hasPrefix("st:reply:") { return onReply(String(name.dropFirst(9)), bytes) }
        guard set.isWanted(name) else { return }
        guard let channel = Self.channel(name), let header = EnvelopeHeader(bytes), header.channel == channel else {
            return counters.add(\.malformed)
        }
        counters.add(\.delivered)
        subscriber?.received(ReceivedMessage(channel: channel, header: header, bytes: bytes))
    }

    private static func channel(_ name: String) -> Channel? {
        name.hasPrefix("st:") ? Channel(String(name.dropFirst(3))) : nil
    }
}
