internal import MarketData
internal import Primitives
package import SymbolCore
package import Wire

/// What receive time is (architecture.md 4).
package enum EngineClock: String, Sendable, CaseIterable {
    /// When the frame arrived.
    case wall
    /// The latest event time in the frame: recorded tapes, the demo, tests.
    case exchange
}

/// How the engine is built.
package struct EngineOptions: Sendable {
    package var shards: Int
    package var clock: EngineClock
    /// Inputs that wait in a shard's mailbox at most.
    package var mailboxInputs: Int
    /// Inputs of one shard that leave together at most.
    package var batchInputs: Int
    package var symbolLimit: Int
    /// Symbols that plans may be made for; any where nil.
    package var servedSymbols: Set<String>?
    /// A feed whose events are later than this is `degraded`; 0 watches no lateness.
    package var lagMaxNanos: Int64
    /// Whether a symbol's silence makes its plans blind while its feed delivers.
    package var watchesSilence: Bool
    package var core: SymbolCoreOptions

    package init(
        shards: Int = 1,
        clock: EngineClock = .wall,
        mailboxInputs: Int = 65_536,
        batchInputs: Int = 16_384,
        symbolLimit: Int = 200_000,
        servedSymbols: Set<String>? = nil,
        lagMaxNanos: Int64 = 0,
        watchesSilence: Bool = false,
        core: SymbolCoreOptions = SymbolCoreOptions()
    ) {
        self.shards = shards
        self.clock = clock
        self.mailboxInputs = mailboxInputs
        self.batchInputs = batchInputs
        self.symbolLimit = symbolLimit
        self.servedSymbols = servedSymbols
        self.lagMaxNanos = lagMaxNanos
        self.watchesSilence = watchesSilence
        self.core = core
    }
}

/// The shards and the door in front of them.
package final class Engine: Sendable {
    /// The door.
    ///
    /// Feed thread only.
    package nonisolated(unsafe) let ingest: IngestPoint  // Owner: the feed thread; the engine itself never touches it.
    private let shards: [ShardPort]

    /// - Parameters:
    ///   - options: shards, limits, and what of the symbols is served.
    ///   - sink: takes the outputs.
    ///   - savedCores: states of a checkpoint by underlying; a core with one starts from it.
    package init(_ options: EngineOptions, sink: any OutputSink, savedCores: [String: [UInt8]] = [:]) {
        shards = (0..<options.shards).map { index in
            ShardPort(index: index, options, sink: sink) { introduction in
                let symbol = introduction.instrument.underlying
                return SymbolCore.make(
                    symbol: symbol,
                    number: introduction.core,
                    options: options.core,
                    rules: introduction.rules,
                    feeds: introduction.feeds,
                    saved: savedCores[symbol]
                )
            }
        }
        ingest = IngestPoint(options, shards: shards)
    }

    /// How often the door had to wait for room in a mailbox.
    package var stallCount: Int { shards.reduce(0) { $0 + $1.mailbox.stallCount } }

    /// Executor jobs so far, all shards.
    package var jobCount: Int { shards.reduce(0) { $0 + $1.executor.jobCount } }

    /// Ends the shard threads once they have applied everything posted.
    package func stop() {
        for shard in shards { shard.executor.stop() }
    }
}

/// The door's side of a shard: its mailbox and how to wake it.
final class ShardPort: Sendable {
    let index: Int
    let mailbox: Mailbox
    let executor: ShardExecutor
    private let actor: ShardActor
    private let sink: any OutputSink

    init(
        index: Int,
        _ options: EngineOptions,
        sink: any OutputSink,
        makeCore: @escaping @Sendable (Introduction) -> SymbolCore
    ) {
        self.index = index
        self.sink = sink
        mailbox = Mailbox(limit: options.mailboxInputs, batchLimit: options.batchInputs)
        executor = ShardExecutor(name: "shard-\(index)")
        actor = ShardActor(index: index, executor: executor, mailbox: mailbox, sink: sink, makeCore: makeCore)
    }

    /// Hands a batch over; a shard with nothing to do has passed it at once.
    func post(_ batch: inout InputBatch) {
        let through = batch.through
        switch mailbox.post(&batch) {
        case .wake:
            let actor = actor
            Task(executorPreference: executor) { await actor.drain() }
        case .seen: break
        case .idle: sink.post(OutputBatch(), shard: index, passed: through)
        }
    }
}
