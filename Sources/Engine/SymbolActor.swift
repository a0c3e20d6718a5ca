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

    /// Applies the core's slice of `work`, and the clocks between, into `work.outputs`.
    ///
    /// - Returns: when the core next wants a clock.
    func apply(_ slice: Range<Int>, of work: ShardWork) -> Instant {
        work.lend(slice) { inputs, order, clocks, commands, outputs in
            core.apply(inputs, in: order, clocks: clocks, commands: commands, into: &outputs)
        }
        return core.nextDue
    }

    func introduce(_ introduction: Introduction) {
        core.announce(
            introduction.instrument,
            id: introduction.symbol,
            slot: introduction.slot,
            at: introduction.n
        )
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
