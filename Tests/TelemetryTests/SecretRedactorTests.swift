import Logging
import Primitives
import Telemetry
import Testing

@Suite struct SecretRedactorTests {
    /// Keeps lines for a test to read.
    private final class MemorySink: LogSink {
        private let kept = Lock<[String]>([])
        var lines: [String] { kept.withLock { $0 } }
        func write(_ line: [UInt8]) { kept.withLock { $0.append(String(decoding: line, as: UTF8.self)) } }
    }

    @Test func replacesEveryOccurrenceLongestFirst() {
        let redactor = SecretRedactor()
        redactor.register("canary")
        redactor.register("canary-with-more")
        #expect(redactor.redact("canary canary-with-more xcanaryx") == "[redacted] [redacted] x[redacted]x")
        #expect(redactor.redact("canar y") == "canar y")
        #expect(redactor.redact("") == "")
    }

    @Test func ignoresTextsThatOccurByChance() {
        let redactor = SecretRedactor()
        redactor.register("")
        redactor.register("SPY")
        #expect(redactor.redact("SPY") == "SPY")
    }

    @Test(arguments: LogFormat.allCases, ["canary-0123456789", #"can"ary\0123"#, "canary 01=23é", "can/ary?01&23"])
    func noSecretReachesALine(format: LogFormat, canary: String) {
        let sink = MemorySink()
        let redactor = SecretRedactor()
        redactor.register(canary)
        let logger = Logger(label: "test") { _ in
            StructuredLogHandler(level: .trace, format: format, redactor: redactor, sink: sink) { .zero }
        }
        logger.info("\(canary)", metadata: ["\(canary)": "\(canary)", "url": "wss://host/?key=\(canary)&x=1"])
        logger.info("nested", metadata: ["list": ["\(canary)", "b"], "map": ["k": "\(canary)"]])
        struct Failure: Error { let url: String }
        logger.error("failed", error: Failure(url: canary))
        #expect(sink.lines.count == 3)
        for line in sink.lines {
            #expect(line.contains("[redacted]"))
            for piece in ["canary", "ary\\", "0123", "01&23", "01=23"] { #expect(!line.contains(piece), "\(line)") }
        }
    }

    @Test func findsTheFormThatAURLCarries() {
        let redactor = SecretRedactor()
        redactor.register("p@ss/word")
        #expect(redactor.redact("redis://u:p%40ss%2Fword@h") == "redis://u:[redacted]@h")
    }

    @Test func loggerFiltersByLevelAndMergesMetadata() {
        let sink = MemorySink()
        var logger = Logger(label: "test") { _ in
            StructuredLogHandler(level: .notice, format: .logfmt, redactor: SecretRedactor(), sink: sink) { .zero }
        }
        logger[metadataKey: "feed"] = "stocks"
        logger.info("unseen")
        logger.warning("feed_lagging", metadata: ["lag_ms": "250"])
        #expect(
            sink.lines == ["ts=1970-01-01T00:00:00.000000Z level=warning event=feed_lagging feed=stocks lag_ms=250\n"]
        )
    }
}
