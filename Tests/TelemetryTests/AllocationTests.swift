import AllocationCounting
import Telemetry
import Testing

@Suite struct AllocationTests {
    /// Where the compiler can't see it, so that an array isn't kept on the stack.
    private nonisolated(unsafe) static var kept: [UInt8] = []

    @Test func recordingNeverAllocates() throws {
        #if DEBUG
        // Unoptimised code reads a non-copyable member through a coroutine whose frame is on the heap.
        print("skipped: a debug build allocates where a release build doesn't")
        #else
        guard let proof = AllocationCounting.bytes({ Self.kept = [UInt8](repeating: 1, count: 4096) }) else {
            print("skipped: built without jemalloc")
            return
        }
        // The gauge first shows that it sees one deliberate allocation.
        #expect(proof >= 4096)
        let registry = MetricsRegistry()
        let counter = registry.counter("events_total", help: "Events.")
        let gauge = registry.gauge("depth", help: "Depth.")
        let histogram = registry.histogram("tick_seconds", help: "Ticks.")
        let bytes = AllocationCounting.bytes {
            for value in 0..<10_000 as Range<Int64> {
                counter.add()
                gauge.set(value)
                gauge.raise(to: value)
                histogram.record(value * value)
            }
        }
        #expect(bytes == 0)
        #expect(counter.value == 10_000)
        #endif
    }
}
