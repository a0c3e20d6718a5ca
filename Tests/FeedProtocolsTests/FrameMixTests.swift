import FeedProtocols
import MarketData
import Primitives
import Testing

@Suite struct FrameMixTests {
    @Test func givesTheStatedMixAndAllOfItDecodesFast() {
        var mix = FrameMix(seed: 1, symbols: 500)
        var decoder = PolygonDecoder()
        var symbols = SymbolTable()
        var batch = DecodedBatch()
        var frame: [UInt8] = []
        var expected = 0
        for _ in 0..<2_000 {
            frame.removeAll(keepingCapacity: true)
            let count = mix.appendFrame(to: &frame)
            #expect((1...64).contains(count))
            expected += count
            batch.removeAll()
            frame.withUnsafeBytes { decoder.decode($0, symbols: &symbols, into: &batch) }
            #expect(batch.count == count)
        }
        let counters = decoder.counters
        #expect(counters.malformed == 0 && counters.brokenFrames == 0 && counters.unknown == 0)
        #expect(counters.events == UInt64(expected))
        // Only the first sight of each symbol needs the general path.
        #expect(counters.general == 500)
        func share(_ kind: EventKind) -> Double { Double(counters.events(kind)) / Double(expected) }
        #expect(abs(share(.quote) - 0.80) < 0.01)
        #expect(abs(share(.trade) - 0.15) < 0.01)
        #expect(abs(share(.minuteBar) - 0.05) < 0.01)
    }

    @Test func sameSeedSameBytes() {
        func bytes(seed: UInt64) -> [UInt8] {
            var mix = FrameMix(seed: seed)
            var out: [UInt8] = []
            for _ in 0..<50 { _ = mix.appendFrame(to: &out) }
            return out
        }
        #expect(bytes(seed: 1) == bytes(seed: 1))
        #expect(bytes(seed: 1) != bytes(seed: 2))
    }
}
