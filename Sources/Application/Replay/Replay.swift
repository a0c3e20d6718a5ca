internal import Analytics
internal import Engine
internal import FeedProtocols
internal import Foundation
package import Journal
internal import MarketData
internal import Primitives
internal import SymbolCore
internal import Wire

/// Runs tapes through the engine as it runs live, without committing: `striketape replay`.
///
/// The reader's thread is the feed thread: a full mailbox makes it wait, nothing is merged or dropped.
package final class Replay {
    private let options: ReplayOptions
    private let reader: TapeReader
    private let sink: ReplaySink
    private var engine: Engine?
    private var sequencer: Sequencer?
    private var report = ReplayReport()
    private let readings = Lock<[(at: Int, shard: Int, readings: [SymbolReading])]>([])
    /// Reading points of the day at hand, still ahead, in order.
    private var points: [(instant: Instant, minute: Int)] = []
    private var pointsDay: Int32 = 0
    private var sessions = SessionClock(SessionCalendar())
    private var pace: Pace?
    private var tapeSettings: OutputSettings?

    /// - Throws: where `--out` can't be written.
    package init(_ options: ReplayOptions) throws {
        self.options = options
        reader = TapeReader(options.files)
        sink = try ReplaySink(out: options.outFile)
        pace = options.speed.map { Pace(speed: $0) }
    }

    /// Reads every tape to its end.
    ///
    /// - Parameter progress: hears the compressed or raw bytes read so far, now and then.
    /// - Returns: what was counted and the digests.
    /// - Throws: `JournalError` where a tape is damaged (what stood before was run), `ReplayError` for a plan file.
    package func run(progress: (TapePosition) -> Void = { _ in }) throws -> ReplayReport {
        let watch = Stopwatch()
        var lineCount = 0
        var damage: (any Error)?
        do {
            while let line = try reader.next() {
                if case .meta(_, let meta) = line { try take(meta) }
                if engine == nil { try start(at: line.time) }
                apply(line)
                lineCount += 1
                if lineCount % 8_192 == 0 { progress(reader.position) }
            }
        } catch {
            damage = error
        }
        finish()
        report.seconds = watch.seconds
        report.cpuSeconds = watch.cpuSeconds
        if let damage { throw damage }
        return report
    }

    /// As above, with a bar or lines on standard error.
    package func run(progress style: ProgressStyle) throws -> ReplayReport {
        var meter = ProgressMeter(label: "replay", total: Int64(options.files.count) * 100, style: style)
        let report = try run { meter.update(Int64($0.file) * 100) }
        meter.finish("\(report.eventCount) events, \(report.hits) hits")
        return report
    }

    /// Minutes since midnight of `HH:MM`; nil where it isn't one.
    package static func minute(_ text: String) -> Int? { NewYork.minutes(text) }

    /// What is known so far, also after an error.
    package var partialReport: ReplayReport { report }

    /// Takes the settings that a meta line tells; other ones in the middle of a tape hold from there on only, and what
    /// was said before was said under the first.
    private func take(_ meta: TapeMeta) throws {
        let told = try OutputSettings(tape: meta.config)
        defer { tapeSettings = told }
        guard engine != nil, options.settings == nil, told != tapeSettings ?? options.fallback else { return }
        throw ReplayError(
            "line \(reader.position.line) of file \(reader.position.file + 1): the run went on with other settings; "
                + "give --config to replay all of it under one"
        )
    }

    private func start(at first: Instant) throws {
        let identity = reader.identity
        let store = DiscardingCommitStore(epoch: identity?.epoch ?? "replay")
        let sequencer = try Sequencer(
            shards: options.shards,
            run: identity?.run ?? "replay",
            store: store,
            sink: sink
        )
        // A live run's own commands met the limit; plans of a file are somebody's to compare.
        let settings = options.settings ?? tapeSettings ?? options.fallback
        let engine = Engine(
            EngineOptions(
                shards: options.shards,
                lagMaxNanos: settings.lagMaxNanos,
                watchesSilence: settings.watchesSilence,
                core: settings.coreOptions(limitsLivePlans: tapeSettings != nil && options.plansFile == nil)
            ),
            sink: sequencer
        )
        engine.ingest.control { _ in .demand(nil) }
        self.engine = engine
        self.sequencer = sequencer
        if let file = options.plansFile { try PlanFile(file).create(in: engine.ingest, at: first) }
    }

    private func apply(_ line: TapeLine) {
        guard let ingest = engine?.ingest else { return }
        if let pace { pace.wait(for: line.time) }
        switch line {
        case .meta: ingest.makesClocks = false
        case .frame(let time, let n, let source, let bytes):
            if ingest.makesClocks, n != nil { ingest.makesClocks = false }
            if !options.checkpointMinutes.isEmpty { readPoints(before: time) }
            ingest.receive(frame: bytes, from: source, at: time, n: n)
        case .clock(let time, let n):
            ingest.makesClocks = false
            ingest.clockLine(time, n: n)
        case .command(let time, let n, let command): _ = ingest.take(command, at: time, n: n)
        case .feed(let time, let n, let source, let state, let cause):
            ingest.feedChanged(source, to: state, cause: cause, at: time, n: n)
        case .rest(let time, let n, let source, let url, let body):
            ingest.answered(source, url: url, body: Array(body), at: time, n: n)
        }
        if options.speed != nil { ingest.flush() }
    }

    private func finish() {
        guard let engine, let sequencer else { return }
        for point in points { read(point) }
        engine.ingest.endOfTape()
        engine.stop()
        sequencer.flush()
        sequencer.close()
        let summary = sink.summary()
        (report.hits, report.digest, report.digestAll) = (summary.hits, summary.digest, summary.digestAll)
        let decoder = engine.ingest.decoderFigures
        report.frames = engine.ingest.counters.frames
        report.duplicates = engine.ingest.counters.duplicates
        report.malformed = Int64(decoder.malformed)
        report.events = decoder.events.filter { $0.count > 0 }.map { ($0.kind, Int64($0.count)) }
            .sorted { $0.0 < $1.0 }
        report.checkpoints = readings.withLock { readings in
            readings.sorted { ($0.at, $0.shard) < ($1.at, $1.shard) }.flatMap { entry in
                entry.readings.map { (entry.at, $0) }
            }
        }.sorted { a, b in
            (a.1.figures.date, a.1.symbol, a.0) < (b.1.figures.date, b.1.symbol, b.0)
        }
    }

    // MARK: Checkpoints

    /// Reads the figures at every point of the day that the next frame lies beyond.
    private func readPoints(before time: Instant) {
        let window = sessions.window(at: time)
        let day = window.day
        // Between the sessions it is the next day's time already, but there are no figures of that day yet.
        if ![.closed, .overnight].contains(window.kind), day.date != pointsDay {
            for point in points { read(point) }
            pointsDay = day.date
            let date = CivilDate(day.date)
            points = options.checkpointMinutes.sorted().map {
                (NewYork.instant(date, hour: $0 / 60, minute: $0 % 60), $0)
            }
        }
        while let point = points.first, time >= point.instant {
            read(point)
            points.removeFirst()
        }
    }

    private func read(_ point: (instant: Instant, minute: Int)) {
        guard let engine else { return }
        let readings = readings
        let (instant, minute, day) = (point.instant, point.minute, pointsDay)
        engine.ingest.control { shard in
            .read(instant) { values in
                // A symbol without an event on the day has no figures of it.
                let ofDay = values.filter { $0.figures.date == day }
                readings.withLock { $0.append((minute, shard, ofDay)) }
            }
        }
    }
}

/// Holds a replay back to a multiple of the tape's own pace.
private final class Pace {
    private let speed: Double
    private var origin: (wall: Double, tape: Instant)?

    init(speed: Double) { self.speed = speed }

    func wait(for time: Instant) {
        let now = ProcessInfo.processInfo.systemUptime
        // What came before the first event stands at the epoch by the exchange's clock: nothing to wait for.
        guard let origin, origin.tape > .zero else {
            origin = (now, time)
            return
        }
        let due = origin.wall + Double(time.nanos(since: origin.tape)) / 1e9 / speed
        if due > now { Thread.sleep(forTimeInterval: due - now) }
    }
}
