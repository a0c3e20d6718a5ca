import Foundation
import Testing

/// The users of `ops/redis-users.acl`.
enum RedisUsers {
    /// The arguments of ACL SETUSER for one of them.
    static func rule(_ name: String, password: String, file: String = #filePath) throws -> [String] {
        let root = URL(fileURLWithPath: file).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("ops/redis-users.acl"), encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("user \(name) ") })
        return line.split(separator: " ").dropFirst().map { $0 == ">CHANGE-ME" ? ">\(password)" : String($0) }
    }
}
