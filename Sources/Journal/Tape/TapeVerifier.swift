package import MarketData
package import Primitives

/// What is wrong with a tape, and where.
package struct TapeProblem: Sendable, Equatable, CustomStringConvertible {
    package var file: String
    /// From 1; nil where it isn't about a line.
    package var line: Int64?
    /// In the uncompressed content; nil where it isn't about a place.
    package var byte: Int64?
    package var message: String

    package init(file: String, line: Int64? = nil, byte: Int64? = nil, message: String) {
        self.file = file
        self.line = line
        self.byte = byte
        self.message = message
    }

    /// `file:line:byte: what`, with as much of the place as there is.
    package var description: String {
        let place = [line, byte].map { $0.map { ":\($0)" } ?? "" }.joined()
        return "\(file)\(place): \(message)"
    }
}

/// Reads a tape and says everything that is wrong with it: lines, ordinals, times, indexes, the chain of segments.
///
/// One thread.
package struct TapeVerifier {
    /// Problems kept; further ones are counted.
    package static let limit = 10_000

    /// What was found.
    package struct Report: Sendable {
        package var files = 0
        package var lines: Int64 = 0
        package var frames: Int64 = 0
        package var bytes: Int64 = 0
        package var firstN: Ordinal?
        package var lastN: Ordinal?
        package var problems: [TapeProblem] = []
        package var problemCount: Int64 = 0
    }

    private(set) var report = Report()
    private var order = TapeOrder()
    /// What the index of the segment before says comes after it.
    private var before: TapeIndex.Before?

    /// Reads files as one tape.
    ///
    /// `eventCount` says how many events a frame holds at most, nil where it can't be told; `progress` hears the content's
    /// bytes read so far.
    /// - Throws: `unreadable`.
    package static func verify(
        _ paths: [String],
        eventCount: @escaping (FeedSource, UnsafeRawBufferPointer) -> Int?,
        progress: (Int64) -> Void = { _ in }
    ) throws(JournalError) -> Report {
        var verifier = TapeVerifier()
        for path in paths { try verifier.read(path, eventCount, progress) }
        verifier.report.firstN = verifier.order.first
        verifier.report.lastN = verifier.order.last
        return verifier.report
    }

    private mutating func complain(_ file: String, line: Int64? = nil, byte: Int64? = nil, _ message: String) {
        report.problemCount += 1
        guard report.problems.count < Self.limit else { return }
        report.problems.append(TapeProblem(file: file, line: line, byte: byte, message: message))
    }

    private mutating func read(
        _ path: String,
        _ eventCount: (FeedSource, UnsafeRawBufferPointer) -> Int?,
        _ progress: (Int64) -> Void
    ) throws(JournalError) {
        report.files += 1
        let lines = try LineReader(path)
        let parser = TapeLineParser()
        let bytesBefore = report.bytes
        var own = TapeIndex()
        var hash = SHA256()
        reading: while true {
            do throws(JournalError) {
                guard let text = try lines.next() else { break reading }
                own.lines += 1
                hash.update(text)
                if lines.isWhole { hash.update([UInt8(ascii: "\n")]) }
                judge(text, lines, parser, path, into: &own, eventCount)
                if own.lines % 4_096 == 0 { progress(bytesBefore + lines.offset) }
            } catch {
                guard error.code != .unreadable else { throw error }
                complain(path, line: error.line, byte: error.offset, "\(error.code.rawValue): \(error.message)")
                own.damaged += 1
                if error.code != .lineTooLong { break reading }
            }
        }
        own.bytes = lines.offset
        report.bytes += own.bytes
        report.lines += own.lines
        report.frames += own.frames
        own.sha256 = SHA256.hex(hash.digest())
        compare(own, path)
        progress(report.bytes)
    }

    private mutating func judge(
        _ text: UnsafeRawBufferPointer,
        _ lines: LineReader,
        _ parser: TapeLineParser,
        _ path: String,
        into own: inout TapeIndex,
        _ eventCount: (FeedSource, UnsafeRawBufferPointer) -> Int?
    ) {
        if JSONScan.skipSpace(text, from: 0) == text.count, lines.isWhole { return }
        let line: TapeLine
        do throws(LineDamage) { line = try parser.parse(text) } catch {
            own.damaged += 1
            complain(
                path,
                line: lines.lineNumber,
                byte: lines.lineStart + Int64(error.offset),
                lines.isWhole ? "expected \(error.expected)" : "the line is torn: expected \(error.expected)"
            )
            order.lose()
            return
        }
        own.span.note(n: line.n, time: line.time)
        if case .frame = line { own.frames += 1 }
        for problem in order.note(line, eventCount) {
            complain(path, line: lines.lineNumber, byte: lines.lineStart, problem)
        }
    }

    /// Compares what was read with the file's own index, and the index with that of the segment before.
    private mutating func compare(_ own: TapeIndex, _ path: String) {
        let found: TapeIndex?
        do throws(JournalError) { found = try TapeIndex.read(path) } catch {
            // Told already, where the end was read.
            before = nil
            return
        }
        guard let index = found else {
            before = nil
            return
        }
        for (name, said, seen) in [
            ("lines", "\(index.lines)", "\(own.lines)"), ("frames", "\(index.frames)", "\(own.frames)"),
            ("bytes", "\(index.bytes)", "\(own.bytes)"), ("sha256", index.sha256, own.sha256),
            ("ordinals and times", "\(index.span)", "\(own.span)"),
        ] where said != seen {
            complain(path, "the index says \(said) \(name), the content \(seen)")
        }
        if let before, before != index.before {
            complain(path, "the index continues another segment: \(index.before), not \(before)")
        }
        before = index.after
    }
}

/// The rules of ordinals and times along a tape.
///
/// Every line but `meta` and `frame` takes one ordinal, a frame one for each event that is accepted: so the next ordinal is
/// known behind the former, and behind a frame between none and all of its events. Lines without ordinals (recordings
/// without an engine) are only held to their times.
struct TapeOrder {
    private(set) var first: Ordinal?
    private(set) var last: Ordinal?
    private var time = Instant.distantPast
    /// What the next ordinal may be; nil where it can't be told.
    private var lowest: Ordinal?
    private var highest: Ordinal?

    /// A line couldn't be read: what follows may be any higher ordinal.
    mutating func lose() { highest = nil }

    /// Takes a line.
    ///
    /// - Returns: what is wrong with it.
    mutating func note(_ line: TapeLine, _ eventCount: (FeedSource, UnsafeRawBufferPointer) -> Int?) -> [String] {
        var problems: [String] = []
        if line.time < time { problems.append("expected \"t\" not before \(time.nanos), found \(line.time.nanos)") }
        time = max(time, line.time)
        guard let n = line.n else { return problems }
        if let lowest, n < lowest {
            problems.append("expected \"n\" from \(lowest) on, found \(n)")
        } else if let highest, n > highest {
            problems.append("inputs are missing: expected \"n\" up to \(highest), found \(n)")
        }
        first = first ?? n
        last = max(last ?? n, n)
        let from = max(n, lowest ?? n)
        if case .frame(_, _, let source, let bytes) = line {
            lowest = from
            highest = eventCount(source, bytes).map { from + Int64($0) }
        } else {
            (lowest, highest) = (from + 1, from + 1)
        }
        return problems
    }
}
