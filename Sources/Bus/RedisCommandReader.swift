internal import Network
internal import Wire

/// The engine's end of commands: reads `st:cmd` on a connection of its own, where it may block; loop thread only.
///
/// An entry is acknowledged after its answer. What an engine before left unacknowledged is read first: commands younger
/// than the asker's patience are handed on (the plan registry knows the ids that are done), older ones are refused.
final class RedisCommandReader {
    private enum Tag: Sendable {
        case group
        case read(isPending: Bool)
        case time
    }

    /// An entry whose age isn't known yet.
    private struct Entry {
        var id: String
        var fields: [RedisReply]
    }

    private static let batchEntries = 100
    private static let bodyBytesMax = 65_536

    private let publisher: RedisPublisher
    /// How long the server holds a read that finds nothing: well below what counts as death.
    private let blockMillis: Int64
    private var engine: (any BusEngine)?
    private var connection: RedisConnection<Tag>?
    private var desk: CommandDesk
    /// Entries to acknowledge with the answer of a command.
    private var entries: [String: [String]] = [:]
    private var batch: [Entry] = []
    private var batchWasPending = false
    /// Entries taken and not acknowledged are to be looked at again: the publisher's connection is a new one.
    private var looksAtPending = false
    /// Entries answered over that new connection, until the look is over: their acknowledgement may come behind it.
    private var settled: Set<String> = []
    private var isLooking = false

    init(publisher: RedisPublisher, engine: any BusEngine) {
        self.publisher = publisher
        self.engine = engine
        blockMillis = max(1, min(1_000, publisher.options.deadMillis / 3))
        desk = CommandDesk(limits: publisher.options.limits)
    }

    func start(seed: UInt64) {
        connection = RedisConnection(
            name: "commands",
            loop: publisher.loop,
            options: publisher.options,
            seed: seed,
            introduction: { [["CLIENT", "SETNAME", "striketape-commands"]] },
            events: RedisConnection.Events(
                ready: { [self] in makeGroup() },
                reply: { [self] tag, reply in replied(tag, reply) },
                lost: { [self] _, _, _ in batch = [] },
                heartbeat: {}
            )
        )
        publisher.entriesToAcknowledge = { [self] in answered($0, $1) }
        publisher.onReady = { [self] in
            looksAtPending = true
            isLooking = true
            settled = []
        }
        connection?.start()
    }

    func stop() {
        connection?.stop()
        publisher.entriesToAcknowledge = { _, _ in [] }
        publisher.onReady = {}
        engine = nil
    }

    // MARK: Reading

    private func makeGroup() {
        send(.group, ["XGROUP", "CREATE", RedisKey.commands, RedisKey.commandGroup, "0", "MKSTREAM"])
        read(pendingAfter: "0")
    }

    /// Asks for entries, and for the server's time right behind them.
    ///
    /// - Parameter pendingAfter: asks for those taken before and not acknowledged, behind this one; nil: for new ones.
    private func read(pendingAfter: String? = nil) {
        var command = ["XREADGROUP", "GROUP", RedisKey.commandGroup, "engine", "COUNT", String(Self.batchEntries)]
        if pendingAfter == nil { command += ["BLOCK", String(blockMillis)] }
        send(.read(isPending: pendingAfter != nil), command + ["STREAMS", RedisKey.commands, pendingAfter ?? ">"])
        send(.time, ["TIME"])
        connection?.flush()
    }

    private func send(_ tag: Tag, _ command: [String]) {
        connection?.send(tag) { $0.append(contentsOf: RedisCommand.text(command)) }
    }

    private func replied(_ tag: Tag?, _ reply: RedisReply) {
        switch tag {
        case .group:
            // BUSYGROUP: it exists.
            if let error = reply.errorText, RedisReply.code(of: error) != "BUSYGROUP" {
                publisher.counters.add(\.serverErrors)
            }
        case .read(let isPending):
            batchWasPending = isPending
            batch = []
            if let error = reply.errorText {
                publisher.counters.add(\.serverErrors)
                return lostGroup(error)
            }
            batch = Self.entries(reply)
        case .time: takeBatch(at: reply.elements ?? [])
        case nil: break
        }
    }

    /// The stream is gone (somebody emptied the server): begins again, not faster than the reads' pace.
    private func lostGroup(_ error: String) {
        publisher.loop.schedule(after: 100_000_000) { [weak self] in
            self?.connection?.restart("commands can't be read: \(RedisReply.code(of: error))")
        }
    }

    private static func entries(_ reply: RedisReply) -> [Entry] {
        let stream = reply.elements?.first?.elements
        return (stream?.last?.elements ?? []).compactMap { entry in
            guard let parts = entry.elements, let id = parts.first?.string else { return nil }
            return Entry(id: id, fields: parts.last?.elements ?? [])
        }
    }

    private func takeBatch(at time: [RedisReply]) {
        guard engine != nil else { return }
        let seconds = time.first?.string.flatMap { Int64($0) } ?? 0
        let micros = time.last?.string.flatMap { Int64($0) } ?? 0
        let now = seconds * 1_000 + micros / 1_000
        let taken = batch
        batch = []
        for entry in taken where !settled.contains(entry.id) { take(entry, now: now) }
        if batchWasPending, taken.count == Self.batchEntries {
            read(pendingAfter: taken[taken.count - 1].id)
        } else if looksAtPending {
            looksAtPending = false
            read(pendingAfter: "0")
        } else {
            isLooking = false
            settled = []
            read()
        }
    }

    // MARK: Commands

    private func take(_ entry: Entry, now: Int64) {
        let limits = publisher.options.limits
        guard let command = Self.command(entry.fields) else {
            publisher.counters.add(\.malformed)
            return publisher.acknowledge([entry.id])
        }
        let millis = entry.id.split(separator: "-").first.flatMap { Int64($0) } ?? 0
        guard now - millis <= limits.replyMillis else {
            publisher.counters.add(\.refusedCommands)
            return answer(command, CommandDesk.failure(.unavailable), entry)
        }
        switch desk.came(command) {
        case .execute:
            publisher.counters.add(\.commands)
            entries[command.id, default: []].append(entry.id)
            engine?.commanded(command)
        case .wait:
            // The same entry seen again is no repetition.
            guard entries[command.id]?.contains(entry.id) != true else { return }
            publisher.counters.add(\.repeatedCommands)
            entries[command.id, default: []].append(entry.id)
        case .answer(let payload):
            publisher.counters.add(\.repeatedCommands)
            answer(command, payload, entry)
        case .refuse(let payload):
            publisher.counters.add(\.refusedCommands)
            answer(command, payload, entry)
        }
    }

    /// Answers without the engine.
    private func answer(_ command: Command, _ payload: [UInt8], _ entry: Entry) {
        if isLooking { settled.insert(entry.id) }
        publisher.answer(command.id, payload, entries: [entry.id])
    }

    /// The engine answered.
    ///
    /// - Returns: the entries to acknowledge.
    private func answered(_ id: String, _ payload: [UInt8]) -> [String] {
        _ = desk.answered(id, payload: payload)
        let answered = entries.removeValue(forKey: id) ?? []
        if isLooking { settled.formUnion(answered) }
        return answered
    }

    /// Reads an entry's fields; nil where one is missing, unknown or too long.
    static func command(_ fields: [RedisReply]) -> Command? {
        var values: [String: [UInt8]] = [:]
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            guard let name = fields[index].string, let value = fields[index + 1].bytes else { return nil }
            values[name] = value
        }
        guard
            let operation = values["op"].flatMap({ Command.Operation(rawValue: String(decoding: $0, as: UTF8.self)) }),
            let id = values["id"], isID(id), let owner = values["owner"], (1...256).contains(owner.count),
            let body = values["body"], body.count <= bodyBytesMax
        else { return nil }
        return Command(
            operation: operation,
            id: String(decoding: id, as: UTF8.self),
            owner: String(decoding: owner, as: UTF8.self),
            body: body
        )
    }

    /// 1 to 128 printable ASCII bytes without space: the id is part of a channel's name.
    static func isID(_ bytes: some Collection<UInt8>) -> Bool {
        (1...128).contains(bytes.count) && bytes.allSatisfy { (33...126).contains($0) }
    }
}
