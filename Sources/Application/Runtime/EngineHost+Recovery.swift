internal import Engine
internal import Journal
internal import Logging
internal import MarketData
internal import Primitives
internal import Wire

// Recovery: the own tape, through the door.
extension EngineHost {
    /// Reads the own tape through the door, from the last saved door on; afterwards the engine stands where it stood.
    ///
    /// The caller's thread is the feed thread until then. A torn tail was cut off when the tape was opened.
    ///
    /// - Throws: `RunError` where the tape's beginning is gone and no saved state stands for it.
    func recover() throws {
        let ingest = engine.ingest
        if hasTape {
            let paths = try TapeSegment.paths(in: directory + "/tape")
            let reader = TapeReader(paths, from: try takeUpDoor(paths), policy: .skipLine)
            ingest.appliedThrough = saved.checkpoint?.n ?? 0
            recovered.checkpointN = ingest.appliedThrough
            ingest.makesClocks = false
            var passing = TapePassing(ingest)
            while let line = try reader.next() {
                if !passing.passesOver(line) { apply(line, to: ingest) }
            }
            ingest.flush()
            ingest.makesClocks = true
            recovered.frames = ingest.counters.frames
            tell(reader)
        }
        try passKnown(ingest)
        recovered.lastN = ingest.numbering.next - 1
        try beginRecording()
    }

    /// Takes up the saved door.
    ///
    /// - Returns: where to read on: behind the door, or at the start where there is none.
    private func takeUpDoor(_ paths: [String]) throws -> TapePosition {
        guard let checkpoint = saved.door else {
            try refuseWithoutBeginning(paths)
            return .start
        }
        let door = try SavedDoor(checkpoint.parts)
        try engine.ingest.restoreState(door.state)
        recovered.behindFrames = door.keysBehindFrame
        recovered.doorN = checkpoint.n
        return try TapeSeek.position(of: .ordinal(checkpoint.n + 1), in: paths)
    }

    /// Without the first segments everything would be made again from the middle: plans without their past, other ordinals.
    private func refuseWithoutBeginning(_ paths: [String]) throws {
        guard let first = try TapeSegment.list(in: directory + "/tape").first, first.segment.number > 1 else { return }
        let reader = TapeReader([first.path], policy: .skipLine)
        while let line = try reader.next() {
            guard let n = line.n else { continue }
            guard n > 1 else { return }
            throw RunError(
                """
                \(first.path) begins with input \(n): the segments before it were removed (tape.keepDays, tape.keepGb) and no \
                checkpoint of this build stands for them. Start the build that wrote \(directory)/checkpoints, or take a new \
                state.dir
                """
            )
        }
    }

    /// Numbers go on behind the commit log and the cores, also where the tape is shorter than it should be: an ordinal that
    /// stands there already would be taken for one that was said, and its hit lost.
    private func passKnown(_ ingest: IngestPoint) throws {
        let last = max(try store.load().last?.n ?? 0, recovered.checkpointN)
        guard last >= ingest.numbering.next else { return }
        logger.critical(
            "tape_behind_log",
            metadata: ["tape": "\(ingest.numbering.next - 1)", "log": "\(last)"]
        )
        ingest.resume(at: last + 1)
    }

    private func tell(_ reader: TapeReader) {
        if reader.damagedCount > 0 {
            logger.error(
                "tape_damaged",
                metadata: [
                    "lines": "\(reader.damagedCount)", "first": "\(reader.damage.first.map { "\($0)" } ?? "")",
                ]
            )
        }
        if recovered.holes > 0 {
            // Lines that the disk didn't take, or damage: what rested on them isn't made again.
            logger.error("tape_holes", metadata: ["holes": "\(recovered.holes)"])
        }
    }

    private func apply(_ line: TapeLine, to ingest: IngestPoint) {
        recovered.tapeLines += 1
        if let n = line.n, n > ingest.numbering.next { recovered.holes += 1 }
        if let key = TapeFeed.key(of: line) { recovered.behindFrames.append(key) }
        switch line {
        case .meta(_, let meta): recovered.settings = try? OutputSettings(tape: meta.config)
        case .rest(let time, let n, let source, let url, let body):
            ingest.answered(source, url: url, body: Array(body), at: time, n: n)
        case .frame(let time, let n, let source, let bytes):
            recovered.behindFrames.removeAll(keepingCapacity: true)
            ingest.receive(frame: bytes, from: source, at: time, n: n)
        case .clock(let time, let n): ingest.clockLine(time, n: n)
        case .command(let time, let n, let command): _ = ingest.take(command, at: time, n: n)
        case .feed(let time, let n, let source, let state, let cause):
            ingest.feedChanged(source, to: state, cause: cause, at: time, n: n)
        }
    }
}

/// Passes over the lines that a restored door has taken already.
///
/// Those are the lines with lower ordinals, and as many frames without an ordinal of their own as it counted behind them.
private struct TapePassing {
    private let next: Ordinal
    private var frames: Int64
    private var isOver: Bool

    init(_ ingest: IngestPoint) {
        next = ingest.numbering.next
        frames = ingest.framesWithoutOrdinal
        isOver = next == 1 && frames == 0
    }

    mutating func passesOver(_ line: TapeLine) -> Bool {
        if isOver { return false }
        guard let n = line.n else { return true }
        if n < next { return true }
        if n == next, frames > 0, case .frame = line {
            frames -= 1
            return true
        }
        isOver = true
        return false
    }
}
