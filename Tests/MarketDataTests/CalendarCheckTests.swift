import MarketData
import Primitives
import Testing

@Suite struct CalendarCheckTests {
    private func holiday(
        _ date: Int32,
        _ status: Holiday.Status,
        _ exchange: String = "NYSE",
        close: Int64? = nil
    ) -> Holiday {
        Holiday(
            date: date,
            exchange: exchange,
            name: "Day",
            status: status,
            close: close.map { Instant(millis: $0) }
        )
    }

    /// 2025-11-28 18:00 UTC, which is 13:00 in New York.
    private let usual: Int64 = 1_764_352_800_000

    private func kinds(_ check: CalendarCheck) -> [Int32: [CalendarCheck.Difference.Kind]] {
        Dictionary(grouping: check.differences, by: \.date).mapValues { $0.map(\.kind) }
    }

    @Test func agreementSaysNothing() {
        let announced = [
            holiday(20_251_127, .closed), holiday(20_251_127, .closed, "NASDAQ"), holiday(20_251_127, .closed, "OTC"),
            holiday(20_251_128, .earlyClose, close: usual), holiday(20_251_224, .earlyClose),
            holiday(20_251_225, .closed),
        ]
        let check = CalendarCheck(announced, calendar: SessionCalendar())
        #expect(check.differences.isEmpty)
        #expect(check.overrides == .none)
        #expect(CalendarCheck([], calendar: SessionCalendar()).differences.isEmpty)
    }

    @Test func anUnforeseenClosureIsToldAndOffered() {
        let check = CalendarCheck([holiday(20_251_203, .closed)], calendar: SessionCalendar())
        #expect(kinds(check) == [20_251_203: [.closedThere]])
        #expect(check.overrides == CalendarOverrides(closed: [20_251_203]))
        let changed = SessionCalendar(overrides: check.overrides)
        #expect(changed.tradingDay(on: CivilDate(20_251_203)) == nil)
        #expect(CalendarCheck([holiday(20_251_203, .closed)], calendar: changed).differences.isEmpty)
    }

    @Test func anUnforeseenEarlyCloseIsToldAndOffered() {
        let close = usual + 86_400_000 * 5
        let check = CalendarCheck([holiday(20_251_203, .earlyClose, close: close)], calendar: SessionCalendar())
        #expect(kinds(check) == [20_251_203: [.earlyThere]])
        let day = SessionCalendar(overrides: check.overrides).tradingDay(on: CivilDate(20_251_203))
        #expect(day?.close == Instant(millis: close))
    }

    @Test func anotherCloseThanOneIsToldOnly() {
        let close = usual + 3_600_000
        let check = CalendarCheck([holiday(20_251_128, .earlyClose, close: close)], calendar: SessionCalendar())
        #expect(kinds(check) == [20_251_128: [.otherClose(Instant(millis: close))]])
        #expect(check.overrides == .none)
        #expect("\(check.differences[0])".contains("840 minutes"))
    }

    @Test func whatOnlyWeKnowIsTold() {
        let announced = [holiday(20_251_127, .closed), holiday(20_260_101, .closed)]
        let check = CalendarCheck(announced, calendar: SessionCalendar())
        #expect(
            kinds(check) == [
                20_251_128: [.earlyHereOnly], 20_251_224: [.earlyHereOnly], 20_251_225: [.closedHereOnly],
            ]
        )
        #expect(check.overrides == .none)
    }

    @Test func exchangesMayDisagreeAndTheFirstCounts() {
        let announced = [holiday(20_251_128, .closed, "NASDAQ"), holiday(20_251_128, .earlyClose, close: usual)]
        let check = CalendarCheck(announced, calendar: SessionCalendar())
        #expect(kinds(check) == [20_251_128: [.exchangesDisagree]])
        let other = CalendarCheck([holiday(20_251_203, .closed, "OTC")], calendar: SessionCalendar())
        #expect(other.differences.isEmpty)
    }

    @Test func openAgainstOurHolidayMovesTheDate() {
        let known = SessionCalendar(overrides: CalendarOverrides(closed: [20_251_203]))
        let check = CalendarCheck([holiday(20_251_203, .earlyClose)], calendar: known)
        #expect(kinds(check) == [20_251_203: [.openThere]])
        #expect(check.overrides == CalendarOverrides(earlyCloses: [20_251_203]))
    }
}
