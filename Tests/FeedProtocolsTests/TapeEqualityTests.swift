import FeedProtocols
import Foundation
import MarketData
import Primitives
import Testing

/// One event of a recorded tape as Foundation decodes it, decimals exact.
private struct TapeEvent: Decodable {
    let event: MarketEvent
    let symbol: String

    private enum Key: String, CodingKey {
        case ev, sym, T, x, i, z, p, s, ds, c, t, q, trfi, bx, bp, bs, ax, ap, v, av, vw, o, h, l, val
        case `as`
    }

    init(from decoder: any Decoder) throws {
        let c = try decoder.container(keyedBy: Key.self)
        func micros(_ key: Key) throws -> Int64 {
            guard let value = try c.decodeIfPresent(Decimal.self, forKey: key) else { return 0 }
            return try ReferenceReader.scaled(value, places: 6, rounded: key == .vw)
        }
        func id<Number: FixedWidthInteger & Decodable>(_ key: Key) throws -> Number {
            try c.decodeIfPresent(Number.self, forKey: key) ?? 0
        }
        let none = SymbolID(index: 0)
        let kind = try c.decode(String.self, forKey: .ev)
        symbol = try c.decode(String.self, forKey: kind == "V" ? .T : .sym)
        switch kind {
        case "T":
            var conditions = Conditions()
            for id in try c.decodeIfPresent([Int64].self, forKey: .c) ?? [] { _ = conditions.insert(id) }
            let size = try c.contains(.ds) ? Decimal(string: c.decode(String.self, forKey: .ds)) : nil
            event = .trade(
                Trade(
                    symbol: none,
                    exchange: try id(.x),
                    tape: try id(.z),
                    facility: try id(.trfi),
                    time: Instant(millis: try c.decode(Int64.self, forKey: .t)),
                    sequence: try id(.q),
                    price: Price(micros: try micros(.p)),
                    size: Size(
                        micros: try size.map { try ReferenceReader.scaled($0, places: 6, rounded: false) } ?? micros(.s)
                    ),
                    conditions: conditions,
                    idHash: try c.decodeIfPresent(String.self, forKey: .i).map(fnv) ?? 0
                )
            )
        case "Q":
            event = .quote(
                Quote(
                    symbol: none,
                    bidExchange: try id(.bx),
                    askExchange: try id(.ax),
                    time: Instant(millis: try c.decode(Int64.self, forKey: .t)),
                    sequence: try id(.q),
                    bid: Price(micros: try micros(.bp)),
                    ask: Price(micros: try micros(.ap)),
                    // A side at no price is no side, whatever size stands there.
                    bidSize: Size(micros: try micros(.bp) > 0 ? micros(.bs) : 0),
                    askSize: Size(micros: try micros(.ap) > 0 ? micros(.as) : 0),
                    condition: try id(.c),
                    tape: try id(.z)
                )
            )
        case "AM":
            event = .bar(
                Bar(
                    symbol: none,
                    seconds: 60,
                    start: Instant(millis: try c.decode(Int64.self, forKey: .s)),
                    open: Price(micros: try micros(.o)),
                    high: Price(micros: try micros(.h)),
                    low: Price(micros: try micros(.l)),
                    close: Price(micros: try micros(.c)),
                    volume: Size(micros: try micros(.v)),
                    vwap: Price(micros: try micros(.vw)),
                    dayVolume: Size(micros: try micros(.av))
                )
            )
        case "V":
            event = .indexValue(
                PublishedValue(
                    symbol: none,
                    time: Instant(millis: try c.decode(Int64.self, forKey: .t)),
                    value: Price(micros: try micros(.val))
                )
            )
        default:
            throw DecodingError.dataCorruptedError(forKey: .ev, in: c, debugDescription: "no kind of these tapes")
        }
    }
}

private struct TapeLine: Decodable {
    let frame: [TapeEvent]
}

/// Where the recorded tapes are, if they are.
enum Tapes {
    static let folder: URL = {
        if let path = ProcessInfo.processInfo.environment["STRIKETAPE_DATA"] { return URL(fileURLWithPath: path) }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let near = root.appendingPathComponent("../shared/data").standardizedFileURL
        return near
    }()

    static let names: [String] = {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let names = all.filter { $0.hasSuffix(".jsonl.zst") }.sorted()
        if names.isEmpty { print("skipped: no tapes in \(folder.path) (set STRIKETAPE_DATA)") }
        return names
    }()

    /// The whole text of a tape.
    static func read(_ name: String) throws -> Data {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["zstdcat", folder.appendingPathComponent(name).path]
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "zstdcat of \(name) failed")
        return data
    }
}

@Suite struct TapeEqualityTests {
    /// One line of this many is compared; all of them with STRIKETAPE_LONG=1.
    static var stride: Int {
        #if DEBUG
        200
        #else
        LongRuns.isOn ? 1 : 101
        #endif
    }

    @Test(.enabled(if: !Tapes.names.isEmpty), arguments: Tapes.names)
    func equalsFoundationOnEveryEvent(name: String) throws {
        let data = try Tapes.read(name)
        if Self.stride > 1 { print("\(name): every \(Self.stride)th line is compared") }
        var bench = DecoderBench()
        var general = DecoderBench(usesFastPath: false)
        let decoder = JSONDecoder()
        var compared = 0
        var differences = 0
        // An array is split faster than Data.
        let lines = [UInt8](data).split(separator: UInt8(ascii: "\n"))
        for (index, bytes) in lines.enumerated() where index % Self.stride == 0 {
            let line = Data(bytes)
            let frame = try #require(Self.frame(of: line))
            let expected = try decoder.decode(TapeLine.self, from: line).frame
            let decoded = bench.decode(frame)
            let slow = index % 16 == 0 ? general.decode(frame) : decoded
            let isSame =
                decoded.count == expected.count && slow.count == expected.count
                && decoded.indices.allSatisfy {
                    decoded[$0].event == expected[$0].event && decoded[$0].symbol == expected[$0].symbol
                        && slow[$0].event == expected[$0].event
                }
            if !isSame {
                differences += 1
                if differences < 5 { Issue.record("line \(index + 1): \(String(decoding: line, as: UTF8.self))") }
            }
            compared += expected.count
        }
        #expect(differences == 0)
        let counters = bench.decoder.counters
        #expect(counters.malformed == 0 && counters.unknown == 0 && counters.brokenFrames == 0)
        #expect(counters.events == UInt64(compared))
        #expect(general.decoder.counters.malformed == 0)
        print("\(name): \(compared) events equal, \(counters.general) by the general path")
    }

    /// The frame's own bytes: behind `"frame":`, up to the envelope's closing brace.
    private static func frame(of line: Data) -> [UInt8]? {
        let mark = Data(#""frame":"#.utf8)
        guard let found = line.range(of: mark), line.last == UInt8(ascii: "}") else { return nil }
        return [UInt8](line[found.upperBound..<(line.endIndex - 1)])
    }
}
