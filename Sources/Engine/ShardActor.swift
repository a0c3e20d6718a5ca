internal import MarketData
internal import Primitives
internal import SymbolCore
internal import Wire

/// What a shard's actors share while a batch is applied: the batch, the order in which it is walked, and the outputs.
///
/// Not locked: only actors on the one executor of the shard touch it, and only between the start and the end of a drain.
final class ShardWork: @unchecked Sendable {
    var batch = InputBatch()
    /// Positions in `batch.inputs`, grouped by core, in order of `n` within each.
    var order: [Int] = []
    /// The batch's clock inputs.
    var clocks: [Input] = []
    var outputs = OutputBatch()
}

/// Drains a shard's mailbox: one drain in flight, isolated to the shard's executor from end to end.
actor ShardActor {
    nonisolated let executor: ShardExecutor
    private let index: Int
    private let mailbox: Mailbox
    private let sink: any OutputSink
    private let makeCore: @Sendable (Introduction) -> SymbolCore
    private let work = ShardWork()
    private var actors: [SymbolActor] = []
    /// When each actor next wants a clock, by local index.
    private var due: [Instant] = []
    /// Local index by core index, −1 for cores of other shards.
    private var localIndex: [Int32] = []
    /// Inputs of the batch by local index, then where each group starts.
    private var counts: [Int] = []
    private var earliestDue = Instant.distantFuture
    private var demand: Set<String>? = []
    private var health = FeedHealth()

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        index: Int,
        executor: ShardExecutor,
        mailbox: Mailbox,
        sink: any OutputSink,
        makeCore: @escaping @Sendable (Introduction) -> SymbolCore
    ) {
        self.index = index
        self.executor = executor
        self.mailbox = mailbox
        self.sink = sink
        self.makeCore = makeCore
    }

    /// Applies everything that waits, batch after batch, and hands each batch's outputs on in order of (`n`, index).
    func drain() async {
        while mailbox.take(into: &work.batch) {
            for introduction in work.batch.introductions { await introduce(introduction) }
            group()
            await applyGroups()
            work.outputs.sort()
            sink.post(work.outputs, shard: index, passed: work.batch.through)
            work.outputs.removeAll()
            for control in work.batch.controls { await perform(control) }
        }
    }

    private func introduce(_ introduction: Introduction) async {
        let core = Int(introduction.core)
        while localIndex.count <= core { localIndex.append(-1) }
        if localIndex[core] < 0 {
            localIndex[core] = Int32(actors.count)
            let actor = SymbolActor(core: makeCore(introduction), executor: executor)
            actors.append(actor)
            due.append(await actor.setDemand(demand))
            counts.append(0)
        }
        await actors[Int(localIndex[core])].introduce(introduction)
    }

    /// A counting sort of the batch by core: stable, no allocation once the buffers have grown.
    private func group() {
        work.clocks.removeAll(keepingCapacity: true)
        for local in counts.indices { counts[local] = 0 }
        for input in work.batch.inputs {
            switch input.body {
            case .clock: work.clocks.append(input)
            case .feed(let index): apply(work.batch.feedChanges[index], input)
            case .market, .command: counts[Int(localIndex[Int(input.core)])] += 1
            }
        }
        var start = 0
        for local in counts.indices {
            let count = counts[local]
            counts[local] = start
            start += count
        }
        while work.order.count < start { work.order.append(0) }
        for (position, input) in work.batch.inputs.enumerated() {
            switch input.body {
            case .clock, .feed: continue
            case .market, .command: break
            }
            let local = Int(localIndex[Int(input.core)])
            work.order[counts[local]] = position
            counts[local] += 1
        }
    }

    private func apply(_ change: FeedChange, _ input: Input) {
        health.apply(input, feed: change.name, state: change.state, cause: change.cause, into: &work.outputs)
    }

    /// Gives each actor its slice, and those without one the clocks that they are due at.
    private func applyGroups() async {
        let lastClock = work.clocks.last?.received ?? .distantPast
        let someoneIsDue = lastClock >= earliestDue
        earliestDue = .distantFuture
        var start = 0
        for local in actors.indices {
            let end = counts[local]
            if end > start || (someoneIsDue && lastClock >= due[local]) {
                due[local] = await actors[local].apply(start..<end, of: work)
            }
            earliestDue = min(earliestDue, due[local])
            start = end
        }
    }

    private func perform(_ control: Control) async {
        switch control {
        case .demand(let channels):
            demand = channels
            for local in actors.indices {
                due[local] = await actors[local].setDemand(channels)
                earliestDue = min(earliestDue, due[local])
            }
        case .save(let done):
            var states: [(name: String, state: [UInt8])] = []
            for actor in actors { states.append(await actor.save()) }
            done(states)
        case .read(let instant, let done):
            var readings: [SymbolReading] = []
            for actor in actors { readings.append(await actor.reading(at: instant)) }
            done(readings)
        }
    }
}
