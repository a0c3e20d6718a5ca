internal import Foundation
internal import GRDB
internal import Primitives
package import Wire

extension SQLiteCommitStore {
    package func load() throws(JournalError) -> CommittedState {
        try confirmPlans()
        return try Self.translating(path) {
            try pool.read { db in
                var check = RowCheck()
                var state = CommittedState(epoch: try epoch(db, &check))
                let channels = try Row.fetchCursor(db, sql: "SELECT channel, off, crc FROM channels")
                while let row = try channels.next() {
                    let (name, offset): (String, Int64) = (row[0], row[1])
                    guard row[2] == check.of(name, offset), let channel = Channel(name) else {
                        throw damaged("channel \(name)")
                    }
                    state.offsets[channel] = offset
                }
                let partitions = try Row.fetchCursor(db, sql: "SELECT partition, pseq, crc FROM partitions")
                while let row = try partitions.next() {
                    let (partition, sequence): (Int64, Int64) = (row[0], row[1])
                    guard row[2] == check.of("partition", partition, sequence),
                        (0..<Int64(CommittedState.partitions)).contains(partition)
                    else { throw damaged("partition \(partition)") }
                    state.partitionSequences[Int(partition)] = sequence
                }
                state.last = try last(db, &check)
                try confirmEnds(db, state)
                return state
            }
        }
    }

    /// Reads every plan once: one that can't be read must stop the start, not a later request.
    func confirmPlans() throws(JournalError) {
        try Self.translating(path) {
            try pool.read { db in
                var check = RowCheck()
                let rows = try Row.fetchCursor(db, sql: "SELECT \(Self.planColumns) FROM plans")
                while let row = try rows.next() { _ = try plan(row, &check) }
            }
        }
    }

    private func damaged(_ row: String) -> JournalError {
        JournalError(.corrupt, file: path, "checksum of the row of \(row)")
    }

    private func epoch(_ db: Database, _ check: inout RowCheck) throws -> String {
        guard let row = try Row.fetchOne(db, sql: "SELECT text, crc FROM meta WHERE name = 'epoch'") else {
            throw JournalError(.corrupt, file: path, "no epoch")
        }
        let epoch: String = row[0]
        guard row[1] == check.of("epoch " + epoch, 0) else { throw damaged("the epoch") }
        return epoch
    }

    private func last(_ db: Database, _ check: inout RowCheck) throws -> OutputPosition? {
        guard let row = try Row.fetchOne(db, sql: "SELECT a, b, crc FROM meta WHERE name = 'last'") else { return nil }
        let (n, index): (Int64, Int64) = (row[0], row[1])
        guard row[2] == check.of("last", n, index), let index = OutputIndex(exactly: index) else {
            throw damaged("the last position")
        }
        return OutputPosition(n: n, index: index)
    }

    /// The counters and the messages' ends say the same: no row of either is missing.
    private func confirmEnds(_ db: Database, _ state: CommittedState) throws {
        let partitions = try Row.fetchAll(db, sql: "SELECT partition, MAX(pseq) FROM messages GROUP BY partition")
        var ends = Array(repeating: Int64(0), count: CommittedState.partitions)
        for row in partitions {
            let partition: Int = row[0]
            guard ends.indices.contains(partition) else { throw damaged("partition \(partition)") }
            ends[partition] = row[1]
        }
        guard ends == state.partitionSequences, state.last != nil || ends.allSatisfy({ $0 == 0 }) else {
            throw JournalError(.corrupt, file: path, "partitions end at \(ends), counted \(state.partitionSequences)")
        }
        let channels = try Row.fetchAll(db, sql: "SELECT channel, MAX(off) FROM messages GROUP BY channel")
        var found: [String: Int64] = [:]
        for row in channels { found[row[0]] = row[1] }
        for (channel, offset) in state.offsets where found[channel.name] != offset {
            throw JournalError(.corrupt, file: path, "channel \(channel) doesn't end at \(offset)")
        }
        guard found.count == state.offsets.count else {
            throw JournalError(.corrupt, file: path, "\(found.count) channels, counted \(state.offsets.count)")
        }
    }

    package func commit(_ group: CommitGroup) throws(JournalError) {
        guard !group.isEmpty else { return }
        try Self.translating(path) {
            try pool.write { db in
                var check = RowCheck()
                try insert(group.messages, db, &check)
                try countUp(group.messages, db, &check)
                try upsert(group.plans, db, &check)
            }
        }
    }

    private func insert(_ messages: [StoredMessage], _ db: Database, _ check: inout RowCheck) throws {
        guard !messages.isEmpty else { return }
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO messages (channel, off, ep, n, idx, type, t, partition, pseq, bytes, crc)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        )
        for message in messages {
            try statement.execute(arguments: [
                message.channel.name, message.offset, message.epoch, message.n, Int64(message.index),
                message.type.name, message.time.nanos, message.channel.partition, message.partitionSequence,
                Data(message.bytes), check.of(message),
            ])
        }
    }

    private func countUp(_ messages: [StoredMessage], _ db: Database, _ check: inout RowCheck) throws {
        guard let last = messages.last else { return }
        var offsets: [String: Int64] = [:]
        var sequences: [Int: Int64] = [:]
        for message in messages {
            offsets[message.channel.name] = message.offset
            sequences[message.channel.partition] = message.partitionSequence
        }
        let channel = try db.cachedStatement(
            sql: "INSERT OR REPLACE INTO channels (channel, off, crc) VALUES (?, ?, ?)"
        )
        for (name, offset) in offsets { try channel.execute(arguments: [name, offset, check.of(name, offset)]) }
        let partition = try db.cachedStatement(
            sql: "INSERT OR REPLACE INTO partitions (partition, pseq, crc) VALUES (?, ?, ?)"
        )
        for (number, sequence) in sequences {
            try partition.execute(arguments: [number, sequence, check.of("partition", Int64(number), sequence)])
        }
        let index = Int64(last.index)
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO meta (name, text, a, b, crc) VALUES ('last', '', ?, ?, ?)")
            .execute(arguments: [last.n, index, check.of("last", last.n, index)])
    }

    private func upsert(_ plans: [StoredPlan], _ db: Database, _ check: inout RowCheck) throws {
        guard !plans.isEmpty else { return }
        let statement = try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO plans (id, owner, symbol, state, version, off, n, t, snapshot, crc)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        )
        for plan in plans {
            try statement.execute(arguments: [
                plan.id, plan.owner, plan.symbol, plan.state, plan.version, plan.offset, plan.n, plan.time.nanos,
                Data(plan.snapshot), check.of(plan),
            ])
        }
    }
}

extension SQLiteCommitStore {
    private static let messageColumns = "channel, off, ep, n, idx, type, t, pseq, bytes, crc"
    private static let planColumns = "id, owner, symbol, state, version, off, n, t, snapshot, crc"

    private func message(_ row: Row, _ check: inout RowCheck) throws -> StoredMessage {
        let (name, offset, type): (String, Int64, String) = (row[0], row[1], row[5])
        let index: Int64 = row[4]
        let bytes: Data = row[8]
        guard let channel = Channel(name), let type = MessageType(name: type), let index = OutputIndex(exactly: index)
        else {
            throw damaged("message \(offset) of \(name)")
        }
        let message = StoredMessage(
            channel: channel,
            offset: offset,
            partitionSequence: row[7],
            epoch: row[2],
            n: row[3],
            index: index,
            type: type,
            time: Instant(nanos: row[6]),
            bytes: [UInt8](bytes)
        )
        guard row[9] == check.of(message) else { throw damaged("message \(offset) of \(name)") }
        return message
    }

    private func plan(_ row: Row, _ check: inout RowCheck) throws -> StoredPlan {
        let snapshot: Data = row[8]
        let plan = StoredPlan(
            id: row[0],
            owner: row[1],
            symbol: row[2],
            state: row[3],
            version: row[4],
            offset: row[5],
            n: row[6],
            time: Instant(nanos: row[7]),
            snapshot: [UInt8](snapshot)
        )
        guard row[9] == check.of(plan) else { throw damaged("plan \(plan.id)") }
        return plan
    }

    /// Which numbers a read goes by.
    private enum Numbering {
        case channel(Channel)
        case partition(Int)
    }

    /// Reads messages and makes sure that none is missing: an index of a damaged file may hide some.
    private func messages(
        _ numbering: Numbering,
        after start: Int64,
        limit: Int
    ) throws(JournalError) -> [StoredMessage] {
        let limit = min(max(limit, 0), Self.readLimit)
        return try Self.translating(path) {
            try pool.read { db in
                var check = RowCheck()
                let end = try lastNumber(of: numbering, db)
                let rows = try rows(numbering, start, limit, db)
                var messages: [StoredMessage] = []
                while let row = try rows.next() {
                    let message = try message(row, &check)
                    let expected = start + Int64(messages.count) + 1
                    var number = message.offset
                    if case .partition = numbering { number = message.partitionSequence }
                    guard number == expected else { throw damaged("message \(expected) of \(numbering)") }
                    messages.append(message)
                }
                guard messages.count == max(0, min(Int64(limit), end - start)) else {
                    throw damaged("message \(start + Int64(messages.count) + 1) of \(numbering)")
                }
                return messages
            }
        }
    }

    private func rows(_ numbering: Numbering, _ start: Int64, _ limit: Int, _ db: Database) throws -> RowCursor {
        let select = "SELECT \(Self.messageColumns) FROM messages WHERE"
        switch numbering {
        case .channel(let channel):
            return try Row.fetchCursor(
                db,
                sql: "\(select) channel = ? AND off > ? ORDER BY off LIMIT ?",
                arguments: [channel.name, start, limit]
            )
        case .partition(let partition):
            return try Row.fetchCursor(
                db,
                sql: "\(select) partition = ? AND pseq > ? ORDER BY pseq LIMIT ?",
                arguments: [partition, start, limit]
            )
        }
    }

    /// The last number given.
    private func lastNumber(of numbering: Numbering, _ db: Database) throws -> Int64 {
        switch numbering {
        case .channel(let channel):
            let sql = "SELECT off FROM channels WHERE channel = ?"
            return try Int64.fetchOne(db, sql: sql, arguments: [channel.name]) ?? 0
        case .partition(let partition):
            let sql = "SELECT pseq FROM partitions WHERE partition = ?"
            return try Int64.fetchOne(db, sql: sql, arguments: [partition]) ?? 0
        }
    }

    private func plans(_ condition: String, _ arguments: StatementArguments) throws(JournalError) -> [StoredPlan] {
        try Self.translating(path) {
            try pool.read { db in
                var check = RowCheck()
                let sql = "SELECT \(Self.planColumns) FROM plans WHERE \(condition)"
                let rows = try Row.fetchCursor(db, sql: sql, arguments: arguments)
                var plans: [StoredPlan] = []
                while let row = try rows.next() { plans.append(try plan(row, &check)) }
                return plans
            }
        }
    }

    private static func limited(_ limit: Int) -> Int { min(max(limit, 0), readLimit) }

    package func messages(
        of channel: Channel,
        after offset: Int64,
        limit: Int
    ) throws(JournalError) -> [StoredMessage] {
        try messages(.channel(channel), after: max(0, offset), limit: limit)
    }

    package func messages(
        ofPartition partition: Int,
        after sequence: Int64,
        limit: Int
    ) throws(JournalError) -> [StoredMessage] {
        try messages(.partition(partition), after: max(0, sequence), limit: limit)
    }

    package func latest(of channel: Channel) throws(JournalError) -> StoredMessage? {
        let end = try Self.translating(path) { try pool.read { try lastNumber(of: .channel(channel), $0) } }
        return try messages(.channel(channel), after: max(0, end - 1), limit: 1).first
    }

    package func plan(_ id: String) throws(JournalError) -> StoredPlan? {
        try plans("id = ?", [id]).first
    }

    package func plans(of owner: String, after id: String, limit: Int) throws(JournalError) -> [StoredPlan] {
        try plans("owner = ? AND id > ? ORDER BY id LIMIT ?", [owner, id, Self.limited(limit)])
    }

    package func plans(after id: String, limit: Int) throws(JournalError) -> [StoredPlan] {
        try plans("id > ? ORDER BY id LIMIT ?", [id, Self.limited(limit)])
    }
}
