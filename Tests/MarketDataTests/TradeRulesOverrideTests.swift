import MarketData
import Testing

@Suite struct TradeRulesOverrideTests {
    typealias Entry = TradeRulesOverride.Entry

    private func conditions(_ ids: Int64...) -> Conditions {
        var conditions = Conditions()
        for id in ids { _ = conditions.insert(id) }
        return conditions
    }

    private func entry(_ id: UInt8, _ highLow: Bool, _ last: Bool, _ volume: Bool) -> Entry {
        Entry(id: id, name: "c\(id)", updatesHighLow: highLow, updatesLast: last, updatesVolume: volume)
    }

    @Test func fetchedRulesWinAndAllConditionsMustAllow() {
        let fetched = TradeRulesOverride(
            .equity,
            [
                entry(37, true, true, true), entry(14, true, false, true), entry(41, false, true, true),
                entry(9, true, true, false),
            ]
        )
        let rules = fetched.applied(to: TradeRules())
        #expect(rules.classify(conditions(37), .equity, in: .rth) == .all)
        #expect(rules.classify(conditions(14), .equity, in: .rth) == [.counted, .eligible])
        // No high and low means no last, and no volume means nothing.
        #expect(rules.classify(conditions(41), .equity, in: .rth) == .counted)
        #expect(rules.classify(conditions(9), .equity, in: .rth) == .none)
        #expect(rules.classify(conditions(14, 37), .equity, in: .rth) == [.counted, .eligible])
        #expect(rules.classify(conditions(14, 41), .equity, in: .rth) == .counted)
        // What they don't name keeps the fallback, for the other kind too.
        #expect(rules.classify(conditions(15), .equity, in: .rth) == .none)
        #expect(rules.classify(conditions(10), .equity, in: .rth) == [.counted, .eligible])
        #expect(rules.classify(conditions(209), .option, in: .rth) == .all)
        #expect(rules.classify(conditions(202), .option, in: .rth) == .counted)
    }

    @Test func extendedHoursAndCancelsStay() {
        let stocks = TradeRulesOverride(.equity, [entry(12, false, false, true)])
        let options = TradeRulesOverride(.option, [entry(201, true, true, true), entry(202, true, true, true)])
        let rules = options.applied(to: stocks.applied(to: TradeRules()))
        #expect(rules.classify(conditions(12), .equity, in: .rth) == .counted)
        #expect(rules.classify(conditions(12), .equity, in: .pre) == .all)
        #expect(rules.classify(conditions(201), .option, in: .rth).contains(.cancel))
        #expect(rules.classify(conditions(202), .option, in: .rth) == .all)
    }

    @Test func tellsWhatChanges() {
        let fetched = TradeRulesOverride(
            .equity,
            [
                entry(2, false, false, true), entry(37, true, false, true), entry(0, false, false, false),
                entry(255, false, false, false),
            ]
        )
        #expect(fetched.entries.map(\.id) == [2, 37])
        let differences = fetched.differences(from: TradeRules())
        #expect(differences.map(\.id) == [37])
        #expect("\(differences[0])" == "equity condition 37 (c37): volume before, volume, high-low as fetched")
        #expect(TradeRulesOverride(.index, [entry(2, false, false, false)]).applied(to: TradeRules()) == TradeRules())
    }
}
