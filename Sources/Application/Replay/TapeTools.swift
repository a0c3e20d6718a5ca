internal import Foundation
internal import Journal
internal import MarketData
internal import Primitives
internal import Wire

/// What `striketape tape` does.
package enum TapeTools {
    /// The files that arguments name: a directory stands for the segments in it.
    ///
    /// - Throws: `ReplayError` for a directory without a segment.
    static func expand(_ arguments: [String]) throws -> [String] {
        try arguments.flatMap { argument in
            guard isDirectory(argument) else { return [argument] }
            let paths = try TapeSegment.paths(in: argument)
            if paths.isEmpty { throw ReplayError("\(argument): no tape in this directory") }
            return paths
        }
    }

    private static func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    /// Bytes of text, about: an index knows it, a foreign zstd file holds some eight times its size.
    static func contentBytes(_ paths: [String]) throws -> Int64 {
        try paths.reduce(0) { sum, path in
            let size = (try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int64) ?? 0
            let index = try? TapeIndex.read(path)
            return sum + (index?.bytes ?? (path.hasSuffix(".zst") ? size * 8 : size))
        }
    }

    /// What a tape holds, as text or as a JSON object; of a directory each segment as its index says, and the whole.
    ///
    /// - Throws: `JournalError` where the file can't be opened.
    package static func info(_ file: String, json: Bool) throws -> String {
        if isDirectory(file) { return try TapeListing(file).shown(json: json) }
        let info = try TapeInfo(reading: [file])
        let index = try? TapeIndex.read(file)
        return json ? object(file, info, index) : text(file, info, index)
    }

    /// Prints every good line as it stands.
    ///
    /// - Returns: how many lines were damaged.
    package static func cat(_ files: [String], complain: (String) -> Void) throws -> Int64 {
        var damaged: Int64 = 0
        var text = Data()
        for file in files {
            do {
                let lines = try LineReader(file)
                while let line = try lines.next() {
                    text.append(contentsOf: line)
                    text.append(UInt8(ascii: "\n"))
                    // Whoever reads may have seen enough: a broken pipe ends the command, quietly.
                    if text.count > 1 << 16, !flush(&text) { return damaged }
                }
            } catch {
                damaged += 1
                complain("\(error)")
            }
        }
        _ = flush(&text)
        return damaged
    }

    /// Writes to standard output; false where nobody reads any more.
    private static func flush(_ text: inout Data) -> Bool {
        defer { text.removeAll(keepingCapacity: true) }
        do {
            try FileHandle.standardOutput.write(contentsOf: text)
            return true
        } catch {
            return false
        }
    }

    private static func object(_ file: String, _ info: TapeInfo, _ index: TapeIndex?) -> String {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("file", file as String?, to: &out)
        object.field("lines", info.lines as Int64?, to: &out)
        object.key("kinds", to: &out)
        append(info.linesByKind, to: &out)
        object.key("sources", to: &out)
        append(info.framesBySource, to: &out)
        object.field("frameBytes", info.frameBytes as Int64?, to: &out)
        object.field("first", info.firstTime, to: &out)
        object.field("last", info.lastTime, to: &out)
        object.field("firstN", info.firstOrdinal, to: &out)
        object.field("lastN", info.lastOrdinal, to: &out)
        object.field("ep", info.identity?.epoch, to: &out)
        object.field("damagedLines", info.damagedLines as Int64?, to: &out)
        object.key("damage", to: &out)
        JSONText.append(.array(info.damage.map { .string("\($0)") }), to: &out)
        if let index {
            object.field("sha256", index.sha256 as String?, to: &out)
            object.field("blocks", Int64(index.blocks.count) as Int64?, to: &out)
            object.field("linesBefore", index.before.lines as Int64?, to: &out)
            object.field("framesBefore", index.before.frames as Int64?, to: &out)
        }
        object.end(&out)
        return String(decoding: out, as: UTF8.self)
    }

    private static func append(_ counts: [String: Int64], to out: inout [UInt8]) {
        var object = JSONObject(&out)
        for (name, count) in counts.sorted(by: { $0.key < $1.key }) { object.field(name, count as Int64?, to: &out) }
        object.end(&out)
    }

    /// An instant for people.
    static func time(_ instant: Instant?) -> String {
        guard let instant else { return "none" }
        var out: [UInt8] = []
        InstantText.append(instant, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    private static func text(_ file: String, _ info: TapeInfo, _ index: TapeIndex?) -> String {
        func list(_ counts: [String: Int64]) -> String {
            counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        }
        var lines = [
            file, "  lines    \(info.lines) (\(list(info.linesByKind)))",
            "  frames   \(list(info.framesBySource)), \(info.frameBytes) bytes",
            "  from     \(time(info.firstTime))", "  to       \(time(info.lastTime))",
            "  damaged  \(info.damagedLines)",
        ]
        if let index {
            lines.append("  index    \(index.blocks.count) blocks, sha256 \(index.sha256)")
            lines.append("  before   \(index.before.lines) lines, \(index.before.frames) frames")
        }
        lines += info.damage.map { "           \($0)" }
        return lines.joined(separator: "\n")
    }
}
