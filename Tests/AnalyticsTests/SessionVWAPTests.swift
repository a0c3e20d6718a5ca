import Analytics
import Primitives
import Testing

@Suite struct SessionVWAPTests {
    @Test func byHand() throws {
        var vwap = SessionVWAP()
        #expect(vwap.value == nil && vwap.sigma == nil && vwap.band(1) == nil)
        vwap.add(price: 10, size: 100)
        vwap.add(price: 12, size: 300)
        vwap.add(price: 99, size: 0)
        #expect(vwap.value == 11.5)
        // Σv(p−V)²/Σv = (100·2.25 + 300·0.25)/400 = 0.75.
        let sigma = 0.75.squareRoot()
        let band: Double = 11.5 - 2 * sigma
        #expect(abs(try #require(vwap.sigma) - sigma) < 1e-12)
        #expect(abs(try #require(vwap.band(-2)) - band) < 1e-12)
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func equalsTheDefinitionAndMerges(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let prints = (0..<5_000).map { _ in
            (Double.random(in: 165...168, using: &random), Double(Int.random(in: 1...10_000, using: &random)))
        }
        var whole = SessionVWAP()
        var parts = (SessionVWAP(), SessionVWAP())
        for (index, (price, size)) in prints.enumerated() {
            whole.add(price: price, size: size)
            if index < 1_234 { parts.0.add(price: price, size: size) } else { parts.1.add(price: price, size: size) }
        }
        let volume = prints.reduce(0) { $0 + $1.1 }
        let mean = prints.reduce(0) { $0 + $1.0 * $1.1 } / volume
        let sigma = (prints.reduce(0) { $0 + $1.1 * ($1.0 - mean) * ($1.0 - mean) } / volume).squareRoot()
        for vwap in [whole, parts.0.merged(with: parts.1), whole.merged(with: SessionVWAP())] {
            #expect(abs(try #require(vwap.value) / mean - 1) < 1e-12, "seed \(seed)")
            #expect(abs(try #require(vwap.sigma) / sigma - 1) < 1e-9, "seed \(seed)")
        }
    }

    @Test func staysStableFarFromZero() throws {
        var vwap = SessionVWAP()
        for index in 0..<1_000_000 { vwap.add(price: 600_000 + (index % 2 == 0 ? 0.005 : -0.005), size: 100) }
        #expect(abs(try #require(vwap.sigma) / 0.005 - 1) < 1e-6)
    }
}
