internal import Foundation
internal import Journal
internal import MarketData
internal import Primitives
internal import Wire

/// What `striketape tape` does.
package enum TapeTools {
    /// What a tape holds, as text or as a JSON object.
    ///
    /// - Throws: `JournalError` where the file can't be opened.
    package static func info(_ file: String, json: Bool) throws -> String {
        let info = try TapeInfo(reading: [file])
        return json ? object(file, info) : text(file, info)
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

    private static func object(_ file: String, _ info: TapeInfo) -> String {
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
        object.end(&out)
        return String(decoding: out, as: UTF8.self)
    }

    private static func append(_ counts: [String: Int64], to out: inout [UInt8]) {
        var object = JSONObject(&out)
        for (name, count) in counts.sorted(by: { $0.key < $1.key }) { object.field(name, count as Int64?, to: &out) }
        object.end(&out)
    }

    private static func text(_ file: String, _ info: TapeInfo) -> String {
        func time(_ instant: Instant?) -> String {
            guard let instant else { return "none" }
            var out: [UInt8] = []
            InstantText.append(instant, to: &out)
            return String(decoding: out, as: UTF8.self)
        }
        func list(_ counts: [String: Int64]) -> String {
            counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        }
        var lines = [
            file, "  lines    \(info.lines) (\(list(info.linesByKind)))",
            "  frames   \(list(info.framesBySource)), \(info.frameBytes) bytes",
            "  from     \(time(info.firstTime))", "  to       \(time(info.lastTime))",
            "  damaged  \(info.damagedLines)",
        ]
        lines += info.damage.map { "           \($0)" }
        return lines.joined(separator: "\n")
    }
}
