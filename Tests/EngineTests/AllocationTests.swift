import AllocationCounting
import Engine
import FeedProtocols
import Glibc
import MarketData
import Primitives
import SymbolCore
import Testing
import Wire

/// The way in allocates nothing after warm-up (docs/performance.md); the gauge first proves itself.
@Suite struct AllocationTests {
    /// Where the compiler can't see it, so that an array isn't kept on the stack.
    private nonisolated(unsafe) static var kept: [UInt8] = []

    /// Nil where nothing can be counted, with the reason printed.
    private func gauge() -> Bool {
        #if DEBUG
        print("skipped: a debug build allocates where a release build doesn't")
        return false
        #else
        guard let proof = AllocationCounting.bytes({ Self.kept = [UInt8](repeating: 1, count: 4096) }) else {
            print("skipped: built without jemalloc")
            return false
        }
        #expect(proof >= 4096)
        return true
        #endif
    }

    private func frames(_ count: Int) -> [[UInt8]] {
        var mix = FrameMix(seed: 4, symbols: 4)
        return (0..<count).map { _ in
            var bytes: [UInt8] = []
            _ = mix.appendFrame(to: &bytes)
            return bytes
        }
    }

    @Test func theDecoderAllocatesNothing() {
        guard gauge() else { return }
        var decoder = PolygonDecoder()
        var symbols = SymbolTable()
        var batch = DecodedBatch()
        var events = 0
        func decode(_ frames: ArraySlice<[UInt8]>) {
            for frame in frames {
                batch.removeAll()
                frame.withUnsafeBytes { decoder.decode($0, symbols: &symbols, into: &batch) }
                events += batch.count
            }
        }
        let frames = frames(600)
        decode(frames[..<300])
        let bytes = AllocationCounting.bytes { decode(frames[300...]) }
        #expect(bytes == 0)
        #expect(events > 10_000)
    }

    /// Posting to an idle shard isn't counted: waking it costs a task, once a service pass and not once an event.
    @Test func theDoorAllocatesNothing() {
        guard gauge() else { return }
        let engine = Engine(EngineOptions(clock: .exchange), sink: CollectingSink())
        let frames = frames(1_200)
        let warm = 900
        var bytes: UInt64 = 0
        var counted: Int64 = 0
        var start = 0
        while start < frames.count {
            // Fewer events than a batch takes, so that nothing is posted meanwhile.
            let end = start + 30
            let before = engine.ingest.counters.events
            let spent = AllocationCounting.bytes {
                for frame in frames[start..<end] {
                    frame.withUnsafeBytes { _ = engine.ingest.receive(frame: $0, from: .stocks, at: .zero) }
                }
            }
            if start >= warm {
                bytes += spent ?? 0
                counted += engine.ingest.counters.events - before
            }
            settle(engine)
            start = end
        }
        engine.stop()
        #expect(bytes == 0)
        #expect(counted > 5_000)
    }

    /// Returns once everything so far was applied: emptied buffers are back.
    private func settle(_ engine: Engine) {
        let done = Lock(false)
        engine.ingest.control { _ in .read(.zero) { _ in done.withLock { $0 = true } } }
        while !done.withLock({ $0 }) { sched_yield() }
    }
}
