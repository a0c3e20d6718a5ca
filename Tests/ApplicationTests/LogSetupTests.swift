import Application
import Logging
import Primitives
import Telemetry
import Testing

@Suite struct LogSetupTests {
    private final class MemorySink: LogSink {
        private let kept = Lock<[String]>([])
        var lines: [String] { kept.withLock { $0 } }
        func write(_ line: [UInt8]) { kept.withLock { $0.append(String(decoding: line, as: UTF8.self)) } }
    }

    @Test(arguments: LogFormat.allCases)
    func logsAsConfiguredAndKnowsEverySecret(format: LogFormat) throws {
        let canaries = ["canary-of-provider", "canary-of-gateway", "canary@of/redis"]
        let loaded = try ConfigurationLoader(environment: [
            "STRIKETAPE_POLYGON_API_KEY": canaries[0], "STRIKETAPE_GATEWAY_API_KEY": canaries[1],
            "STRIKETAPE_REDIS_URL": "redis://user:canary%40of%2Fredis@127.0.0.1:6379",
            "STRIKETAPE_LOG_LEVEL": "warning",
            "STRIKETAPE_LOG_FORMAT": format.rawValue,
        ]).load()
        let sink = MemorySink()
        let logger = LogSetup(loaded.configuration, sink: sink).logger("test")
        logger.info("unseen")
        for canary in canaries { logger.warning("seen", metadata: ["text": "a\(canary)b"]) }
        logger.warning("seen", metadata: ["url": "redis://user:canary%40of%2Fredis@127.0.0.1:6379"])
        #expect(sink.lines.count == 4)
        for line in sink.lines {
            #expect(!line.contains("canary") && line.contains("[redacted]"), "\(line)")
            #expect(line.hasPrefix(format == .json ? "{\"ts\":" : "ts="))
        }
    }
}
