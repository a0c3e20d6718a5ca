internal import Glibc
internal import Primitives
internal import Wire

/// What one benchmark measured.
package struct BenchFigure: Sendable {
    package var name: String
    package var events: Int64
    package var seconds: Double
    package var cpuSeconds: Double
    /// Further figures of this benchmark, in order.
    package var extras: [(name: String, value: Double)] = []

    package var eventsPerCPUSecond: Double { cpuSeconds > 0 ? Double(events) / cpuSeconds : 0 }

    /// The line of `--json` (architecture: command line).
    package var json: String {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("name", name as String?, to: &out)
        object.field("events", events as Int64?, to: &out)
        object.field("seconds", seconds as Double?, to: &out)
        object.field("cpuSeconds", cpuSeconds as Double?, to: &out)
        object.field("eventsPerCpuSecond", eventsPerCPUSecond.rounded() as Double?, to: &out)
        for extra in extras { object.field(extra.name, extra.value as Double?, to: &out) }
        object.end(&out)
        return String(decoding: out, as: UTF8.self)
    }

    /// A line for people.
    package var text: String {
        func short(_ value: Double) -> String {
            var out: [UInt8] = []
            DecimalText.append(micros: Int64((value * 1e3).rounded()) * 1_000, to: &out)
            return String(decoding: out, as: UTF8.self)
        }
        let rate = short(eventsPerCPUSecond / 1e6)
        let rest = extras.map { ", \($0.name) \(short($0.value))" }.joined()
        return "\(name): \(events) events, \(rate) M events per CPU-second (\(short(cpuSeconds)) CPU-s)\(rest)"
    }
}

/// CPU and wall time between two points, the whole process' threads together.
struct Stopwatch {
    private let wall: Int64
    private let cpu: Int64

    init() {
        wall = Self.nanos(CLOCK_MONOTONIC)
        cpu = Self.nanos(CLOCK_PROCESS_CPUTIME_ID)
    }

    var seconds: Double { Double(Self.nanos(CLOCK_MONOTONIC) - wall) / 1e9 }
    var cpuSeconds: Double { Double(Self.nanos(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e9 }

    /// The calling thread's CPU time.
    static var threadNanos: Int64 { nanos(CLOCK_THREAD_CPUTIME_ID) }

    private static func nanos(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
