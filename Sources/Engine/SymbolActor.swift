internal import MarketData
internal import Primitives
internal import SymbolCore
internal import Wire

/// The actor of one symbol: its core, on its shard's executor.
///
/// `apply` is synchronous and never suspends, so a slice is applied whole and in order. The core lies in memory of its own:
/// a stored class variable costs ≈ 18 ns an update in exclusivity checks, which nothing here needs.
actor SymbolActor {
    nonisolated let executor: ShardExecutor
    private let box: CoreBox

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(core: consuming SymbolCore, executor: ShardExecutor) {
        box = CoreBox(core)
        self.executor = executor
    }

    /// Applies the core's slice of a batch, and the clocks between.
    ///
    /// Only for the shard's actor, which is isolated to the same executor: entering by `await` or `assumeIsolated` costs an
    /// allocation or a task switch, as much as four events.
    ///
    /// - Returns: when the core next wants a clock.
    nonisolated func apply(_ slice: ShardSlice) -> Instant {
        box.core.pointee.apply(
            slice.inputs,
            in: slice.order,
            broadcasts: slice.broadcasts,
            texts: slice.texts,
            into: &slice.outputs.pointee
        )
    }

    func introduce(_ introduction: Introduction) {
        box.core.pointee.announce(
            introduction.instrument,
            id: introduction.symbol,
            slot: introduction.slot,
            at: introduction.n
        )
    }

    func setDemand(_ channels: Set<String>?) -> Instant {
        box.core.pointee.setDemand(channels)
        return box.core.pointee.nextDue
    }

    func save() -> (name: String, state: [UInt8]) {
        var writer = StateWriter()
        box.core.pointee.save(to: &writer)
        return (box.core.pointee.symbol, writer.finish())
    }

    func reading(at instant: Instant) -> SymbolReading { box.core.pointee.reading(at: instant) }

    func takeCounters() -> CoreCounters { box.core.pointee.counters }
}

/// A core in memory of its own.
private struct CoreBox: ~Copyable, @unchecked Sendable {
    // Owner of the unchecked state: the actor that has the box, and nobody else.
    let core: UnsafeMutablePointer<SymbolCore>

    init(_ core: consuming SymbolCore) {
        self.core = .allocate(capacity: 1)
        self.core.initialize(to: core)
    }

    deinit {
        core.deinitialize(count: 1)
        core.deallocate()
    }
}
