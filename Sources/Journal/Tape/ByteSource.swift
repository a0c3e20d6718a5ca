internal import CZstd
internal import Glibc

/// The bytes of a file, decompressed where it is compressed.
///
/// Of a closed segment of ours a block is handed out only when its checksum was right, and the end only when the index
/// says that it is one. A foreign zstd file is handed out as it is decompressed: its one checksum stands at its end.
final class ByteSource {
    /// A block holds ≈ 1 MiB, or one line: more is damage.
    private static let blockLimit = 80 << 20

    private let file: File
    private let decompressor: OpaquePointer?
    private let isOwn: Bool
    private let input: UnsafeMutableRawBufferPointer
    private var inputStart = 0
    private var inputEnd: Int
    /// A frame is open: the end of the file would be a cut.
    private var isInsideFrame: Bool
    /// A block of ours, and what of it isn't handed out yet.
    private var block: [UInt8] = []
    private var blockStart = 0
    /// Bytes of content up to the end of `block`.
    private var produced: Int64 = 0
    private var isChecked = false

    init(_ path: String) throws(JournalError) {
        let opened = try Files.segment(path)
        let first = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
        do throws(JournalError) {
            inputEnd = try opened.read(into: first)
        } catch {
            first.deallocate()
            throw error
        }
        let isNamedSo = opened.path.hasSuffix(".zst")
        input = first
        file = opened
        let head = UnsafeRawBufferPointer(rebasing: first.prefix(inputEnd))
        let magic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
        isOwn = TapeIndex.isMarked(head)
        let isCompressed = isOwn || isNamedSo || head.starts(with: magic)
        decompressor = isCompressed ? ZSTD_createDCtx() : nil
        isInsideFrame = isCompressed
    }

    deinit {
        input.deallocate()
        ZSTD_freeDCtx(decompressor)
    }

    /// Before the first read: goes as near as it can to a place of the content.
    ///
    /// - Returns: where reading begins, at or before the place.
    func seek(towards offset: Int64) throws(JournalError) -> Int64 {
        if decompressor == nil {
            guard offset <= (try file.size()) else { return 0 }
            try go(to: offset)
            return offset
        }
        // Without a good index the way is from the start; what is wrong with it is told at the end.
        guard isOwn, let index = try? TapeIndex.read(file), let block = index.block(at: offset) else { return 0 }
        try go(to: block.fileOffset)
        produced = block.offset
        isInsideFrame = false
        return block.offset
    }

    private func go(to fileOffset: Int64) throws(JournalError) {
        try file.seek(to: fileOffset)
        (inputStart, inputEnd) = (0, try file.read(into: input))
    }

    /// Fills the buffer as far as it goes; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(JournalError) -> Int {
        guard decompressor != nil else { return try readRaw(into: buffer) }
        guard isOwn else { return try decompress(into: buffer) }
        if blockStart == block.count { try readBlock() }
        let count = min(buffer.count, block.count - blockStart)
        block.withUnsafeBytes {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[blockStart..<(blockStart + count)]))
        }
        blockStart += count
        return count
    }

    /// Takes the next frame with content whole, or none at the end.
    private func readBlock() throws(JournalError) {
        block.removeAll(keepingCapacity: true)
        blockStart = 0
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
        defer { piece.deallocate() }
        repeat {
            let count: Int
            do throws(JournalError) { count = try decompress(into: piece) } catch {
                // What came before the fault wasn't proved right.
                block.removeAll()
                throw error
            }
            if count == 0 { break }
            guard block.count + count <= Self.blockLimit else {
                block.removeAll()
                throw JournalError(.corrupt, file: file.path, "a block of more than \(Self.blockLimit) bytes")
            }
            block.append(contentsOf: piece[..<count])
        } while isInsideFrame
        produced += Int64(block.count)
        if block.isEmpty, !isChecked { try checkEnd() }
    }

    private func checkEnd() throws(JournalError) {
        isChecked = true
        let index = try TapeIndex.read(file)
        guard index.bytes == produced else {
            throw JournalError(.corrupt, file: file.path, "expected \(index.bytes) bytes, as the index says")
        }
    }

    private func decompress(into buffer: UnsafeMutableRawBufferPointer) throws(JournalError) -> Int {
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
