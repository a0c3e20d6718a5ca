/// What went wrong in the journal, where, and what was expected instead.
package struct JournalError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of failure.
    package enum Code: String, Sendable {
        /// A file or directory can't be opened, read or listed.
        case unreadable
        /// The kernel refused to take bytes: no space, a short write, an I/O error.
        case unwritable
        /// A tape line that isn't one.
        case damagedLine
        /// A tape line longer than the limit.
        case lineTooLong
        /// A compressed file that stops inside a frame.
        case cut
        /// Content whose checksum or structure is wrong.
        case corrupt
        /// A tape whose receive time runs back.
        case unordered
        /// A format newer than this program, or not of this program.
        case version
        /// A position that isn't in the tape.
        case badPosition
        /// A limit is reached.
        case full
    }

    package let code: Code
    package let file: String
    /// Line number, from 1; nil where there are no lines.
    package let line: Int64?
    /// Byte offset in the (uncompressed) content; nil where it isn't known.
    package let offset: Int64?
    /// The cause, or what was expected.
    package let message: String

    package init(_ code: Code, file: String, line: Int64? = nil, offset: Int64? = nil, _ message: String) {
        self.code = code
        self.file = file
        self.line = line
        self.offset = offset
        self.message = message
    }

    package var description: String {
        var place = file
        if let line { place += ", line \(line)" }
        if let offset { place += ", byte \(offset)" }
        return "\(place): \(code.rawValue): \(message)"
    }
}
