import Foundation
import Journal
import MarketData
import Primitives
import Testing
import Wire

/// Every kind of line from every source: written, read, written again.
@Suite struct TapeLineTests {
    private let directory = TemporaryDirectory()
    private static let sources = ["polygon.stocks", "polygon.options", "polygon.indices", "uw", "ib", "bus"]

    @Test func theTableOfNamesIsOneAndComplete() {
        #expect(FeedSource.allCases.map(\.tapeName) + ["bus"] == Self.sources)
        for source in FeedSource.allCases {
            #expect(FeedSource(tapeName: source.tapeName) == source)
            #expect(TapeFormat.sourceNames.contains { $0.source == source && "\($0.name)" == source.tapeName })
        }
        #expect(FeedSource(tapeName: "bus") == nil)
    }

    @Test func restAnswersAndStatesOfAllSourcesComeBack() throws {
        let writer = try TapeWriter(directory: directory.path)
        let bodies = [
            "null", "{}", #"{"results":[{"c":1.5}],"next":null}"#, "[1,2]", "\"text\"", "17", "true",
            // Pretty-printed: line breaks stand between tokens only.
            "{\n  \"a\": [1,\r\n 2]\n}\n",
        ]
        let expected = [
            "null", "{}", #"{"results":[{"c":1.5}],"next":null}"#, "[1,2]", "\"text\"", "17", "true",
            #"{   "a": [1,   2] }"#,
        ]
        var n: Ordinal = 0
        var lines: [String] = []
        for source in Self.sources {
            for (body, shown) in zip(bodies, expected) {
                n += 1
                let url = "/v3/snapshot/\(source)?a=1&b=\"ü\\"
                writer.rest(source: source, url: url, body: Array(body.utf8), n: n, at: Instant(nanos: n))
                lines.append("\(n) \(n) rest \(source) \(url) \(shown)")
            }
            for state in FeedState.allCases {
                n += 1
                writer.feed(source: source, state: state, cause: "é \"\n\\\u{1}", n: n, at: Instant(nanos: n))
                lines.append("\(n) \(n) feed \(source) \(state) é \"\n\\\u{1}")
            }
        }
        #expect(writer.flush() == nil)
        let raw = readAll([writer.path])
        #expect(raw.error == nil)
        #expect(raw.lines.map(trimmed) == lines.map(trimmed))
        #expect(writer.close() == nil)
        let closed = readAll(try TapeSegment.paths(in: directory.path))
        #expect(closed.error == nil && closed.lines == raw.lines)
        let report = try TapeVerifier.verify(try TapeSegment.paths(in: directory.path), eventCount: { _, _ in nil })
        #expect(report.problems.isEmpty && report.lines == n)
    }

    private func trimmed(_ line: String) -> String { line.trimmingCharacters(in: .whitespaces) }

    @Test func whatIsNoJSONStandsAsAText() throws {
        let writer = try TapeWriter(directory: directory.path)
        for (n, body) in ["", "<html>\n</html>", "{\"a\":", "nul"].enumerated() {
            writer.rest(source: "uw", url: "/", body: Array(body.utf8), n: Int64(n + 1), at: Instant(nanos: 1))
        }
        #expect(writer.flush() == nil)
        let (lines, error) = readAll([writer.path])
        #expect(error == nil)
        #expect(
            lines.map { String($0.split(separator: " ", maxSplits: 5)[5]) } == [
                #""""#, #""<html>\u000a</html>""#, #""{\"a\":""#, #""nul""#,
            ]
        )
    }

    @Test func commandsOfEveryKindComeBackAlsoPrettyPrinted() throws {
        let writer = try TapeWriter(directory: directory.path)
        let body = "{\n \"id\": \"p\",\n \"symbol\": \"SPY\"\n}"
        for (n, operation) in Command.Operation.allCases.enumerated() {
            let command = Command(operation: operation, id: "c", owner: "u", body: Array(body.utf8))
            writer.command(command, n: Int64(n + 1), at: Instant(nanos: 1))
        }
        #expect(writer.flush() == nil)
        let (lines, error) = readAll([writer.path])
        #expect(error == nil && lines.count == Command.Operation.allCases.count)
        #expect(lines.allSatisfy { $0.hasSuffix(#"c u {"id":"p","symbol":"SPY"}"#) }, "\(lines)")
    }

    @Test func aLineWithAWrongChecksumIsRefusedAndOneWithoutIsTaken() throws {
        let writer = try TapeWriter(directory: directory.path)
        writer.clock(n: 1, at: Instant(nanos: 5))
        #expect(writer.flush() == nil)
        let line = String(decoding: try contents(writer.path), as: UTF8.self)
        #expect(line.wholeMatch(of: /\{"t":5,"n":1,"clock":true,"crc":"[0-9a-f]{8}"\}\n/) != nil, "\(line)")
        let changed = try directory.write(line.replacing("\"t\":5", with: "\"t\":6").utf8, to: "changed.jsonl")
        let error = readAll([changed]).error
        #expect(error?.code == .damagedLine && error?.offset == Int64(line.utf8.count - 19))
        let bare = try directory.write("{\"t\":6,\"n\":1,\"clock\":true}\n".utf8, to: "bare.jsonl")
        #expect(readAll([bare]).lines == ["6 1 clock"])
        // "123456789" has the checksum e3069283 in every description of CRC-32C.
        let known = try directory.write("123456789,\"crc\":\"e3069283\"}\n".utf8, to: "known.jsonl")
        #expect(readAll([known]).error?.message.contains("an object") == true)
    }
}

@Suite struct TapeVerifierTests {
    private let directory = TemporaryDirectory()

    private func problems(_ lines: [String], events: Int? = 2) throws -> [String] {
        let path = try directory.write(lines.map { $0 + "\n" }.joined().utf8, to: "t.jsonl")
        let report = try TapeVerifier.verify([path], eventCount: { _, _ in events })
        #expect(report.problems.allSatisfy { $0.file == path && $0.description.hasPrefix(path) })
        return report.problems.map { "\($0.line ?? 0):\($0.byte ?? -1): \($0.message)" }
    }

    private func frame(_ t: Int64, _ n: Ordinal) -> String { "{\"t\":\(t),\"n\":\(n),\"src\":\"uw\",\"frame\":{}}" }
    private func clock(_ t: Int64, _ n: Ordinal) -> String { "{\"t\":\(t),\"n\":\(n),\"clock\":true}" }

    @Test func ordinalsFollowTheRules() throws {
        #expect(try problems([clock(1, 7), clock(1, 8), frame(2, 9), frame(2, 9), clock(2, 11), frame(3, 12)]) == [])
        #expect(try problems([clock(1, 1), clock(1, 1)]).first?.contains("from 2 on, found 1") == true)
        #expect(try problems([clock(1, 1), clock(1, 3)]).first?.contains("up to 2, found 3") == true)
        #expect(try problems([frame(1, 1), clock(1, 4)]).first?.contains("up to 3, found 4") == true)
        #expect(try problems([frame(1, 1), clock(1, 400)], events: nil) == [])
        #expect(try problems([frame(1, 5), clock(1, 4)], events: nil).count == 1)
    }

    @Test func timesDamageAndTearsAreNamedWithTheirPlace() throws {
        let found = try problems([clock(5, 1), clock(4, 2), "rubbish", clock(6, 9)])
        #expect(found.count == 2)
        #expect(found[0] == "2:27: expected \"t\" not before 5, found 4")
        #expect(found[1] == "3:54: expected an object")
        let torn = try directory.write((clock(1, 1) + "\n{\"t\":2,").utf8, to: "torn.jsonl")
        let report = try TapeVerifier.verify([torn], eventCount: { _, _ in nil })
        #expect(report.problemCount == 1 && report.problems[0].line == 2)
        #expect(report.problems[0].message.contains("torn"))
        #expect(throws: JournalError.self) {
            try TapeVerifier.verify([directory.file("none.jsonl")], eventCount: { _, _ in nil })
        }
    }
}
