internal import Glibc
package import Primitives
internal import Wire

/// What is in a closed segment and where: stands at the segment's end, in a frame that zstd passes over.
///
/// A closed segment is a mark, blocks of whole lines (a zstd frame with checksum each, ≈ 1 MiB of text), and this index:
/// `zstd -dc` reads it like any other. Its last 44 bytes are SHA-256 and length of the index's text, and a magic word.
package struct TapeIndex: Sendable, Equatable {
    /// Ordinals and times of the first and last line; nil where no line has one.
    package struct Span: Sendable, Equatable {
        package var firstN: Ordinal?
        package var lastN: Ordinal?
        package var firstTime: Instant?
        package var lastTime: Instant?

        package init() {}

        mutating func note(n: Ordinal?, time: Instant) {
            firstTime = firstTime ?? time
            lastTime = time
            guard let n else { return }
            firstN = firstN ?? n
            lastN = n
        }
    }

    /// One frame of the file.
    package struct Block: Sendable, Equatable {
        /// Where it stands in the file.
        package var fileOffset: Int64
        package var fileSize: Int64
        /// Where its text stands in the content.
        package var offset: Int64
        package var size: Int64
        /// Lines of the segment before it.
        package var line: Int64
        package var span: Span
    }

    /// What the whole tape holds before this segment.
    package struct Before: Sendable, Equatable {
        package var lines: Int64 = 0
        package var frames: Int64 = 0
        /// The last ordinal.
        package var n: Ordinal?
        /// The content's SHA-256 of the segment before; empty for the first one.
        package var sha256 = ""

        package init() {}
    }

    package var lines: Int64 = 0
    /// Lines that hold a frame of a provider.
    package var frames: Int64 = 0
    /// Lines that were damaged already when the segment was closed; they stand as they were.
    package var damaged: Int64 = 0
    /// Bytes of text.
    package var bytes: Int64 = 0
    /// SHA-256 of the text, lower-case hexadecimal.
    package var sha256 = ""
    package var span = Span()
    package var before = Before()
    package var blocks: [Block] = []

    package init() {}

    /// What stands before the segment behind this one.
    var after: Before {
        var next = Before()
        next.lines = before.lines + lines
        next.frames = before.frames + frames
        next.n = span.lastN ?? before.n
        next.sha256 = sha256
        return next
    }

    // MARK: Bytes

    /// The first frame of a segment of ours, which zstd passes over.
    static let mark: [UInt8] = frame(Array("STKTAPE1".utf8))
    private static let magic: [UInt8] = Array("STKINDX1".utf8)
    private static let trailerSize = SHA256.size + 4 + 8
    /// A longer index isn't one: a million blocks.
    private static let sizeLimit = 256 << 20

    /// A frame that zstd passes over.
    private static func frame(_ content: [UInt8]) -> [UInt8] {
        let size = UInt32(content.count)
        return [0x50, 0x2A, 0x4D, 0x18] + (0..<4).map { UInt8(truncatingIfNeeded: size >> ($0 * 8)) } + content
    }

    func encoded() -> [UInt8] {
        let text = json()
        let length = UInt32(text.count)
        return Self.frame(
            text + SHA256.digest(text) + (0..<4).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + Self.magic
        )
    }

    private func json() -> [UInt8] {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("v", 1 as Int64?, to: &out)
        object.field("lines", lines as Int64?, to: &out)
        object.field("frames", frames as Int64?, to: &out)
        object.field("damaged", damaged as Int64?, to: &out)
        object.field("bytes", bytes as Int64?, to: &out)
        object.field("sha256", sha256 as String?, to: &out)
        object.key("span", to: &out)
        Self.append(Self.numbers(span), to: &out)
        object.key("before", to: &out)
        var earlier = JSONObject(&out)
        earlier.field("lines", before.lines as Int64?, to: &out)
        earlier.field("frames", before.frames as Int64?, to: &out)
        earlier.field("n", before.n, to: &out)
        earlier.field("sha256", before.sha256 as String?, to: &out)
        earlier.end(&out)
        object.key("blocks", to: &out)
        out.append(UInt8(ascii: "["))
        for (place, block) in blocks.enumerated() {
            if place > 0 { out.append(UInt8(ascii: ",")) }
            Self.append(
                [block.fileOffset, block.fileSize, block.offset, block.size, block.line] + Self.numbers(block.span),
                to: &out
            )
        }
        out.append(UInt8(ascii: "]"))
        object.end(&out)
        return out
    }

    private static func numbers(_ span: Span) -> [Int64?] {
        [span.firstN, span.lastN, span.firstTime?.nanos, span.lastTime?.nanos]
    }

    private static func append(_ numbers: [Int64?], to out: inout [UInt8]) {
        out.append(UInt8(ascii: "["))
        for (place, number) in numbers.enumerated() {
            if place > 0 { out.append(UInt8(ascii: ",")) }
            if let number { DecimalText.append(number, to: &out) } else { out.append(contentsOf: "null".utf8) }
        }
        out.append(UInt8(ascii: "]"))
    }

    // MARK: Reading

    /// Whether these first bytes of a file are those of a segment of ours.
    static func isMarked(_ head: UnsafeRawBufferPointer) -> Bool { head.starts(with: mark) }

    /// The index at the end of a closed segment; nil where the file isn't a segment of ours.
    ///
    /// - Throws: `cut` where it isn't there, `corrupt` where it is damaged, `unreadable`.
    package static func read(_ path: String) throws(JournalError) -> TapeIndex? {
        let file = try Files.segment(path)
        guard try file.bytes(at: 0, count: mark.count) == mark else { return nil }
        return try read(file)
    }

    static func read(_ file: borrowing File) throws(JournalError) -> TapeIndex {
        let size = try file.size()
        let tail = try file.bytes(at: max(0, size - Int64(trailerSize)), count: trailerSize)
        guard tail.count == trailerSize, tail.suffix(8).elementsEqual(magic) else {
            throw JournalError(.cut, file: file.path, "expected the index at the end")
        }
        let length = tail[SHA256.size..<(SHA256.size + 4)].reversed().reduce(0) { $0 << 8 | Int($1) }
        let start = size - Int64(trailerSize) - Int64(length)
        guard length <= sizeLimit, start >= Int64(mark.count + 8) else {
            throw JournalError(.corrupt, file: file.path, "the index is longer than the file")
        }
        let frame = try file.bytes(at: start - 8, count: 8)
        let text = try file.bytes(at: start, count: length)
        guard frame == Array(Self.frame(Array(repeating: 0, count: 0)).prefix(4)) + sizeBytes(length + trailerSize),
            SHA256.digest(text).elementsEqual(tail.prefix(SHA256.size))
        else { throw JournalError(.corrupt, file: file.path, "the checksum of the index is wrong") }
        let value: JSONValue
        do throws(JSONError) { value = try JSONParser.parse(text) } catch {
            throw JournalError(.corrupt, file: file.path, "index: expected \(error.expected)")
        }
        guard let index = TapeIndex(value) else { throw JournalError(.version, file: file.path, "an unknown index") }
        return index
    }

    private static func sizeBytes(_ size: Int) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: size >> ($0 * 8)) }
    }

    private init?(_ value: JSONValue) {
        guard value["v"]?.integer == 1, let lines = value["lines"]?.integer, let frames = value["frames"]?.integer,
            let damaged = value["damaged"]?.integer, let bytes = value["bytes"]?.integer,
            let sha256 = value["sha256"]?.string, let earlier = value["before"], let span = value["span"]?.array,
            let blocks = value["blocks"]?.array
        else { return nil }
        (self.lines, self.frames, self.damaged, self.bytes, self.sha256) = (lines, frames, damaged, bytes, sha256)
        self.span = Self.span(span[...])
        before.lines = earlier["lines"]?.integer ?? 0
        before.frames = earlier["frames"]?.integer ?? 0
        before.n = earlier["n"]?.integer
        before.sha256 = earlier["sha256"]?.string ?? ""
        for block in blocks {
            guard let numbers = block.array, numbers.count == 9 else { return nil }
            let places = numbers.prefix(5).map { $0.integer ?? -1 }
            guard places.allSatisfy({ $0 >= 0 }) else { return nil }
            self.blocks.append(
                Block(
                    fileOffset: places[0],
                    fileSize: places[1],
                    offset: places[2],
                    size: places[3],
                    line: places[4],
                    span: Self.span(numbers[5...])
                )
            )
        }
    }

    private static func span(_ numbers: ArraySlice<JSONValue>) -> Span {
        let values = numbers.map(\.integer)
        var span = Span()
        guard values.count == 4 else { return span }
        (span.firstN, span.lastN) = (values[0], values[1])
        (span.firstTime, span.lastTime) = (values[2].map(Instant.init(nanos:)), values[3].map(Instant.init(nanos:)))
        return span
    }

    /// The block that holds a place of the content; nil behind the end.
    func block(at offset: Int64) -> Block? {
        let next = blocks.partitioningIndex { $0.offset > offset }
        guard next > 0, offset < blocks[next - 1].offset + blocks[next - 1].size else { return nil }
        return blocks[next - 1]
    }
}

extension Array {
    /// The first index whose element fulfils a condition that all later ones fulfil too.
    func partitioningIndex(_ isBehind: (Element) throws -> Bool) rethrows -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if try isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
