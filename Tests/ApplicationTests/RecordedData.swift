import Foundation
import Testing

/// The recorded market data beside the project; tests that need it skip, and say so, where it is absent.
enum RecordedData {
    static let directory: URL = {
        if let path = ProcessInfo.processInfo.environment["STRIKETAPE_DATA"] { return URL(fileURLWithPath: path) }
        return URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/data")
    }()

    /// The path of a file; nil, with a printed reason, where it is absent.
    static func path(_ name: String) -> String? {
        let path = directory.appendingPathComponent(name).path
        guard FileManager.default.fileExists(atPath: path) else {
            print("skipped: \(path) is absent (recorded data)")
            return nil
        }
        return path
    }

    /// The reference checkpoints by `SYMBOL DATE` and `HH:MM`.
    static func checkpoints() throws -> [String: [String: [String: Double]]]? {
        guard let path = path("reference/checkpoints.csv") else { return nil }
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let header = try #require(lines.first).split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        var table: [String: [String: [String: Double]]] = [:]
        for line in lines.dropFirst() {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            var row: [String: Double] = [:]
            for (name, field) in zip(header, fields) { row[name] = Double(field) }
            table[fields[0], default: [:]][fields[1]] = row
        }
        return table
    }

    /// The reference of whole sessions by `SYMBOL DATE`.
    static func sessions() throws -> [String: [String: Double]]? {
        guard let path = path("reference/session.json") else { return nil }
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path)))
        let sessions = try #require((object as? [String: Any])?["sessions"] as? [String: [String: Any]])
        return sessions.mapValues { $0.compactMapValues { ($0 as? NSNumber)?.doubleValue } }
    }
}
