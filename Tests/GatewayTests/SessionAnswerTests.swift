import Gateway
import MarketData
import Primitives
import Testing
import Wire

/// The session's answer over a day, an early close, a weekend and a holiday.
@Suite struct SessionAnswerTests {
    private func answer(_ date: Int32, _ hour: Int, _ minute: Int) throws -> JSONValue {
        let now = NewYork.instant(CivilDate(date), hour: hour, minute: minute)
        return try JSONParser.parse(SessionAnswer.json(at: now, SessionCalendar()))
    }

    @Test func aFullDay() throws {
        let found = try answer(20_251_124, 10, 0)
        #expect(found["session"]?.string == "rth" && found["next"]?["session"]?.string == "post")
        #expect(found["next"]?["t"]?.integer == found["day"]?["close"]?.integer)
        #expect(found["since"]?.integer == found["day"]?["open"]?.integer)
        #expect(found["day"]?["kind"]?.string == "full" && found["day"]?["date"]?.string == "2025-11-24")
    }

    @Test func anEarlyCloseAndAHoliday() throws {
        let early = try answer(20_251_128, 12, 59)
        #expect(early["day"]?["kind"]?.string == "early" && early["next"]?["session"]?.string == "post")
        let close = NewYork.instant(CivilDate(20_251_128), hour: 13, minute: 0)
        #expect(early["next"]?["t"]?.integer == close.nanos)
        let holiday = try answer(20_251_127, 12, 0)
        #expect(holiday["day"]?["kind"]?.string == "closed" && holiday["session"]?.string == "closed")
        #expect(holiday["day"]?["tradingDate"]?.string == "2025-11-28")
    }

    @Test func aWeekendIsOneStretch() throws {
        let saturday = try answer(20_251_122, 12, 0)
        #expect(saturday["session"]?.string == "closed")
        #expect(saturday["next"]?["session"]?.string != "closed")
        #expect(saturday["day"]?["tradingDate"]?.string == "2025-11-24")
        let next = try #require(saturday["next"]?["t"]?.integer)
        #expect(next > NewYork.instant(CivilDate(20_251_123), hour: 0, minute: 0).nanos)
    }
}
