internal import CZstd
internal import Glibc
internal import Primitives

/// A numbered file of a tape directory: `tape-000001.jsonl` while it is open, `tape-000001.jsonl.zst` afterwards.
package struct TapeSegment: Sendable {
    let directory: String
    let number: Int

    init(directory: String, number: Int) {
        self.directory = directory
        self.number = number
    }

    var rawPath: String { "\(directory)/\(Self.name(number))" }
    var compressedPath: String { rawPath + ".zst" }

    private static func name(_ number: Int) -> String {
        let digits = String(number)
        return "tape-" + String(repeating: "0", count: max(0, 6 - digits.utf8.count)) + digits + ".jsonl"
    }

    private static func number(of name: String) -> Int? {
        guard name.hasPrefix("tape-") else { return nil }
        let rest = name.dropFirst(5)
        for ending in [".jsonl", ".jsonl.zst"] where rest.hasSuffix(ending) {
            return Int(rest.dropLast(ending.utf8.count))
        }
        return nil
    }

    /// The files of a tape directory in the order in which they are read.
    ///
    /// - Throws: `unreadable`.
    package static func paths(in directory: String) throws(JournalError) -> [String] {
        var byNumber: [Int: String] = [:]
        for name in try Files.names(in: directory) {
            guard let number = number(of: name) else { continue }
            // Where both are there the process ended between the renaming and the removal: both say the same.
            if byNumber[number] == nil || name.hasSuffix(".jsonl") { byNumber[number] = "\(directory)/\(name)" }
        }
        return byNumber.sorted { $0.key < $1.key }.map(\.value)
    }

    /// The segment that a writer goes on with; whatever is behind its last good line is cut off.
    static func openNewest(
        in directory: String
    ) throws(JournalError) -> (segment: TapeSegment, recovery: TapeWriter.Recovery) {
        let numbers = try Files.names(in: directory).compactMap(number(of:))
        let segment = TapeSegment(directory: directory, number: max(numbers.max() ?? 1, 1))
        let hasRaw = Files.size(segment.rawPath) != nil
        if try segment.isCompressed() {
            if hasRaw { try Files.remove(segment.rawPath) }
            return (TapeSegment(directory: directory, number: segment.number + 1), TapeWriter.Recovery())
        }
        guard hasRaw else { return (segment, TapeWriter.Recovery()) }
        return (segment, try segment.cutTornTail())
    }

    /// A compressed copy is there; where the raw file is too, it must be of the same length.
    private func isCompressed() throws(JournalError) -> Bool {
        guard Files.size(compressedPath) != nil else { return false }
        guard let raw = Files.size(rawPath) else { return true }
        let head = try Files.head(compressedPath, count: 32)
        let size = head.withUnsafeBytes { ZSTD_getFrameContentSize($0.baseAddress, $0.count) }
        guard size == UInt64(raw) else {
            throw JournalError(
                .corrupt,
                file: compressedPath,
                "beside an open segment of another length; remove the wrong one"
            )
        }
        return true
    }

    private func cutTornTail() throws(JournalError) -> TapeWriter.Recovery {
        var recovery = TapeWriter.Recovery(isContinued: true)
        let size = Files.size(rawPath) ?? 0
        guard size > 0 else { return recovery }
        let reader = TapeReader([rawPath])
        var good: Int64 = 0
        var isWhole = true
        do throws(JournalError) {
            while let line = try reader.next() {
                recovery.lastTime = line.time
                recovery.lastOrdinal = line.n ?? recovery.lastOrdinal
                good = reader.position.offset
                isWhole = reader.isWhole
            }
        } catch  where error.code != .unreadable {
            isWhole = true
        }
        recovery.identity = reader.identity
        recovery.droppedBytes = size - good
        if recovery.droppedBytes > 0 { recovery.keptAside = try keepAside(from: good) }
        guard recovery.droppedBytes > 0 || !isWhole else { return recovery }
        let file = try File(rawPath, flags: O_WRONLY | O_APPEND)
        if recovery.droppedBytes > 0 { try file.truncate(to: good) }
        if !isWhole { try file.writeAll([UInt8(ascii: "\n")]) }
        if let error = file.syncData() { throw error }
        return recovery
    }

    /// Keeps what is cut off if it is more than the one line that a crash tears: it is damage that somebody must see.
    private func keepAside(from offset: Int64) throws(JournalError) -> String? {
        let tail = Array(try Files.contents(rawPath).dropFirst(Int(offset)))
        guard tail.contains(UInt8(ascii: "\n")) else { return nil }
        let path = "\(rawPath).damaged-at-\(offset)"
        let file = try File(path, flags: O_WRONLY | O_CREAT | O_TRUNC)
        try file.writeAll(tail)
        if let error = file.syncData() { throw error }
        return path
    }

    /// Writes the compressed copy, puts it in place and removes the raw file.
    func compress(level: Int32) throws(JournalError) {
        guard let size = Files.size(rawPath) else { throw JournalError(.unreadable, file: rawPath, "it is gone") }
        guard size > 0 else { return try Files.remove(rawPath) }
        let temporary = compressedPath + ".tmp"
        try Zstd.compress(rawPath, to: temporary, size: UInt64(size), level: level)
        try Files.moveIntoPlace(temporary, as: compressedPath, in: directory)
        try Files.remove(rawPath)
        try Files.syncDirectory(directory)
    }
}

extension Files {
    /// The first bytes of a file.
    static func head(_ path: String, count: Int) throws(JournalError) -> [UInt8] {
        let file = try File(path)
        var bytes = [UInt8](repeating: 0, count: count)
        let length: Int
        do {
            length = try bytes.withUnsafeMutableBytes { buffer in try file.read(into: buffer) }
        } catch let error as JournalError {
            throw error
        } catch {
            preconditionFailure("File.read threw \(error)")
        }
        return Array(bytes[..<length])
    }
}

/// Compression of whole files.
enum Zstd {
    /// Compresses a file into one frame with content size and checksum, and syncs it.
    static func compress(_ path: String, to target: String, size: UInt64, level: Int32) throws(JournalError) {
        let input = try File(path)
        let output = try File(target, flags: O_WRONLY | O_CREAT | O_TRUNC)
        guard let context = ZSTD_createCCtx() else { throw JournalError(.unwritable, file: target, "no memory") }
        defer { ZSTD_freeCCtx(context) }
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        ZSTD_CCtx_setPledgedSrcSize(context, size)
        let source = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer {
            source.deallocate()
            buffer.deallocate()
        }
        var isOver = false
        while !isOver {
            let count = try input.read(into: source)
            isOver = count == 0
            var from = ZSTD_inBuffer(src: source.baseAddress, size: count, pos: 0)
            var isDrained = false
            while !isDrained {
                var to = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
                let rest = ZSTD_compressStream2(context, &to, &from, isOver ? ZSTD_e_end : ZSTD_e_continue)
                guard ZSTD_isError(rest) == 0 else {
                    throw JournalError(.unwritable, file: target, String(cString: ZSTD_getErrorName(rest)))
                }
                if let error = output.write(UnsafeRawBufferPointer(rebasing: buffer[..<to.pos])).error { throw error }
                isDrained = isOver ? rest == 0 : from.pos == from.size
            }
        }
        if let error = output.syncData() { throw error }
    }
}
