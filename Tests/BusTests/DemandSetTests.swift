import Testing
import Wire

@testable import Bus

@Suite struct DemandSetTests {
    private let spy = Channel(.symbol, "SPY")
    private let qqq = Channel(.symbol, "QQQ")

    @Test func countsUntilItsMoment() {
        var demand = DemandSet(limit: 10)
        expect(demand.want(spy, untilMillis: 100), true)
        expect(demand.want(spy, untilMillis: 300), false)
        expect(demand.want(spy, untilMillis: 200), false)
        expect(demand.want(qqq, untilMillis: 200), true)
        expect(demand.expire(nowMillis: 199), false)
        #expect(demand.channels == [spy, qqq])
        expect(demand.expire(nowMillis: 200), true)
        #expect(demand.channels == [spy])
        expect(demand.expire(nowMillis: 300), true)
        #expect(demand.channels.isEmpty)
    }

    @Test func hasALimit() {
        var demand = DemandSet(limit: 1)
        expect(demand.want(spy, untilMillis: 1), true)
        expect(demand.want(qqq, untilMillis: 1), nil)
        #expect(demand.all.map(\.channel) == [spy])
    }
}
