internal import CZstd
internal import Glibc

/// The bytes of a file, decompressed where it is compressed.
private final class ByteSource {
    private let file: File
    private let decompressor: OpaquePointer?
    private let input: UnsafeMutableRawBufferPointer
    private var inputStart = 0
    private var inputEnd: Int
    /// A frame is open: the end of the file would be a cut.
    private var isInsideFrame: Bool

    init(_ path: String) throws(JournalError) {
        let opened = try File(path)
        let first = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
        do throws(JournalError) {
            inputEnd = try opened.read(into: first)
        } catch {
            first.deallocate()
            throw error
        }
        input = first
        file = opened
        let magic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
        let isCompressed = path.hasSuffix(".zst") || first.prefix(inputEnd).starts(with: magic)
        decompressor = isCompressed ? ZSTD_createDCtx() : nil
        isInsideFrame = isCompressed
    }

    deinit {
        input.deallocate()
        ZSTD_freeDCtx(decompressor)
    }

    /// Fills the buffer as far as it goes; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(JournalError) -> Int {
        guard let decompressor else { return try readRaw(into: buffer) }
        while true {
            if inputStart == inputEnd {
                inputStart = 0
                inputEnd = try file.read(into: input)
                if inputEnd == 0, !isInsideFrame { return 0 }
            }
            var source = ZSTD_inBuffer(src: input.baseAddress, size: inputEnd, pos: inputStart)
            var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
            let status = ZSTD_decompressStream(decompressor, &target, &source)
            guard ZSTD_isError(status) == 0 else {
                throw JournalError(.corrupt, file: file.path, String(cString: ZSTD_getErrorName(status)))
            }
            // With no input left and nothing handed out, the decompressor waits for bytes that will not come.
            if inputEnd == 0, target.pos == 0 {
                throw JournalError(.cut, file: file.path, "expected the rest of a zstd frame")
            }
            inputStart = source.pos
            isInsideFrame = status != 0
            if target.pos > 0 { return target.pos }
        }
    }

    private func readRaw(into buffer: UnsafeMutableRawBufferPointer) throws(JournalError) -> Int {
        guard inputStart < inputEnd else { return try file.read(into: buffer) }
        let count = min(buffer.count, inputEnd - inputStart)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[inputStart..<(inputStart + count)]))
        inputStart += count
        return count
    }
}

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

    /// Passes over the content before a position.
    ///
    /// - Throws: `badPosition` where the content ends before it or no line starts there, and what `next` throws.
    package func skip(to position: TapePosition) throws(JournalError) {
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
        lineCount = position.line
        lineStart = offset
    }

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
            line: lineCount + 1,
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
            line: lineCount,
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
