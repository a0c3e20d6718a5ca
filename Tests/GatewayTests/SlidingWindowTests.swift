import Gateway
import Testing

@Suite struct SlidingWindowTests {
    @Test func aBurstAcrossTheBoundaryIsOneBurst() {
        var window = SlidingWindow(limit: 10, nanos: 1_000)
        let burst = (0..<10).count { _ in window.allows("a", now: 990) }
        let later = [999, 1_000, 1_500].map { window.allows("a", now: $0) }
        let other = window.allows("b", now: 1_500)
        #expect(burst == 10 && later == [false, false, true] && other)
    }

    @Test func aSteadyRateBelowTheLimitPasses() {
        var window = SlidingWindow(limit: 10, nanos: 1_000)
        let passed = (0..<1_000).count { window.allows("a", now: Int64($0) * 112) }
        #expect(passed == 1_000)
    }

    @Test func aSteadyRateAboveTheLimitIsCutToIt() {
        var window = SlidingWindow(limit: 10, nanos: 1_000)
        let passed = (0..<10_000).count { window.allows("a", now: Int64($0) * 20) }
        #expect((1_600...2_010).contains(passed))
    }

    @Test func callersAreLimitedAndForgotten() {
        var window = SlidingWindow(limit: 10, nanos: 1_000, callersMax: 2)
        let first = ["a", "b", "c"].map { window.allows($0, now: 0) }
        #expect(first == [true, true, false])
        let later = window.allows("c", now: 5_000)
        #expect(later)
    }
}
