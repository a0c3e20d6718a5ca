package import MarketData
package import Primitives
package import Wire

/// The words of the tape (architecture.md 4).
package enum TapeFormat {
    /// The version that the meta line names.
    package static let version: Int64 = 1

    /// The texts of `src`, in one array: looked through for each line.
    package static let sourceNames: [(source: FeedSource, name: StaticString)] = FeedSource.allCases.map {
        ($0, $0.tapeText)
    }

    /// The source that a text names, nil for an unknown one.
    package static func source(named name: UnsafeRawBufferPointer) -> FeedSource? {
        sourceNames.first { pair in
            pair.name.withUTF8Buffer { $0.count == name.count && name.elementsEqual($0) }
        }?.source
    }
}

/// The head of a tape: which log and which engine start it belongs to.
package struct TapeMeta: Sendable, Equatable {
    package var version: Int64
    package var epoch: String
    package var run: String
    /// What the run was configured with, as the writer put it.
    package var config: JSONValue

    package init(version: Int64 = TapeFormat.version, epoch: String, run: String, config: JSONValue = .null) {
        self.version = version
        self.epoch = epoch
        self.run = run
        self.config = config
    }
}

/// Where a reader stands: after a line.
package struct TapePosition: Sendable, Hashable {
    /// Index of the file in the order in which they are read.
    package var file: Int
    /// Byte offset in the uncompressed content.
    package var offset: Int64
    /// Lines before it in this file; −1 where that isn't known.
    package var line: Int64

    package init(file: Int = 0, offset: Int64 = 0, line: Int64 = 0) {
        self.file = file
        self.offset = offset
        self.line = line
    }

    /// The beginning of the first file.
    package static let start = TapePosition()
}

/// One line of a tape; `n` is nil where the line has none and gets one in file order.
///
/// The buffers belong to the reader and are valid until its next call; at least `TapeReader.padding` readable bytes
/// follow them.
package enum TapeLine {
    case meta(time: Instant, TapeMeta)
    case frame(time: Instant, n: Ordinal?, source: FeedSource, bytes: UnsafeRawBufferPointer)
    case clock(time: Instant, n: Ordinal?)
    case command(time: Instant, n: Ordinal?, Command)
    /// The source is a feed's tape name, or `bus`.
    case feed(time: Instant, n: Ordinal?, source: String, state: FeedState, cause: String)
    /// `body` is the JSON text of the answer.
    case rest(time: Instant, n: Ordinal?, source: String, url: String, body: UnsafeRawBufferPointer)

    /// Receive time.
    package var time: Instant {
        switch self {
        case .meta(let time, _), .frame(let time, _, _, _), .clock(let time, _), .command(let time, _, _),
            .feed(let time, _, _, _, _), .rest(let time, _, _, _, _):
            time
        }
    }

    /// The ordinal that the line carries.
    package var n: Ordinal? {
        switch self {
        case .meta: nil
        case .frame(_, let n, _, _), .clock(_, let n), .command(_, let n, _), .feed(_, let n, _, _, _),
            .rest(_, let n, _, _, _):
            n
        }
    }
}
