import MarketData
import Testing

@Suite struct TradeRulesTests {
    let rules = TradeRules()

    private func classify(
        _ ids: [Int64],
        _ kind: InstrumentKind = .equity,
        _ session: SessionKind = .rth
    ) -> TradeClass {
        var conditions = Conditions()
        for id in ids { #expect(conditions.insert(id) == true) }
        return rules.classify(conditions, kind, in: session)
    }

    /// Every row of the equity table (feeds.md 1.6): high-low, open-close, volume.
    ///
    /// 38 is as analytics.md 3 has it: not
    /// counted, therefore not eligible either.
    @Test(
        arguments: [
            (0, "YYY"), (1, "YYY"), (2, "NNY"), (3, "YYY"), (4, "YYY"), (5, "YNY"), (6, "YYY"), (7, "NNY"), (8, "YYY"),
            (9, "YYY"), (10, "YNY"), (11, "YYY"), (12, "NNY"), (13, "NNY"), (14, "YYY"), (15, "NNN"), (16, "NNN"),
            (17, "YYY"), (18, "YYY"), (19, "YYY"), (20, "NNY"), (21, "NNY"), (22, "YNY"), (25, "YYY"), (27, "YYY"),
            (28, "YYY"), (29, "NNY"), (30, "YYY"), (31, "YYY"), (32, "YNY"), (33, "YNY"), (34, "YYY"), (35, "YYY"),
            (36, "YYY"), (37, "NNY"), (38, "NNN"), (41, "YYY"), (52, "NNY"), (53, "NNY"), (55, "YYY"), (57, "YYY"),
            (58, "YYY"), (59, "YYY"), (60, "YYY"), (62, "YYY"), (71, "YYY"), (99, "YYY"), (254, "YYY"), (604, "YYY"),
            (-3, "YYY"),
        ] as [(Int64, String)]
    )
    func equityTable(id: Int64, row: String) {
        let cells = Array(row)
        var wanted: TradeClass = []
        if cells[0] == "Y" { wanted.insert(.eligible) }
        if cells[1] == "Y" { wanted.insert(.last) }
        if cells[2] == "Y" { wanted.insert(.counted) }
        #expect(classify([id]) == wanted)
        // Outside RTH only 12 differs.
        for session in [SessionKind.pre, .post, .overnight, .closed] {
            #expect(classify([id], .equity, session) == (id == 12 ? .all : wanted))
        }
    }

    /// Every row of the option table (feeds.md 1.6b) with analytics.md 5: last is all but 201–207 and 246–248.
    @Test(arguments: Array(Int64(200)...250))
    func optionTable(id: Int64) {
        let wanted: TradeClass =
            switch id {
            case 201, 203, 205, 207: .cancel
            case 202, 204, 206, 246, 247, 248: .counted
            default: .all
            }
        #expect(classify([id], .option) == wanted)
        #expect(classify([id], .option, .post) == wanted)
        #expect(classify([id], .index) == .all)
    }

    @Test func allConditionsMustAllow() {
        #expect(classify([14, 41]) == .all)
        #expect(classify([12, 37]) == .counted)
        #expect(classify([12, 37], .equity, .pre) == .counted)
        #expect(classify([12, 14, 41], .equity, .post) == .all)
        #expect(classify([10, 2]) == .counted)
        #expect(classify([37, 41, 16]) == [])
        #expect(classify([5, 14]) == [.counted, .eligible])
        #expect(classify([209, 201], .option) == .cancel)
        #expect(classify([]) == .all)
    }

    @Test func anyTwoCombineByIntersection() {
        for first in Int64(0)...60 {
            for second in Int64(0)...60 {
                #expect(classify([first, second]) == classify([first]).intersection(classify([second])))
            }
        }
    }

    @Test func fetchedRulesReplace() {
        var rules = TradeRules()
        var odd = Conditions()
        #expect(odd.insert(37) == true)
        rules.set(.equity, 37, blocks: .last)
        #expect(rules.classify(odd, .equity, in: .rth) == [.counted, .eligible])
        rules.set(.index, 37, blocks: .all)
        #expect(rules.classify(odd, .index, in: .rth) == .all)
        rules.set(.option, 37, blocks: .cancel)
        #expect(rules.classify(odd, .option, in: .rth).contains(.cancel))
    }
}
