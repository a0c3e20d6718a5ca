internal import Dispatch
internal import FeedProtocols
internal import Feeds
internal import Journal
internal import Logging
internal import MarketData
internal import Network
internal import Primitives

/// Records what the provider sends, without an engine (`striketape tape record`).
package final class TapeRecording: @unchecked Sendable {
    // Owner of the unchecked state: the feed loop.
    private let configuration: Configuration
    private let tape: TapeWriter
    private let loop = EventLoop(name: "record")
    private let sink: RecordingSink
    private var feeds: [any MarketFeed] = []
    private let logger: Logger
    private var failure: JournalError?

    /// - Throws: `JournalError` where the directory can't be written, `RunError` where the configuration lacks something.
    package init(_ configuration: Configuration, directory: String, log: LogSetup) throws {
        guard configuration.missingForRun.isEmpty else {
            throw RunError(configuration.missingForRun.joined(separator: "; "))
        }
        self.configuration = configuration
        logger = log.logger("record")
        let logger = logger
        tape = try TapeWriter(directory: directory, limits: TapeWriter.Limits(configuration.tape, waits: true)) {
            TapeLog.write($0, to: logger, tape: "record")
        }
        // No engine reads it again: all of it may go when it is old.
        tape.keeper.needs(after: .max)
        sink = RecordingSink(tape)
    }

    /// Where the lines go.
    package var path: String { tape.path }

    package func start() {
        loop.start()
        loop.execute { [self] in
            let builder = FeedBuilder(configuration: configuration, loop: loop, sink: sink, logger: logger, lease: nil)
            var wishes = UniverseWishes()
            wishes.configured = configuration.polygon.symbols
            feeds = builder.feeds(fetchFlow: nil)
            let selection = Universe.select(wishes, quotas: UniverseQuotas(), now: SystemClock.wall())
            for feed in feeds {
                feed.want(selection)
                feed.start()
            }
            loop.schedule(after: 200_000_000, repeating: 200_000_000) { [self] in tell(tape.flush()) }
            loop.schedule(after: 1_000_000_000, repeating: 1_000_000_000) { [self] in tell(tape.sync()) }
        }
    }

    /// Tells when writing begins to fail, and when it goes again.
    private func tell(_ error: JournalError?) {
        guard (error == nil) != (failure == nil) else { return }
        failure = error
        if let error {
            logger.critical("record_failing", metadata: ["error": "\(error)"])
        } else {
            logger.notice("record_durable")
        }
    }

    /// Ends the feeds and closes the tape, compressed.
    ///
    /// - Returns: how many lines were written, and what failed.
    package func stop() -> (lines: Int64, failure: String?) {
        loop.execute { [self] in for feed in feeds { feed.stop() } }
        loop.stop()
        loop.join()
        let failure = tape.close()
        return (tape.status.lines, failure.map { "\($0)" })
    }
}

/// Writes frames and feed states down, decoding only what the connection needs.
private final class RecordingSink: EventSink {
    private let tape: TapeWriter
    private var decoder = FrameDecoder()
    private var symbols = SymbolTable()
    private var batch = DecodedBatch()

    init(_ tape: TapeWriter) { self.tape = tape }

    func receive(frame: UnsafeRawBufferPointer, from source: FeedSource, at received: Instant) -> FrameOutcome {
        tape.frame(frame, n: 0, source: source, at: received)
        batch.removeAll()
        decoder.decode(frame, of: source, symbols: &symbols, into: &batch)
        return FrameOutcome(
            eventCount: batch.count,
            firstTime: batch.count > 0 ? batch[0].time : nil,
            lastTime: batch.count > 0 ? batch[batch.count - 1].time : nil,
            notices: batch.statuses.map { FeedNotice(status: $0.status, message: $0.message) }
        )
    }

    func feedChanged(_ source: FeedSource, to state: FeedState, cause: String, at received: Instant) {
        tape.feed(source: source.tapeName, state: state, cause: cause, n: 0, at: received)
    }
}
