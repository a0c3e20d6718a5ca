import Foundation
import Journal
import Primitives
import Testing
import Wire

/// Keeps what was released, in words.
final class CollectingSink: MessageSink {
    private struct Content {
        var entries: [String] = []
        var gate = false
    }

    private let content = Lock(Content())

    var entries: [String] { content.withLock { $0.entries } }

    func release(_ messages: [Envelope]) {
        let texts = messages.map { String(decoding: $0.bytes, as: UTF8.self) }
        content.withLock { $0.entries += texts }
    }

    func reply(to command: String, payload: [UInt8]) {
        content.withLock { $0.entries.append("reply \(command) " + String(decoding: payload, as: UTF8.self)) }
    }
}

/// A store whose disk can be switched off, and that can hold a commit back.
final class SwitchableStore: CommitStore {
    private struct Control {
        var isBroken = false
        var isHeld = false
        var commits = 0
    }

    let inner = MemoryCommitStore(epoch: "e1")
    private let control = Lock(Control())

    func setBroken(_ isBroken: Bool) { control.withLock { $0.isBroken = isBroken } }
    func setHeld(_ isHeld: Bool) { control.withLock { $0.isHeld = isHeld } }
    var commits: Int { control.withLock { $0.commits } }

    func load() -> CommittedState { inner.load() }

    func commit(_ group: CommitGroup) throws(JournalError) {
        while control.withLock({ $0.isHeld }) { Thread.sleep(forTimeInterval: 0.001) }
        control.withLock { $0.commits += 1 }
        if control.withLock({ $0.isBroken }) { throw JournalError(.unwritable, file: "test", "no space left") }
        inner.commit(group)
    }

    func messages(of channel: Channel, after offset: Int64, limit: Int) -> [StoredMessage] {
        inner.messages(of: channel, after: offset, limit: limit)
    }
    func messages(ofPartition partition: Int, after sequence: Int64, limit: Int) -> [StoredMessage] {
        inner.messages(ofPartition: partition, after: sequence, limit: limit)
    }
    func latest(of channel: Channel) -> StoredMessage? { inner.latest(of: channel) }
    func plan(_ id: String) -> StoredPlan? { inner.plan(id) }
    func plans(of owner: String, after id: String, limit: Int) -> [StoredPlan] { [] }
    func plans(after id: String, limit: Int) -> [StoredPlan] { [] }
}

/// Waits until a condition holds; false after ten seconds.
func eventually(_ isTrue: () -> Bool) -> Bool {
    for _ in 0..<10_000 {
        if isTrue() { return true }
        Thread.sleep(forTimeInterval: 0.001)
    }
    return false
}

private func tick(_ n: Ordinal) -> MadeOutput {
    MadeOutput(n: n, index: 0, type: .tick, outputClass: .conflatable, channel: "symbol:SPY", payload: "{}")
}

@Suite struct SequencerTests {
    private let sink = CollectingSink()
    private let store = SwitchableStore()

    @Test func commitsBeforeItReleases() throws {
        store.setHeld(true)
        let synced = Lock(0)
        let hooks = Sequencer.Hooks(sync: {
            synced.withLock { $0 += 1 }
            return nil
        })
        let sequencer = try Sequencer(shards: 1, run: "r", store: store, sink: sink, hooks: hooks)
        sequencer.post(batch([hit(1), tick(2)]), shard: 0, passed: 2)
        #expect(eventually { synced.withLock { $0 } == 1 })
        #expect(sink.entries.isEmpty)
        store.setHeld(false)
        sequencer.flush()
        #expect(sink.entries.count == 2 && sink.entries.first?.contains(#""off":1"#) == true)
        #expect(store.inner.load().last == OutputPosition(n: 1, index: 0))
        sequencer.close()
    }

    @Test func conflatableMessagesCommitNothing() throws {
        let sequencer = try Sequencer(shards: 1, run: "r", store: store, sink: sink)
        sequencer.post(batch([tick(1), tick(2)]), shard: 0, passed: 2)
        sequencer.flush()
        #expect(sink.entries.count == 2 && store.commits == 0)
        sequencer.close()
    }

    @Test func anEmptyBatchLetsOthersOut() throws {
        let sequencer = try Sequencer(shards: 2, run: "r", store: store, sink: sink)
        sequencer.post(batch([hit(5)]), shard: 0, passed: 5)
        sequencer.flush()
        #expect(sink.entries.isEmpty)
        sequencer.post(OutputBatch(), shard: 1, passed: 7)
        #expect(eventually { sink.entries.count == 1 })
        sequencer.close()
    }

    @Test func repliesKeepTheirPlace() throws {
        let sequencer = try Sequencer(shards: 1, run: "r", store: store, sink: sink)
        let reply = MadeOutput(n: 1, index: 1, type: .reply, outputClass: .reply, channel: "c1", payload: "{}")
        sequencer.post(batch([hit(1), reply, hit(2)]), shard: 0, passed: 2)
        sequencer.close()
        #expect(sink.entries.count == 3 && sink.entries[1] == "reply c1 {}")
    }

    @Test func aBrokenStoreIsSaidOnEachMessageAndMadeGoodLater() throws {
        let health = Lock<[JournalHealth]>([])
        let hooks = Sequencer.Hooks(healthChanged: { new in health.withLock { $0.append(new) } })
        let limits = Sequencer.Limits(idleMs: 5)
        let sequencer = try Sequencer(shards: 1, run: "r", store: store, sink: sink, limits: limits, hooks: hooks)
        sequencer.post(batch([hit(1)]), shard: 0, passed: 1)
        sequencer.flush()
        store.setBroken(true)
        sequencer.post(batch([hit(2), tick(3)]), shard: 0, passed: 3)
        sequencer.flush()
        let entries = sink.entries
        #expect(entries.count == 3)
        #expect(entries[1].contains(#""t":"20","durable":false,"d":{"#))
        let header = try #require(EnvelopeHeader(Array(entries[1].utf8)))
        #expect(!header.isDurable && header.offset == 2)
        #expect(EnvelopeHeader(Array(entries[0].utf8))?.isDurable == true)
        #expect(!entries[2].contains("durable"))
        #expect(store.inner.load().last?.n == 1)
        guard case .failing(let error) = sequencer.health else {
            Issue.record("health is \(sequencer.health)")
            return
        }
        #expect(error.code == .unwritable)
        store.setBroken(false)
        #expect(eventually { sequencer.health == .durable })
        sequencer.post(batch([hit(4)]), shard: 0, passed: 4)
        sequencer.close()
        let kept = store.inner.messages(of: Channel(.plan, "p1"), after: 0, limit: 10)
        #expect(kept.map(\.offset) == [1, 2, 3] && kept.map(\.n) == [1, 2, 4])
        #expect(kept.allSatisfy { EnvelopeHeader($0.bytes)?.isDurable == true })
        #expect(health.withLock { $0 }.count == 2)
        #expect(sequencer.counters.undurable == 1)
    }

    @Test func aTapeThatFailsHoldsTheCommitBack() throws {
        let hooks = Sequencer.Hooks(sync: { JournalError(.unwritable, file: "tape", "no space left") })
        let sequencer = try Sequencer(shards: 1, run: "r", store: store, sink: sink, hooks: hooks)
        sequencer.post(batch([hit(1)]), shard: 0, passed: 1)
        sequencer.flush()
        #expect(sink.entries.first?.contains(#""durable":false"#) == true && store.commits == 0)
        sequencer.close()
    }

    @Test func aBacklogBeyondTheLimitGivesTheLogUp() throws {
        store.setBroken(true)
        let limits = Sequencer.Limits(backlog: 2, idleMs: 5)
        let sequencer = try Sequencer(shards: 1, run: "r", store: store, sink: sink, limits: limits)
        sequencer.post(batch((1...5).map { hit($0) }), shard: 0, passed: 5)
        sequencer.flush()
        store.setBroken(false)
        sequencer.post(batch([hit(6)]), shard: 0, passed: 6)
        sequencer.close()
        #expect(sequencer.counters.abandoned == 6 && store.inner.load().last == nil)
        #expect(sink.entries.allSatisfy { $0.contains(#""durable":false"#) } && sink.entries.count == 6)
        #expect(sequencer.health != .durable)
    }

    @Test func aFullMailboxHoldsThePosterAndLosesNothing() throws {
        store.setHeld(true)
        let limits = Sequencer.Limits(mailbox: 8)
        let sequencer = try Sequencer(shards: 1, run: "r", store: store, sink: sink, limits: limits)
        let poster = Thread {
            for n in 1...500 as ClosedRange<Int64> { sequencer.post(batch([hit(n)]), shard: 0, passed: n) }
        }
        poster.start()
        #expect(eventually { sequencer.counters.blockedPosts > 0 })
        store.setHeld(false)
        #expect(eventually { sink.entries.count == 500 })
        let offsets = sink.entries.compactMap { EnvelopeHeader(Array($0.utf8))?.offset }
        #expect(offsets == Array(1...500))
        sequencer.close()
        sequencer.post(batch([hit(501)]), shard: 0, passed: 501)
        #expect(sequencer.counters.latePosts == 1)
    }

    @Test(arguments: [3, 99] as [UInt64])
    func threadsOfShardsGiveTheBytesOfOne(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let outputs = (1...2000 as ClosedRange<Int64>).map { n in
            hit(n, 0, "plan:p\(Int.random(in: 0..<9, using: &random))")
        }
        func run(_ shards: Int) throws -> [String] {
            let sink = CollectingSink()
            let store = MemoryCommitStore(epoch: "e1")
            let sequencer = try Sequencer(shards: shards, run: "r", store: store, sink: sink)
            let done = Lock(0)
            for shard in 0..<shards {
                let thread = Thread {
                    for start in stride(from: 0, to: outputs.count, by: 50) {
                        let slice = outputs[start..<(start + 50)].filter { Int($0.n) % shards == shard }
                        sequencer.post(batch(slice), shard: shard, passed: Int64(start + 50))
                    }
                    done.withLock { $0 += 1 }
                }
                thread.start()
            }
            #expect(eventually { done.withLock { $0 } == shards })
            sequencer.flush()
            sequencer.close()
            return sink.entries
        }
        let expected = try run(1)
        #expect(expected.count == 2000)
        #expect(try run(2) == expected && run(5) == expected, "seed \(seed)")
    }
}
