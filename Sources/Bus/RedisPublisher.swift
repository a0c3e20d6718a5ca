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
    private var engine: (any BusEngine)?
    /// Where replies go for their bookkeeping: the entries to acknowledge.
    var entriesToAcknowledge: (_ command: String, _ payload: [UInt8]) -> [String] = { _, _ in [] }
    /// Called when connected: answers may have been lost with the connection before.
    var onReady: () -> Void = {}
    private var heldAnswers: [(command: String, payload: [UInt8], entries: [String])] = []
    private var connection: RedisConnection<Tag>?
    private let feedLimits: PartitionFeed.Limits
    private var feeds: [PartitionFeed]
    private var epoch = ""
    private var isPrepared = false
    private var sha: String?
    /// The server's name of the connection before: killed first, so that nothing of it is done later.
    private var predecessor: (id: String, address: String)?
    private var reported: FeedState?
    private var reportedCause = ""
    private var cause = "not connected yet"
    private var isFenced = false
    /// Partitions whose being ahead was told.
    private var aheadTold: Set<Int> = []
    /// A conflatable message was dropped while `up`: the engine is told `degraded`, and `up` after this moment.
    private var repeatAfter: Int64?
    private var demand: DemandSet
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
    private func readLogEnd(_ done: @escaping @Sendable (_ epoch: String, _ last: [Int64]) -> Void) {
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

    private func askTops() {
        for partition in 0..<16 {
            send(.top(partition: partition), ["XREVRANGE", RedisKey.log(partition), "+", "-", "COUNT", "1"])
        }
    }

    private func send(_ tag: Tag, _ command: [String]) {
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

    private func dropLive() {
        counters.add(\.droppedConflatable)
        guard reported == .up, repeatAfter == nil else { return }
        cause = "conflatable messages were dropped"
        repeatAfter = SystemClock.monotonicNanos() + 1_000_000_000
    }

    /// Sends what a partition has to send, as far as the output takes it.
    private func pump(_ partition: Int) {
        guard let connection, connection.isReady, let sha, !isFenced else { return }
        while connection.outputBytes < options.outputBytesMax {
            switch feeds[partition].step() {
            case .nothing: return
            case .read(let from, let limit, let generation): read(partition, from, limit, generation)
            case .send(let sending):
                if sending.isRefill { counters.add(\.refilled) }
                let sequence = sending.message.partitionSequence
                let call = RedisMessageText.Call(
                    sha: sha,
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

    private func lose(_ partition: Int, _ sequences: ClosedRange<Int64>, _ cause: String) {
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

    // MARK: Answers

    private func replied(_ tag: Tag?, _ reply: RedisReply) {
        guard let tag else { return }
        if let error = reply.errorText { return refused(tag, error) }
        switch (tag, reply) {
        case (.durable(let partition, let sequence, let generation), .integer(let code)):
            took(partition, sequence, generation, code)
        case (.live(let partition), .integer(let code)) where code < 0:
            counters.add(\.droppedConflatable)
            if -code - 1 < feeds[partition].knownTop { hole(partition, top: -code - 1) }
        case (.live, .integer(RedisScripts.Answer.fenced)): fenced()
        case (.script, _): sha = reply.string
        case (.top(let partition), .array(let entries)): foundTop(partition, entries)
        case (.demand, .array(let pairs)): foundDemand(pairs)
        case (.reply, .integer(0)): counters.add(\.droppedReplies)
        default: break
        }
    }

    private func took(_ partition: Int, _ sequence: Int64, _ generation: UInt32, _ code: Int64) {
        switch code {
        case RedisScripts.Answer.done, RedisScripts.Answer.duplicate:
            counters.add(code == RedisScripts.Answer.done ? \.appended : \.duplicates)
            feeds[partition].confirmed(sequence, generation: generation)
            pump(partition)
        case RedisScripts.Answer.fenced: fenced()
        default:
            guard generation == feeds[partition].generation else { return }
            hole(partition, top: -code - 1)
        }
    }

    private func hole(_ partition: Int, top: Int64) {
        counters.add(\.holes)
        cause = "the log of partition \(partition) lacks messages after \(top)"
        accept(partition, top, isOtherEpoch: false)
    }

    private func foundTop(_ partition: Int, _ entries: [RedisReply]) {
        let entry = entries.first?.elements
        let top = entry?.first?.string.flatMap { Int64($0.prefix { $0 != "-" }) } ?? 0
        let text = entry?.last?.elements?.last?.bytes
        let isOtherEpoch = text.flatMap { EnvelopeHeader($0)?.epoch }.map { $0 != epoch } ?? false
        let feed = feeds[partition]
        // A regular look: all is well while the log ends where the last answer said.
        if feed.isOnline, top == feed.knownTop { return }
        if feed.isOnline, top < feed.knownTop { counters.add(\.holes) }
        accept(partition, top, isOtherEpoch: isOtherEpoch)
    }

    private func accept(_ partition: Int, _ top: Int64, isOtherEpoch: Bool) {
        switch feeds[partition].foundTop(top, isOtherEpoch: isOtherEpoch) {
        case .accepted:
            aheadTold.remove(partition)
            pump(partition)
        case .ahead(let sequences): beAhead(partition, sequences)
        }
    }

    /// The bus has messages that our commit log hasn't: it lost its end. A new epoch ends this, seen at a later look.
    private func beAhead(_ partition: Int, _ sequences: ClosedRange<Int64>) {
        let text = "the bus holds messages of epoch \(epoch) that the commit log doesn't: it needs a new epoch"
        if aheadTold.insert(partition).inserted { lose(partition, sequences, text) }
        cause = text
        readLogEnd { [self] epoch, last in
            if epoch != self.epoch { beginEpoch(epoch, last) }
        }
    }

    /// The commit log began anew: so do the feeds.
    private func beginEpoch(_ epoch: String, _ last: [Int64]) {
        self.epoch = epoch
        aheadTold = []
        for partition in 0..<16 {
            feeds[partition] = PartitionFeed(limits: feedLimits)
            feeds[partition].began(at: last[partition])
        }
        askTops()
        // What the old feeds took for known is in the commit log by now.
        readLogEnd { [self] _, last in
            for partition in 0..<16 {
                feeds[partition].spilled(upTo: last[partition])
                pump(partition)
            }
            endTurn()
        }
    }

    private func fenced() {
        counters.add(\.fenced)
        isFenced = true
        cause = "another engine with a higher fencing token writes to this bus"
        for partition in feeds.indices { feeds[partition].wentOffline() }
    }

    private func refused(_ tag: Tag, _ error: String) {
        counters.add(\.serverErrors)
        cause = "server: \(error)"
        switch tag {
        case .durable(let partition, _, _), .top(let partition): feeds[partition].wentOffline()
        case .live: dropLive()
        case .reply: counters.add(\.droppedReplies)
        case .script, .demand, .upkeep: break
        }
        switch RedisReply.code(of: error) {
        case "NOSCRIPT":
            guard sha != nil else { return }
            sha = nil
            send(.script, ["SCRIPT", "LOAD", RedisScripts.append])
            askTops()
        case "READONLY", "LOADING", "MASTERDOWN": connection?.restart(cause)
        default: break
        }
    }

    // MARK: State

    /// Ends a turn: writes what it brought, and says how the bus is.
    func endTurn() {
        connection?.flush()
        refreshState()
    }

    private func refreshState() {
        guard let connection, connection.isReady, !isFenced else { return report(.down) }
        if let moment = repeatAfter {
            report(.degraded)
            guard SystemClock.monotonicNanos() >= moment else { return }
            repeatAfter = nil
        }
        let isWhole = sha != nil && !feeds.contains { $0.isBehind }
        report(isWhole ? .up : .degraded)
    }

    /// Tells a change; while down, another cause as well.
    private func report(_ state: FeedState) {
        guard state != reported || (state == .down && cause != reportedCause) else { return }
        reported = state
        reportedCause = cause
        engine?.busChanged(to: state, cause: state == .up ? "the log is complete" : cause)
    }

    // MARK: Demand

    private func pollDemand() {
        let now = SystemClock.wall().nanos / 1_000_000
        if demand.expire(nowMillis: now) { engine?.demanded(demand.channels) }
        guard let connection, connection.isReady else { return }
        let limit = String(options.limits.wantedMax)
        send(
            .demand,
            ["ZRANGEBYSCORE", RedisKey.want, "(\(now)", "+inf", "WITHSCORES", "LIMIT", "0", limit]
        )
        send(.upkeep, ["ZREMRANGEBYSCORE", RedisKey.want, "-inf", String(now - 10_000)])
        connection.flush()
    }

    private func foundDemand(_ pairs: [RedisReply]) {
        let now = SystemClock.wall().nanos / 1_000_000
        var isNew = false
        for index in stride(from: 0, to: pairs.count - 1, by: 2) {
            guard let channel = pairs[index].string.flatMap({ Channel($0) }),
                let until = pairs[index + 1].string.flatMap({ Double($0) }).flatMap({ Int64(exactly: $0.rounded()) })
            else {
                counters.add(\.malformed)
                continue
            }
            // A sender whose clock is far ahead can't be wanted for ever.
            switch demand.want(channel, untilMillis: min(until, now + 2 * options.limits.wantMillis)) {
            case .some(let new): isNew = isNew || new
            case .none: counters.add(\.overLimit)
            }
        }
        if isNew { engine?.demanded(demand.channels) }
    }
}
