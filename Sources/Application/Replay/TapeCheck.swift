internal import FeedProtocols
internal import Journal
internal import MarketData
internal import Primitives
internal import Wire

/// Says everything that is wrong with a tape (`striketape tape verify`).
package struct TapeCheck {
    private let report: TapeVerifier.Report

    /// Reads files, or the segments of directories, as one tape.
    ///
    /// - Throws: `JournalError` where a file can't be opened, `ReplayError` for a directory without a tape.
    package init(_ arguments: [String], progress style: ProgressStyle) throws {
        let paths = try TapeTools.expand(arguments)
        var meter = ProgressMeter(label: "verify", total: try TapeTools.contentBytes(paths), style: style)
        let counter = EventCounter()
        report = try TapeVerifier.verify(paths, eventCount: { counter.count($0, $1) }) { meter.update($0) }
        meter.finish("\(report.lines) lines in \(report.files) files")
    }

    package var isGood: Bool { report.problemCount == 0 }

    /// One line a problem, and a summary.
    package var text: String {
        var lines = report.problems.map(\.description)
        let more = report.problemCount - Int64(report.problems.count)
        if more > 0 { lines.append("… and \(more) more") }
        let span = report.firstN.map { "n \($0) to \(report.lastN ?? $0)" } ?? "no ordinals"
        lines.append(
            "\(report.files) files, \(report.lines) lines, \(report.frames) frames, \(report.bytes) bytes, \(span): "
                + (isGood ? "good" : "\(report.problemCount) problems")
        )
        return lines.joined(separator: "\n")
    }

    package var json: String {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("good", isGood, to: &out)
        object.field("files", Int64(report.files) as Int64?, to: &out)
        object.field("lines", report.lines as Int64?, to: &out)
        object.field("frames", report.frames as Int64?, to: &out)
        object.field("bytes", report.bytes as Int64?, to: &out)
        object.field("firstN", report.firstN, to: &out)
        object.field("lastN", report.lastN, to: &out)
        object.field("problemCount", report.problemCount as Int64?, to: &out)
        object.key("problems", to: &out)
        out.append(UInt8(ascii: "["))
        for (index, problem) in report.problems.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            var member = JSONObject(&out)
            member.field("file", problem.file as String?, to: &out)
            member.field("line", problem.line, to: &out)
            member.field("byte", problem.byte, to: &out)
            member.field("message", problem.message as String?, to: &out)
            member.end(&out)
        }
        out.append(UInt8(ascii: "]"))
        object.end(&out)
        return String(decoding: out, as: UTF8.self)
    }
}

/// Counts a frame's events: at most so many ordinals it took.
private final class EventCounter {
    private var decoder = FrameDecoder()
    // Enough for every root and contract of a day; a full table would make events look fewer.
    private var symbols = SymbolTable(limit: 4_000_000)
    private var batch = DecodedBatch()

    func count(_ source: FeedSource, _ frame: UnsafeRawBufferPointer) -> Int? {
        batch.removeAll()
        decoder.decode(frame, of: source, symbols: &symbols, into: &batch)
        return batch.count
    }
}
