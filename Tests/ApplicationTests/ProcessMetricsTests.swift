import Application
import Telemetry
import Testing

@Suite struct ProcessMetricsTests {
    @Test func saysWhatTheProcessUses() {
        let registry = MetricsRegistry()
        ProcessMetrics.register(in: registry)
        let lines = String(decoding: registry.exposition(), as: UTF8.self).split(separator: "\n")
        #expect(lines.contains("striketape_build_info{version=\"\(Version.current)\"} 1"))
        for name in ["process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_files"] {
            let line = lines.first { $0.hasPrefix("striketape_\(name) ") }
            let value = line.flatMap { Double($0.split(separator: " ")[1]) }
            #expect(value.map { $0 > 0 } == true, "\(name)")
        }
    }
}
