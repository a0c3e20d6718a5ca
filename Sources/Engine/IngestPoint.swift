package import FeedProtocols
package import MarketData
package import Primitives
package import Wire

/// What became of the inputs so far.
package struct IngestCounters: Sendable, BitwiseCopyable {
    package var frames: Int64 = 0
    package var events: Int64 = 0
    package var duplicates: Int64 = 0
    package var outOfOrder: Int64 = 0
    package var clocks: Int64 = 0
    package var commands: Int64 = 0
    package var refusedCommands: Int64 = 0
    /// Answers of providers' REST interfaces.
    package var answers: Int64 = 0
    package var malformedAnswers: Int64 = 0
    /// Answers of a provider for a symbol that no core has.
    package var strayAnswers: Int64 = 0
}

/// The one door into the engine: numbers every accepted input, has it recorded, and posts it to its shard.
///
/// Feed thread only; the work is `Door`'s.
package final class IngestPoint: EventSink {
    private var door: Door

    init(_ options: EngineOptions, shards: [ShardPort]) { door = Door(options, shards: shards) }

    package var counters: IngestCounters { door.counters }
    package var numbering: Numbering { door.numbering }
    /// What the decoder counted.
    package var decoderFigures: DecoderFigures { door.decoderFigures }
    /// How many symbols were seen, and how many refused because the table was full.
    package var symbolCounts: (known: Int, refused: Int) { door.symbolCounts }

    /// Writes each input down before it takes effect; nil in a replay.
    package var recorder: (any InputRecorder)? {
        get { door.recorder }
        set { door.recorder = newValue }
    }

    /// Inputs up to here are numbered and routed, but not posted: the cores hold them already (restart).
    package var appliedThrough: Ordinal {
        get { door.appliedThrough }
        set { door.appliedThrough = newValue }
    }

    /// Whether clock inputs are made here; false where the tape brings its own.
    package var makesClocks: Bool {
        get { door.numbering.makesClocks }
        set { door.numbering.makesClocks = newValue }
    }

    package func receive(frame: UnsafeRawBufferPointer, from source: FeedSource, at received: Instant) -> FrameOutcome {
        door.receive(frame: frame, from: source, at: received, n: nil)
    }

    /// Takes a frame; `n` is its number where a tape gives one.
    @discardableResult
    package func receive(
        frame: UnsafeRawBufferPointer,
        from source: FeedSource,
        at received: Instant,
        n: Ordinal?
    ) -> FrameOutcome {
        door.receive(frame: frame, from: source, at: received, n: n)
    }

    /// Goes on at an ordinal, never back.
    package func resume(at ordinal: Ordinal) { door.resume(at: ordinal) }

    /// Takes a clock line of a tape, or live the fact that nothing arrived until `instant`.
    package func clockLine(_ instant: Instant, n: Ordinal?) { door.clockLine(instant, n: n) }

    /// Ends a tape: one last clock input, where the tape has none of its own.
    package func endOfTape() { door.endOfTape() }

    package func feedChanged(_ source: FeedSource, to state: FeedState, cause: String, at received: Instant) {
        door.feedChanged(source.tapeName, to: state, cause: cause, at: received, n: nil)
    }

    /// Takes a feed's (or the bus's) new state.
    package func feedChanged(_ name: String, to state: FeedState, cause: String, at received: Instant, n: Ordinal?) {
        door.feedChanged(name, to: state, cause: cause, at: received, n: n)
    }

    /// Takes a provider's answer to a request: path and query, and the JSON text, `null` where it couldn't be had.
    package func answered(
        _ source: String,
        url: String,
        body: [UInt8],
        at received: Instant,
        n: Ordinal? = nil
    ) {
        door.answered(source, url: url, body: body, at: received, n: n)
    }

    /// Takes a command; it is numbered if a core can answer it.
    ///
    /// - Returns: why no core can: a body without a symbol, an unknown symbol or plan.
    package func take(_ command: Command, at received: Instant, n: Ordinal? = nil) -> CommandRefusal? {
        door.take(command, at: received, n: n)
    }

    /// Posts what was collected; live once a service pass.
    package func flush() { door.flush() }

    /// Posts a wish to every shard, behind all inputs so far.
    package func control(_ make: (Int) -> Control) { door.control(make) }

    /// Everything that decides what later inputs become, for a restart that doesn't read the whole tape.
    package func saveState() -> [UInt8] {
        var writer = StateWriter()
        door.save(to: &writer)
        return writer.finish()
    }

    /// Takes up what `saveState` gave, before the first input.
    ///
    /// - Throws: `StateError`; this ingest point is of no use then.
    package func restoreState(_ bytes: [UInt8]) throws(StateError) {
        var reader = StateReader(bytes)
        try door.restore(from: &reader)
    }

    /// Frames in a row, up to now, that took no ordinal.
    package var framesWithoutOrdinal: Int64 { door.framesWithoutOrdinal }
}
