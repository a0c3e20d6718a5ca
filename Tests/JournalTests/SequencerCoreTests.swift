import Journal
import Primitives
import Testing
import Wire

/// An output as the tests invent it.
struct MadeOutput {
    var n: Ordinal
    var index: OutputIndex
    var type: MessageType
    var outputClass: OutputClass
    var channel: String
    var payload: String

    func append(to batch: inout OutputBatch) {
        batch.append(
            n: n,
            index: index,
            type: type,
            outputClass: outputClass,
            time: Instant(nanos: n * 10),
            channel: { $0.append(contentsOf: channel.utf8) },
            payload: { $0.append(contentsOf: payload.utf8) }
        )
    }
}

func batch(_ outputs: [MadeOutput]) -> OutputBatch {
    var batch = OutputBatch()
    for output in outputs { output.append(to: &batch) }
    return batch
}

func texts(_ turn: SequencedTurn) -> [String] {
    turn.items.map { item in
        switch item {
        case .message(let envelope): String(decoding: envelope.bytes, as: UTF8.self)
        case .request(let payload): "request " + String(decoding: payload, as: UTF8.self)
        case .reply(let command, let payload): "reply \(command) " + String(decoding: payload, as: UTF8.self)
        }
    }
}

func hit(_ n: Ordinal, _ index: OutputIndex = 0, _ channel: String = "plan:p1") -> MadeOutput {
    MadeOutput(n: n, index: index, type: .hit, outputClass: .durable, channel: channel, payload: #"{"k":"\#(n)"}"#)
}

@Suite struct SequencerCoreTests {
    private let fresh = CommittedState(epoch: "e1")

    @Test func numbersEachClass() {
        var core = SequencerCore(shards: 1, run: "r1", resuming: fresh)
        let tick = MadeOutput(
            n: 2,
            index: 0,
            type: .tick,
            outputClass: .conflatable,
            channel: "plan:p1",
            payload: "{}"
        )
        let state = MadeOutput(n: 3, index: 0, type: .snapshot, outputClass: .state, channel: "plan:p1", payload: "{}")
        let reply = MadeOutput(n: 3, index: 1, type: .reply, outputClass: .reply, channel: "c 9", payload: "{}")
        core.post(batch([hit(1), tick, state, reply, hit(4)]), shard: 0, passed: 4)
        let turn = core.take()
        #expect(
            texts(turn) == [
                #"{"ch":"plan:p1","ep":"e1","off":1,"n":"1","type":"hit","t":"10","d":{"k":"1"}}"#,
                #"{"ch":"plan:p1","ep":"e1","base":1,"run":"r1","rev":1,"n":"2","type":"tick","t":"20","d":{}}"#,
                #"{"ch":"plan:p1","ep":"e1","off":1,"n":"3","type":"snapshot","t":"30","d":{}}"#,
                "reply c 9 {}",
                #"{"ch":"plan:p1","ep":"e1","off":2,"n":"4","type":"hit","t":"40","d":{"k":"4"}}"#,
            ]
        )
        #expect(turn.group.messages.map(\.partitionSequence) == [1, 2])
        #expect(core.counters.durable == 2 && core.counters.replies == 1 && core.counters.unstoredPlans == 1)
    }

    @Test func waitsForEveryShard() {
        var core = SequencerCore(shards: 2, run: "r1", resuming: fresh)
        core.post(batch([hit(1), hit(5)]), shard: 0, passed: 5)
        #expect(core.take().items.isEmpty && core.earliestPending == 1)
        core.post(batch([hit(3, 0, "plan:p2")]), shard: 1, passed: 4)
        #expect(core.take().group.messages.map(\.n) == [1, 3] && core.earliestPending == 5)
        core.pass(9, shard: 1)
        #expect(core.take().group.messages.map(\.n) == [5] && core.pendingCount == 0)
    }

    @Test func dropsWhatTheLogHoldsAndGoesOnNumbering() throws {
        var before = SequencerCore(shards: 1, run: "r1", resuming: fresh)
        let all = (1...9).map { hit($0, 0, "plan:p\($0 % 2)") }
        before.post(batch(all), shard: 0, passed: 9)
        let whole = before.take().group.messages
        for cut in 0..<whole.count {
            var state = fresh
            for message in whole[..<cut] {
                state.offsets[message.channel] = message.offset
                state.partitionSequences[message.channel.partition] = message.partitionSequence
                state.last = OutputPosition(n: message.n, index: message.index)
            }
            var core = SequencerCore(shards: 1, run: "r2", resuming: state)
            core.post(batch(all), shard: 0, passed: 9)
            #expect(core.take().group.messages == Array(whole[cut...]))
            #expect(core.counters.dropped == Int64(cut))
        }
    }

    @Test func refusesAChannelWithoutValidName() {
        var core = SequencerCore(shards: 1, run: "r1", resuming: fresh)
        core.post(batch([hit(1, 0, "nothing"), hit(2, 0, "plan:a b"), hit(3)]), shard: 0, passed: 3)
        #expect(core.take().items.count == 1 && core.counters.refused == 2)
    }

    @Test func keepsPlansOfSnapshots() {
        var core = SequencerCore(shards: 1, run: "r1", resuming: fresh)
        let payload = #"{"plan":{"id":"p1","owner":"u","symbol":"SPY","version":3},"state":"armed"}"#
        let state = MadeOutput(
            n: 1,
            index: 1,
            type: .snapshot,
            outputClass: .state,
            channel: "plan:p1",
            payload: payload
        )
        core.post(batch([hit(1), state]), shard: 0, passed: 1)
        let plan = core.take().group.plans.first
        #expect(plan?.id == "p1" && plan?.owner == "u" && plan?.symbol == "SPY" && plan?.state == "armed")
        #expect(plan?.version == 3 && plan?.offset == 1 && plan?.snapshot == Array(payload.utf8))
    }

    @Test(arguments: [1, 7, 42, 1001] as [UInt64])
    func shardsAndBatchesMakeNoDifference(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let symbols = ["AA", "BB", "CC", "DD", "EE", "FF", "GG"]
        // Inputs: a market event makes outputs of one symbol, a clock input of every symbol from index 0 on.
        var outputs: [(symbol: Int, output: MadeOutput)] = []
        for n in 1...300 as ClosedRange<Int64> {
            let isClock = n % 10 == 0
            let touched = isClock ? Array(symbols.indices) : [Int.random(in: 0..<symbols.count, using: &random)]
            for symbol in touched {
                for index in 0..<OutputIndex.random(in: 0...3, using: &random) {
                    outputs.append((symbol, made(n, index, symbols[symbol], &random)))
                }
            }
        }
        let expected = run(outputs, shards: 1, random: &random)
        #expect(expected.count == outputs.count)
        for shards in [1, 2, 5] {
            for _ in 0..<4 {
                #expect(run(outputs, shards: shards, random: &random) == expected, "seed \(seed), \(shards) shards")
            }
        }
    }

    private func made(
        _ n: Ordinal,
        _ index: OutputIndex,
        _ symbol: String,
        _ random: inout SeededGenerator
    ) -> MadeOutput {
        let kind = Int.random(in: 0..<3, using: &random)
        return MadeOutput(
            n: n,
            index: index,
            type: kind == 0 ? .hit : .bands,
            outputClass: kind == 0 ? .durable : .conflatable,
            channel: kind == 0 ? "plan:\(symbol)" : "bands:\(symbol)",
            payload: "{\"v\":\(Int.random(in: 0..<1000, using: &random))}"
        )
    }

    /// Posts the outputs from shards that run at random speeds, in batches of random size.
    private func run(
        _ outputs: [(symbol: Int, output: MadeOutput)],
        shards: Int,
        random: inout SeededGenerator
    ) -> [String] {
        var core = SequencerCore(shards: shards, run: "r", resuming: fresh)
        var passed = Array(repeating: Ordinal(0), count: shards)
        var released: [String] = []
        while passed.contains(where: { $0 < 300 }) {
            let shard = Int.random(in: 0..<shards, using: &random)
            let next = min(300, passed[shard] + Int64.random(in: 0...40, using: &random))
            let mine = outputs.filter {
                $0.symbol % shards == shard && $0.output.n > passed[shard] && $0.output.n <= next
            }
            core.post(batch(mine.map(\.output)), shard: shard, passed: next)
            passed[shard] = next
            if Bool.random(using: &random) { released += texts(core.take()) }
        }
        return released + texts(core.take())
    }
}
