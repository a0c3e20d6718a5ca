internal import Dispatch
internal import MarketData
internal import Network
internal import Primitives
internal import Wire

/// The engine's end: takes released messages and appends, sets and publishes them, pipelined.
///
/// `release` and `reply` from any thread, everything else on the loop thread.
final class RedisPublisher: @unchecked Sendable {
    // Unchecked: `mail` and `counters` are locked; everything else is touched on the loop thread only.

    /// What an answer belongs to.
    enum Tag: Sendable {
        case durable(partition: Int, sequence: Int64, generation: UInt32)
        case live(partition: Int)
        case top(partition: Int)
        case script
        case demand
        case reply
        /// Housekeeping whose answer doesn't matter unless it is an error.
        case upkeep
    }

    private enum Item {
        case message(Envelope)
        case reply(String, [UInt8])
        case page(partition: Int, generation: UInt32, Result<[Envelope], any Error>)
    }

    private struct Mail {
        var items: [Item] = []
        /// The highest sequence of a partition that found no room.
        var spilled: [Int: Int64] = [:]
        var isWoken = false
    }

    let loop: EventLoop
    let options: RedisOptions
    let counters: CounterBox
    private let log: any DurableLog
    private let logQueue = DispatchQueue(label: "striketape.bus.log")
    private let mail = Lock(Mail())
    var engine: (any BusEngine)?
    /// Where replies go for their bookkeeping: the entries to acknowledge.
    var entriesToAcknowledge: (_ command: String, _ payload: [UInt8]) -> [String] = { _, _ in [] }
    /// Called when connected: answers may have been lost with the connection before.
    var onReady: () -> Void = {}
    private var heldAnswers: [(command: String, payload: [UInt8], entries: [String])] = []
    var connection: RedisConnection<Tag>?
    let feedLimits: PartitionFeed.Limits
    var feeds: [PartitionFeed]
    var epoch = ""
    private var isPrepared = false
    var sha: String?
    /// The server's name of the connection before: killed first, so that nothing of it is done later.
    var predecessor: (id: String, address: String)?
    var reported: FeedState?
    var reportedCause = ""
    var cause = "not connected yet"
    var isFenced = false
    /// Partitions whose being ahead was told.
    var aheadTold: Set<Int> = []
    /// A conflatable message was dropped while `up`: the engine is told `degraded`, and `up` after this moment.
    var repeatAfter: Int64?
    var demand: DemandSet
    private var demandTimer: TimerHandle?

    init(loop: EventLoop, options: RedisOptions, log: any DurableLog, engine: any BusEngine, counters: CounterBox) {
        self.loop = loop
        self.options = options
        self.log = log
        self.engine = engine
        self.counters = counters
        demand = DemandSet(limit: options.limits.wantedMax)
        let limits = PartitionFeed.Limits(
            window: options.windowMessages,
            tailMessages: options.tailMessagesMax,
            tailBytes: options.tailBytesMax,
            page: options.pageMessages,
            logEntries: options.limits.logEntriesMax
        )
        feedLimits = limits
        feeds = (0..<16).map { _ in PartitionFeed(limits: limits) }
    }

    // MARK: Any thread

    func release(_ messages: [Envelope]) {
        put(messages.count) { mail in
            for message in messages {
                precondition(message.outputClass != .reply, "a reply was released as a message of \(message.channel)")
                if mail.items.count < options.limits.backlogMessagesMax {
                    mail.items.append(.message(message))
                } else if message.outputClass == .durable {
                    let partition = message.channel.partition
                    mail.spilled[partition] = max(mail.spilled[partition] ?? 0, message.partitionSequence)
                } else {
                    counters.add(\.droppedConflatable)
                }
            }
        }
    }

    func reply(to command: String, payload: [UInt8]) {
        put(1) { $0.items.append(.reply(command, payload)) }
    }

    private func put(_ count: Int, _ body: (inout Mail) -> Void) {
        let wake = mail.withLock { mail in
            body(&mail)
            defer { mail.isWoken = true }
            return !mail.isWoken
        }
        // A refused job isn't lost: the next tick looks as well.
        if wake { loop.execute { self.drain() } }
    }

    // MARK: Life, loop thread

    func start(seed: UInt64) {
        connection = RedisConnection(
            name: "publisher",
            loop: loop,
            options: options,
            seed: seed,
            introduction: { [self] in introduction() },
            events: RedisConnection.Events(
                ready: { [self] in ready() },
                reply: { [self] tag, reply in replied(tag, reply) },
                replied: { [self] in endTurn() },
                lost: { [self] cause, wasReady, open in lost(cause, wasReady, open) },
                heartbeat: { [self] in beat() }
            )
        )
        prepare()
        demandTimer = loop.schedule(after: 0, repeating: options.demandPollMillis * 1_000_000) { [self] in
            pollDemand()
        }
    }

    /// Whether a server that is there has confirmed everything released; one that is away has nothing to wait for.
    var isSettled: Bool {
        guard reported == .up || reported == .degraded else { return true }
        return mail.withLock { $0.items.isEmpty && $0.spilled.isEmpty } && feeds.allSatisfy { $0.pending == 0 }
    }

    func stop() {
        connection?.stop()
        demandTimer?.cancel()
        engine = nil
        isPrepared = false
    }

    /// Reads where the commit log stands, then connects.
    private func prepare() {
        readLogEnd { [self] epoch, last in
            self.epoch = epoch
            for partition in 0..<16 { feeds[partition].began(at: last[partition]) }
            isPrepared = true
            drain()
            connection?.start()
        }
    }

    /// Reads where the commit log stands and tells it on the loop.
    func readLogEnd(_ done: @escaping @Sendable (_ epoch: String, _ last: [Int64]) -> Void) {
        logQueue.async { [self] in
            let epoch = log.epoch
            let last = (0..<16).map { log.lastSequence(of: $0) }
            loop.execute { [self] in
                if engine != nil { done(epoch, last) }
            }
        }
    }

    private func introduction() -> [[String]] {
        var commands: [[String]] = [["CLIENT", "SETNAME", "striketape-engine"]]
        if let predecessor {
            commands.append(["CLIENT", "KILL", "ID", predecessor.id, "ADDR", predecessor.address])
        }
        commands.append(["CLIENT", "INFO"])
        return commands
    }

    private func ready() {
        predecessor = connection?.introductionAnswers.last?.string.flatMap(Self.clientName)
        sha = nil
        send(.script, ["SCRIPT", "LOAD", RedisScripts.append])
        askTops()
        sendHeldAnswers()
        onReady()
        cause = "connected"
        endTurn()
    }

    /// The id and address in the answer to CLIENT INFO.
    private static func clientName(_ text: String) -> (id: String, address: String)? {
        var fields: [Substring: Substring] = [:]
        for field in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            guard let equals = field.firstIndex(of: "=") else { continue }
            fields[field[..<equals]] = field[field.index(after: equals)...]
        }
        guard let id = fields["id"], let address = fields["addr"] else { return nil }
        return (String(id), String(address))
    }

    private func lost(_ cause: String, _ wasReady: Bool, _ open: [Tag]) {
        self.cause = cause
        if wasReady { counters.add(\.reconnects) }
        for partition in feeds.indices { feeds[partition].wentOffline() }
        for tag in open {
            switch tag {
            case .live: counters.add(\.droppedConflatable)
            case .reply: counters.add(\.droppedReplies)
            case .durable, .top, .script, .demand, .upkeep: break
            }
        }
        refreshState()
    }

    private func beat() {
        drain()
        if !isFenced { askTops() }
        for partition in feeds.indices { pump(partition) }
        counters.set(\.pending, feeds.reduce(0) { $0 + $1.pending })
        counters.set(\.spilled, feeds.reduce(0) { $0 + $1.spilled })
        endTurn()
    }

    func askTops() {
        for partition in 0..<16 {
            send(.top(partition: partition), ["XREVRANGE", RedisKey.logs[partition], "+", "-", "COUNT", "1"])
        }
    }

    func send(_ tag: Tag, _ command: [String]) {
        connection?.send(tag) { $0.append(contentsOf: RedisCommand.text(command)) }
    }

    // MARK: Messages

    private func drain() {
        guard isPrepared else { return }
        let (items, spilled) = mail.withLock { mail in
            defer { mail = Mail() }
            return (mail.items, mail.spilled)
        }
        for item in items {
            switch item {
            case .message(let message):
                if message.outputClass == .durable { takeDurable(message) } else { takeLive(message) }
            case .reply(let command, let payload): takeReply(command, payload)
            case .page(let partition, let generation, let result): takePage(partition, generation, result)
            }
        }
        for (partition, sequence) in spilled {
            feeds[partition].spilled(upTo: sequence)
            pump(partition)
        }
        endTurn()
    }

    private func takeDurable(_ message: Envelope) {
        let partition = message.channel.partition
        if !feeds[partition].released(message) { counters.add(\.duplicates) }
        pump(partition)
    }

    private func takeLive(_ message: Envelope) {
        let partition = message.channel.partition
        let rests = message.offset > 0
        guard let connection, connection.isReady, let sha, connection.outputBytes < options.outputBytesMax,
            !isFenced, !rests || (!feeds[partition].isBehind && feeds[partition].isDrained)
        else { return dropLive() }
        let call = RedisMessageText.Call(
            sha: sha,
            partition: partition,
            mode: message.outputClass == .state ? "s" : "c",
            sequence: rests ? feeds[partition].next - 1 : 0,
            replacing: nil,
            cap: options.limits.logEntriesMax,
            fence: options.fence
        )
        connection.send(.live(partition: partition)) { out in
            if !RedisMessageText.append(message, call, into: &out) { counters.add(\.malformed) }
        }
        counters.add(\.conflatable)
    }

    func dropLive() {
        counters.add(\.droppedConflatable)
        guard reported == .up, repeatAfter == nil else { return }
        cause = "conflatable messages were dropped"
        repeatAfter = SystemClock.monotonicNanos() + 1_000_000_000
    }

    /// Sends what a partition has to send, as far as the output takes it.
    func pump(_ partition: Int) {
        guard let connection, connection.isReady, let sha, !isFenced else { return }
        while connection.outputBytes < options.outputBytesMax {
            switch feeds[partition].step() {
            case .nothing:
                if feeds[partition].isWindowFull { cause = "Redis confirms more slowly than the engine writes" }
                return
            case .read(let from, let limit, let generation): read(partition, from, limit, generation)
            case .send(let sending):
                if sending.isRefill { counters.add(\.refilled) }
                let sequence = sending.message.partitionSequence
                let call = RedisMessageText.Call(
                    sha: sha,
                    partition: partition,
                    mode: sending.wasShown ? "q" : sending.isRefill ? "r" : "d",
                    sequence: sequence,
                    replacing: sending.replacing,
                    cap: options.limits.logEntriesMax,
                    fence: options.fence
                )
                let tag = Tag.durable(partition: partition, sequence: sequence, generation: sending.generation)
                connection.send(tag) { out in
                    if !RedisMessageText.append(sending.message, call, into: &out) { counters.add(\.malformed) }
                }
            }
        }
    }

    private func read(_ partition: Int, _ from: Int64, _ limit: Int, _ generation: UInt32) {
        logQueue.async { [self] in
            let result = Result { try log.messages(of: partition, from: from, limit: limit) }
            put(1) { $0.items.append(.page(partition: partition, generation: generation, result)) }
        }
    }

    private func takePage(_ partition: Int, _ generation: UInt32, _ result: Result<[Envelope], any Error>) {
        switch result {
        case .success(let messages):
            if let missing = feeds[partition].read(messages, generation: generation) {
                lose(partition, missing, "the commit log no longer holds them")
            }
            pump(partition)
        case .failure(let error):
            // The next tick asks again.
            cause = "the commit log can't be read: \(error)"
            feeds[partition].readFailed(generation: generation)
        }
    }

    func lose(_ partition: Int, _ sequences: ClosedRange<Int64>, _ cause: String) {
        counters.add(\.lost, Int64(sequences.count))
        engine?.durableLost(DurableLoss(partition: partition, sequences: sequences, cause: cause))
    }

    private func takeReply(_ command: String, _ payload: [UInt8]) {
        let entries = entriesToAcknowledge(command, payload)
        answer(command, payload, entries: entries)
    }

    /// Publishes an answer and acknowledges the entries that asked.
    func answer(_ command: String, _ payload: [UInt8], entries: [String]) {
        guard let connection, connection.isReady else { return hold(command, payload, entries) }
        connection.send(.reply) { out in
            RedisCommand.begin(3, into: &out)
            RedisCommand.add("PUBLISH", into: &out)
            RedisCommand.add(RedisKey.reply(command), into: &out)
            RedisCommand.add(payload, into: &out)
        }
        acknowledge(entries)
    }

    /// Keeps an answer until the connection is there.
    private func hold(_ command: String, _ payload: [UInt8], _ entries: [String]) {
        guard heldAnswers.count < options.limits.commandsMax else { return counters.add(\.droppedReplies) }
        heldAnswers.append((command, payload, entries))
    }

    private func sendHeldAnswers() {
        let held = heldAnswers
        heldAnswers = []
        for (command, payload, entries) in held { answer(command, payload, entries: entries) }
    }

    /// Acknowledges entries that need no answer.
    func acknowledge(_ entries: [String]) {
        guard !entries.isEmpty else { return }
        send(.upkeep, ["XACK", RedisKey.commands, RedisKey.commandGroup] + entries)
        endTurn()
    }
}
