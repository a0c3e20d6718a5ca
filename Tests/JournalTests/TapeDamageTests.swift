import Foundation
import Journal
import MarketData
import Primitives
import Testing
import Wire

/// R4: a tape cut at every byte, one bit flipped.
///
/// Never other data, always the place, and what is good is kept.
@Suite struct TapeDamageTests {
    private let directory = TemporaryDirectory()
    private let seed = UInt64(ProcessInfo.processInfo.environment["STRIKETAPE_TEST_SEED"] ?? "") ?? 4

    /// A tape with every kind of line, as the writer writes it: raw, and closed in blocks of `blockBytes`.
    private func sample(lines: Int, blockBytes: Int = 400) throws -> (raw: [UInt8], closed: [UInt8]) {
        let inner = TemporaryDirectory()
        let writer = try TapeWriter(directory: inner.path)
        var random = SeededGenerator(seed: seed)
        writer.begin(TapeMeta(epoch: "k3v9", run: "r1"), at: Instant(nanos: 1))
        for n in 1...Int64(lines) {
            let time = Instant(nanos: n * 1_000)
            switch random.next() % 6 {
            case 0: writer.clock(n: n, at: time)
            case 1:
                let body = Array(#"{"id":"p\#(n)","symbol":"SPY"}"#.utf8)
                writer.command(Command(operation: .create, id: "c\(n)", owner: "u", body: body), n: n, at: time)
            case 2: writer.feed(source: "uw", state: .degraded, cause: "slow \(n)", n: n, at: time)
            case 3: writer.rest(source: "polygon.stocks", url: "/v2/\(n)", body: Array("null".utf8), n: n, at: time)
            default:
                let text = #"[{"ev":"T","sym":"SPY","p":\#(Double(random.next() % 10_000) / 100),"q":\#(n)}]"#
                Array(text.utf8).withUnsafeBytes { writer.frame($0, n: n, source: .options, at: time) }
            }
        }
        #expect(writer.flush() == nil)
        let raw = try contents(writer.path)
        let packed = TemporaryDirectory()
        _ = try packed.write(raw, to: "tape-000001.jsonl")
        let segment = try #require(try TapeSegment.list(in: packed.path).first).segment
        try segment.pack(level: 3, before: TapeIndex.Before(), blockBytes: blockBytes)
        return (raw, try contents(segment.compressedPath))
    }

    @Test func aClosedSegmentCutAtEveryByteGivesWholeBlocksAndSaysSo() throws {
        let (raw, closed) = try sample(lines: 30)
        let all = readAll([try directory.write(raw, to: "raw.jsonl")]).lines
        var most = 0
        for length in 0..<closed.count {
            let path = try directory.write(closed[..<length], to: "cut.jsonl.zst")
            let (lines, error) = readAll([path])
            #expect(all.starts(with: lines), "seed \(seed), cut at \(length)")
            #expect(error?.code == .cut, "seed \(seed), cut at \(length): \(String(describing: error))")
            #expect(lines.count >= most, "seed \(seed), cut at \(length)")
            most = lines.count
        }
        #expect(most == all.count)
        #expect(readAll([try directory.write(closed, to: "whole.jsonl.zst")]).lines == all)
    }

    @Test func aFlippedBitOfAClosedSegmentIsFoundAndTheBlocksBeforeAreKept() throws {
        let (raw, closed) = try sample(lines: 16)
        let all = readAll([try directory.write(raw, to: "raw.jsonl")]).lines
        let index = try #require(try TapeIndex.read(try directory.write(closed, to: "whole.jsonl.zst")))
        #expect(index.blocks.count > 2)
        var random = SeededGenerator(seed: seed)
        for place in 0..<closed.count {
            // One bit a byte, another one with another seed: all eight of a smaller tape are TapeReaderTests'.
            for bit in [random.next() % 8] {
                var damaged = closed
                damaged[place] ^= 1 << UInt8(bit)
                let (lines, error) = readAll([try directory.write(damaged, to: "flip.jsonl.zst")])
                #expect(error != nil || lines == all, "seed \(seed), byte \(place), bit \(bit)")
                #expect(all.starts(with: lines), "seed \(seed), byte \(place), bit \(bit)")
                let before = index.blocks.filter { $0.fileOffset + $0.fileSize <= Int64(place) }.last
                #expect(lines.count >= Int(before?.line ?? 0), "seed \(seed), byte \(place), bit \(bit)")
            }
        }
    }

    @Test func aFlippedBitOfARawSegmentCostsItsLineAndIsNamed() throws {
        let (raw, _) = try sample(lines: 6)
        let all = readAll([try directory.write(raw, to: "raw.jsonl")]).lines
        for place in 0..<raw.count {
            for bit in 0..<8 {
                var damaged = raw
                damaged[place] ^= 1 << UInt8(bit)
                let path = try directory.write(damaged, to: "flip.jsonl")
                let (lines, _) = readAll([path], policy: .skipLine)
                let stopped = readAll([path])
                let place = "seed \(seed), byte \(place), bit \(bit)"
                // A bit of the checksum's own name leaves a line without one, and the data as it was.
                #expect(stopped.error != nil || lines == all, "\(place)")
                #expect(all.starts(with: stopped.lines), "\(place)")
                let known = Set(all)
                #expect(lines.allSatisfy(known.contains), "\(place): other data")
                #expect(lines.count >= all.count - 2, "\(place)")
                if let error = stopped.error { #expect(error.line != nil && error.offset != nil, "\(place)") }
            }
        }
    }

    @Test func damageOfAnOpenSegmentIsCutOffAtEveryPlaceAndTheTapeGoesOn() throws {
        let (raw, _) = try sample(lines: 30)
        let all = readAll([try directory.write(raw, to: "raw.jsonl")]).lines
        var random = SeededGenerator(seed: seed)
        for round in 0..<60 {
            var damaged = raw
            if round % 2 == 0 { damaged.removeLast(Int(random.next() % UInt64(raw.count))) }
            if round % 3 > 0, !damaged.isEmpty {
                damaged[Int(random.next() % UInt64(damaged.count))] ^= 1 << UInt8(random.next() % 8)
            }
            let inner = TemporaryDirectory()
            let path = try inner.write(damaged, to: "tape-000001.jsonl")
            let writer = try TapeWriter(directory: inner.path)
            let (good, error) = readAll([path])
            #expect(error == nil && all.starts(with: good), "seed \(seed), round \(round)")
            writer.clock(n: 1_000, at: Instant(nanos: 1_000_000))
            #expect(writer.close() == nil)
            let paths = try TapeSegment.paths(in: inner.path)
            let report = try TapeVerifier.verify(paths, eventCount: { _, _ in nil })
            // Inputs that were cut off are missing, and nothing else is wrong.
            #expect(report.problems.allSatisfy { $0.message.contains("missing") }, "seed \(seed), round \(round)")
            #expect(readAll(paths).lines == good + ["1000000 1000 clock"], "seed \(seed), round \(round)")
        }
    }
}

@Suite struct TapeSeekTests {
    private let directory = TemporaryDirectory()

    @Test func findsEveryOrdinalAndTimeRawAndClosed() throws {
        // Five segments of some blocks each; every third frame shares its ordinal with the line behind it.
        var n: Ordinal = 0
        var texts: [String] = []
        for _ in 0..<5 {
            var text = "{\"t\":\(n * 10),\"meta\":{\"v\":1,\"ep\":\"e\",\"run\":\"r\"}}\n"
            for place in 0..<60 {
                if place % 3 != 1 { n += 1 }
                let pad = String(repeating: "x", count: 100)
                text += "{\"t\":\(n * 10),\"n\":\(n),\"src\":\"uw\",\"frame\":[\"\(pad)\",\(place)]}\n"
            }
            texts.append(text)
        }
        for closedCount in 0...5 {
            let inner = TemporaryDirectory()
            for (index, text) in texts.enumerated() {
                _ = try inner.write(text.utf8, to: "tape-00000\(index + 1).jsonl")
            }
            for (segment, _) in try TapeSegment.list(in: inner.path).prefix(closedCount) {
                try segment.pack(level: 1, before: TapeIndex.Before(), blockBytes: 1_000)
            }
            let paths = try TapeSegment.paths(in: inner.path)
            let all = readAll(paths).lines
            for wanted in stride(from: 0, through: n + 1, by: 3) {
                for target in [TapeSeek.Target.ordinal(wanted), .time(Instant(nanos: wanted * 10))] {
                    let position = try TapeSeek.position(of: target, in: paths)
                    let (rest, error) = readAll(paths, from: position)
                    #expect(error == nil && all.suffix(rest.count) == rest[...], "\(target), \(closedCount) closed")
                    let passed = all.dropLast(rest.count).compactMap { Int64($0.split(separator: " ")[1]) }
                    #expect(passed.allSatisfy { $0 < wanted }, "\(target), \(closedCount) closed")
                }
            }
        }
    }

    @Test func aLongRawSegmentIsHalvedNotRead() throws {
        var text = ""
        for n in 1...20_000 { text += "{\"t\":\(n),\"n\":\(n),\"clock\":true}\n" }
        let path = try directory.write(text.utf8, to: "tape-000001.jsonl")
        for wanted in [1, 2, 777, 10_000, 19_999, 20_000, 30_000] as [Ordinal] {
            let position = try TapeSeek.position(of: .ordinal(wanted), in: [path])
            let reader = TapeReader([path], from: position)
            let first = try #require(try reader.next()?.n)
            #expect(first <= wanted && min(wanted, 20_000) - first < 6_000, "\(wanted): \(first)")
        }
    }

    @Test func aPositionInAClosedSegmentIsReachedByItsBlock() throws {
        let text = (1...500).map { #"{"t":\#($0),"n":\#($0),"clock":true}"# + "\n" }.joined()
        _ = try directory.write(text.utf8, to: "tape-000001.jsonl")
        let segment = try #require(try TapeSegment.list(in: directory.path).first).segment
        try segment.pack(level: 3, before: TapeIndex.Before(), blockBytes: 1_000)
        // The first block is ruined: whoever reads through it fails, whoever goes to a later one doesn't.
        var bytes = try contents(segment.compressedPath)
        bytes[40] ^= 0xFF
        let path = try directory.write(bytes, to: "tape-000001.jsonl.zst")
        let position = try TapeSeek.position(of: .ordinal(300), in: [path])
        let (lines, error) = readAll([path], from: position)
        #expect(error == nil && lines.last == "500 500 clock" && lines.contains("300 300 clock"))
        #expect(readAll([path]).error?.code == .corrupt)
    }
}
