internal import Foundation
internal import Journal
internal import Primitives
internal import Wire

/// The segments of a tape directory, as their indexes say (`striketape tape info DIR`).
struct TapeListing {
    private struct Row {
        var path: String
        var size: Int64
        /// nil: open, or without an index.
        var index: TapeIndex?
        var problem: String?
    }

    private let directory: String
    private var rows: [Row] = []

    /// - Throws: `JournalError` where the directory can't be listed, `ReplayError` where it holds no tape.
    init(_ directory: String) throws {
        self.directory = directory
        for path in try TapeTools.expand([directory]) {
            let size = (try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int64) ?? 0
            do {
                rows.append(Row(path: path, size: size, index: try TapeIndex.read(path), problem: nil))
            } catch {
                rows.append(Row(path: path, size: size, index: nil, problem: "\(error)"))
            }
        }
    }

    func shown(json: Bool) -> String { json ? object : text }

    private var totalSize: Int64 { rows.reduce(0) { $0 + $1.size } }

    private var text: String {
        var lines = [directory]
        for row in rows {
            let name = row.path.split(separator: "/").last.map(String.init) ?? row.path
            var line = "  \(name)  \(row.size) bytes"
            if let index = row.index {
                line += ", \(index.lines) lines, n \(index.span.firstN ?? 0) to \(index.span.lastN ?? 0)"
                line += ", \(TapeTools.time(index.span.firstTime)) to \(TapeTools.time(index.span.lastTime))"
            } else {
                line += row.problem.map { ", \($0)" } ?? (name.hasSuffix(".zst") ? ", no index" : ", open")
            }
            lines.append(line)
        }
        if let before = rows.first?.index?.before, before.lines > 0 {
            lines.append("  removed before: \(before.lines) lines, up to n \(before.n ?? 0)")
        }
        lines.append("  \(rows.count) segments, \(totalSize) bytes")
        return lines.joined(separator: "\n")
    }

    private var object: String {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("directory", directory as String?, to: &out)
        object.field("bytes", totalSize as Int64?, to: &out)
        object.field("removedLines", rows.first?.index?.before.lines, to: &out)
        object.key("segments", to: &out)
        out.append(UInt8(ascii: "["))
        for (place, row) in rows.enumerated() {
            if place > 0 { out.append(UInt8(ascii: ",")) }
            var member = JSONObject(&out)
            member.field("file", row.path as String?, to: &out)
            member.field("bytes", row.size as Int64?, to: &out)
            member.field("closed", row.index != nil, to: &out)
            member.field("lines", row.index?.lines, to: &out)
            member.field("frames", row.index?.frames, to: &out)
            member.field("firstN", row.index?.span.firstN, to: &out)
            member.field("lastN", row.index?.span.lastN, to: &out)
            member.field("first", row.index?.span.firstTime, to: &out)
            member.field("last", row.index?.span.lastTime, to: &out)
            member.field("sha256", row.index?.sha256, to: &out)
            member.field("problem", row.problem, to: &out)
            member.end(&out)
        }
        out.append(UInt8(ascii: "]"))
        object.end(&out)
        return String(decoding: out, as: UTF8.self)
    }
}
