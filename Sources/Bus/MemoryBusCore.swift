internal import MarketData
internal import Primitives
internal import Wire

/// The state of the memory twin; on the twin's queue only.
final class MemoryBusCore: @unchecked Sendable {
    // Unchecked: MemoryBus touches it on its serial queue only.
    private let limits: BusLimits
    private let log: (any DurableLog)?
    private var engine: (any BusEngine)?
    private var subscriber: (any BusSubscriber)?
    private var isRunning = false
    private var partitions = [Partition](repeating: Partition(), count: 16)
    private var states: [Channel: HotState] = [:]
    private var subscribed: Set<Channel> = []
    private var demand: DemandSet
    private var desk: CommandDesk
    private var waiters: [String: [Waiter]] = [:]
    private var waiting = 0
    private var nextWaiter = 0
    private(set) var counters = BusCounters()

    /// A partition's log: entries with sequences `first...top`.
    private struct Partition {
        var entries: ArraySlice<LogEntry> = []
        var top: Int64 = 0
    }

    private struct Waiter {
        let id: Int
        let done: (Result<[UInt8], BusError>) -> Void
    }

    init(limits: BusLimits, log: (any DurableLog)?) {
        self.limits = limits
        self.log = log
        demand = DemandSet(limit: limits.wantedMax)
        desk = CommandDesk(limits: limits)
    }

    private var stopped: BusError { BusError(.unavailable, "the in-memory bus isn't running") }

    func start(engine: (any BusEngine)?, subscriber: (any BusSubscriber)?) {
        precondition(!isRunning, "bus started twice")
        isRunning = true
        self.engine = engine
        self.subscriber = subscriber
        engine?.busChanged(to: .up, cause: "in memory")
        subscriber?.busChanged(to: .up, cause: "in memory")
        let channels = demand.channels
        if !channels.isEmpty { engine?.demanded(channels) }
    }

    func stop() {
        isRunning = false
        engine = nil
        subscriber = nil
        let open = waiters.values.flatMap { $0 }
        waiters = [:]
        waiting = 0
        for waiter in open { waiter.done(.failure(stopped)) }
    }

    // MARK: Messages

    func take(_ messages: [Envelope]) {
        for message in messages {
            switch message.outputClass {
            case .durable: append(message)
            case .conflatable, .state:
                counters.conflatable += 1
                publish(message)
            case .reply, .request: preconditionFailure("a reply was released as a message of \(message.channel)")
            }
        }
    }

    private func append(_ message: Envelope) {
        let partition = message.channel.partition
        let top = partitions[partition].top
        guard message.partitionSequence > top else {
            counters.duplicates += 1
            return
        }
        // A new log of a recovered engine begins where the engine is: in one process nobody can have missed the rest.
        if top != 0, message.partitionSequence != top + 1 { fill(partition, before: message.partitionSequence) }
        store(message)
    }

    /// Fetches what is missing before a message.
    private func fill(_ partition: Int, before sequence: Int64) {
        counters.holes += 1
        var next = partitions[partition].top + 1
        while next < sequence {
            let limit = Int(min(sequence - next, 1_000))
            let found = (try? log?.messages(of: partition, from: next, limit: limit)) ?? []
            guard let first = found.first, first.partitionSequence < sequence else { break }
            if first.partitionSequence > next { lose(partition, next...(first.partitionSequence - 1)) }
            for message in found where message.partitionSequence < sequence {
                counters.refilled += 1
                store(message)
            }
            next = partitions[partition].top + 1
        }
        if next < sequence { lose(partition, next...(sequence - 1)) }
    }

    private func lose(_ partition: Int, _ sequences: ClosedRange<Int64>) {
        counters.lost += Int64(sequences.count)
        engine?.durableLost(
            DurableLoss(partition: partition, sequences: sequences, cause: "neither released nor in the commit log")
        )
    }

    private func store(_ message: Envelope) {
        let partition = message.channel.partition
        let entry = LogEntry(
            sequence: message.partitionSequence,
            channel: message.channel,
            offset: message.offset,
            fence: 0,
            bytes: message.bytes
        )
        partitions[partition].entries.append(entry)
        partitions[partition].top = message.partitionSequence
        if partitions[partition].entries.count > limits.logEntriesMax {
            partitions[partition].entries.removeFirst()
            counters.logTrimmed += 1
        }
        counters.appended += 1
        publish(message)
    }

    private func publish(_ message: Envelope) {
        guard let header = EnvelopeHeader(message.bytes), header.channel == message.channel else {
            counters.malformed += 1
            return
        }
        include(message, header)
        guard message.outputClass != .state, subscribed.contains(message.channel), let subscriber else { return }
        counters.delivered += 1
        subscriber.received(ReceivedMessage(channel: message.channel, header: header, bytes: message.bytes))
    }

    private func include(_ message: Envelope, _ header: EnvelopeHeader) {
        guard states[message.channel] != nil || states.count < limits.statesMax else {
            counters.overLimit += 1
            return
        }
        let fields = HotStateFields.of(header, in: message.bytes)
        if fields == nil { counters.malformed += 1 }
        states[message.channel, default: HotState(of: message.channel, epoch: header.epoch)]
            .include(header, fields: fields ?? [], outputClass: message.outputClass)
    }

    // MARK: Readers

    func subscribe(_ channels: [Channel]) -> Result<Void, BusError> {
        guard isRunning else { return .failure(stopped) }
        subscribed.formUnion(channels)
        return .success(())
    }

    func unsubscribe(_ channels: [Channel]) { subscribed.subtract(channels) }

    func hotState(of channels: [Channel]) -> Result<[HotState?], BusError> {
        isRunning ? .success(channels.map { states[$0] }) : .failure(stopped)
    }

    func log(of partition: Int, from: Int64, limit: Int) -> Result<[LogEntry], BusError> {
        guard isRunning else { return .failure(stopped) }
        return .success(Array(partitions[partition].entries.drop { $0.sequence < from }.prefix(limit)))
    }

    // MARK: Demand

    func want(_ channels: [Channel], now: Int64) {
        var isNew = false
        for channel in channels {
            switch demand.want(channel, untilMillis: now + limits.wantMillis) {
            case .some(let new): isNew = isNew || new
            case .none: counters.overLimit += 1
            }
        }
        if isNew { engine?.demanded(demand.channels) }
    }

    func expireWants(now: Int64) {
        if demand.expire(nowMillis: now) { engine?.demanded(demand.channels) }
    }

    // MARK: Commands

    /// - Returns: the waiter to time out, nil where the answer was given at once.
    func submit(_ command: Command, _ done: @escaping (Result<[UInt8], BusError>) -> Void) -> Int? {
        guard isRunning, let engine else {
            done(.failure(BusError(.unavailable, "no engine takes commands")))
            return nil
        }
        guard waiting < limits.commandsMax else {
            counters.refusedCommands += 1
            done(.failure(BusError(.tooMany, "\(waiting) commands wait for their answers already")))
            return nil
        }
        nextWaiter += 1
        switch desk.came(command) {
        case .answer(let payload):
            counters.repeatedCommands += 1
            done(.success(payload))
            return nil
        case .refuse(let payload):
            counters.refusedCommands += 1
            done(.success(payload))
            return nil
        case .wait:
            counters.repeatedCommands += 1
            waiters[command.id, default: []].append(Waiter(id: nextWaiter, done: done))
            waiting += 1
        case .execute:
            counters.commands += 1
            waiters[command.id, default: []].append(Waiter(id: nextWaiter, done: done))
            waiting += 1
            engine.commanded(command)
        }
        return nextWaiter
    }

    func answered(_ id: String, _ payload: [UInt8]) {
        guard desk.answered(id, payload: payload) else {
            counters.droppedReplies += 1
            return
        }
        let asked = waiters.removeValue(forKey: id) ?? []
        waiting -= asked.count
        if asked.isEmpty { counters.droppedReplies += 1 }
        for waiter in asked { waiter.done(.success(payload)) }
    }

    func timeOut(_ id: String, _ waiter: Int) {
        guard let index = waiters[id]?.firstIndex(where: { $0.id == waiter }),
            let late = waiters[id]?.remove(at: index)
        else { return }
        waiting -= 1
        if waiters[id]?.isEmpty == true { waiters[id] = nil }
        late.done(.failure(BusError(.timedOut, "no answer to command \(id) within \(limits.replyMillis) ms")))
    }
}
