internal import Network
internal import Primitives
internal import Wire

/// The gateway's end that asks: hot states, log, demand and commands, pipelined; loop thread only.
final class RedisRequests {
    /// What takes an answer; nil: the connection was lost.
    typealias Answered = @Sendable (RedisReply?) -> Void

    private struct Asker {
        let id: Int
        let timer: TimerHandle
        let done: (Result<[UInt8], BusError>) -> Void
    }

    /// Entries of the command stream; older ones go.
    private static let commandEntriesMax = "10000"

    private let loop: EventLoop
    private let options: RedisOptions
    private let counters: CounterBox
    private var connection: RedisConnection<Answered>?
    private var demand: DemandSet
    private var askers: [String: [Asker]] = [:]
    private var asking = 0
    private var nextAsker = 0
    private var isRunning = false
    /// Where answers to commands come from.
    weak var subscriber: RedisSubscriber?
    var onChange: (_ cause: String) -> Void = { _ in }

    init(loop: EventLoop, options: RedisOptions, counters: CounterBox) {
        self.loop = loop
        self.options = options
        self.counters = counters
        demand = DemandSet(limit: options.limits.wantedMax)
    }

    var isReady: Bool { connection?.isReady == true }

    func start(seed: UInt64) {
        isRunning = true
        connection = RedisConnection(
            name: "requests",
            loop: loop,
            options: options,
            seed: seed,
            introduction: { [["CLIENT", "SETNAME", "striketape-requests"]] },
            events: RedisConnection.Events(
                ready: { [self] in ready() },
                reply: { tag, reply in tag?(reply) },
                lost: { [self] cause, wasReady, open in lost(cause, wasReady, open) },
                heartbeat: { [self] in ask(["PING"]) { _ in } }
            )
        )
        connection?.start()
    }

    func stop() {
        isRunning = false
        for answered in connection?.stop() ?? [] { answered(nil) }
        let open = askers.values.flatMap { $0 }
        askers = [:]
        for asker in open {
            asker.timer.cancel()
            asker.done(.failure(unavailable))
        }
    }

    private var unavailable: BusError { BusError(.unavailable, "Redis at \(options.url) isn't connected") }

    private func ready() {
        sayDemand(demand.all.map(\.channel))
        onChange("connected")
    }

    private func lost(_ cause: String, _ wasReady: Bool, _ open: [Answered]) {
        if wasReady { counters.add(\.reconnects) }
        for answered in open { answered(nil) }
        onChange(cause)
    }

    /// Sends one command; `answered` with nil where it can't.
    private func ask(_ command: [String], _ answered: @escaping Answered) {
        ask({ $0.append(contentsOf: RedisCommand.text(command)) }, answered)
    }

    private func ask(_ write: (inout [UInt8]) -> Void, _ answered: @escaping Answered) {
        guard let connection, connection.isReady else { return answered(nil) }
        guard connection.outputBytes < options.outputBytesMax else {
            counters.add(\.outputFull)
            return answered(nil)
        }
        connection.send(answered, write)
    }

    // MARK: Hot state and log

    func hotState(of channels: [Channel], _ done: @escaping @Sendable (Result<[HotState?], BusError>) -> Void) {
        guard isReady else { return done(.failure(unavailable)) }
        guard !channels.isEmpty else { return done(.success([])) }
        let collected = Lock([HotState?]())
        let failure = Lock<BusError?>(nil)
        let unavailable = unavailable
        for channel in channels {
            ask(["HGETALL", RedisKey.states[channel.partition] + channel.name]) { [counters] reply in
                if let error = Self.failure(reply, unavailable, counters) { failure.withLock { $0 = error } }
                let state = HotState(of: channel, fields: reply?.elements ?? [])
                let all = collected.withLock { all in
                    all.append(state)
                    return all
                }
                guard all.count == channels.count else { return }
                done(failure.withLock { $0 }.map { .failure($0) } ?? .success(all))
            }
        }
        connection?.flush()
    }

    func log(
        of partition: Int,
        from: Int64,
        limit: Int,
        _ done: @escaping @Sendable (Result<[LogEntry], BusError>) -> Void
    ) {
        let unavailable = unavailable
        let command = ["XRANGE", RedisKey.logs[partition], "\(from)-0", "+", "COUNT", String(limit)]
        ask(command) { [counters] reply in
            if let error = Self.failure(reply, unavailable, counters) { return done(.failure(error)) }
            let entries = (reply?.elements ?? []).compactMap { LogEntry(reply: $0) }
            let broken = (reply?.elements?.count ?? 0) - entries.count
            if broken > 0 { counters.add(\.malformed, Int64(broken)) }
            done(.success(entries))
        }
        connection?.flush()
    }

    private static func failure(_ reply: RedisReply?, _ unavailable: BusError, _ counters: CounterBox) -> BusError? {
        guard let reply else { return unavailable }
        guard let error = reply.errorText else { return nil }
        counters.add(\.serverErrors)
        return BusError(.refused, "Redis answered \(error)")
    }

    // MARK: Demand

    func want(_ channels: [Channel]) {
        let now = SystemClock.wall().nanos / 1_000_000
        _ = demand.expire(nowMillis: now)
        for channel in channels where demand.want(channel, untilMillis: now + options.limits.wantMillis) == nil {
            counters.add(\.overLimit)
        }
        sayDemand(channels)
    }

    /// Says what is wanted; while not connected it is kept and said when connected again.
    private func sayDemand(_ channels: [Channel]) {
        guard !channels.isEmpty, let connection, connection.isReady else { return }
        let until = String(SystemClock.wall().nanos / 1_000_000 + options.limits.wantMillis)
        for start in stride(from: 0, to: channels.count, by: 500) {
            let chunk = channels[start..<min(start + 500, channels.count)]
            ask(["ZADD", RedisKey.want] + chunk.flatMap { [until, $0.name] }) { [counters] reply in
                if reply?.errorText != nil { counters.add(\.serverErrors) }
            }
        }
        connection.flush()
    }

    // MARK: Commands

    func submit(_ command: Command, _ done: @escaping @Sendable (Result<[UInt8], BusError>) -> Void) {
        guard isRunning, isReady, let subscriber else { return done(.failure(unavailable)) }
        guard RedisCommandReader.isID(command.id.utf8) else {
            return done(.failure(BusError(.refused, "a command's id is 1 to 128 printable ASCII bytes")))
        }
        guard asking < options.limits.commandsMax else {
            counters.add(\.refusedCommands)
            return done(.failure(BusError(.tooMany, "\(asking) commands wait for their answers already")))
        }
        nextAsker += 1
        asking += 1
        let asker = nextAsker
        let timer = loop.schedule(after: options.limits.replyMillis * 1_000_000) { [weak self] in
            guard let self else { return }
            let millis = options.limits.replyMillis
            end(
                command.id,
                asker,
                .failure(BusError(.timedOut, "no answer to command \(command.id) within \(millis) ms"))
            )
        }
        askers[command.id, default: []].append(Asker(id: asker, timer: timer, done: done))
        // The answer is listened for before the command is there.
        subscriber.subscribe([RedisKey.reply(command.id)]) { [weak self] result in
            switch result {
            case .success: self?.add(command, asker)
            case .failure(let error): self?.end(command.id, asker, .failure(error))
            }
        }
    }

    private func add(_ command: Command, _ asker: Int) {
        guard askers[command.id]?.contains(where: { $0.id == asker }) == true else { return }
        let handle = LoopBound(self)
        let unavailable = unavailable
        ask(
            { out in
                RedisCommand.begin(14, into: &out)
                for text in ["XADD", RedisKey.commands, "MAXLEN", "~", Self.commandEntriesMax, "*"] {
                    RedisCommand.add(text, into: &out)
                }
                for text in ["op", command.operation.rawValue, "id", command.id, "owner", command.owner, "body"] {
                    RedisCommand.add(text, into: &out)
                }
                RedisCommand.add(command.body, into: &out)
            },
            { [counters] reply in
                guard let error = Self.failure(reply, unavailable, counters) else { return }
                handle.object?.end(command.id, asker, .failure(error))
            }
        )
        connection?.flush()
    }

    /// An answer came.
    func answered(_ id: String, _ payload: [UInt8]) {
        for asker in askers[id] ?? [] { end(id, asker.id, .success(payload)) }
    }

    private func end(_ id: String, _ asker: Int, _ result: Result<[UInt8], BusError>) {
        guard let index = askers[id]?.firstIndex(where: { $0.id == asker }), let ended = askers[id]?.remove(at: index)
        else { return }
        asking -= 1
        if askers[id]?.isEmpty == true {
            askers[id] = nil
            subscriber?.unsubscribe([RedisKey.reply(id)])
        }
        ended.timer.cancel()
        ended.done(result)
    }
}
