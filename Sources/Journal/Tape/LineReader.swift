internal import Glibc

/// The lines of one text file, raw or zstd, in memory bounded by the line limit.
///
/// Any thread, one at a time.
package final class LineReader {
    private let path: String
    private let lineLimit: Int
    private let source: ByteSource
    private var buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0
    private var isAtEnd = false
    /// The rest of a line that is too long comes next; it is read only if the caller goes on.
    private var isInsideLongLine = false
    /// What the file failed with behind the lines that are still in the buffer.
    private var failure: JournalError?

    /// Offset of the line last returned, in the uncompressed content.
    package private(set) var lineStart: Int64 = 0
    /// Offset after it.
    package private(set) var offset: Int64 = 0
    /// Lines returned or passed over so far.
    package private(set) var lineCount: Int64 = 0
    private var isCounted = true
    /// The line last returned was ended by a line feed.
    package private(set) var isWhole = true

    /// Opens a file.
    ///
    /// - Throws: `unreadable`.
    package init(_ path: String, lineLimit: Int = 16 << 20) throws(JournalError) {
        self.path = path
        self.lineLimit = lineLimit
        source = try ByteSource(path)
        buffer = .allocate(byteCount: (1 << 18) + TapeReader.padding, alignment: 64)
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { buffer.deallocate() }

    /// Goes to a position: at once in a raw file, by the block that holds it in a closed segment of ours, else by reading.
    ///
    /// - Throws: `badPosition` where the content ends before it or no line starts there, and what `next` throws.
    package func skip(to position: TapePosition) throws(JournalError) {
        guard position.offset > 0 else { return }
        precondition(offset == 0 && start == end, "a reader that has begun can't be placed")
        // From the byte before, which must be a line feed.
        offset = try source.seek(towards: position.offset - 1)
        var last = UInt8(ascii: "\n")
        while offset < position.offset {
            if start == end { try fill() }
            guard start < end else {
                if let failure { throw failure }
                throw badPosition(position)
            }
            let step = Int(min(Int64(end - start), position.offset - offset))
            start += step
            offset += Int64(step)
            last = buffer[start - 1]
        }
        guard last == UInt8(ascii: "\n") else { throw badPosition(position) }
        isCounted = position.line >= 0
        lineCount = max(0, position.line)
        lineStart = offset
    }

    /// An error about the line last returned.
    func error(_ code: JournalError.Code, offset: Int64, _ message: String) -> JournalError {
        JournalError(code, file: path, line: lineNumber, offset: offset, message)
    }

    /// The number of the line last returned; nil where reading began at a place whose number isn't known.
    package var lineNumber: Int64? { isCounted ? lineCount : nil }

    private func badPosition(_ position: TapePosition) -> JournalError {
        JournalError(.badPosition, file: path, offset: position.offset, "no line starts there")
    }

    /// The next line without its line feed, valid until the next call; nil at the end.
    ///
    /// - Throws: `lineTooLong` (the next call passes over the line), or `cut`, `corrupt`, `unreadable` once
    ///   all good lines before were returned.
    package func next() throws(JournalError) -> UnsafeRawBufferPointer? {
        if isInsideLongLine { try passOverLongLine() }
        var searched = start
        while true {
            if let feed = lineFeed(from: searched) { return take(upTo: feed, hasFeed: true) }
            searched = end
            if end - start > lineLimit { throw beginLongLine() }
            let moved = start
            try fill()
            searched -= moved - start
            guard isAtEnd, searched == end else { continue }
            if let failure { throw located(failure) }
            return start == end ? nil : take(upTo: end, hasFeed: false)
        }
    }

    private func lineFeed(from searched: Int) -> Int? {
        guard searched < end, let base = buffer.baseAddress,
            let found = memchr(base + searched, Int32(UInt8(ascii: "\n")), end - searched)
        else { return nil }
        return UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }

    private func take(upTo stop: Int, hasFeed: Bool) -> UnsafeRawBufferPointer {
        let line = UnsafeRawBufferPointer(rebasing: buffer[start..<stop])
        lineStart = offset
        let next = hasFeed ? stop + 1 : stop
        offset += Int64(next - start)
        start = next
        lineCount += 1
        isWhole = hasFeed
        return line
    }

    private func located(_ error: JournalError) -> JournalError {
        JournalError(
            error.code,
            file: error.file,
            line: isCounted ? lineCount + 1 : nil,
            offset: offset + Int64(end - start),
            error.message
        )
    }

    /// Moves what is unread to the front and reads more behind it; a failure is kept until the rest is used up.
    private func fill() throws(JournalError) {
        guard !isAtEnd else { return }
        let kept = end - start
        if start > 0, let base = buffer.baseAddress { memmove(base, base + start, kept) }
        start = 0
        end = kept
        if kept + TapeReader.padding >= buffer.count { grow() }
        let room = buffer.count - TapeReader.padding
        do throws(JournalError) {
            let count = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[kept..<room]))
            end += count
            isAtEnd = count == 0
        } catch {
            failure = error
            isAtEnd = true
        }
    }

    private func grow() {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.count * 2, alignment: 64)
        larger.initializeMemory(as: UInt8.self, repeating: 0)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<end]))
        buffer.deallocate()
        buffer = larger
    }

    private func beginLongLine() -> JournalError {
        lineStart = offset
        lineCount += 1
        isInsideLongLine = true
        return JournalError(
            .lineTooLong,
            file: path,
            line: lineNumber,
            offset: lineStart,
            "expected at most \(lineLimit) bytes a line"
        )
    }

    private func passOverLongLine() throws(JournalError) {
        isInsideLongLine = false
        while true {
            if let feed = lineFeed(from: start) {
                offset += Int64(feed + 1 - start)
                start = feed + 1
                return
            }
            offset += Int64(end - start)
            start = end
            try fill()
            if isAtEnd, start == end { return }
        }
    }
}
