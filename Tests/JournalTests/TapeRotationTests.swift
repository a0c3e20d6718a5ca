import Foundation
import Journal
import MarketData
import Primitives
import Testing
import Wire

/// 2026-01-02 at a wall-clock time of New York, `day` days later.
private func newYork(_ hour: Int, _ minute: Int, day: Int32 = 0) -> Instant {
    NewYork.instant(CivilDate(20_260_102).adding(days: day), hour: hour, minute: minute)
}

private func frame(_ writer: TapeWriter, _ text: String, n: Ordinal, at time: Instant) {
    Array(text.utf8).withUnsafeBytes { writer.frame($0, n: n, source: .stocks, at: time) }
}

/// What a keeper told, from its queue.
private final class Told: Sendable {
    private let events = Lock<[TapeEvent]>([])
    var all: [TapeEvent] { events.withLock { $0 } }
    func take(_ event: TapeEvent) { events.withLock { $0.append(event) } }
}

@Suite struct TapeRotationTests {
    private let directory = TemporaryDirectory()

    private func open(_ limits: TapeWriter.Limits, _ told: Told = Told()) throws -> TapeWriter {
        try TapeWriter(directory: directory.path, limits: limits) { told.take($0) }
    }

    private var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() }
    }

    @Test func aSegmentEndsWithTheDayOfNewYork() throws {
        let writer = try open(TapeWriter.Limits())
        writer.begin(TapeMeta(epoch: "e", run: "r"), at: .zero)
        // By the exchange's clock something may come before the first event: it belongs to no day.
        writer.feed(source: "bus", state: .up, cause: "", n: 1, at: .zero)
        let times = [
            newYork(23, 59), newYork(23, 59), newYork(0, 0, day: 1), newYork(9, 30, day: 1), newYork(9, 30, day: 4),
        ]
        for (index, time) in times.enumerated() { writer.clock(n: Int64(index + 2), at: time) }
        #expect(writer.flush() == nil)
        #expect(writer.status.rotations == 2)
        #expect(writer.close() == nil)
        #expect(try names == (1...3).map { "tape-00000\($0).jsonl.zst" })
        let paths = try TapeSegment.paths(in: directory.path)
        let parts = paths.map { readAll([$0]).lines.map { String($0.split(separator: " ", maxSplits: 1)[1]) } }
        #expect(parts[0] == ["- meta e r", "1 feed bus up ", "2 clock", "3 clock"])
        #expect(parts[1] == ["- meta e r", "4 clock", "5 clock"])
        #expect(parts[2] == ["- meta e r", "6 clock"])
        #expect(readAll(paths).error == nil)
    }

    @Test func aSegmentEndsAtItsSizeAndIsGoneOnWithAfterARestart() throws {
        let limits = TapeWriter.Limits(segmentBytes: 3_000)
        for round in 0..<4 as Range<Int64> {
            let writer = try open(limits)
            if round == 0 {
                writer.begin(TapeMeta(epoch: "e", run: "r"), at: newYork(9, 30))
            } else {
                writer.goOn(TapeMeta(epoch: "e", run: "r\(round)"))
            }
            for n in (round * 100 + 1)...(round * 100 + 100) {
                frame(writer, #"[{"ev":"T","q":\#(n)}]"#, n: n, at: newYork(9, 30).advanced(byNanos: n))
                if n % 7 == 0 { #expect(writer.flush() == nil) }
            }
            #expect(writer.sync() == nil && writer.status.rotations >= 3)
        }
        let last = try open(limits)
        #expect(last.close() == nil)
        let segments = try TapeSegment.list(in: directory.path)
        #expect(segments.count > 12 && segments.map(\.segment.number) == Array(1...segments.count))
        let lines = readAll(segments.map(\.path)).lines.filter { !$0.contains(" meta ") }
        #expect(lines.count == 400)
        #expect(
            lines.enumerated().allSatisfy { $1.contains(" \($0 + 1) frame stocks [{\"ev\":\"T\",\"q\":\($0 + 1)}]") }
        )
        let report = try TapeVerifier.verify(segments.map(\.path), eventCount: { _, _ in 1 })
        #expect(report.problems.isEmpty, "\(report.problems)")
        let indexes = try segments.map { try #require(try TapeIndex.read($0.path)) }
        #expect(indexes.last.map { $0.before.frames + $0.frames } == 400)
        for (former, next) in zip(indexes, indexes.dropFirst()) {
            #expect(next.before.sha256 == former.sha256 && next.before.n == former.span.lastN)
        }
    }

    @Test(arguments: [1, 60, 400, 3_000])
    func aSegmentThatIsFullRightAfterARestartIsFollowedByNothingOlder(bytes: Int) throws {
        let limits = TapeWriter.Limits(segmentBytes: 3_000)
        let start = newYork(9, 30)
        for round in 0..<6 as Range<Int64> {
            let writer = try open(limits)
            if round == 0 {
                writer.begin(TapeMeta(epoch: "e", run: "r"), at: start)
            } else {
                writer.goOn(TapeMeta(epoch: "e", run: "r"))
            }
            for n in (round * 20 + 1)...(round * 20 + 20) {
                let text = #"[{"ev":"T","q":"\#(String(repeating: "0", count: bytes))"}]"#
                frame(writer, text, n: n, at: start.advanced(byNanos: n * 1_000_000_000))
                #expect(writer.flush() == nil)
            }
            #expect(writer.sync() == nil)
        }
        #expect(try open(limits).close() == nil)
        let segments = try TapeSegment.paths(in: directory.path)
        let report = try TapeVerifier.verify(segments, eventCount: { _, _ in 1 })
        #expect(segments.count > 2 && report.problems.isEmpty, "\(report.problems)")
    }

    /// Stops at each step as a crash there would, then opens the directory again: every line is there once.
    @Test(arguments: TapeSegment.Step.allCases)
    func aCrashWhileClosingLeavesOneGoodCopy(step: TapeSegment.Step) throws {
        let text = (1...50).map { #"{"t":\#($0),"n":\#($0),"clock":true}"# + "\n" }.joined()
        _ = try directory.write(text.utf8, to: "tape-000001.jsonl")
        _ = try directory.write(#"{"t":60,"n":51,"clock":true}"#.utf8 + [0x0A], to: "tape-000002.jsonl")
        let first = try #require(try TapeSegment.list(in: directory.path).first).segment
        try first.pack(level: 3, before: TapeIndex.Before(), blockBytes: 200) { $0 != step }
        let expected = (1...50).map { "\($0) \($0) clock" } + ["60 51 clock"]
        #expect(readAll(try TapeSegment.paths(in: directory.path)).lines == expected, "\(step)")
        let writer = try open(TapeWriter.Limits())
        #expect(writer.close() == nil)
        #expect(try names == ["tape-000001.jsonl.zst", "tape-000002.jsonl.zst"], "\(step)")
        #expect(readAll(try TapeSegment.paths(in: directory.path)).lines == expected, "\(step)")
    }

    @Test func aCopyThatIsCutShortByACrashIsMadeAgain() throws {
        let text = (1...50).map { #"{"t":\#($0),"n":\#($0),"clock":true}"# + "\n" }.joined()
        let inner = TemporaryDirectory()
        _ = try inner.write(text.utf8, to: "tape-000001.jsonl")
        #expect(try TapeWriter(directory: inner.path).close() == nil)
        let whole = try contents(inner.file("tape-000001.jsonl.zst"))
        for length in stride(from: 0, through: whole.count - 1, by: 7) {
            let crashed = TemporaryDirectory()
            _ = try crashed.write(text.utf8, to: "tape-000001.jsonl")
            // Both what was written beside, and a name that reached the disk before its content.
            _ = try crashed.write(whole[..<length], to: "tape-000001.jsonl.zst.tmp")
            _ = try crashed.write(whole[..<length], to: "tape-000001.jsonl.zst")
            let writer = try TapeWriter(directory: crashed.path)
            #expect(writer.path == crashed.file("tape-000001.jsonl"), "cut at \(length)")
            #expect(writer.close() == nil)
            let left = try FileManager.default.contentsOfDirectory(atPath: crashed.path)
            #expect(left == ["tape-000001.jsonl.zst"], "cut at \(length)")
            #expect(readAll([crashed.file(left[0])]).lines.count == 50, "cut at \(length)")
        }
    }

    @Test func aDiskWithoutRoomForTheClosedCopyKeepsTheRawOne() throws {
        _ = try directory.write("{\"t\":1,\"n\":1,\"clock\":true}\n".utf8, to: "tape-000001.jsonl")
        _ = try directory.write("{\"t\":2,\"n\":2,\"clock\":true}\n".utf8, to: "tape-000002.jsonl")
        try FileManager.default.createSymbolicLink(
            atPath: directory.file("tape-000003.jsonl.zst.tmp"),
            withDestinationPath: "/dev/full"
        )
        let third = try directory.write("{\"t\":3,\"n\":3,\"clock\":true}\n".utf8, to: "tape-000003.jsonl")
        let segment = try #require(try TapeSegment.list(in: directory.path).last).segment
        #expect(throws: JournalError.self) { try segment.pack(level: 3, before: TapeIndex.Before()) }
        #expect(readAll([third]).lines == ["3 3 clock"])
        #expect(readAll(try TapeSegment.paths(in: directory.path)).lines == ["1 1 clock", "2 2 clock", "3 3 clock"])
    }

    @Test func whatAStartNeedsIsKeptAndTheRestGoes() throws {
        let told = Told()
        let limits = TapeWriter.Limits(segmentBytes: 2_000, retention: TapeRetention(keepDays: 1))
        let writer = try open(limits, told)
        for day in 0..<5 as Range<Int32> {
            for place in 0..<10 as Range<Int64> {
                writer.clock(n: Int64(day) * 10 + place + 1, at: newYork(10, Int(place), day: day))
            }
        }
        #expect(writer.flush() == nil && writer.keeper.status.removed == 0)
        // Nothing goes while no checkpoint says what is needed; then what lies before it, but no newer day.
        writer.keeper.needs(after: 15)
        #expect(writer.close() == nil)
        #expect(try names == (2...5).map { "tape-00000\($0).jsonl.zst" })
        let again = try open(limits, told)
        again.keeper.needs(after: 50)
        #expect(again.close() == nil)
        #expect(try names == (4...5).map { "tape-00000\($0).jsonl.zst" })
        let removed = told.all.compactMap { if case .removed(let path, _) = $0 { path.suffix(22) } else { nil } }
        #expect(removed == (1...3).map { "/tape-00000\($0).jsonl.zst" }.map { $0[...] })
        #expect(readAll(try TapeSegment.paths(in: directory.path)).lines.count == 20)
        let index = try #require(try TapeIndex.read(directory.file("tape-000004.jsonl.zst")))
        #expect(index.before.lines == 30 && index.before.n == 30)
    }

    @Test func retentionTakesTheOldestAndNeverALaterOne() {
        func segments(_ bytes: [Int64]) -> [TapeRetention.Segment] {
            bytes.enumerated().map { TapeRetention.Segment(bytes: $1, lastN: Int64($0 + 1) * 100, lastDay: Int32($0)) }
        }
        let five = segments([10, 10, 10, 10, 10])
        for (days, bytes, needed, expected) in [
            (0, 0, .max, 0), (1, 0, .max, 3), (2, 0, .max, 2), (1, 0, 250, 2), (1, 0, 99, 0), (9, 0, .max, 0),
            (0, 35, .max, 2), (0, 1, .max, 5), (0, 55, .max, 0), (0, 1, 300, 3), (3, 45, .max, 1),
        ] as [(Int, Int64, Ordinal, Int)] {
            let retention = TapeRetention(keepDays: days, keepBytes: bytes)
            let count = retention.surplus(five, today: 4, otherBytes: 5, neededAfter: needed)
            #expect(count == expected, "days \(days), bytes \(bytes), needed \(needed)")
        }
    }
}

@Suite struct TapeDiskTests {
    private let directory = TemporaryDirectory()

    /// `RLIMIT_FSIZE` would stop the whole test process's writes; a small file system is the real thing.
    private func smallDisk(megabytes: Int) throws -> Bool {
        let mount = Process()
        mount.executableURL = URL(fileURLWithPath: "/bin/mount")
        mount.arguments = ["-t", "tmpfs", "-o", "size=\(megabytes)m", "tmpfs", directory.path]
        mount.standardError = FileHandle.nullDevice
        guard getuid() == 0, (try? mount.run()) != nil else { return false }
        mount.waitUntilExit()
        return mount.terminationStatus == 0
    }

    private func unmount() throws {
        let unmount = try Process.run(URL(fileURLWithPath: "/bin/umount"), arguments: ["-l", directory.path])
        unmount.waitUntilExit()
    }

    @Test func afterAFullDiskItGoesOnAndNoLineIsTorn() throws {
        guard try smallDisk(megabytes: 1) else {
            print("skipped: no file system of a megabyte can be mounted here (needs root)")
            return
        }
        defer { try? unmount() }
        let ballast = directory.file("ballast")
        try Data(count: 500_000).write(to: URL(fileURLWithPath: ballast))
        let writer = try TapeWriter(directory: directory.path)
        let text = "[{\"ev\":\"T\",\"x\":\"\(String(repeating: "x", count: 900))\"}]"
        for n in 1...1_000 as ClosedRange<Int64> { frame(writer, text, n: n, at: Instant(nanos: n)) }
        let error = try #require(writer.flush())
        #expect(error.code == .unwritable && error.message.contains("space"))
        #expect(writer.status.failure != nil && writer.status.lines < 1_000)
        // What stands there now is whole but for one torn line: what a crash here would leave.
        let torn = readAll([writer.path])
        #expect(torn.lines.count > 100 && torn.error?.code ?? .cut == .cut)
        try FileManager.default.removeItem(atPath: ballast)
        #expect(writer.flush() == nil)
        #expect(writer.status.failure == nil && writer.status.lostLines == 0)
        let all = readAll([writer.path])
        #expect(all.error != nil || all.lines.count == 1_000)
        #expect(writer.sync() == nil)
        #expect(readAll([writer.path]).lines.count == 1_000)
        let report = try TapeVerifier.verify([writer.path], eventCount: { _, _ in 1 })
        #expect(report.problems.isEmpty)
    }

    @Test func aRecordingThatMayNotWaitLosesLinesInsteadAndCountsThem() throws {
        let path = directory.file("tape-000001.jsonl")
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/dev/full")
        let writer = try TapeWriter(directory: directory.path, limits: TapeWriter.Limits(pending: 1_000, waits: false))
        for n in 1..<200 as Range<Int64> { writer.clock(n: n, at: Instant(nanos: n)) }
        // Nobody has tried to write yet: appending didn't touch the disk.
        #expect(writer.status.failures == 0 && writer.status.lostLines > 100)
        #expect(writer.flush() != nil)
    }
}
