import MarketData
import Primitives
import Testing

@Suite struct SessionClockTests {
    @Test func saysWhatTheCalendarSays() {
        let calendar = SessionCalendar()
        var clock = SessionClock(calendar)
        var random = SeededGenerator(seed: 5)
        var time = NewYork.instant(CivilDate(20_251_120), hour: 0, minute: 0).nanos
        for _ in 0..<20_000 {
            time += Int64.random(in: -60_000_000_000...600_000_000_000, using: &random)
            let instant = Instant(nanos: time)
            #expect(clock.window(at: instant) == calendar.window(at: instant))
            #expect(clock.session(at: instant) == calendar.session(at: instant))
        }
    }
}
