import Primitives
import Telemetry
import Testing

@Suite struct LogLineTests {
    private let redactor = SecretRedactor()

    private func text(_ format: LogFormat, event: String = "feed_up", _ fields: [(String, String)] = []) -> String {
        let line = LogLine(
            time: Instant(nanos: 1_764_086_400_123_456_789),
            level: "info",
            event: event,
            fields: fields.map { (key: $0.0, value: $0.1) }
        )
        return String(decoding: line.bytes(format, redactor: redactor), as: UTF8.self)
    }

    @Test func writesBothFormats() {
        let fields = [("cause", "no answer"), ("feed", "stocks"), ("empty", "")]
        #expect(
            text(.logfmt, fields)
                == "ts=2025-11-25T16:00:00.123456Z level=info event=feed_up cause=\"no answer\" feed=stocks empty=\"\"\n"
        )
        #expect(
            text(.json, fields)
                == #"{"ts":"2025-11-25T16:00:00.123456Z","level":"info","event":"feed_up","#
                + #""cause":"no answer","feed":"stocks","empty":""}"# + "\n"
        )
    }

    @Test(arguments: LogFormat.allCases)
    func aLineStaysALine(format: LogFormat) {
        let evil = "a\nts=1 level=error event=fake\r\u{1B}[2J\u{2028}\u{85}\"\\"
        let shown = text(format, event: evil, [("field", evil), ("bad key=\"\n", "v"), ("level", "fake")])
        #expect(shown.utf8.count { $0 == UInt8(ascii: "\n") } == 1)
        #expect(shown.unicodeScalars.allSatisfy { $0.value >= 32 || $0 == "\n" })
        #expect(!shown.contains("\u{2028}") && !shown.contains("\u{85}"))
        #expect(!shown.contains("level=fake") && !shown.contains("\"level\":\"fake\""))
    }

    @Test(arguments: LogFormat.allCases)
    func aFloodIsCut(format: LogFormat) {
        let flood = String(repeating: "x", count: 100_000)
        #expect(text(format, [("a", flood)]).utf8.count < LogLine.lengthLimit)
        let many = (0..<50).map { ("k\($0)", flood) }
        #expect(text(format, many).contains("50 fields"))
    }

    @Test func datesAreRight() {
        #expect(Timestamp.text(Instant(nanos: 0)) == "1970-01-01T00:00:00.000000Z")
        #expect(Timestamp.text(Instant(nanos: -1)) == "1969-12-31T23:59:59.999999Z")
        #expect(Timestamp.text(Instant(millis: 951_782_400_000)) == "2000-02-29T00:00:00.000000Z")
        #expect(Timestamp.text(Instant(millis: 4_107_542_399_000)) == "2100-02-28T23:59:59.000000Z")
        #expect(Timestamp.text(Instant(millis: 4_107_542_400_000)) == "2100-03-01T00:00:00.000000Z")
    }
}
