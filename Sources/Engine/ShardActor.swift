internal import MarketData
internal import Primitives
internal import SymbolCore
internal import Wire

/// What a shard's actors share while a batch is applied: the batch, the order in which it is walked, and the outputs.
///
/// Not locked: only actors on the one executor of the shard touch it, and only between the start and the end of a drain.
final class ShardWork: @unchecked Sendable {
    private var groups = BatchGroups()
    private var outputs = OutputBatch()

    /// Takes what waits in the mailbox; false where nothing does.
    func take(from mailbox: Mailbox) -> Bool { mailbox.take(into: &groups.batch) }

    /// Groups the batch by core.
    func group(localIndex: [Int32], count: Int) { groups.group(localIndex: localIndex, count: count) }

    var batch: InputBatch { groups.batch }
    var lastClock: Instant { groups.lastClock }
    var isForAll: Bool { groups.isForAll }

    /// Lends the grouped batch, to be cut into the cores' slices without a copy.
    func lend(_ body: (ShardSlice, UnsafeBufferPointer<Int>) -> Void) {
        groups.batch.inputs.withUnsafeBufferPointer { inputs in
            groups.order.withUnsafeBufferPointer { order in
                groups.broadcasts.withUnsafeBufferPointer { clocks in
                    groups.ends.withUnsafeBufferPointer { ends in
                        withUnsafeMutablePointer(to: &outputs) { outputs in
                            body(
                                ShardSlice(
                                    inputs: inputs,
                                    order: order,
                                    broadcasts: clocks,
                                    texts: InputTexts(
                                        commands: groups.batch.commands,
                                        feeds: groups.batch.feedChanges,
                                        repairs: groups.batch.repairs,
                                        rules: groups.batch.rules
                                    ),
                                    outputs: outputs
                                ),
                                ends
                            )
                        }
                    }
                }
            }
        }
    }

    /// Gives the outputs, in order of (`n`, index), to `body` and empties them.
    func drainOutputs(_ body: (inout OutputBatch) -> Void) {
        outputs.sort()
        body(&outputs)
        outputs.removeAll()
    }

    func withOutputs(_ body: (inout OutputBatch) -> Void) { body(&outputs) }
}

/// What a core applies of a batch, and where its outputs go; valid during `ShardWork.lend` only.
struct ShardSlice: @unchecked Sendable {
    // Owner of the pointers: `ShardWork`, which lends them on the shard's thread and doesn't touch them meanwhile.
    let inputs: UnsafeBufferPointer<Input>
    /// Positions in `inputs`, in order of `n`.
    var order: UnsafeBufferPointer<Int32>
    /// Clocks and feed states, in order of `n`.
    let broadcasts: UnsafeBufferPointer<Input>
    /// What inputs refer to.
    let texts: InputTexts
    let outputs: UnsafeMutablePointer<OutputBatch>
}

/// A batch, sorted by core without moving its inputs: a counting sort, stable, no allocation once the buffers have grown.
struct BatchGroups: Sendable {
    var batch = InputBatch()
    /// Positions in `batch.inputs`, grouped by core, in order of `n` within each.
    private(set) var order: [Int32] = []
    /// The inputs of no core, for every core: clocks and feed states.
    private(set) var broadcasts: [Input] = []
    /// The last clock's receive time, and whether there is something that every core hears at once.
    private(set) var lastClock = Instant.distantPast
    private(set) var isForAll = false
    /// Where each core's group stops in `order`, by local index.
    private(set) var ends: [Int] = []
    /// The local index of each input's core, −1 for inputs of no core: the second pass needn't read the inputs again.
    private var locals: [Int32] = []

    mutating func group(localIndex: [Int32], count: Int) {
        broadcasts.removeAll(keepingCapacity: true)
        lastClock = .distantPast
        isForAll = false
        let inputs = batch.inputs.count
        if ends.count < count { ends = Array(repeating: 0, count: count) }
        if locals.count < inputs {
            locals = Array(repeating: 0, count: max(inputs, 2_048))
            order = locals
        }
        for local in ends.indices { ends[local] = 0 }
        countInputs(localIndex)
        var start = 0
        for local in ends.indices {
            let size = ends[local]
            ends[local] = start
            start += size
        }
        locals.withUnsafeBufferPointer { locals in
            order.withUnsafeMutableBufferPointer { order in
                ends.withUnsafeMutableBufferPointer { ends in
                    for position in 0..<inputs where locals[position] >= 0 {
                        let local = Int(locals[position])
                        order[ends[local]] = Int32(truncatingIfNeeded: position)
                        ends[local] += 1
                    }
                }
            }
        }
    }

    private mutating func countInputs(_ localIndex: [Int32]) {
        batch.inputs.withUnsafeBufferPointer { inputs in
            locals.withUnsafeMutableBufferPointer { locals in
                ends.withUnsafeMutableBufferPointer { ends in
                    for position in inputs.indices {
                        // The body's mark is looked at, not only the core: so all of an input is fetched here, in order,
                        // from the cache of the thread that wrote it, and not later, one by one.
                        switch inputs[position].body {
                        case .clock, .feed, .rules: locals[position] = -1
                        case .market, .command, .repair:
                            let local = localIndex[Int(inputs[position].core)]
                            locals[position] = local
                            ends[Int(local)] += 1
                        }
                    }
                }
            }
        }
        // Inputs of no core are few: one a grid line.
        for position in batch.inputs.indices where locals[position] < 0 {
            let input = batch.inputs[position]
            switch input.body {
            case .clock: lastClock = input.received
            case .feed, .rules: isForAll = true
            case .market, .command, .repair: preconditionFailure("an input of a core without one: \(input.n)")
            }
            broadcasts.append(input)
        }
    }
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
    private var earliestDue = Instant.distantFuture
    private var demand: Set<String>? = []

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
        while work.take(from: mailbox) {
            for introduction in work.batch.introductions { await introduce(introduction) }
            work.group(localIndex: localIndex, count: actors.count)
            if index == 0 { tellFeeds() }
            applyGroups()
            let passed = work.batch.through
            work.drainOutputs { sink.post($0, shard: index, passed: passed) }
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
        }
        await actors[Int(localIndex[core])].introduce(introduction)
    }

    /// The first shard says what is said of the feeds.
    private func tellFeeds() {
        let batch = work.batch
        guard !batch.feedChanges.isEmpty || !batch.ledger.isEmpty else { return }
        work.withOutputs { outputs in
            for input in batch.inputs {
                guard case .feed(let position) = input.body else { continue }
                let change = batch.feedChanges[position]
                if change.isNews { FeedHealth.append(change, at: input, into: &outputs) }
            }
            FeedHealth.append(batch.ledger, into: &outputs)
        }
    }

    /// Gives each actor its slice, and those without one the clocks that they are due at.
    ///
    /// The actors share this one's executor, so that they are entered by plain calls.
    private func applyGroups() {
        let lastClock = work.lastClock
        let isForAll = work.isForAll
        let someoneIsDue = lastClock >= earliestDue
        var earliest = Instant.distantFuture
        let actors = actors
        executor.checkIsolated()
        due.withUnsafeMutableBufferPointer { due in
            work.lend { whole, ends in
                var slice = whole
                var start = 0
                for local in actors.indices {
                    let end = ends[local]
                    if end > start || isForAll || (someoneIsDue && lastClock >= due[local]) {
                        slice.order = UnsafeBufferPointer(rebasing: whole.order[start..<end])
                        due[local] = actors[local].apply(slice)
                    }
                    if due[local] < earliest { earliest = due[local] }
                    start = end
                }
            }
        }
        earliestDue = earliest
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
