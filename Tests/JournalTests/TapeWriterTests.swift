import Foundation
import Journal
import MarketData
import Primitives
import Testing
import Wire

@Suite struct TapeWriterTests {
    private let directory = TemporaryDirectory()

    private func writeSample(_ writer: TapeWriter, from n: Ordinal = 1) {
        frame(writer, #"[{"ev":"T","p":145.1}]"#, n: n)
        writer.clock(n: n + 1, at: Instant(nanos: n + 1))
        writer.command(
            Command(operation: .cancel, id: "c\"1", owner: "u", body: Array(#"{"id":"p1"}"#.utf8)),
            n: n + 2,
            at: Instant(nanos: n + 2)
        )
        writer.feed(source: "bus", state: .degraded, cause: "a\nb", n: n + 3, at: Instant(nanos: n + 3))
        writer.rest(source: "uw", url: "/x?a=1", body: Array(#"{"a":[1]}"#.utf8), n: n + 4, at: Instant(nanos: n + 4))
    }

    private func frame(_ writer: TapeWriter, _ text: String, n: Ordinal, source: FeedSource = .stocks) {
        Array(text.utf8).withUnsafeBytes { writer.frame($0, n: n, source: source, at: Instant(nanos: n)) }
    }

    private func sample(from n: Ordinal = 1) -> [String] {
        [
            #"\#(n) \#(n) frame stocks [{"ev":"T","p":145.1}]"#,
            "\(n + 1) \(n + 1) clock",
            #"\#(n + 2) \#(n + 2) cmd cancel c"1 u {"id":"p1"}"#,
            "\(n + 3) \(n + 3) feed bus degraded a\nb",
            #"\#(n + 4) \#(n + 4) rest uw /x?a=1 {"a":[1]}"#,
        ]
    }

    @Test func readsBackRawAndCompressed() throws {
        let writer = try TapeWriter(directory: directory.path)
        writer.begin(TapeMeta(epoch: "e", run: "r", config: .string("c")), at: Instant(nanos: 0))
        writeSample(writer)
        #expect(writer.flush() == nil)
        let expected = ["0 - meta e r"] + sample()
        #expect(readAll([writer.path]).lines == expected)
        #expect(writer.sync() == nil && writer.close() == nil)
        let paths = try TapeSegment.paths(in: directory.path)
        #expect(paths == [directory.file("tape-000001.jsonl.zst")])
        #expect(readAll(paths).lines == expected)
        #expect(writer.status.lines == 6 && writer.status.failure == nil)
    }

    @Test func keepsTheBytesOfEveryFrame() throws {
        let writer = try TapeWriter(directory: directory.path)
        let frames = [
            "[]", "{}", " [1]", "[1] ", "[1]x", "\"text\"", "17", "", "not json", "[1,\n2]", "[\"\u{1}\"]", "[\"é\"]",
            "[{\"a\":1}", "[{\"a\":\"}]}\"}]", "\\", "\"", "[\"\\ud800\"]", "nul\0byte",
            String(repeating: "[", count: 70) + String(repeating: "]", count: 70),
        ]
        for (index, text) in frames.enumerated() { frame(writer, text, n: Int64(index + 1)) }
        let invalid: [UInt8] = [0x5B, 0x22, 0xFF, 0xC3, 0x22, 0x5D]
        invalid.withUnsafeBytes { writer.frame($0, n: 99, source: .flow, at: Instant(nanos: 99)) }
        #expect(writer.flush() == nil)
        let reader = TapeReader([writer.path])
        var found: [[UInt8]] = []
        while let line = try reader.next() {
            guard case .frame(_, _, _, let bytes) = line else { continue }
            found.append(Array(bytes))
        }
        #expect(found == frames.map { Array($0.utf8) } + [invalid])
    }

    @Test func goesOnBehindATornTailAtEveryPlace() throws {
        let first = try TapeWriter(directory: directory.path)
        writeSample(first)
        #expect(first.flush() == nil)
        let whole = try contents(first.path)
        for cut in 0...whole.count {
            let inner = TemporaryDirectory()
            let path = try inner.write(whole[..<cut], to: "tape-000001.jsonl")
            let writer = try TapeWriter(directory: inner.path)
            let good = readAll([path]).lines
            #expect(readAll([path]).error == nil && sample().starts(with: good), "cut at \(cut)")
            let kept = whole[..<cut].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
            let isLineWithoutFeed = cut < whole.count && whole[cut] == 0x0A
            #expect(writer.recovery.droppedBytes == (isLineWithoutFeed ? 0 : Int64(cut - kept)), "cut at \(cut)")
            #expect(writer.recovery.isContinued && writer.recovery.keptAside == nil)
            #expect(writer.recovery.lastOrdinal == (good.isEmpty ? nil : Int64(good.count)))
            writeSample(writer, from: 100)
            #expect(writer.flush() == nil)
            #expect(readAll([path]).lines == good + sample(from: 100), "cut at \(cut)")
        }
    }

    @Test func keepsDamageBeforeTheEndAside() throws {
        let text = "{\"t\":1,\"n\":1,\"clock\":true}\nrubbish\n{\"t\":2,\"n\":2,\"clock\":true}\n"
        let path = try directory.write(text.utf8, to: "tape-000001.jsonl")
        let writer = try TapeWriter(directory: directory.path)
        let aside = try #require(writer.recovery.keptAside)
        #expect(try contents(aside) == Array(text.utf8.dropFirst(27)))
        #expect(writer.recovery.droppedBytes == Int64(text.utf8.count - 27))
        #expect(readAll([path]).lines == ["1 1 clock"])
    }

    @Test func aClosedSegmentIsFollowedByTheNextNumber() throws {
        for round in 1...3 as ClosedRange<Int64> {
            let writer = try TapeWriter(directory: directory.path)
            #expect(!writer.recovery.isContinued)
            writeSample(writer, from: round * 10)
            #expect(writer.close() == nil)
        }
        let paths = try TapeSegment.paths(in: directory.path)
        #expect(paths.map { String($0.suffix(22)) } == (1...3).map { "/tape-00000\($0).jsonl.zst" })
        #expect(readAll(paths).lines == sample(from: 10) + sample(from: 20) + sample(from: 30))
    }

    @Test func aCrashBetweenCompressionAndRemovalIsSettled() throws {
        let writer = try TapeWriter(directory: directory.path)
        writeSample(writer)
        #expect(writer.flush() == nil)
        let raw = try contents(writer.path)
        #expect(writer.close() == nil)
        _ = try directory.write(raw, to: "tape-000001.jsonl")
        #expect(try TapeSegment.paths(in: directory.path) == [directory.file("tape-000001.jsonl")])
        #expect(try TapeWriter(directory: directory.path).path == directory.file("tape-000002.jsonl"))
        #expect(!FileManager.default.fileExists(atPath: directory.file("tape-000001.jsonl")))

        let other = TemporaryDirectory()
        _ = try other.write(try contents(directory.file("tape-000001.jsonl.zst")), to: "tape-000001.jsonl.zst")
        _ = try other.write(raw.dropLast(3), to: "tape-000001.jsonl")
        #expect(throws: JournalError.self) { try TapeWriter(directory: other.path) }
    }

    @Test func aFullDiskIsReportedAndNothingTraps() throws {
        // /dev/full takes no byte: what a full disk looks like to write(2).
        let path = directory.file("tape-000001.jsonl")
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/dev/full")
        let writer = try TapeWriter(directory: directory.path, limits: TapeWriter.Limits(pending: 1000))
        writeSample(writer)
        let error = try #require(writer.flush())
        #expect(error.code == .unwritable && error.file == path)
        for n in 10..<200 as Range<Int64> { writer.clock(n: n, at: Instant(nanos: n)) }
        let status = writer.status
        #expect(status.failure != nil && status.failures > 1 && status.lines == 0)
        #expect(status.lostLines > 0 && status.lostLines < 195)
        #expect(writer.sync() != nil && writer.close() != nil)
    }

    @Test func whatAThreadAppendsWhileAnotherWritesIsAllThere() throws {
        let writer = try TapeWriter(directory: directory.path, limits: TapeWriter.Limits(pending: 20_000))
        let isDone = Lock(false)
        let syncer = Thread {
            while !isDone.withLock({ $0 }) { writer.flush() }
        }
        syncer.start()
        for n in 1...20_000 as ClosedRange<Int64> { frame(writer, #"[{"q":\#(n)}]"#, n: n) }
        isDone.withLock { $0 = true }
        #expect(writer.sync() == nil)
        let (lines, error) = readAll([writer.path])
        #expect(error == nil && lines.count == 20_000 && writer.status.lostLines == 0)
        #expect(lines.last == #"20000 20000 frame stocks [{"q":20000}]"#)
    }
}

@Suite struct TapeInfoTests {
    @Test func countsByKindAndSource() throws {
        let directory = TemporaryDirectory()
        let path = try directory.write((smallTape + "rubbish\n").utf8, to: "t.jsonl")
        let info = try TapeInfo(reading: [path])
        #expect(info.lines == 8 && info.damagedLines == 1 && info.damage.first?.line == 9)
        #expect(info.linesByKind == ["meta": 1, "frame": 3, "clock": 1, "cmd": 1, "feed": 1, "rest": 1])
        #expect(info.framesBySource == ["polygon.stocks": 1, "polygon.options": 1, "uw": 1])
        #expect(info.firstTime == Instant(nanos: 100) && info.lastTime == Instant(nanos: 170))
        #expect(info.firstOrdinal == 1 && info.lastOrdinal == 6 && info.identity?.epoch == "k3v9")
    }

    @Test func readsARecordedDay() throws {
        guard let data = recordedData() else { return }
        let info = try TapeInfo(reading: [data + "/options_2021-01-04.jsonl.zst"])
        #expect(info.lines == 10_416 && info.damagedLines == 0)
        #expect(info.framesBySource["polygon.indices", default: 0] > 0)
    }
}

/// Where the recorded tapes are; nil, said aloud, where they aren't.
func recordedData() -> String? {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let path =
        ProcessInfo.processInfo.environment["STRIKETAPE_DATA"]
        ?? root.deletingLastPathComponent().appendingPathComponent("shared/data").path
    guard FileManager.default.fileExists(atPath: path) else {
        print("skipped: no recorded data at \(path)")
        return nil
    }
    return path
}
