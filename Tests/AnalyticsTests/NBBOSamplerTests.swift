import Analytics
import MarketData
import Primitives
import Testing

@Suite struct NBBOSamplerTests {
    private func stability(_ spreads: [(Double, Double)], everyMillis: Int = 250) -> NBBOSampler {
        var sampler = NBBOSampler()
        for (index, (bid, ask)) in spreads.enumerated() {
            let time = Example.at(10, 0).advanced(byNanos: Int64(index * everyMillis) * 1_000_000)
            _ = sampler.quoted(Example.quote(bid, ask, at: time), in: .rth, of: Example.day, received: time, .equity)
        }
        return sampler
    }

    @Test func aQuoteOnTheGridCountsFromTheNext() {
        var sampler = NBBOSampler()
        let start = Example.at(10, 0)
        _ = sampler.quoted(Example.quote(99, 101, at: start), in: .rth, of: Example.day, received: start, .equity)
        #expect(sampler.statistics == nil)
        sampler.advance(to: start.advanced(byNanos: 249_999_999), of: Example.day, .equity)
        #expect(sampler.statistics == nil)
        let next = start.advanced(byNanos: 250_000_000)
        // Received on the grid instant: the instant's sample is the quote before.
        let added = sampler.quoted(
            Example.quote(100, 100, at: next),
            in: .rth,
            of: Example.day,
            received: next,
            .equity
        )
        #expect(added.count == 1)
        #expect(added.value == Float(0.02))
        #expect(sampler.statistics?.mean == Double(Float(0.02)))
    }

    @Test func fewerThanEightAreUnknown() {
        #expect(stability(Array(repeating: (99, 101), count: 8)).statistics?.stability == nil)
        #expect(stability(Array(repeating: (99, 101), count: 9)).statistics?.stability == 1)
        #expect(stability(Array(repeating: (100, 100), count: 9)).statistics?.stability == 1)
    }

    @Test func stabilityIsOneMinusDeviationOverMean() throws {
        // Alternating spreads of 0.01 and 0.03 around 100: mean 0.0002, deviation 0.0001.
        let quotes = (0..<41).map { $0 % 2 == 0 ? (99.995, 100.005) : (99.985, 100.015) }
        let statistics = try #require(stability(quotes).statistics)
        #expect(statistics.samples == 40)
        #expect(abs(statistics.mean - 0.0002) < 1e-10)
        #expect(abs(statistics.deviation - 0.0001) < 1e-10)
        #expect(abs(try #require(statistics.stability) - 0.5) < 1e-5)
        // One wide quote among locked ones: deviation beyond the mean gives 0, not less.
        let wild = (0..<41).map { $0 == 20 ? (90.0, 110.0) : (100.0, 100.0) }
        #expect(stability(wild).statistics?.stability == 0)
    }

    @Test func aStaleQuoteIsNotSampled() {
        var sampler = NBBOSampler()
        let start = Example.at(10, 0)
        _ = sampler.quoted(Example.quote(99, 101, at: start), in: .rth, of: Example.day, received: start, .equity)
        sampler.advance(to: start.advanced(byNanos: 2_000_000_000), of: Example.day, .equity)
        #expect(sampler.statistics?.samples == 8)
        #expect(sampler.staleInstants == 0)
        sampler.advance(to: start.advanced(byNanos: 12_000_000_000), of: Example.day, .equity)
        #expect(sampler.statistics?.samples == 8)
        #expect(sampler.staleInstants == 40)
        var option = NBBOSampler()
        _ = option.quoted(Example.quote(99, 101, at: start), in: .rth, of: Example.day, received: start, .option)
        let added = option.advance(to: start.advanced(byNanos: 3_600_000_000_000), of: Example.day, .option)
        #expect(added.count == 60)
        #expect(option.statistics?.samples == 40)
    }

    @Test func onlyRegularHoursAreSampled() {
        var sampler = NBBOSampler()
        let before = Example.at(9, 29, 59)
        _ = sampler.quoted(Example.quote(99, 101, at: before), in: .pre, of: Example.day, received: before, .equity)
        sampler.advance(to: Example.at(9, 29, 59.9), of: Example.day, .equity)
        #expect(sampler.statistics == nil)
        sampler.advance(to: Example.at(9, 30), of: Example.day, .equity)
        #expect(sampler.statistics?.samples == 1)
        let late = Example.at(15, 59, 59)
        _ = sampler.quoted(Example.quote(99, 101, at: late), in: .rth, of: Example.day, received: late, .equity)
        // 09:30:00.25 to 09:30:01 were sampled of the first quote; then 15:59:59.25, .5 and .75, but not 16:00.
        sampler.advance(to: Example.at(16, 1), of: Example.day, .equity)
        #expect(sampler.statistics?.samples == 8)
    }

    @Test func unusableQuotesAreCountedAndLeaveTheLastUsableStanding() {
        var sampler = NBBOSampler()
        let times = (0..<5).map { Example.at(10, 0, Double($0) * 0.01) }
        let quotes = [(99.0, 101.0), (101, 99), (0, 101), (0, 0), (100, 100)]
        for (time, quote) in zip(times, quotes) {
            _ = sampler.quoted(
                Example.quote(quote.0, quote.1, at: time),
                in: .rth,
                of: Example.day,
                received: time,
                .equity
            )
        }
        #expect(sampler.crossedQuotes == 1)
        #expect(sampler.oneSidedQuotes == 2)
        #expect(sampler.lockedQuotes == 1)
        var crossed = NBBOSampler()
        for (time, quote) in zip(times, quotes.prefix(2)) {
            _ = crossed.quoted(
                Example.quote(quote.0, quote.1, at: time),
                in: .rth,
                of: Example.day,
                received: time,
                .equity
            )
        }
        crossed.advance(to: Example.at(10, 0, 0.25), of: Example.day, .equity)
        #expect(crossed.statistics?.mean == Double(Float(0.02)))
    }

    /// The lazy sampler against one that looks at every grid instant.
    @Test(arguments: [UInt64(1), 2, 3])
    func lazyEqualsEager(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var sampler = NBBOSampler()
        var samples: [Float] = []
        var standing: (value: Float, received: Int64)?
        var now = Example.at(9, 29, 50).nanos
        var grid = now / 250_000_000
        for step in 0..<3_000 {
            let gap = step % 50 == 0 ? 5_000_000_000 : Int64.random(in: 0...700_000_000, using: &random)
            now += gap
            let received = Instant(nanos: now)
            while grid + 1 <= now / 250_000_000 {
                grid += 1
                let instant = Instant(nanos: grid * 250_000_000)
                guard let standing, instant.nanos - standing.received <= 2_000_000_000,
                    Example.day.isRegular(instant)
                else { continue }
                samples.append(standing.value)
            }
            let cents = Double.random(in: -1...5, using: &random).rounded() / 100
            let quote = Example.quote(100, 100 + cents, at: received)
            _ = sampler.quoted(quote, in: .rth, of: Example.day, received: received, .equity)
            if quote.isUsable {
                let (bid, ask) = (Double(quote.bid.micros), Double(quote.ask.micros))
                standing = (Float(2 * (ask - bid) / (ask + bid)), now)
            }
            let window = samples.suffix(40)
            let statistics = sampler.statistics
            let mean = window.isEmpty ? 0 : window.map(Double.init).reduce(0, +) / Double(window.count)
            let isEqual = statistics?.samples ?? 0 == window.count && abs((statistics?.mean ?? 0) - mean) < 1e-12
            if !isEqual { Issue.record("seed \(seed), step \(step)") }
        }
        #expect(samples.count > 1_000)
    }

    @Test func theLongRingKeepsTwelveHundred() throws {
        var ring = SpreadRing()
        #expect(ring.statistics == nil)
        ring.add(0.5, count: 1_000)
        ring.add(0.25, count: 700)
        let statistics = try #require(ring.statistics)
        #expect(statistics.samples == 1_200)
        let mean: Double = (500 * 0.5 + 700 * 0.25) / 1_200
        #expect(abs(statistics.mean - mean) < 1e-12)
        var writer = StateWriter()
        ring.save(to: &writer)
        var reader = StateReader(writer.finish())
        #expect(try SpreadRing(restoring: &reader).statistics == statistics)
    }
}
