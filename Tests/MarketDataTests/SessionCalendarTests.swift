import MarketData
import Primitives
import Testing

@Suite struct SessionCalendarTests {
    let calendar = SessionCalendar()

    private func days(_ year: Int32) -> [CivilDate] {
        let first = CivilDate(year: year, month: 1, day: 1)
        let next = CivilDate(year: year + 1, month: 1, day: 1)
        return (first.daysSinceEpoch..<next.daysSinceEpoch).map { CivilDate(daysSinceEpoch: $0) }
    }

    private func at(_ date: Int32, _ hour: Int, _ minute: Int) -> Instant {
        NewYork.instant(CivilDate(date), hour: hour, minute: minute)
    }

    @Test(arguments: [(2024, 252), (2025, 250), (2026, 251), (2027, 251)])
    func sessionsPerYear(year: Int32, count: Int) {
        #expect(days(year).count { calendar.kind(of: $0) != .closed } == count)
    }

    /// Sessions a year as the exchange's own statistics count them.
    @Test(arguments: [
        (2008, 253), (2012, 250), (2013, 252), (2014, 252), (2015, 252), (2016, 252), (2017, 251), (2018, 251),
        (2019, 252), (2020, 253), (2021, 252), (2022, 251), (2023, 250),
    ])
    func sessionsPerRuleYear(year: Int32, count: Int) {
        #expect(days(year).count { calendar.kind(of: $0) != .closed } == count)
    }

    @Test func rulesGiveTheTableButForADayOfMourning() {
        for year in SessionCalendar.tableYears {
            for date in days(year) where date.yyyymmdd != 20_250_109 {
                #expect(calendar.kind(of: date) == SessionCalendar.ruleKind(of: date), "\(date.yyyymmdd)")
            }
        }
        #expect(calendar.kind(of: CivilDate(20_250_109)) == .closed)
    }

    @Test(
        arguments: [
            20_151_224, 20_131_129, 20_131_224, 20_130_703, 20_140_703, 20_141_224, 20_180_703, 20_181_123, 20_181_224,
            20_211_126, 20_250_703, 20_261_127, 20_121_123, 20_281_124,
        ] as [Int32]
    )
    func closesEarly(date: Int32) {
        #expect(calendar.kind(of: CivilDate(date)) == .early)
    }

    @Test(
        arguments: [
            20_131_225, 20_180_101, 20_181_205, 20_210_101, 20_211_224, 20_150_703, 20_121_029, 20_121_030, 20_220_620,
            20_230_619, 20_160_325, 20_190_419, 20_200_410, 20_180_330, 20_170_102, 20_260_703, 20_280_117,
        ] as [Int32]
    )
    func isClosed(date: Int32) {
        #expect(calendar.kind(of: CivilDate(date)) == .closed)
    }

    @Test(
        arguments: [
            20_131_007, 20_131_008, 20_180_102, 20_140_605, 20_210_104, 20_210_618, 20_211_231, 20_271_231, 20_150_702,
            20_110_103, 20_260_702, 20_270_702, 20_101_231,
        ] as [Int32]
    )
    func isFull(date: Int32) {
        #expect(calendar.kind(of: CivilDate(date)) == .full)
    }

    @Test func overridesWin() {
        let date = CivilDate(20_260_202)
        #expect(SessionCalendar(overrides: CalendarOverrides(closed: [20_260_202])).kind(of: date) == .closed)
        let early = SessionCalendar(overrides: CalendarOverrides(earlyCloses: [20_260_202]))
        #expect(early.tradingDay(on: date)?.close == at(20_260_202, 13, 0))
        let open = SessionCalendar(overrides: CalendarOverrides(fullDays: [20_261_225]))
        #expect(open.kind(of: CivilDate(20_261_225)) == .full)
        let monday = SessionCalendar(overrides: CalendarOverrides(closed: [20_260_202])).nextClose(
            after: at(20_260_130, 16, 0)
        )
        #expect(monday == at(20_260_203, 16, 0))
    }

    /// Each edge: the session before it, and the one from it on.
    @Test(
        arguments: [
            (20_260_202, 4, 0, SessionKind.overnight, SessionKind.pre), (20_260_202, 9, 30, .pre, .rth),
            (20_260_202, 16, 0, .rth, .post), (20_260_202, 20, 0, .post, .overnight),
            (20_251_128, 13, 0, .rth, .post), (20_251_128, 17, 0, .post, .closed),
            (20_251_128, 20, 0, .closed, .closed),
            (20_260_206, 20, 0, .post, .closed), (20_260_208, 20, 0, .closed, .overnight),
            (20_251_224, 20, 0, .closed, .closed), (20_251_225, 20, 0, .closed, .overnight),
            (20_250_310, 9, 30, .pre, .rth), (20_251_103, 16, 0, .rth, .post),
        ] as [(Int32, Int, Int, SessionKind, SessionKind)]
    )
    func edges(date: Int32, hour: Int, minute: Int, before: SessionKind, after: SessionKind) {
        let edge = at(date, hour, minute)
        #expect(calendar.session(at: edge) == after)
        #expect(calendar.session(at: edge.advanced(byNanos: -1)) == before)
    }

    @Test func eachInstantLiesInItsWindow() {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<50_000 {
            let seconds = Int64.random(in: 1_167_700_000...2_080_000_000, using: &random)
            let instant = Instant(nanos: seconds * 1_000_000_000 + Int64.random(in: 0..<1_000_000_000, using: &random))
            let window = calendar.window(at: instant)
            #expect(window.contains(instant), "\(seconds)")
            #expect(calendar.window(at: window.start).kind == window.kind)
            if window.kind == .rth { #expect(window.day.isRegular(instant)) }
            if window.kind != .closed {
                let local = NewYork.local(instant)
                let evening = local.nanos >= 72_000_000_000_000
                #expect(window.day.date == local.date.adding(days: evening ? 1 : 0).yyyymmdd)
            }
            let close = calendar.nextClose(after: instant)
            #expect(close > instant)
            #expect(calendar.session(at: close.advanced(byNanos: -1)) == .rth)
            #expect(calendar.nextClose(after: close.advanced(byNanos: -1)) == close)
        }
    }

    @Test func nextCloseSkipsClosedDays() {
        #expect(calendar.nextClose(after: at(20_151_224, 12, 59)) == at(20_151_224, 13, 0))
        #expect(calendar.nextClose(after: at(20_151_224, 13, 0)) == at(20_151_228, 16, 0))
        #expect(calendar.tradingDay(at: at(20_151_225, 12, 0)).date == 20_151_228)
        #expect(calendar.tradingDay(at: at(20_151_223, 20, 0)).date == 20_151_224)
        #expect(calendar.tradingDay(at: at(20_151_224, 18, 0)).date == 20_151_224)
    }

    @Test func setsHoldSessions() {
        let plan: SessionSet = [.pre, .rth]
        #expect(plan.contains(SessionKind.pre) && plan.contains(SessionKind.rth))
        #expect(!plan.contains(SessionKind.post) && !plan.contains(SessionKind.closed))
    }
}
