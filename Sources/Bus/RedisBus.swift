internal import MarketData
package import Network
internal import Primitives
package import Wire

/// The bus over Redis (protocol.md 5).
///
/// Up to four connections, all on one loop: publishing, reading commands (engine's end), listening, asking (gateway's
/// end). Each comes back by itself after a loss. Callbacks come on the loop's thread. The loop is the caller's: start it
/// before, stop it after `stop`.
package final class RedisBus: MessageBus, BusLogReader, @unchecked Sendable {
    // Unchecked: `counterBox` is locked, `publisher` is set once under `ends` before it is used; the rest is touched on
    // the loop thread only.
    private struct Ends {
        var publisher: RedisPublisher?
        var isStarted = false
        var isStopped = false
    }

    private let loop: EventLoop
    private let options: RedisOptions
    private let commitLog: (any DurableLog)?
    private let counterBox = CounterBox()
    private let ends = Lock(Ends())
    private let requests: RedisRequests
    private var reader: RedisCommandReader?
    private var listener: RedisSubscriber?
    private var subscriber: (any BusSubscriber)?
    private var isUp: Bool?
    private var told = ""
    /// Channels that were cut and are delivered again.
    private var interrupted: Set<Channel> = []

    /// Makes a bus; nothing is connected yet.
    ///
    /// - Parameters:
    ///   - options: where Redis is, and the limits.
    ///   - loop: a running loop.
    ///   - log: the commit log; needed for an engine's end.
    package init(options: RedisOptions, loop: EventLoop, log: (any DurableLog)? = nil) {
        self.options = options
        self.loop = loop
        commitLog = log
        requests = RedisRequests(loop: loop, options: options, counters: counterBox)
    }

    package func start(engine: (any BusEngine)?, subscriber: (any BusSubscriber)?) {
        let publisher = ends.withLock { ends -> RedisPublisher? in
            precondition(!ends.isStarted, "bus started twice")
            ends.isStarted = true
            if let engine {
                guard let commitLog else { preconditionFailure("an engine's end of the bus needs the commit log") }
                ends.publisher = RedisPublisher(
                    loop: loop,
                    options: options,
                    log: commitLog,
                    engine: engine,
                    counters: counterBox
                )
            }
            return ends.publisher
        }
        loop.execute { [self] in
            var random = SystemRandomNumberGenerator()
            if let publisher, let engine {
                let reader = RedisCommandReader(publisher: publisher, engine: engine)
                self.reader = reader
                publisher.start(seed: random.next())
                reader.start(seed: random.next())
            }
            if let subscriber { listen(subscriber, seed: random.next()) }
            requests.start(seed: random.next())
        }
    }

    private func listen(_ subscriber: any BusSubscriber, seed: UInt64) {
        self.subscriber = subscriber
        let listener = RedisSubscriber(loop: loop, options: options, subscriber: subscriber, counters: counterBox)
        self.listener = listener
        requests.subscriber = listener
        listener.onReply = { [requests] in requests.answered($0, $1) }
        listener.onChange = { [weak self] in self?.refresh($0) }
        listener.onInterrupted = { [weak self] in self?.interrupted.formUnion($0) }
        requests.onChange = { [weak self] in self?.refresh($0) }
        listener.start(seed: seed)
    }

    /// Tells the subscriber when both of its connections are there, or no longer.
    private func refresh(_ cause: String) {
        let isUp = requests.isReady && listener?.isWhole == true
        if isUp != self.isUp || (!isUp && cause != told) {
            self.isUp = isUp
            told = cause
            subscriber?.busChanged(to: isUp ? .up : .down, cause: cause)
        }
        // Told when the hot state can be read as well.
        guard isUp, !interrupted.isEmpty else { return }
        let channels = Array(interrupted)
        interrupted = []
        subscriber?.interrupted(channels)
    }

    package func stop() async {
        let isFirst = ends.withLock { ends in
            defer { ends.isStopped = true }
            return !ends.isStopped
        }
        guard isFirst else { return }
        await settle()
        await withCheckedContinuation { continuation in
            let isTaken = loop.execute { [self] in
                subscriber = nil
                reader?.stop()
                ends.withLock { $0.publisher }?.stop()
                listener?.stop()
                requests.stop()
                continuation.resume()
            }
            if !isTaken { continuation.resume() }
        }
    }

    /// Gives what was released last the time of a round trip, one second at most: what is missing then, the next start
    /// appends from the commit log, but until then a reader would miss the run's last words.
    private func settle() async {
        guard let publisher = ends.withLock({ $0.publisher }) else { return }
        for _ in 0..<100 {
            guard let isSettled = try? loop.sync({ publisher.isSettled }), !isSettled else { return }
            try? await Task.sleep(nanoseconds: 10_000_000)
        }
    }

    // MARK: Engine's end

    package func release(_ messages: [Envelope]) {
        guard let publisher = ends.withLock({ $0.publisher }) else {
            preconditionFailure("messages released on a bus without an engine's end")
        }
        publisher.release(messages)
    }

    package func reply(to command: String, payload: [UInt8]) {
        ends.withLock { $0.publisher }?.reply(to: command, payload: payload)
    }

    // MARK: Gateway's end

    package func subscribe(_ channels: [Channel]) async throws(BusError) {
        try await onLoop { [self] (done: @escaping @Sendable (Result<Void, BusError>) -> Void) in
            guard let listener else { return done(.failure(Self.noSubscriber)) }
            listener.subscribe(channels.map { RedisKey.live($0.name) }, done)
        }
    }

    package func unsubscribe(_ channels: [Channel]) {
        loop.execute { [self] in listener?.unsubscribe(channels.map { RedisKey.live($0.name) }) }
    }

    package func hotState(of channels: [Channel]) async throws(BusError) -> [HotState?] {
        try await onLoop { [self] in requests.hotState(of: channels, $0) }
    }

    package func log(of partition: Int, from: Int64, limit: Int) async throws(BusError) -> [LogEntry] {
        try await onLoop { [self] in requests.log(of: partition, from: from, limit: limit, $0) }
    }

    package func want(_ channels: [Channel]) {
        loop.execute { [self] in requests.want(channels) }
    }

    package func submit(_ command: Command) async throws(BusError) -> [UInt8] {
        try await onLoop { [self] done in
            guard listener != nil else { return done(.failure(Self.noSubscriber)) }
            requests.submit(command, done)
        }
    }

    /// What it did so far; any thread.
    package func counters() -> BusCounters { counterBox.value }

    private static var noSubscriber: BusError { BusError(.refused, "this bus has no gateway's end") }

    private func onLoop<Value: Sendable>(
        _ body: @escaping @Sendable (@escaping @Sendable (Result<Value, BusError>) -> Void) -> Void
    ) async throws(BusError) -> Value {
        let answer: Result<Value, BusError> = await withCheckedContinuation { continuation in
            let isTaken = loop.execute { body { continuation.resume(returning: $0) } }
            if !isTaken { continuation.resume(returning: .failure(BusError(.unavailable, "the bus's loop has ended"))) }
        }
        return try answer.get()
    }
}
