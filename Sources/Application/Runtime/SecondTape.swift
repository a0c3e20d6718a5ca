internal import Dispatch
internal import Journal
internal import Logging
internal import MarketData
internal import Primitives

/// A second recording of a run's inputs in another directory (`run --record`).
///
/// Its failures are told and never reach the engine: what waits is bounded, beyond it lines are lost and counted, and a
/// directory that can't be used is tried again. It begins with the run's present; the run's own tape has what was before.
final class SecondTape: @unchecked Sendable {
    /// How it is.
    struct Status: Sendable {
        var tape = TapeWriter.Status()
        var keeper = TapeKeeper.Status()
        /// Lines that came while the directory couldn't be used.
        var unopenedLines: Int64 = 0
        var failure: String?
    }

    private struct Box {
        var writer: TapeWriter?
        var unopenedLines: Int64 = 0
        var failure: String?
        var isStopped = false
    }

    /// Lines are handed to the kernel this often.
    private static let flushMillis = 250
    /// Flushes between two syncs, and between two attempts to open the directory.
    private static let flushesASync = 4

    // Owner of the unchecked state: `lock`, `ticks` and `timer` are the queue's; the rest is constant or locked.
    private let directory: String
    private let limits: TapeWriter.Limits
    private let meta: TapeMeta
    private let logger: Logger
    private let changed: @Sendable (FeedState, String) -> Void
    private let queue = DispatchQueue(label: "record")
    private let box = Lock(Box())
    private var lock: DirectoryLock?
    private var ticks = 0
    private var timer: (any DispatchSourceTimer)?

    /// - Parameters:
    ///   - directory: made where it isn't there.
    ///   - limits: of segments and of what is kept.
    ///   - meta: the first line of each segment.
    ///   - logger: hears of failures once each, and of what is closed and removed.
    ///   - changed: hears `degraded` with the reason, and `up` again; on the recording's queue.
    init(
        directory: String,
        limits: TapeWriter.Limits,
        meta: TapeMeta,
        logger: Logger,
        changed: @escaping @Sendable (FeedState, String) -> Void
    ) {
        self.directory = directory
        self.limits = limits
        self.meta = meta
        self.logger = logger
        self.changed = changed
    }

    /// Opens the directory, or tells why not and tries again each second.
    func start() {
        queue.sync { tick() }
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(
            deadline: .now() + .milliseconds(Self.flushMillis),
            repeating: .milliseconds(Self.flushMillis)
        )
        timer.setEventHandler { [self] in tick() }
        timer.resume()
        queue.sync { self.timer = timer }
    }

    /// Writes a line; never waits for the disk.
    ///
    /// Any thread.
    func write(_ body: (TapeWriter) -> Void) {
        let writer = box.withLock { box in
            if box.writer == nil { box.unopenedLines += 1 }
            return box.writer
        }
        if let writer { body(writer) }
    }

    var status: Status {
        let (writer, unopened, failure) = box.withLock { ($0.writer, $0.unopenedLines, $0.failure) }
        var status = Status()
        status.unopenedLines = unopened
        status.failure = failure
        if let writer { (status.tape, status.keeper) = (writer.status, writer.keeper.status) }
        return status
    }

    /// Writes what waits and closes the segment.
    func stop() {
        queue.sync {
            timer?.cancel()
            guard let writer = box.withLock({ $0.writer }) else { return }
            if let error = writer.close() { logger.error("record_close", metadata: ["error": "\(error)"]) }
        }
    }

    private func tick() {
        ticks += 1
        guard let writer = box.withLock({ $0.writer }) else {
            if ticks % Self.flushesASync == 1 { open() }
            return
        }
        let error = ticks % Self.flushesASync == 0 ? writer.sync() : writer.flush()
        tell(error.map { "\($0)" })
    }

    private func open() {
        do {
            try createDirectory(directory)
            if lock == nil { lock = try DirectoryLock(directory, as: "tape.recordDir") }
            let logger = logger
            let writer = try TapeWriter(directory: directory, limits: limits) {
                TapeLog.write($0, to: logger, tape: "record")
            }
            // Nothing is ever read again from here by the engine: all of it may go when it is old.
            writer.keeper.needs(after: .max)
            writer.begin(meta, at: writer.recovery.lastTime ?? .zero)
            box.withLock { $0.writer = writer }
            logger.info("recording", metadata: ["path": "\(writer.path)"])
            tell(nil)
        } catch {
            tell("\(error)")
        }
    }

    /// Tells a change; the same failure again, or another reason for it, says nothing.
    private func tell(_ failure: String?) {
        let was = box.withLock { box in
            defer { box.failure = failure }
            return box.failure
        }
        guard (was == nil) != (failure == nil) else { return }
        if let failure {
            logger.critical("record_failing", metadata: ["directory": "\(directory)", "error": "\(failure)"])
            changed(.degraded, failure)
        } else {
            logger.notice("record_durable", metadata: ["directory": "\(directory)"])
            changed(.up, "")
        }
    }
}
