internal import Foundation
internal import GRDB
internal import Primitives
internal import Wire

/// The commit log and plan store in one SQLite file: WAL, synced at each commit.
///
/// Writes on the Sequencer's storage thread, reads from any thread beside them. Rows carry a checksum that is verified
/// whenever they are read.
package final class SQLiteCommitStore: CommitStore {
    /// Marks the file as ours (`PRAGMA application_id`).
    static let applicationID = 0x5354_504A
    /// Layout of the tables (`PRAGMA user_version`).
    static let schemaVersion = 1
    /// No read gives more rows.
    package static let readLimit = 10_000

    let path: String
    let pool: DatabasePool

    /// Opens the log, or begins a new one where there is no file.
    ///
    /// - Parameters:
    ///   - path: the database file; SQLite keeps `-wal` and `-shm` beside it.
    ///   - epoch: the name of a new log; an existing one keeps its own.
    /// - Throws: `corrupt` with the first line of SQLite's check, `version`, `unreadable`. A damaged log is never
    ///   replaced by a new one.
    package init(path: String, epoch: String) throws(JournalError) {
        self.path = path
        if Files.size(path) == nil { try Self.create(path, epoch: epoch) }
        try Self.checkHead(path)
        pool = try Self.translating(path) {
            let pool = try DatabasePool(path: path, configuration: Self.configuration())
            try Self.verify(pool, path)
            // DatabasePool itself sets NORMAL, which loses commits when the machine ends.
            try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            return pool
        }
    }

    private static func configuration() -> Configuration {
        var configuration = Configuration()
        configuration.label = "journal"
        configuration.maximumReaderCount = 2
        configuration.busyMode = .timeout(5)
        return configuration
    }

    /// Makes the file under another name first: a process that ends meanwhile leaves no half-made log.
    private static func create(_ path: String, epoch: String) throws(JournalError) {
        for ending in ["-wal", "-journal"] where (Files.size(path + ending) ?? 0) > 0 {
            throw JournalError(.corrupt, file: path, "missing, but \(path + ending) is there; restore or remove it")
        }
        let temporary = path + ".new"
        try Files.remove(temporary)
        try translating(temporary) {
            let queue = try DatabaseQueue(path: temporary)
            try queue.write { try $0.execute(sql: schema) }
            try queue.write { db in
                var check = RowCheck()
                try db.execute(
                    sql: "INSERT INTO meta (name, text, a, b, crc) VALUES ('epoch', ?, 0, 0, ?)",
                    arguments: [epoch, check.of("epoch " + epoch, 0)]
                )
            }
            try queue.close()
        }
        let directory = String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex))
        try Files.moveIntoPlace(temporary, as: path, in: directory.isEmpty ? "." : directory)
    }

    private static let schema = """
        PRAGMA application_id = \(applicationID);
        PRAGMA user_version = \(schemaVersion);
        CREATE TABLE meta (name TEXT PRIMARY KEY, text TEXT NOT NULL, a INTEGER NOT NULL, b INTEGER NOT NULL,
            crc INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE channels (channel TEXT PRIMARY KEY, off INTEGER NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE partitions (partition INTEGER PRIMARY KEY, pseq INTEGER NOT NULL, crc INTEGER NOT NULL);
        CREATE TABLE messages (id INTEGER PRIMARY KEY, channel TEXT NOT NULL, off INTEGER NOT NULL, ep TEXT NOT NULL,
            n INTEGER NOT NULL, idx INTEGER NOT NULL, type TEXT NOT NULL, t INTEGER NOT NULL,
            partition INTEGER NOT NULL, pseq INTEGER NOT NULL, bytes BLOB NOT NULL, crc INTEGER NOT NULL);
        CREATE UNIQUE INDEX messages_by_channel ON messages (channel, off);
        CREATE UNIQUE INDEX messages_by_partition ON messages (partition, pseq);
        CREATE TABLE plans (id TEXT PRIMARY KEY, owner TEXT NOT NULL, symbol TEXT NOT NULL, state TEXT NOT NULL,
            version INTEGER NOT NULL, off INTEGER NOT NULL, n INTEGER NOT NULL, t INTEGER NOT NULL,
            snapshot BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
        CREATE INDEX plans_by_owner ON plans (owner, id);
        """

    /// Looks at the head before SQLite does, which takes a short file for a new one and writes into it.
    private static func checkHead(_ path: String) throws(JournalError) {
        let head = try Files.head(path, count: 100)
        guard !head.isEmpty else { throw JournalError(.corrupt, file: path, "empty; remove it to begin a new log") }
        guard head.count == 100, head.starts(with: "SQLite format 3\0".utf8) else {
            throw JournalError(.corrupt, file: path, "not a database")
        }
        func number(_ range: Range<Int>) -> Int64 { head[range].reduce(0) { $0 << 8 | Int64($1) } }
        let id = number(68..<72)
        guard id == applicationID else {
            throw JournalError(.version, file: path, "not a commit log: application id \(id)")
        }
        // Beside a write-ahead log the file may lag behind its own head.
        guard (Files.size(path + "-wal") ?? 0) == 0 else { return }
        let needed = (number(16..<18) == 1 ? 65_536 : number(16..<18)) * number(28..<32)
        guard let size = Files.size(path), size >= needed else {
            throw JournalError(.corrupt, file: path, "shorter than the \(needed) bytes that it says")
        }
    }

    private static func verify(_ pool: DatabasePool, _ path: String) throws {
        try pool.read { db in
            let check = try String.fetchOne(db, sql: "PRAGMA quick_check(1)") ?? "no answer"
            guard check == "ok" else { throw JournalError(.corrupt, file: path, "quick_check: \(check)") }
            // A plan that its index hides can't be missed otherwise, as a message by its number can.
            let plans = try String.fetchOne(db, sql: "PRAGMA integrity_check('plans')") ?? "no answer"
            guard plans == "ok" else { throw JournalError(.corrupt, file: path, "integrity_check: \(plans)") }
            let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            guard version == schemaVersion else {
                throw JournalError(.version, file: path, "layout \(version), expected \(schemaVersion)")
            }
        }
    }

    /// Runs database work and names the file in whatever it throws.
    static func translating<Result>(_ path: String, _ body: () throws -> Result) throws(JournalError) -> Result {
        do {
            return try body()
        } catch let error as JournalError {
            throw error
        } catch let error as DatabaseError {
            let code: JournalError.Code =
                switch error.resultCode {
                case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT, .SQLITE_ERROR, .SQLITE_SCHEMA: .corrupt
                case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH: .unreadable
                default: .unwritable
                }
            throw JournalError(code, file: path, error.message ?? "SQLite result \(error.resultCode.rawValue)")
        } catch {
            throw JournalError(.corrupt, file: path, "\(error)")
        }
    }

    /// How SQLite syncs: 2 is FULL.
    package func synchronousMode() throws(JournalError) -> Int {
        try Self.translating(path) {
            try pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") ?? -1 }
        }
    }

    /// Closes the file; everything is in it then and no `-wal` is left.
    package func close() throws(JournalError) {
        try Self.translating(path) {
            try pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
            try pool.close()
        }
    }
}
