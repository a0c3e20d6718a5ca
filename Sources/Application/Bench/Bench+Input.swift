internal import Glibc
internal import Journal
internal import MarketData
internal import Primitives

extension Bench {
    /// The frames of a tape, or of a plain file of frames (a JSON array a line); the built-in mix without a file.
    ///
    /// - Throws: `JournalError` naming the file and the place.
    package static func frames(_ file: String?) throws -> BenchFrames {
        guard let file else { return .builtIn() }
        var frames = BenchFrames()
        if try isTape(file) {
            let reader = TapeReader([file])
            while let line = try reader.next() {
                if case .frame(_, _, let source, let bytes) = line { frames.append(bytes, from: source) }
            }
        } else {
            let lines = try LineReader(file)
            while let line = try lines.next() { frames.append(line, from: .stocks) }
        }
        guard frames.count > 0 else { throw ReplayError("\(file): expected frames, found none") }
        return frames
    }

    /// A tape's line is an object, a plain frame an array.
    private static func isTape(_ file: String) throws -> Bool {
        let lines = try LineReader(file)
        guard let first = try lines.next() else { return false }
        return first.first { $0 > 0x20 } == UInt8(ascii: "{")
    }
}
