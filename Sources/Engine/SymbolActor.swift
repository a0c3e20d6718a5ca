internal import MarketData
internal import Primitives
internal import SymbolCore
internal import Wire

/// The actor of one symbol: its core, on its shard's executor.
///
/// `apply` is synchronous and never suspends, so a slice is applied whole and in order. All state is in one private
/// value: a public stored class variable costs ≈ 18 ns an update in exclusivity checks.
actor SymbolActor {
    nonisolated let executor: ShardExecutor
    private var core: SymbolCore

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(core: consuming SymbolCore, executor: ShardExecutor) {
        self.core = core
        self.executor = executor
    }

    /// Applies the inputs of `work.batch` that `slice` lists, and the clocks between them, into `work.outputs`.
    ///
    /// - Returns: when the core next wants a clock.
    func apply(_ slice: Range<Int>, of work: ShardWork) -> Instant {
        var clock = 0
        for position in slice {
            let input = work.batch.inputs[work.order[position]]
            clock = applyClocks(from: clock, before: input.n, of: work)
            switch input.body {
            case .command(let index):
                core.ingest(input, command: work.batch.commands[index], into: &work.outputs)
            case .market, .clock, .feed:
                core.ingest(input, into: &work.outputs)
            }
        }
        _ = applyClocks(from: clock, before: .max, of: work)
        return core.nextDue
    }

    /// Gives the core each clock that it is due at; the others are jumped over.
    private func applyClocks(from start: Int, before n: Ordinal, of work: ShardWork) -> Int {
        var index = start
        while index < work.clocks.count, work.clocks[index].n < n {
            if work.clocks[index].received >= core.nextDue { core.ingest(work.clocks[index], into: &work.outputs) }
            index += 1
        }
        return index
    }

    func introduce(_ introduction: Introduction) {
        core.introduce(introduction.instrument, id: introduction.symbol, slot: introduction.slot)
    }

    func setDemand(_ channels: Set<String>?) -> Instant {
        core.setDemand(channels)
        return core.nextDue
    }

    func save() -> (name: String, state: [UInt8]) {
        var writer = StateWriter()
        core.save(to: &writer)
        return (core.symbol, writer.finish())
    }

    func reading(at instant: Instant) -> SymbolReading { core.reading(at: instant) }

    func takeCounters() -> CoreCounters { core.counters }
}
