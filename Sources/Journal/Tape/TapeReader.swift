internal import Primitives

/// Reads a tape: one file or several, one after another, raw or zstd.
///
/// Memory is bounded by the line limit. Any thread, one at a time.
package final class TapeReader {
    /// What to do with a damaged line.
    package enum DamagePolicy: Sendable {
        /// Everything good before it is delivered, then the error is thrown, and again on every further call.
        case stop
        /// It is counted and reading goes on; a file that can't be decompressed further is left for the next one.
        case skipLine
    }

    /// What `ep` and `run` are for a tape: from its meta line, or derived from its first line.
    package struct Identity: Sendable, Equatable {
        package var epoch: String
        package var run: String

        package init(epoch: String, run: String) {
            self.epoch = epoch
            self.run = run
        }
    }

    /// Readable bytes behind every buffer handed out: decoders may load whole words.
    package static let padding = 64
    /// Longer lines are damaged lines.
    package static let lineLimit = 16 << 20
    /// Errors kept in `damage`.
    package static let damageLimit = 16

    private let paths: [String]
    private let policy: DamagePolicy
    private let lineLimit: Int
    private var lines: LineReader?
    private var file: Int
    private var resume: TapePosition?
    private let parser = TapeLineParser()
    private var failure: JournalError?
    private var latest = Instant.distantPast

    /// After the line last delivered; reading can start again from there.
    package private(set) var position: TapePosition
    /// How many lines were passed over.
    package private(set) var damagedCount: Int64 = 0
    /// The first of their errors.
    package private(set) var damage: [JournalError] = []
    /// Nil until a line was read from the beginning.
    package private(set) var identity: Identity?
    /// Receive time went back and the policy was to skip: how often.
    package private(set) var unorderedCount: Int64 = 0

    /// The line last delivered was ended by a line feed; false for a last line that lacks it.
    package private(set) var isWhole = true

    /// Files are opened as they are reached.
    package init(
        _ paths: [String],
        from position: TapePosition = .start,
        policy: DamagePolicy = .stop,
        lineLimit: Int = TapeReader.lineLimit
    ) {
        self.paths = paths
        self.policy = policy
        self.lineLimit = lineLimit
        self.position = position
        file = position.file
        resume = position.offset > 0 ? position : nil
    }

    /// The next line; nil at the end.
    ///
    /// Its buffers are valid until the next call.
    ///
    /// - Throws: with `.stop` at the first damage: file, line, byte offset and what was expected. With `.skipLine` only
    ///   where a file can't be opened or the position isn't in it.
    package func next() throws(JournalError) -> TapeLine? {
        if let failure { throw failure }
        while true {
            do throws(JournalError) {
                guard let lines = try currentFile() else { return nil }
                guard let text = try lines.next() else {
                    self.lines = nil
                    file += 1
                    continue
                }
                if JSONScan.skipSpace(text, from: 0) == text.count, lines.isWhole { continue }
                let line = try parse(text, lines)
                if identity == nil, file == 0 { identify(line, text) }
                isWhole = lines.isWhole
                position = TapePosition(file: file, offset: lines.offset, line: lines.lineNumber ?? -1)
                return line
            } catch {
                try handle(error)
            }
        }
    }

    private func currentFile() throws(JournalError) -> LineReader? {
        if let lines { return lines }
        guard file < paths.count else { return nil }
        let opened = try LineReader(paths[file], lineLimit: lineLimit)
        if let resume { try opened.skip(to: resume) }
        resume = nil
        lines = opened
        return opened
    }

    private func parse(_ text: UnsafeRawBufferPointer, _ lines: LineReader) throws(JournalError) -> TapeLine {
        let line: TapeLine
        do throws(LineDamage) {
            line = try parser.parse(text)
        } catch {
            let code: JournalError.Code = lines.isWhole ? .damagedLine : .cut
            throw located(code, lines, error.offset, "expected \(error.expected)")
        }
        guard line.time >= latest else {
            throw located(.unordered, lines, 0, "expected \"t\" not before \(latest.nanos)")
        }
        latest = line.time
        return line
    }

    private func located(
        _ code: JournalError.Code,
        _ lines: LineReader,
        _ offset: Int,
        _ message: String
    ) -> JournalError {
        JournalError(code, file: paths[file], line: lines.lineNumber, offset: lines.lineStart + Int64(offset), message)
    }

    private func handle(_ error: JournalError) throws(JournalError) {
        let isFatal = lines == nil
        guard policy == .skipLine, !isFatal else {
            failure = error
            throw error
        }
        damagedCount += 1
        if error.code == .unordered { unorderedCount += 1 }
        if damage.count < Self.damageLimit { damage.append(error) }
        switch error.code {
        case .damagedLine, .lineTooLong, .unordered: break
        default:
            lines = nil
            file += 1
        }
    }

    private func identify(_ line: TapeLine, _ text: UnsafeRawBufferPointer) {
        if case .meta(_, let meta) = line {
            identity = Identity(epoch: meta.epoch, run: meta.run)
            return
        }
        var hash = SHA256()
        hash.update(text)
        let hex = SHA256.hex(hash.digest())
        identity = Identity(epoch: "e" + hex.prefix(8), run: "r" + hex.dropFirst(8).prefix(8))
    }
}
