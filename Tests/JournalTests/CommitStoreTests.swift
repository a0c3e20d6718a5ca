import Foundation
import Journal
import Primitives
import Testing
import Wire

/// Which store the common suite runs over.
enum StoreKind: CaseIterable, Sendable {
    case memory
    case sqlite

    func make(_ directory: TemporaryDirectory) throws -> any CommitStore {
        switch self {
        case .memory: MemoryCommitStore(epoch: "e1")
        case .sqlite: try SQLiteCommitStore(path: directory.file("log.db"), epoch: "e1")
        }
    }
}

func group(_ messages: [StoredMessage] = [], plans: [StoredPlan] = []) -> CommitGroup {
    var group = CommitGroup()
    group.messages = messages
    group.plans = plans
    return group
}

func plan(_ id: String, _ owner: String, version: Int64 = 1) -> StoredPlan {
    StoredPlan(
        id: id,
        owner: owner,
        symbol: "SPY",
        state: "armed",
        version: version,
        offset: version,
        n: version,
        time: Instant(nanos: 5),
        snapshot: Array("{\"v\":\(version)}".utf8)
    )
}

/// The messages of a log with several channels, in order.
func sampleMessages(_ count: Int64 = 30) -> [StoredMessage] {
    var core = SequencerCore(shards: 1, run: "r", resuming: CommittedState(epoch: "e1"))
    core.post(batch((1...count).map { hit($0, OutputIndex($0 % 3), "plan:p\($0 % 4)") }), shard: 0, passed: count)
    return core.take().group.messages
}

@Suite struct CommitStoreTests {
    private let directory = TemporaryDirectory()

    @Test(arguments: StoreKind.allCases)
    func aNewStoreIsEmpty(kind: StoreKind) throws {
        let store = try kind.make(directory)
        #expect(try store.load() == CommittedState(epoch: "e1"))
        #expect(try store.latest(of: Channel(.plan, "p1")) == nil)
        #expect(try store.plan("p1") == nil && store.plans(after: "", limit: 9).isEmpty)
        #expect(try store.messages(ofPartition: 99, after: 0, limit: 9).isEmpty)
    }

    @Test(arguments: StoreKind.allCases)
    func findsWhatWasCommitted(kind: StoreKind) throws {
        let store = try kind.make(directory)
        let all = sampleMessages()
        try store.commit(group(Array(all[..<11])))
        try store.commit(group(Array(all[11...])))
        let state = try store.load()
        #expect(state.last == all.last.map { OutputPosition(n: $0.n, index: $0.index) })
        for key in 0..<4 {
            let channel = Channel(.plan, "p\(key)")
            let mine = all.filter { $0.channel == channel }
            #expect(state.offsets[channel] == Int64(mine.count))
            #expect(try store.latest(of: channel) == mine.last)
            #expect(try store.messages(of: channel, after: 0, limit: 99) == mine)
            #expect(try store.messages(of: channel, after: 2, limit: 3) == Array(mine[2..<5]))
            #expect(try store.messages(of: channel, after: 99, limit: 3).isEmpty)
        }
        for partition in 0..<CommittedState.partitions {
            let mine = all.filter { $0.channel.partition == partition }
            #expect(state.partitionSequences[partition] == Int64(mine.count))
            #expect(try store.messages(ofPartition: partition, after: 0, limit: 99) == mine)
            #expect(try store.messages(ofPartition: partition, after: 1, limit: 99) == Array(mine.dropFirst()))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func keepsTheLatestOfEachPlan(kind: StoreKind) throws {
        let store = try kind.make(directory)
        try store.commit(
            group(plans: [plan("a", "u1"), plan("c", "u1"), plan("b", "u2"), plan("a", "u1", version: 2)])
        )
        try store.commit(group(plans: [plan("c", "u1", version: 3)]))
        #expect(try store.plan("a") == plan("a", "u1", version: 2))
        #expect(try store.plans(of: "u1", after: "", limit: 9).map(\.version) == [2, 3])
        #expect(try store.plans(of: "u1", after: "a", limit: 9).map(\.id) == ["c"])
        #expect(try store.plans(of: "u'1", after: "", limit: 9).isEmpty)
        #expect(try store.plans(after: "", limit: 2).map(\.id) == ["a", "b"])
    }

    @Test func theMemoryStoreForgetsBeyondItsLimit() {
        let store = MemoryCommitStore(epoch: "e", limit: 3)
        store.commit(group(sampleMessages(80)))
        let channel = Channel(.plan, "p1")
        let kept = store.messages(of: channel, after: 0, limit: 99)
        #expect((3...6).contains(kept.count) && kept.last?.offset == 20 && store.evictedCount > 0)
        #expect(store.load().offsets[channel] == 20)
    }

    @Test func goesOnWhereAnEarlierProcessEnded() throws {
        let path = directory.file("log.db")
        let all = sampleMessages()
        let first = try SQLiteCommitStore(path: path, epoch: "e1")
        #expect(try first.synchronousMode() == 2)
        try first.commit(group(all, plans: [plan("a", "u")]))
        let state = try first.load()
        try first.close()
        let second = try SQLiteCommitStore(path: path, epoch: "other")
        #expect(try second.load() == state && state.epoch == "e1")
        #expect(try second.plan("a") == plan("a", "u"))
    }

    @Test func aGroupIsThereWholeOrNotAtAll() throws {
        let store = try SQLiteCommitStore(path: directory.file("log.db"), epoch: "e1")
        let all = sampleMessages()
        try store.commit(group(Array(all[..<5])))
        let before = try store.load()
        // The second half repeats an offset, which the log refuses.
        #expect(throws: JournalError.self) { try store.commit(group([all[5], all[6], all[0]])) }
        #expect(try store.load() == before)
        try store.commit(group(Array(all[5...])))
        #expect(try store.load().last?.n == 30)
    }
}

@Suite struct SQLiteCommitStoreDamageTests {
    private let directory = TemporaryDirectory()
    private let all = sampleMessages(40)

    /// Everything that can be read of a log, or the error that says it can't.
    private func everything(_ path: String) -> Result<[String], JournalError> {
        do throws(JournalError) {
            let store = try SQLiteCommitStore(path: path, epoch: "new")
            let state = try store.load()
            var words = ["\(state.epoch) \(String(describing: state.last)) \(state.partitionSequences)"]
            words += state.offsets.map { "\($0.key) \($0.value)" }.sorted()
            for partition in 0..<CommittedState.partitions {
                let messages = try store.messages(ofPartition: partition, after: 0, limit: 1000)
                words += messages.map {
                    "\($0.offset) \($0.partitionSequence) " + String(decoding: $0.bytes, as: UTF8.self)
                }
            }
            words += try store.plans(after: "", limit: 100).map { "\($0)" }
            try store.close()
            return .success(words)
        } catch {
            return .failure(error)
        }
    }

    private func makeLog() throws -> (bytes: [UInt8], content: [String]) {
        let path = directory.file("log.db")
        let store = try SQLiteCommitStore(path: path, epoch: "e1")
        try store.commit(group(all, plans: [plan("a", "u"), plan("b", "u", version: 7)]))
        try store.close()
        return (try contents(path), try everything(path).get())
    }

    private func place(_ bytes: some Collection<UInt8>, in inner: TemporaryDirectory) throws -> String {
        for name in ["log.db-wal", "log.db-shm"] { try? FileManager.default.removeItem(atPath: inner.file(name)) }
        return try inner.write(bytes, to: "log.db")
    }

    @Test func aCutFileIsRefused() throws {
        let (bytes, _) = try makeLog()
        let inner = TemporaryDirectory()
        for cut in stride(from: 0, to: bytes.count, by: 509) {
            let path = try place(bytes[..<cut], in: inner)
            guard case .failure(let error) = everything(path) else {
                Issue.record("cut at \(cut) of \(bytes.count) was taken")
                continue
            }
            #expect(error.file == path && error.code == .corrupt, "cut at \(cut): \(error)")
            #expect(try contents(path).count == cut, "a refused log stays as it is")
        }
    }

    @Test(arguments: [1, 2] as [UInt64])
    func aFlippedBitIsNeverTakenForData(seed: UInt64) throws {
        let (bytes, content) = try makeLog()
        let inner = TemporaryDirectory()
        var random = SeededGenerator(seed: seed)
        var refused = 0
        for _ in 0..<150 {
            let offset = Int.random(in: 0..<bytes.count, using: &random)
            var damaged = bytes
            damaged[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            let path = try place(damaged, in: inner)
            switch everything(path) {
            case .success(let found): #expect(found == content, "byte \(offset), seed \(seed)")
            case .failure: refused += 1
            }
        }
        #expect(refused > 0)
    }

    @Test func aCutOrDamagedWriteAheadLogEndsAtItsLastGoodCommit() throws {
        let path = directory.file("log.db")
        let store = try SQLiteCommitStore(path: path, epoch: "e1")
        for message in all { try store.commit(group([message])) }
        // Copied while the log is open, as a crash leaves it.
        let (main, wal) = (try contents(path), try contents(path + "-wal"))
        try store.close()
        #expect(wal.count > 100_000)
        let inner = TemporaryDirectory()
        var ends: Set<Int64> = []
        for (round, cut) in stride(from: 0, through: wal.count, by: 7919).enumerated() {
            _ = try place(main, in: inner)
            var damaged = wal
            if round % 2 == 0 { damaged.removeLast(wal.count - cut) } else { damaged[cut] ^= 0x10 }
            _ = try inner.write(damaged, to: "log.db-wal")
            let opened = try? SQLiteCommitStore(path: inner.file("log.db"), epoch: "new")
            guard let opened, let state = try? opened.load() else { continue }
            let last = state.last?.n ?? 0
            ends.insert(last)
            let found = try (0..<4).flatMap { try opened.messages(of: Channel(.plan, "p\($0)"), after: 0, limit: 99) }
            #expect(found.sorted { $0.n < $1.n } == Array(all[..<Int(last)]), "cut at \(cut)")
            try opened.close()
        }
        #expect(ends.count > 5)
    }

    @Test func whatIsNoLogIsRefusedByName() throws {
        let (bytes, _) = try makeLog()
        let inner = TemporaryDirectory()
        func refusal(_ content: [UInt8]) throws -> JournalError? {
            let path = try place(content, in: inner)
            guard case .failure(let error) = everything(path) else { return nil }
            return error
        }
        #expect(try refusal([])?.message.contains("empty") == true)
        #expect(try refusal(Array(repeating: 7, count: 5000))?.code == .corrupt)
        var newer = bytes
        newer[63] = 9
        #expect(try refusal(newer)?.code == .version)
        var broken = bytes
        for offset in 4096..<4200 { broken[offset] = 0xFF }
        let error = try #require(try refusal(broken))
        #expect(error.code == .corrupt && error.message.contains("quick_check"), "\(error)")
    }

    @Test func aLogWithoutItsMainFileIsRefused() throws {
        _ = try directory.write([1, 2, 3], to: "log.db-wal")
        #expect(throws: JournalError.self) { try SQLiteCommitStore(path: directory.file("log.db"), epoch: "e") }
        #expect(!FileManager.default.fileExists(atPath: directory.file("log.db")))
    }
}
