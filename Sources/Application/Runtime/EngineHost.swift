internal import Bus
internal import Engine
internal import FeedProtocols
internal import Foundation
internal import Journal
internal import Logging
internal import MarketData
internal import Network
internal import Primitives
internal import SymbolCore
internal import Telemetry
internal import Wire

/// The engine of a live run with everything that keeps it true: tape, commit log, checkpoints.
///
/// One start path, which is the recovery path (decisions/0002). After `recover` the feed loop is the feed thread.
final class EngineHost: @unchecked Sendable {
    // Owner of the unchecked state: `recovered` is written before the feed loop starts, `recorder` belongs to its thread;
    // the rest is constant or locked.
    let feedLoop = EventLoop(name: "feed")
    let engine: Engine
    let sequencer: Sequencer
    let store: SQLiteCommitStore
    let tape: TapeWriter
    let checkpointer: Checkpointer
    let log: StoreLog
    /// The second recording, where one is wanted.
    let second: SecondTape?
    let sink: BusSink
    let isExchangeClock: Bool
    private let configuration: Configuration
    let saved: SavedStates
    let logger: Logger
    let directory: String
    let hasTape: Bool
    private let meta: TapeMeta
    private let lock: DirectoryLock
    var recovered = Recovered()
    /// Feed thread, from the end of recovery on.
    private var recorder: TapeRecorder?
    /// Copied from the feed thread each second, for metrics.
    private let figures = Lock(FeedFigures())

    /// What a start found.
    struct Recovered: Sendable {
        var tapeLines: Int64 = 0
        /// Frames on the own tape: the position in a tape that is the feed.
        var frames: Int64 = 0
        /// What stands behind the last of these frames, commands and feed states, by `TapeFeed.key`.
        var behindFrames: [String] = []
        var checkpointN: Ordinal = 0
        /// Where reading of the tape began; 0: at its start.
        var doorN: Ordinal = 0
        /// Places where ordinals are missing on the tape.
        var holes = 0
        var lastN: Ordinal = 0
        /// As the tape's last meta line says.
        var settings: OutputSettings?
    }

    struct FeedFigures: Sendable {
        var ingest: IngestCounters?
        var malformed: UInt64 = 0
        var unknown: UInt64 = 0
        var symbols = 0
        var refusedSymbols = 0
        var stalls = 0
    }

    /// Opens everything under `state.dir`.
    ///
    /// - Throws: `JournalError` naming the file that can't be used; nothing is made anew in its place.
    init(
        _ configuration: Configuration,
        servedSymbols: Set<String>?,
        makeBus: (any DurableLog) -> any MessageBus,
        commitSeconds: Histogram,
        logger: Logger
    ) throws {
        self.configuration = configuration
        self.logger = logger
        directory = configuration.state.dir
        isExchangeClock = configuration.engine.clock == .exchange
        try createDirectory(directory + "/tape")
        lock = try DirectoryLock(directory)
        let identity = RunIdentity()
        store = try SQLiteCommitStore(path: directory + "/commits.sqlite", epoch: identity.epoch)
        let committed = try store.load()
        hasTape = try !TapeSegment.paths(in: directory + "/tape").isEmpty
        let settings = OutputSettings(configuration)
        let layout = BuildIdentity.layout ^ settings.layout
        let saved = try SavedStates(directory: directory + "/checkpoints", layout: layout, logger: logger)
        self.saved = saved
        tape = try Self.openTape(configuration, trusted: saved.door?.n, logger: logger)
        log = StoreLog(store: store, state: committed)
        let sink = BusSink(log: log, bus: makeBus(log))
        self.sink = sink
        let shards = configuration.engine.shardCount(processors: ProcessInfo.processInfo.activeProcessorCount)
        let tape = tape
        let teller = HealthTeller()
        sequencer = Sequencer(
            shards: shards,
            run: identity.run,
            resuming: committed,
            store: store,
            sink: sink,
            hooks: .init(
                tape: tape,
                healthChanged: { health in
                    switch health {
                    case .durable:
                        logger.notice("journal_durable")
                        teller.tell("journal", .up, "")
                    case .failing(let error):
                        // The words change with the call that fails; that it fails is told once.
                        guard teller.tell("journal", .degraded, "\(error)") else { return }
                        logger.critical("journal_failing", metadata: ["error": "\(error)"])
                    }
                },
                committed: { commitSeconds.record($0) }
            )
        )
        let meta = TapeMeta(epoch: committed.epoch, run: identity.run, config: settings.json)
        self.meta = meta
        second = configuration.tape.recordDir.map { directory in
            SecondTape(
                directory: directory,
                limits: TapeWriter.Limits(configuration.tape, waits: false),
                meta: meta,
                logger: logger,
                changed: { teller.tell("record", $0, $1) }
            )
        }
        checkpointer = Checkpointer(
            saved: saved,
            sequencer: sequencer,
            tape: tape,
            shards: shards,
            layout: layout
        ) { words in logger.error("checkpoint_failed", metadata: ["error": "\(words)"]) }
        let savedCores = (self.saved.checkpoint?.parts ?? []).map { ($0.name, $0.bytes) }
        engine = Engine(
            EngineOptions(
                shards: shards,
                clock: isExchangeClock ? .exchange : .wall,
                mailboxInputs: configuration.engine.mailboxEvents,
                symbolLimit: configuration.engine.maxSymbols,
                servedSymbols: servedSymbols,
                lagMaxNanos: settings.lagMaxNanos,
                watchesSilence: settings.watchesSilence,
                core: settings.coreOptions(limitsLivePlans: true)
            ),
            sink: sequencer,
            savedCores: Dictionary(savedCores, uniquingKeysWith: { $1 })
        )
        if hasTape {
            tape.goOn(meta)
        } else {
            // By the exchange's clock nothing has happened yet, and a tape's times never go back.
            tape.begin(meta, at: isExchangeClock ? .zero : SystemClock.wall())
        }
        tape.keeper.needs(after: try SavedStates.neededAfter(saved.doors))
        // A replay of a tape has neither disk nor recording: there the log and `/readyz` tell.
        if !isExchangeClock {
            let (loop, engine) = (feedLoop, engine)
            teller.connect { name, state, cause in
                loop.execute {
                    engine.ingest.feedChanged(name, to: state, cause: cause, at: SystemClock.wall(), n: nil)
                    engine.ingest.flush()
                }
            }
        }
    }

    private static func openTape(
        _ configuration: Configuration,
        trusted: Ordinal?,
        logger: Logger
    ) throws -> TapeWriter {
        let tape = try TapeWriter(
            directory: configuration.state.dir + "/tape",
            limits: TapeWriter.Limits(configuration.tape, waits: true),
            trusted: trusted,
            told: { TapeLog.write($0, to: logger, tape: "own") }
        )
        guard tape.recovery.droppedBytes > 0 else { return tape }
        logger.warning(
            "tape_torn",
            metadata: [
                "bytes": "\(tape.recovery.droppedBytes)", "kept_aside": "\(tape.recovery.keptAside ?? "none")",
            ]
        )
        return tape
    }

    // MARK: Start

    /// The bus has an engine's end now: what recovery released goes out.
    func busStarted() { sink.open() }

    /// Ends recovery: from here on inputs are recorded.
    func beginRecording() throws {
        let recorder = TapeRecorder(
            tape,
            second: second,
            keepsKeys: isExchangeClock,
            behindFrames: recovered.behindFrames
        )
        noteChangedSettings(at: engine.ingest.numbering.received)
        self.recorder = recorder
        engine.ingest.recorder = recorder
        second?.start()
        // What the bus forgot (the twin in memory: everything) it gets again: each plan's last snapshot.
        try republishPlans()
    }

    /// Tells the tape of settings that aren't those of the inputs so far: a replay has to know.
    private func noteChangedSettings(at received: Instant) {
        // Behind a restored door nothing may be told: the door was saved under these.
        guard hasTape, let before = recovered.settings, before != OutputSettings(configuration) else { return }
        logger.notice("settings_changed", metadata: ["note": "a replay of this tape needs --config beyond this line"])
        tape.begin(meta, at: max(received, .zero))
    }

    private func republishPlans() throws {
        sequencer.flush()
        try eachPage { sink.release($0) }
    }

    /// Gives a bus that is back the plans' whole values again: Redis may have come back empty.
    ///
    /// Any thread but the feed's.
    func republishPlansAgain() throws {
        try sink.releaseAgain {
            var all: [Envelope] = []
            try eachPage { all += $0 }
            return all
        }
    }

    private func eachPage(_ body: ([Envelope]) -> Void) throws {
        var last = ""
        while true {
            let plans = try store.plans(after: last, limit: 1_000)
            guard let final = plans.last else { return }
            last = final.id
            body(plans.map { PlanEnvelope.state(of: $0, epoch: log.epoch) })
        }
    }

    /// Makes the feed loop the feed thread, with its clock inputs, flushes and checkpoints.
    func start() {
        feedLoop.start()
        feedLoop.execute { [self] in
            let ingest = engine.ingest
            _ = feedLoop.addTurnHook { ingest.flush() }
            if !isExchangeClock {
                feedLoop.schedule(after: Numbering.gridNanos, repeating: Numbering.gridNanos) {
                    ingest.clockLine(SystemClock.wall(), n: nil)
                }
            }
            feedLoop.schedule(after: 1_000_000_000, repeating: 1_000_000_000) { [self] in copyFigures() }
            let interval = Int64(configuration.engine.checkpointS) * 1_000_000_000
            feedLoop.schedule(after: interval, repeating: interval) { [self] in saveAll(isLast: false) }
        }
    }

    /// Applies and commits everything taken so far, then ends the threads; a last checkpoint makes the next start quick.
    func stop() {
        feedLoop.execute { [self] in
            engine.ingest.flush()
            saveAll(isLast: true)
        }
        feedLoop.stop()
        feedLoop.join()
        engine.stop()
        checkpointer.finish()
        sequencer.flush()
        sequencer.close()
        second?.stop()
        if let error = tape.close() { logger.error("tape_close", metadata: ["error": "\(error)"]) }
    }

    /// Feed thread.
    private func saveAll(isLast: Bool) {
        let ingest = engine.ingest
        checkpointer.begin(ingest) { recorder?.door(of: ingest, isLast: isLast) }
    }

    /// Messages of a recovery that weren't held for the bus.
    var heldDropped: Int64 { sink.dropped }

    var feedFigures: FeedFigures { figures.withLock { $0 } }

    private func copyFigures() {
        let ingest = engine.ingest
        let decoder = ingest.decoderFigures
        let symbols = ingest.symbolCounts
        let now = FeedFigures(
            ingest: ingest.counters,
            malformed: decoder.malformed,
            unknown: decoder.unknown,
            symbols: symbols.known,
            refusedSymbols: symbols.refused,
            stalls: engine.stallCount
        )
        figures.withLock { $0 = now }
    }
}

/// Names of a run: the epoch of a new log, and this start.
private struct RunIdentity {
    let epoch: String
    let run: String

    init() {
        var random = SystemRandomNumberGenerator()
        func name(_ length: Int) -> String {
            String((0..<length).map { _ in "0123456789abcdefghjkmnpqrstvwxyz".randomElement(using: &random) ?? "0" })
        }
        epoch = name(6)
        run = name(6)
    }
}
