internal import Journal
internal import MarketData
internal import Primitives
internal import Wire

/// Writes the engine's inputs on the run's tape.
///
/// Feed thread only; costs a copy into the writer's buffer.
final class TapeRecorder: InputRecorder {
    private let tape: TapeWriter

    init(_ tape: TapeWriter) { self.tape = tape }

    func record(frame: UnsafeRawBufferPointer, of source: FeedSource, n: Ordinal, received: Instant) {
        tape.frame(frame, n: n, source: source, at: received)
    }

    func recordClock(n: Ordinal, received: Instant) { tape.clock(n: n, at: received) }

    func record(_ command: Command, n: Ordinal, received: Instant) { tape.command(command, n: n, at: received) }

    func record(feed: String, state: FeedState, cause: String, n: Ordinal, received: Instant) {
        tape.feed(source: feed, state: state, cause: cause, n: n, at: received)
    }
}
