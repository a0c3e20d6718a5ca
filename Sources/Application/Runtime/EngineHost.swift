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
    // Owner of the unchecked state: `recovered` is written before the feed loop starts; the rest is constant or locked.
    let feedLoop = EventLoop(name: "feed")
    let engine: Engine
    let sequencer: Sequencer
    let store: SQLiteCommitStore
    let tape: TapeWriter
    let checkpointer: Checkpointer
    let log: StoreLog
    private let sink: BusSink
    let isExchangeClock: Bool
    private let configuration: Configuration
    private let checkpoint: Checkpoint?
    private let logger: Logger
    private let directory: String
    private let hasTape: Bool
    private let meta: TapeMeta
    private let lock: DirectoryLock
    private(set) var recovered = Recovered()
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
        try FileManager.default.createDirectory(
            atPath: directory + "/tape",
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        lock = try DirectoryLock(directory)
        let identity = RunIdentity()
        store = try SQLiteCommitStore(path: directory + "/commits.sqlite", epoch: identity.epoch)
        let committed = try store.load()
        hasTape = try !TapeSegment.paths(in: directory + "/tape").isEmpty
        tape = try TapeWriter(directory: directory + "/tape")
        if tape.recovery.droppedBytes > 0 {
            logger.warning(
                "tape_torn",
                metadata: [
                    "bytes": "\(tape.recovery.droppedBytes)", "kept_aside": "\(tape.recovery.keptAside ?? "none")",
                ]
            )
        }
        let checkpoints = try CheckpointStore(directory: directory + "/checkpoints")
        let found = try checkpoints.newest()
        for damage in found.damage { logger.warning("checkpoint_damaged", metadata: ["error": "\(damage)"]) }
        let settings = OutputSettings(configuration)
        let layout = BuildIdentity.layout ^ settings.layout
        checkpoint = found.checkpoint.flatMap { $0.layout == layout ? $0 : nil }
        log = StoreLog(store: store, state: committed)
        let sink = BusSink(log: log, bus: makeBus(log))
        self.sink = sink
        let shards = configuration.engine.shardCount(processors: ProcessInfo.processInfo.activeProcessorCount)
        let tape = tape
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
                    case .durable: logger.notice("journal_durable")
                    case .failing(let error): logger.critical("journal_failing", metadata: ["error": "\(error)"])
                    }
                },
                committed: { commitSeconds.record($0) }
            )
        )
        checkpointer = Checkpointer(
            store: checkpoints,
            sequencer: sequencer,
            tape: tape,
            shards: shards,
            layout: layout
        ) { words in logger.error("checkpoint_failed", metadata: ["error": "\(words)"]) }
        let saved = (checkpoint?.parts ?? []).map { ($0.name, $0.bytes) }
        engine = Engine(
            EngineOptions(
                shards: shards,
                clock: isExchangeClock ? .exchange : .wall,
                mailboxInputs: configuration.engine.mailboxEvents,
                symbolLimit: configuration.engine.maxSymbols,
                servedSymbols: servedSymbols,
                core: settings.coreOptions(limitsLivePlans: true)
            ),
            sink: sequencer,
            savedCores: Dictionary(saved, uniquingKeysWith: { $1 })
        )
        meta = TapeMeta(epoch: committed.epoch, run: identity.run, config: settings.json)
        // By the exchange's clock nothing has happened yet, and a tape's times never go back.
        if !hasTape { tape.begin(meta, at: isExchangeClock ? .zero : SystemClock.wall()) }
    }

    // MARK: Start

    /// The bus has an engine's end now: what recovery released goes out.
    func busStarted() { sink.open() }

    /// Reads the own tape through the door; afterwards the engine stands where it stood.
    ///
    /// The caller's thread is the feed thread until then. A torn tail was cut off when the tape was opened.
    func recover() throws {
        let ingest = engine.ingest
        if hasTape {
            ingest.appliedThrough = checkpoint?.n ?? 0
            recovered.checkpointN = ingest.appliedThrough
            ingest.makesClocks = false
            let reader = TapeReader(try TapeSegment.paths(in: directory + "/tape"), policy: .skipLine)
            while let line = try reader.next() { apply(line, to: ingest) }
            ingest.flush()
            ingest.makesClocks = true
            if reader.damagedCount > 0 {
                logger.error(
                    "tape_damaged",
                    metadata: [
                        "lines": "\(reader.damagedCount)", "first": "\(reader.damage.first.map { "\($0)" } ?? "")",
                    ]
                )
            }
        }
        try passCommitted(ingest)
        recovered.lastN = ingest.numbering.next - 1
        noteChangedSettings(at: ingest.numbering.received)
        ingest.recorder = TapeRecorder(tape)
        // What the bus forgot (the twin in memory: everything) it gets again: each plan's last snapshot.
        try republishPlans()
    }

    /// Numbers go on behind the commit log, also where the tape is shorter than it should be: an ordinal that stands in
    /// the log already would be taken for one that was said, and its hit lost.
    private func passCommitted(_ ingest: IngestPoint) throws {
        guard let last = try store.load().last, last.n >= ingest.numbering.next else { return }
        logger.critical(
            "tape_behind_log",
            metadata: ["tape": "\(ingest.numbering.next - 1)", "log": "\(last.n)"]
        )
        ingest.resume(at: last.n + 1)
    }

    /// Tells the tape of settings that aren't those of the inputs so far: a replay has to know.
    private func noteChangedSettings(at received: Instant) {
        let now = OutputSettings(configuration)
        guard hasTape, recovered.settings != now else { return }
        logger.notice("settings_changed", metadata: ["note": "a replay of this tape needs --config beyond this line"])
        tape.begin(meta, at: max(received, .zero))
    }

    private func apply(_ line: TapeLine, to ingest: IngestPoint) {
        recovered.tapeLines += 1
        if let key = TapeFeed.key(of: line) { recovered.behindFrames.append(key) }
        switch line {
        case .meta(_, let meta): recovered.settings = try? OutputSettings(tape: meta.config)
        case .rest: break
        case .frame(let time, let n, let source, let bytes):
            recovered.frames += 1
            recovered.behindFrames.removeAll(keepingCapacity: true)
            ingest.receive(frame: bytes, from: source, at: time, n: n)
        case .clock(let time, let n): ingest.clockLine(time, n: n)
        case .command(let time, let n, let command): _ = ingest.take(command, at: time, n: n)
        case .feed(let time, let n, let source, let state, let cause):
            ingest.feedChanged(source, to: state, cause: cause, at: time, n: n)
        }
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
            feedLoop.schedule(after: interval, repeating: interval) { [self] in checkpointer.begin(ingest) }
        }
    }

    /// Applies and commits everything taken so far, then ends the threads; a last checkpoint makes the next start quick.
    func stop() {
        feedLoop.execute { [self] in
            engine.ingest.flush()
            checkpointer.begin(engine.ingest)
        }
        feedLoop.stop()
        feedLoop.join()
        engine.stop()
        checkpointer.finish()
        sequencer.flush()
        sequencer.close()
        if let error = tape.close() { logger.error("tape_close", metadata: ["error": "\(error)"]) }
    }

    /// Messages of a recovery that weren't held for the bus.
    var heldDropped: Int64 { sink.dropped }

    var feedFigures: FeedFigures { figures.withLock { $0 } }

    private func copyFigures() {
        let ingest = engine.ingest
        let decoder = ingest.decoderCounters
        let symbols = ingest.symbolCounts
        let now = FeedFigures(
            ingest: ingest.counters,
            malformed: decoder.malformed + decoder.brokenFrames + decoder.oversizedFrames,
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
