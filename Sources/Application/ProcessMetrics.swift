internal import Foundation
package import Telemetry

/// What the process says of itself at `/metrics`: version, memory, processor time, open files.
package enum ProcessMetrics {
    /// Registers them; each is read when it is asked for.
    package static func register(in registry: MetricsRegistry) {
        let version = [MetricLabel("version", Version.current)]
        registry.observe("build_info", help: "1, with the version as label.", labels: version) { 1 }
        registry.observe("process_resident_memory_bytes", unit: .bytes, help: "Resident memory.") { residentBytes() }
        registry.observe("process_cpu_seconds_total", unit: .nanoseconds, help: "Processor time used.") { cpuNanos() }
        registry.observe("process_open_files", help: "Open file descriptors.") { openFiles() }
    }

    /// Second field of `statm`, in pages; 0 where it can't be read.
    private static func residentBytes() -> Int64 {
        guard case .success(let text) = ConfigurationFiles.read("/proc/self/statm") else { return 0 }
        let fields = text.split(separator: " ")
        guard fields.count > 1, let pages = Int64(fields[1]) else { return 0 }
        return pages * Int64(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func cpuNanos() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func openFiles() -> Int64 {
        let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        return Int64(names?.count ?? 0)
    }
}
