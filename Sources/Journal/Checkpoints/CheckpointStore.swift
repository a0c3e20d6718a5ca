internal import Glibc
package import Primitives

/// Checkpoints in a directory: the newest two, each a file that is whole or isn't there.
///
/// One thread at a time; every call blocks.
package final class CheckpointStore: Sendable {
    /// How many are kept: the older one counts when the newest turns out damaged.
    package static let kept = 2

    /// What `newest` found.
    package struct Found: Sendable, Equatable {
        /// The newest whole one.
        package var checkpoint: Checkpoint?
        /// Newer ones that are damaged.
        package var damage: [JournalError]
    }

    private let directory: String
    private let prefix: String

    /// - Parameters:
    ///   - directory: made where it isn't there.
    ///   - prefix: begins the names of this store's files; several stores may share a directory, and a thread.
    /// - Throws: `unwritable` where the directory can't be made.
    package init(directory: String, prefix: String = "checkpoint-") throws(JournalError) {
        self.directory = directory
        self.prefix = prefix
        try Files.makeDirectory(directory)
    }

    private func fileName(_ checkpoint: Checkpoint) -> String {
        let digits = String(checkpoint.n)
        return prefix + String(repeating: "0", count: max(0, 19 - digits.utf8.count)) + digits + ".bin"
    }

    private func names() throws(JournalError) -> [String] {
        try Files.names(in: directory).filter { $0.hasPrefix(prefix) && $0.hasSuffix(".bin") }
    }

    /// Writes a checkpoint and removes all but the newest two.
    ///
    /// - Throws: `unwritable`; the earlier checkpoints are still there then.
    package func save(_ checkpoint: Checkpoint) throws(JournalError) {
        precondition(checkpoint.n >= 0, "a checkpoint before the first input")
        let path = "\(directory)/\(fileName(checkpoint))"
        let temporary = path + ".tmp"
        do {
            let file = try File(temporary, flags: O_WRONLY | O_CREAT | O_TRUNC)
            try file.writeAll(checkpoint.encoded())
            if let error = file.syncData() { throw error }
        }
        try Files.moveIntoPlace(temporary, as: path, in: directory)
        for old in try names().dropLast(Self.kept) { try Files.remove("\(directory)/\(old)") }
        for name in try Files.names(in: directory) where name.hasSuffix(".bin.tmp") {
            try Files.remove("\(directory)/\(name)")
        }
    }

    /// The ordinals of the checkpoints that are there, by their names, in order.
    package func ordinals() throws(JournalError) -> [Ordinal] {
        try names().compactMap { Ordinal($0.dropFirst(prefix.count).dropLast(4)) }
    }

    /// The newest whole checkpoint at or before an ordinal; damaged ones are passed over and reported.
    ///
    /// - Throws: `unreadable` where the directory can't be listed.
    package func newest(through limit: Ordinal = .max) throws(JournalError) -> Found {
        var found = Found(checkpoint: nil, damage: [])
        for name in try names().reversed() {
            if let n = Ordinal(name.dropFirst(prefix.count).dropLast(4)), n > limit { continue }
            let path = "\(directory)/\(name)"
            do throws(JournalError) {
                let checkpoint = try Checkpoint(try Files.contents(path), file: path)
                guard fileName(checkpoint) == name else {
                    throw JournalError(.corrupt, file: path, "it holds the checkpoint of \(checkpoint.n)")
                }
                found.checkpoint = checkpoint
                return found
            } catch {
                found.damage.append(error)
            }
        }
        return found
    }
}
