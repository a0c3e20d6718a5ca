package import MarketData
internal import Primitives
package import Wire

/// Copies a part of a tape: a valid tape again, with the meta line.
///
/// Without a filter lines are copied byte for byte. With one they lose their ordinals, which count what is left out too, and
/// get new ones in file order when they are read.
package struct TapeCutter {
    /// What is kept; both ends by receive time or by ordinal, the end itself not included.
    package struct Range: Sendable {
        package var from: TapeSeek.Target?
        package var to: TapeSeek.Target?

        package init(from: TapeSeek.Target? = nil, to: TapeSeek.Target? = nil) {
            self.from = from
            self.to = to
        }
    }

    /// Keeps a part of what lines hold.
    package struct Filter {
        /// What of a frame is kept, nil for nothing of it.
        package var frame: (FeedSource, UnsafeRawBufferPointer) -> [UInt8]?
        package var command: (Command) -> Bool

        package init(
            frame: @escaping (FeedSource, UnsafeRawBufferPointer) -> [UInt8]?,
            command: @escaping (Command) -> Bool
        ) {
            self.frame = frame
            self.command = command
        }
    }

    private let range: Range
    private let filter: Filter?
    private let out: TapeFileWriter
    /// Ordinal and time of the last line that has them: a line without an ordinal stands where its neighbours do.
    private var n: Ordinal?
    /// Damaged lines, left out.
    package private(set) var damage: [JournalError] = []

    private init(_ range: Range, _ filter: Filter?, _ out: TapeFileWriter) {
        self.range = range
        self.filter = filter
        self.out = out
    }

    /// Copies what lies in the range, and finishes the file.
    ///
    /// - Returns: the damaged lines, which were left out.
    /// - Throws: `unreadable`, `unwritable`.
    package static func cut(
        _ paths: [String],
        _ range: Range,
        filter: Filter?,
        to out: TapeFileWriter,
        progress: (TapePosition) -> Void = { _ in }
    ) throws(JournalError) -> [JournalError] {
        var cutter = TapeCutter(range, filter, out)
        try cutter.copyMeta(paths)
        var position = TapePosition.start
        if let from = range.from { position = try TapeSeek.position(of: from, in: paths) }
        files: for file in paths.indices where file >= position.file {
            let lines = try LineReader(paths[file])
            if file == position.file { try lines.skip(to: position) }
            let isOver = try cutter.copy(lines) { offset in progress(TapePosition(file: file, offset: offset)) }
            if isOver { break files }
        }
        try out.finish()
        return cutter.damage
    }

    /// The tape's head stands before every part of it.
    private mutating func copyMeta(_ paths: [String]) throws(JournalError) {
        guard let first = paths.first, let text = try? LineReader(first).next() else { return }
        guard case .meta? = try? TapeLineParser().parse(text) else { return }
        try out.write(text)
    }

    /// Copies what is in the range; true where the range's end was reached.
    private mutating func copy(_ lines: LineReader, _ progress: (Int64) -> Void) throws(JournalError) -> Bool {
        let parser = TapeLineParser()
        while true {
            do throws(JournalError) {
                guard let text = try lines.next() else { return false }
                if lines.lineCount % 4_096 == 0 { progress(lines.offset) }
                if JSONScan.skipSpace(text, from: 0) == text.count { continue }
                let line: TapeLine
                do throws(LineDamage) { line = try parser.parse(text) } catch {
                    let place = lines.lineStart + Int64(error.offset)
                    throw lines.error(.damagedLine, offset: place, "expected \(error.expected)")
                }
                n = line.n ?? n
                if let to = range.to, reaches(to, line) { return true }
                if let from = range.from, !reaches(from, line) { continue }
                try write(line, text)
            } catch {
                if error.code == .unreadable || error.code == .unwritable { throw error }
                damage.append(error)
                if error.code != .damagedLine, error.code != .lineTooLong { return false }
            }
        }
    }

    private func reaches(_ target: TapeSeek.Target, _ line: TapeLine) -> Bool {
        switch target {
        case .ordinal(let wanted): (n ?? 0) >= wanted
        case .time(let wanted): line.time >= wanted
        }
    }

    private mutating func write(_ line: TapeLine, _ text: UnsafeRawBufferPointer) throws(JournalError) {
        if case .meta = line {
            // The head stands there already, or the tape began without one and goes on so.
            return
        }
        guard let filter else { return try out.write(text) }
        switch line {
        case .meta: return
        case .frame(let time, _, let source, let bytes):
            guard let kept = filter.frame(source, bytes) else { return }
            try write(.frame, source, kept, time)
        case .clock(let time, _): try write(.clock, .stocks, [], time)
        case .command(let time, _, let command):
            guard filter.command(command) else { return }
            try write(.command, .stocks, TapeEncoder.command(command), time)
        case .feed(let time, _, let source, let state, let cause):
            try write(.feed, .stocks, TapeEncoder.feed(source, state, cause), time)
        case .rest(let time, _, let source, let url, let body):
            try write(.rest, .stocks, TapeEncoder.rest(source, url, Array(body)), time)
        }
    }

    private func write(
        _ kind: TapeInputs.Head.Kind,
        _ source: FeedSource,
        _ payload: [UInt8],
        _ time: Instant
    ) throws(JournalError) {
        let head = TapeInputs.Head(kind: kind, source: source, payload: payload.count, n: 0, time: time)
        var failure: JournalError?
        payload.withUnsafeBytes { bytes in
            do throws(JournalError) { try out.write(head, bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
