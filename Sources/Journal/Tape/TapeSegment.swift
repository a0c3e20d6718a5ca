internal import Glibc
internal import Primitives

/// A numbered file of a tape directory: `tape-000001.jsonl` while it is open, `tape-000001.jsonl.zst` afterwards.
///
/// Closing goes by steps, each of which leaves a good copy: the closed copy is written beside (`.tmp`) and synced, renamed,
/// the directory synced, the copy read back whole, and only then the raw file removed.
package struct TapeSegment: Sendable, Equatable {
    let directory: String
    package let number: Int

    init(directory: String, number: Int) {
        self.directory = directory
        self.number = number
    }

    package var rawPath: String { "\(directory)/\(Self.name(number))" }
    package var compressedPath: String { rawPath + ".zst" }
    var temporaryPath: String { compressedPath + ".tmp" }

    private static func name(_ number: Int) -> String {
        let digits = String(number)
        return "tape-" + String(repeating: "0", count: max(0, 6 - digits.utf8.count)) + digits + ".jsonl"
    }

    private static func number(of name: String) -> Int? {
        guard name.hasPrefix("tape-") else { return nil }
        let rest = name.dropFirst(5)
        for ending in [".jsonl", ".jsonl.zst"] where rest.hasSuffix(ending) {
            return Int(rest.dropLast(ending.utf8.count)).flatMap { $0 > 0 ? $0 : nil }
        }
        return nil
    }

    /// The segments of a directory in order, each with the file to read.
    ///
    /// - Throws: `unreadable`.
    package static func list(in directory: String) throws(JournalError) -> [(segment: TapeSegment, path: String)] {
        var byNumber: [Int: String] = [:]
        for name in try Files.names(in: directory) {
            guard let number = number(of: name) else { continue }
            // Where both are there the process ended between the renaming and the removal: both say the same.
            if byNumber[number] == nil || name.hasSuffix(".jsonl") { byNumber[number] = "\(directory)/\(name)" }
        }
        return byNumber.sorted { $0.key < $1.key }.map { (TapeSegment(directory: directory, number: $0.key), $0.value) }
    }

    /// The files of a tape directory in the order in which they are read.
    ///
    /// - Throws: `unreadable`.
    package static func paths(in directory: String) throws(JournalError) -> [String] {
        try list(in: directory).map(\.path)
    }

    // MARK: Opening

    /// The segment that a writer goes on with; whatever is behind its last good line is cut off.
    ///
    /// Lines up to the ordinal `trusted` were good when they were written and are passed over: a checkpoint rests on them.
    static func openNewest(
        in directory: String,
        trusted: Ordinal? = nil
    ) throws(JournalError) -> (segment: TapeSegment, recovery: TapeWriter.Recovery) {
        let numbers = try Files.names(in: directory).compactMap(number(of:))
        let segment = TapeSegment(directory: directory, number: max(numbers.max() ?? 1, 1))
        let hasRaw = Files.size(segment.rawPath) != nil
        if Files.size(segment.compressedPath) != nil, try segment.settle() {
            return (TapeSegment(directory: directory, number: segment.number + 1), TapeWriter.Recovery())
        }
        guard hasRaw else { return (segment, TapeWriter.Recovery()) }
        return (segment, try segment.cutTornTail(trusted))
    }

    /// Where both copies are there: removes the raw one if the closed one is whole and says the same, else the closed one.
    ///
    /// - Returns: whether a closed one is there afterwards.
    /// - Throws: `corrupt` where two good copies differ: somebody must choose.
    func settle() throws(JournalError) -> Bool {
        guard Files.size(compressedPath) != nil else { return false }
        guard let raw = Files.size(rawPath) else { return true }
        let closed: TapeIndex
        do throws(JournalError) { closed = try SegmentPacker.verify(compressedPath) } catch
            where error.code != .unreadable
        {
            try Files.remove(compressedPath)
            try Files.syncDirectory(directory)
            return false
        }
        guard closed.bytes == raw, try Files.sha256(rawPath) == closed.sha256 else {
            throw JournalError(
                .corrupt,
                file: compressedPath,
                "beside a raw segment that differs; remove the wrong one"
            )
        }
        try removeRaw()
        return true
    }

    private func cutTornTail(_ trusted: Ordinal?) throws(JournalError) -> TapeWriter.Recovery {
        var recovery = TapeWriter.Recovery(isContinued: true)
        let size = Files.size(rawPath) ?? 0
        guard size > 0 else { return recovery }
        var position = TapePosition.start
        if let trusted { position = try TapeSeek.position(of: .ordinal(trusted), in: [rawPath]) }
        let reader = TapeReader([rawPath], from: position)
        var good = position.offset
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
        let raw = try File(rawPath)
        let size = try raw.size()
        let tail = try raw.bytes(at: offset, count: Int(max(0, size - offset)))
        guard tail.contains(UInt8(ascii: "\n")) else { return nil }
        let path = "\(rawPath).damaged-at-\(offset)"
        let file = try File(path, flags: O_WRONLY | O_CREAT | O_TRUNC)
        try file.writeAll(tail)
        if let error = file.syncData() { throw error }
        return path
    }

    // MARK: Closing

    /// Where closing may be broken off; tests stop at each.
    package enum Step: CaseIterable, Sendable {
        case written
        case renamed
        case verified
        case removed
    }

    /// Puts the closed copy in place and removes the raw file.
    ///
    /// `continues` is asked after each step; false leaves everything as a crash there would.
    /// - Returns: the index, nil for an empty segment, which is removed, and where it was broken off.
    @discardableResult
    package func pack(
        level: Int32,
        before: TapeIndex.Before,
        blockBytes: Int? = nil,
        continues: (Step) -> Bool = { _ in true }
    ) throws(JournalError) -> TapeIndex? {
        guard let size = Files.size(rawPath) else { throw JournalError(.unreadable, file: rawPath, "it is gone") }
        guard size > 0 else {
            try Files.remove(rawPath)
            return nil
        }
        let index: TapeIndex
        do throws(JournalError) {
            index = try SegmentPacker.pack(
                rawPath,
                to: temporaryPath,
                level: level,
                before: before,
                blockBytes: blockBytes ?? SegmentPacker.blockBytes
            )
        } catch {
            // A disk that is full needs the room.
            try? Files.remove(temporaryPath)
            throw error
        }
        guard continues(.written) else { return nil }
        try Files.moveIntoPlace(temporaryPath, as: compressedPath, in: directory)
        guard continues(.renamed) else { return nil }
        do throws(JournalError) {
            guard try SegmentPacker.verify(compressedPath).sha256 == index.sha256 else {
                throw JournalError(.corrupt, file: compressedPath, "it was read back otherwise than it was written")
            }
        } catch {
            try Files.remove(compressedPath)
            throw error
        }
        guard continues(.verified) else { return nil }
        try removeRaw()
        _ = continues(.removed)
        return index
    }

    private func removeRaw() throws(JournalError) {
        try Files.remove(rawPath)
        try Files.syncDirectory(directory)
    }

    /// The index of a closed segment; for one of an earlier version, or a raw one, it is made by reading.
    package func index() throws(JournalError) -> TapeIndex {
        if Files.size(rawPath) == nil, let index = try TapeIndex.read(compressedPath) { return index }
        let path = Files.size(rawPath) == nil ? compressedPath : rawPath
        var index = TapeIndex()
        let reader = TapeReader([path], policy: .skipLine)
        while let line = try reader.next() {
            index.span.note(n: line.n, time: line.time)
            if case .frame = line { index.frames += 1 }
            index.lines = reader.position.line
            index.bytes = reader.position.offset
        }
        index.damaged = reader.damagedCount
        return index
    }
}

extension Files {
    /// Opens a tape's file for reading; a raw segment that has been closed since it was listed is read closed.
    static func segment(_ path: String) throws(JournalError) -> File {
        guard Files.size(path) == nil, path.hasSuffix(".jsonl"), Files.size(path + ".zst") != nil else {
            return try File(path)
        }
        return try File(path + ".zst")
    }

    /// The first bytes of a file.
    static func head(_ path: String, count: Int) throws(JournalError) -> [UInt8] {
        let file = try File(path)
        return try file.bytes(at: 0, count: count)
    }

    /// SHA-256 of a file's bytes, lower-case hexadecimal.
    static func sha256(_ path: String) throws(JournalError) -> String {
        let file = try File(path)
        var hash = SHA256()
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { piece.deallocate() }
        while true {
            let count = try file.read(into: piece)
            if count == 0 { break }
            hash.update(UnsafeRawBufferPointer(rebasing: piece[..<count]))
        }
        return SHA256.hex(hash.digest())
    }
}
