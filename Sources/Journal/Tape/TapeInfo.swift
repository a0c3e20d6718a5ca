internal import MarketData
package import Primitives

/// What a tape holds (`tape info`).
package struct TapeInfo: Sendable, Equatable {
    package var lines: Int64 = 0
    /// By kind: meta, frame, clock, cmd, feed, rest.
    package var linesByKind: [String: Int64] = [:]
    /// Frames by source, as the tape names it.
    package var framesBySource: [String: Int64] = [:]
    /// Bytes of all frames.
    package var frameBytes: Int64 = 0
    package var firstTime: Instant?
    package var lastTime: Instant?
    package var firstOrdinal: Ordinal?
    package var lastOrdinal: Ordinal?
    package var identity: TapeReader.Identity?
    package var damagedLines: Int64 = 0
    /// The first of the damage.
    package var damage: [JournalError] = []

    package init() {}

    /// Reads files from end to end; damaged lines are counted.
    ///
    /// `progress` hears now and then how many lines were read; false ends the reading.
    ///
    /// - Throws: `unreadable`.
    package init(reading paths: [String], progress: (Int64) -> Bool = { _ in true }) throws(JournalError) {
        let reader = TapeReader(paths, policy: .skipLine)
        while let line = try reader.next() {
            count(line)
            if lines % 65_536 == 0, !progress(lines) { break }
        }
        identity = reader.identity
        damagedLines = reader.damagedCount
        damage = reader.damage
    }

    private mutating func count(_ line: TapeLine) {
        lines += 1
        firstTime = firstTime ?? line.time
        lastTime = line.time
        if let n = line.n {
            firstOrdinal = firstOrdinal ?? n
            lastOrdinal = n
        }
        let kind: String
        switch line {
        case .meta: kind = "meta"
        case .frame(_, _, let source, let bytes):
            kind = "frame"
            framesBySource[source.tapeName, default: 0] += 1
            frameBytes += Int64(bytes.count)
        case .clock: kind = "clock"
        case .command: kind = "cmd"
        case .feed: kind = "feed"
        case .rest: kind = "rest"
        }
        linesByKind[kind, default: 0] += 1
    }
}
