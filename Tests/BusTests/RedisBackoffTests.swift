import Testing

@testable import Bus

@Suite struct RedisBackoffTests {
    @Test func doublesToTheCeilingAndBegins() {
        var backoff = RedisBackoff(minMillis: 50, maxMillis: 5_000, seed: 1)
        var full: Int64 = 50
        for _ in 0..<200 {
            let pause = backoff.next()
            #expect(pause >= full / 2 && pause <= full)
            full = min(full * 2, 5_000)
        }
        backoff.reset()
        #expect((25...50).contains(backoff.next()))
    }
}
