internal import CZstd
internal import Glibc

/// Makes a closed segment of a raw one: the same bytes in blocks of whole lines, and the index behind them.
///
/// Whatever stands in the raw file stands in the closed one, damage included. Blocks; ≈ 240 MB/s at level 3.
struct SegmentPacker: ~Copyable {
    /// Text of a block: what a reader decompresses to get at one line.
    static let blockBytes = 1 << 20

    private let input: File
    private let output: File
    private let context: OpaquePointer
    private let blockBytes: Int
    private let parser = TapeLineParser()
    private var text: [UInt8] = []
    private var packed: [UInt8] = []
    private var fileOffset: Int64 = 0
    private var hash = SHA256()
    private var index = TapeIndex()

    private init(_ path: String, to target: String, level: Int32, blockBytes: Int) throws(JournalError) {
        let raw = try File(path)
        let closed = try File(target, flags: O_WRONLY | O_CREAT | O_TRUNC)
        guard let context = ZSTD_createCCtx() else { throw JournalError(.unwritable, file: target, "no memory") }
        self.context = context
        input = raw
        output = closed
        self.blockBytes = blockBytes
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    }

    deinit { ZSTD_freeCCtx(context) }

    /// Writes `target` whole and syncs it; its name is not durable yet.
    ///
    /// - Throws: `unreadable`, `unwritable`; `target` is incomplete then.
    static func pack(
        _ path: String,
        to target: String,
        level: Int32,
        before: TapeIndex.Before,
        blockBytes: Int = SegmentPacker.blockBytes
    ) throws(JournalError) -> TapeIndex {
        var packer = try SegmentPacker(path, to: target, level: level, blockBytes: blockBytes)
        packer.index.before = before
        try packer.write(TapeIndex.mark)
        while try packer.fill() { try packer.writeBlock() }
        packer.index.sha256 = SHA256.hex(packer.hash.digest())
        try packer.write(packer.index.encoded())
        if let error = packer.output.syncData() { throw error }
        return packer.index
    }

    private mutating func write(_ bytes: [UInt8]) throws(JournalError) {
        try output.writeAll(bytes)
        fileOffset += Int64(bytes.count)
    }

    /// Reads until `text` has a block of whole lines, or all that is left; false at the end.
    private mutating func fill() throws(JournalError) -> Bool {
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { piece.deallocate() }
        while text.count < blockBytes || text.lastIndex(of: UInt8(ascii: "\n")) == nil {
            let count = try input.read(into: piece)
            if count == 0 { return !text.isEmpty }
            text.append(contentsOf: piece[..<count])
        }
        return true
    }

    private mutating func writeBlock() throws(JournalError) {
        let feed = UInt8(ascii: "\n")
        let end = text.prefix(blockBytes).lastIndex(of: feed) ?? text.firstIndex(of: feed)
        let size = end.map { $0 + 1 } ?? text.count
        let bound = ZSTD_compressBound(size)
        if packed.count < bound { packed = Array(repeating: 0, count: bound) }
        let count = packed.withUnsafeMutableBytes { target in
            text.withUnsafeBytes { ZSTD_compress2(context, target.baseAddress, target.count, $0.baseAddress, size) }
        }
        guard ZSTD_isError(count) == 0 else {
            throw JournalError(.unwritable, file: output.path, String(cString: ZSTD_getErrorName(count)))
        }
        var block = TapeIndex.Block(
            fileOffset: fileOffset,
            fileSize: Int64(count),
            offset: index.bytes,
            size: Int64(size),
            line: index.lines,
            span: TapeIndex.Span()
        )
        text.withUnsafeBytes { all in
            let content = UnsafeRawBufferPointer(rebasing: all[..<size])
            hash.update(content)
            Self.count(content, by: parser, into: &index, &block.span)
        }
        let error = packed.withUnsafeBytes { output.write(UnsafeRawBufferPointer(rebasing: $0[..<count])).error }
        if let error { throw error }
        fileOffset += Int64(count)
        index.bytes += Int64(size)
        index.blocks.append(block)
        text.removeFirst(size)
    }

    private static func count(
        _ content: UnsafeRawBufferPointer,
        by parser: TapeLineParser,
        into index: inout TapeIndex,
        _ span: inout TapeIndex.Span
    ) {
        var start = 0
        while start < content.count, let base = content.baseAddress {
            let feed = memchr(base + start, Int32(UInt8(ascii: "\n")), content.count - start)
            let end = feed.map { UnsafeRawPointer($0) - base } ?? content.count
            let line = UnsafeRawBufferPointer(rebasing: content[start..<end])
            start = end + 1
            index.lines += 1
            if JSONScan.skipSpace(line, from: 0) == line.count { continue }
            do throws(LineDamage) {
                let parsed = try parser.parse(line)
                span.note(n: parsed.n, time: parsed.time)
                index.span.note(n: parsed.n, time: parsed.time)
                if case .frame = parsed { index.frames += 1 }
            } catch {
                index.damaged += 1
            }
        }
    }

    /// Reads a closed segment whole and compares it with its index.
    ///
    /// - Throws: `cut`, `corrupt`, `unreadable`, and `corrupt` where it isn't a segment of ours.
    static func verify(_ path: String, progress: (Int64) -> Void = { _ in }) throws(JournalError) -> TapeIndex {
        guard let index = try TapeIndex.read(path) else {
            throw JournalError(.corrupt, file: path, "expected a closed segment with an index")
        }
        let source = try ByteSource(path)
        var hash = SHA256()
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { piece.deallocate() }
        while true {
            let count = try source.read(into: piece)
            if count == 0 { break }
            hash.update(UnsafeRawBufferPointer(rebasing: piece[..<count]))
            progress(Int64(count))
        }
        guard SHA256.hex(hash.digest()) == index.sha256 else {
            throw JournalError(.corrupt, file: path, "the content's SHA-256 isn't the index's")
        }
        return index
    }
}
