internal import Glibc
package import Primitives

/// Finds where to begin reading for an ordinal or a time, without reading what comes before.
///
/// A closed segment is looked up in its index; a raw one is halved, as its lines stand in order.
package enum TapeSeek {
    /// What is looked for.
    package enum Target: Sendable {
        case ordinal(Ordinal)
        case time(Instant)
    }

    /// Bytes of a raw file that are rather read than halved.
    private static let near: Int64 = 1 << 16

    /// A position at or before the first line that has reached the target, less than a block before it.
    ///
    /// Lines without an ordinal are passed over in the search for one.
    /// - Throws: `unreadable`.
    package static func position(of target: Target, in paths: [String]) throws(JournalError) -> TapePosition {
        for file in paths.indices.reversed() {
            guard var found = try place(of: target, in: paths[file]) else { continue }
            found.file = file
            return found
        }
        return .start
    }

    /// A place in one file before which every line lies before the target; nil where its first line has reached it.
    private static func place(of target: Target, in path: String) throws(JournalError) -> TapePosition? {
        let index: TapeIndex?
        // A damaged index is the reader's to tell; the search goes by the lines.
        do throws(JournalError) { index = try TapeIndex.read(path) } catch  where error.code != .unreadable {
            index = nil
        }
        if let index { return place(of: target, in: index) }
        let reader = TapeReader([path], policy: .skipLine)
        while let line = try reader.next() {
            guard let isBehind = reached(target, n: line.n, time: line.time) else { continue }
            if isBehind { return nil }
            // Where it has been closed meanwhile, its index is there now.
            if Files.size(path) == nil { return try place(of: target, in: path + ".zst") }
            return path.hasSuffix(".zst") ? TapePosition.start : try halve(target, path)
        }
        return nil
    }

    private static func place(of target: Target, in index: TapeIndex) -> TapePosition? {
        var best: TapeIndex.Block?
        for block in index.blocks {
            guard let n = block.span.firstTime.map({ ($0, block.span.firstN) }),
                let isBehind = reached(target, n: n.1, time: n.0)
            else { continue }
            if isBehind { break }
            best = block
        }
        return best.map { TapePosition(offset: $0.offset, line: $0.line) }
    }

    /// Whether a line has reached the target; nil where it can't be told.
    private static func reached(_ target: Target, n: Ordinal?, time: Instant) -> Bool? {
        switch target {
        case .ordinal(let wanted): n.map { $0 >= wanted }
        case .time(let wanted): time >= wanted
        }
    }

    private static func halve(_ target: Target, _ path: String) throws(JournalError) -> TapePosition {
        let file = try File(path)
        let size = try file.size()
        let parser = TapeLineParser()
        // Lines that start before `low` haven't reached the target; the one at `high`, if any, has.
        var low: Int64 = 0
        var high = size
        while high - low > near {
            let middle = low + (high - low) / 2
            guard let found = try line(from: middle, before: high, in: file, parser, target) else {
                high = middle
                continue
            }
            if found.isBehind { high = middle } else { low = found.start }
        }
        // The number of the line is the count of those before, known only by reading all of them: it is left open.
        return TapePosition(offset: low, line: low == 0 ? 0 : -1)
    }

    /// The first readable line that starts behind `offset`, which says where it stands; nil where none starts before `limit`.
    private static func line(
        from offset: Int64,
        before limit: Int64,
        in file: borrowing File,
        _ parser: TapeLineParser,
        _ target: Target
    ) throws(JournalError) -> (start: Int64, isBehind: Bool)? {
        var start = offset
        var text: [UInt8] = []
        var taken = 0
        var isInside = false
        while true {
            if let feed = text[taken...].firstIndex(of: UInt8(ascii: "\n")) {
                if isInside, let answer = answer(text[taken..<feed], parser, target) { return (start, answer) }
                start += Int64(feed + 1 - taken)
                taken = feed + 1
                isInside = true
                if start >= limit { return nil }
                continue
            }
            text.removeFirst(taken)
            taken = 0
            let more = try file.bytes(at: start + Int64(text.count), count: 1 << 16)
            if more.isEmpty || text.count > TapeReader.lineLimit { return nil }
            text += more
        }
    }

    private static func answer(_ line: ArraySlice<UInt8>, _ parser: TapeLineParser, _ target: Target) -> Bool? {
        // Behind the line lies room that the parser may look at.
        let padded = Array(line) + [UInt8](repeating: 0, count: TapeReader.padding)
        return padded.withUnsafeBytes { bytes in
            do throws(LineDamage) {
                let parsed = try parser.parse(UnsafeRawBufferPointer(rebasing: bytes[..<line.count]))
                return reached(target, n: parsed.n, time: parsed.time)
            } catch {
                return nil
            }
        }
    }
}
