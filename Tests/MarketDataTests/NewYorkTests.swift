import Foundation
import MarketData
import Primitives
import Testing

@Suite struct NewYorkTests {
    @Test func offsetsEqualFoundations() throws {
        let zone = try #require(TimeZone(identifier: "America/New_York"))
        let first = CivilDate(20_070_101).daysSinceEpoch
        let last = CivilDate(20_351_231).daysSinceEpoch
        for day in first...last {
            // Every hour of the months in which the clock is changed, else twice a day.
            let month = CivilDate(daysSinceEpoch: day).components.month
            let step: Int64 = month == 3 || month == 11 ? 3_600 : 43_200
            for second in stride(from: Int64(0), to: 86_400, by: Int64.Stride(step)) {
                // On the hour, and one second before it: both sides of every edge.
                for shift in [Int64(0), -1] {
                    let seconds = Int64(day) * 86_400 + second + shift
                    let found = NewYork.offsetSeconds(at: Instant(nanos: seconds * 1_000_000_000))
                    let wanted = zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds)))
                    if found != Int64(wanted) { Issue.record("at \(seconds): \(found), wanted \(wanted)") }
                }
            }
        }
    }

    @Test func datesRunBothWays() {
        var previous = CivilDate(19_710_101)
        for _ in 0..<80_000 {
            let next = previous.adding(days: 1)
            #expect(CivilDate(next.yyyymmdd) == next)
            #expect(next.yyyymmdd > previous.yyyymmdd)
            #expect(next.weekday == (previous.weekday + 1) % 7)
            previous = next
        }
        #expect(CivilDate(19_700_101).daysSinceEpoch == 0)
        #expect(CivilDate(20_240_229).adding(days: 1).yyyymmdd == 20_240_301)
        #expect(CivilDate(20_261_121).weekday == 6)
    }

    @Test func wallClockRunsBothWays() {
        for date: Int32 in [20_131_007, 20_250_309, 20_250_310, 20_251_102, 20_251_103, 20_260_101] {
            for minute in stride(from: 180, to: 1_440, by: 7) {
                let instant = NewYork.instant(CivilDate(date), hour: minute / 60, minute: minute % 60)
                #expect(NewYork.minutesSinceMidnight(instant) == minute)
                #expect(NewYork.local(instant).date.yyyymmdd == date)
            }
        }
        // The first instant of the SPY tape of 2013-10-07.
        #expect(NewYork.instant(CivilDate(20_131_007), hour: 4, minute: 0).nanos == 1_381_132_800_000_000_000)
    }

    @Test(
        arguments: [
            ("09:45", 585), ("00:00", 0), ("23:59", 1_439), ("24:00", nil), ("9:45", nil), ("09-45", nil),
            ("09:60", nil),
            ("+9:45", nil), ("", nil),
        ] as [(String, Int?)]
    )
    func readsMinutes(text: String, minutes: Int?) {
        #expect(NewYork.minutes(text) == minutes)
    }

    @Test func wildTimesDontTrap() {
        for nanos in [Int64.min, .max, 0, -1, 1] {
            let window = SessionCalendar().window(at: Instant(nanos: nanos))
            #expect(window.day.date > 19_700_000)
            #expect(NewYork.local(Instant(nanos: nanos)).nanos >= 0)
        }
    }
}
