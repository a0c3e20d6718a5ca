import Testing

@testable import Application

@Suite struct CorporateActionsTests {
    @Test func readsSplitsDividendsAndReviews() {
        let text = #"""
            [{"symbol":"SPY","exDate":"2026-12-01","ratio":[1,2]},{"symbol":"BRK.B","exDate":"2026-02-28"},
             {"symbol":"SPY","exDate":"2026-12-18","ratio":[9950,10000]}]
            """#
        let actions = CorporateActions(Array(text.utf8))
        #expect(actions.problems == [])
        #expect(actions.entries.map(\.exDate) == [20_261_201, 20_260_228, 20_261_218])
        #expect(actions.entries[1].ratio == nil)
        #expect(
            String(decoding: actions.entries[0].body, as: UTF8.self)
                == #"{"symbol":"SPY","exDate":20261201,"ratio":[1,2]}"#
        )
    }

    @Test func aBadEntryIsNamedAndTheRestGoesOn() {
        let text = #"""
            [{"symbol":"S P","exDate":"2026-12-01"},{"symbol":"SPY","exDate":"2026-02-30"},
             {"symbol":"SPY","exDate":"2026-12-01","ratio":[0,2]},{"symbol":"QQQ","exDate":"2026-12-01","ratio":[1,3]}]
            """#
        let actions = CorporateActions(Array(text.utf8))
        #expect(actions.entries.map(\.symbol) == ["QQQ"])
        #expect(
            actions.problems == [
                "entry 1: symbol: expected a symbol such as SPY", "entry 2: exDate: expected a day such as 2026-12-01",
                "entry 3: ratio: expected [numerator, denominator], whole numbers of at least 1",
            ]
        )
        #expect(CorporateActions(Array("{}".utf8)).problems == ["expected a JSON array of corporate actions"])
    }
}
