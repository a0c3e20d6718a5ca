internal import Glibc

/// Writes one tape file by lines: raw, or as a closed segment with blocks and index where its name ends in `.zst`.
///
/// The file appears under its name when it is whole. One thread; blocks.
package final class TapeFileWriter {
    private static let chunk = 1 << 18

    private let path: String?
    private let file: File
    private var text: [UInt8] = []
    /// Lines so far.
    package private(set) var lines: Int64 = 0

    /// Begins a file; nil is standard output.
    ///
    /// - Throws: `unwritable`.
    package init(_ path: String?) throws(JournalError) {
        self.path = path
        file =
            if let path {
                try File(path + ".tmp", flags: O_WRONLY | O_CREAT | O_TRUNC)
            } else {
                try File("/dev/stdout", flags: O_WRONLY)
            }
    }

    /// Appends a line, without its line feed.
    package func write(_ line: UnsafeRawBufferPointer) throws(JournalError) {
        text.append(contentsOf: line)
        text.append(UInt8(ascii: "\n"))
        try noteLine()
    }

    /// Appends an input as a line of ours.
    func write(_ head: TapeInputs.Head, _ payload: UnsafeRawBufferPointer) throws(JournalError) {
        TapeEncoder.append(head, payload, to: &text)
        try noteLine()
    }

    private func noteLine() throws(JournalError) {
        lines += 1
        if text.count >= Self.chunk { try flush() }
    }

    private func flush() throws(JournalError) {
        try file.writeAll(text)
        text.removeAll(keepingCapacity: true)
    }

    /// Writes the rest and gives the file its name.
    ///
    /// - Throws: `unwritable`; what was written so far stays as `….tmp`.
    package func finish() throws(JournalError) {
        try flush()
        guard let path else { return }
        if let error = file.syncData() { throw error }
        var made = path + ".tmp"
        if path.hasSuffix(".zst") {
            let packed = path + ".zst.tmp"
            _ = try SegmentPacker.pack(made, to: packed, level: 3, before: TapeIndex.Before())
            try Files.remove(made)
            made = packed
        }
        try Files.moveIntoPlace(made, as: path, in: Files.directory(of: path))
    }
}

extension Files {
    /// The directory that a path's last part stands in.
    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
