import FeedProtocols
import Primitives
import Testing

@Suite struct RateWindowTests {
    private let second: Int64 = 1_000_000_000

    private func at(_ seconds: Double) -> Instant { Instant(nanos: Int64(seconds * 1e9)) }

    private func taken(_ rate: inout RateWindow, _ now: Instant) -> Bool { rate.take(now: now) }

    @Test func letsSoManyThroughAtOnceAndThenOneForEachThatLeaves() {
        var rate = RateWindow.perMinute(5)
        for index in 0..<5 { #expect(taken(&rate, at(Double(index)))) }
        #expect(!taken(&rate, at(5)))
        #expect(rate.next(after: at(5)) == at(60.6))
        #expect(!taken(&rate, at(60.5)))
        #expect(taken(&rate, at(60.6)))
        #expect(rate.next(after: at(60.6)) == at(61.6))
    }

    @Test func noMinuteHoldsMoreThanItMay() {
        var generator = SeededGenerator(seed: 7)
        for count in [1, 5, 120] {
            var rate = RateWindow.perMinute(count)
            var taken: [Int64] = []
            var now: Int64 = 0
            for _ in 0..<5_000 {
                now += Int64.random(in: 0..<(second), using: &generator)
                if rate.take(now: Instant(nanos: now)) { taken.append(now) }
            }
            #expect(taken.count > count * 30)
            for index in taken.indices.dropFirst(count) {
                #expect(taken[index] - taken[index - count] >= 60 * second)
            }
        }
    }

    @Test func headersLeaveLess() {
        var rate = RateWindow.perMinute(120)
        #expect(taken(&rate, at(0)))
        rate.heard(RateHint(remaining: 3, resetNanos: 10 * second), inFlight: 1, now: at(0))
        #expect(taken(&rate, at(1)))
        #expect(taken(&rate, at(1)))
        #expect(!taken(&rate, at(1)))
        #expect(rate.next(after: at(1)) == at(10))
        // A word that was overtaken doesn't give back what was taken.
        rate.heard(RateHint(remaining: 90, resetNanos: 30 * second), inFlight: 0, now: at(2))
        #expect(rate.next(after: at(2)) == at(10))
        #expect(taken(&rate, at(10)))
        rate.heard(RateHint(remaining: 0), inFlight: 0, now: at(11))
        #expect(rate.next(after: at(11)) == at(11 + 60.6))
    }

    @Test func readsHeaders() {
        let now = Instant(millis: 1_764_086_400_000)
        let hint = RateHint(
            headers: [
                "x-uw-req-per-minute-remaining": "17", "x-uw-req-per-minute-reset": "4500", "retry-after": "2",
            ],
            now: now
        )
        #expect(hint == RateHint(remaining: 17, resetNanos: 4_500_000_000, retryAfterNanos: 2 * second))
        let strange = RateHint(
            headers: ["x-uw-req-per-minute-remaining": "-4", "x-uw-req-per-minute-reset": "9223372036854775807"],
            now: now
        )
        #expect(strange == RateHint(remaining: 0, resetNanos: 120 * second))
        let sinceEpoch = RateHint(headers: ["x-uw-req-per-minute-reset": "1764086430000"], now: now)
        #expect(sinceEpoch.resetNanos == 30 * second)
        #expect(RateHint(headers: ["retry-after": "soon"], now: now) == RateHint())
    }
}
