import Primitives
import Testing
import Wire

@Suite struct DerivedFieldsTests {
    private static let center: Int64 = 145_100_000

    /// A plan around 145.10 with stop 0.30 away and targets 0.30, 0.60, 1.10 away; `hits` as JSON.
    private func plan(
        _ side: String,
        state: String = "armed",
        trigger: String = "last",
        hits: String = "[]",
        stop: String? = nil
    ) throws -> PlanView {
        let sign: Int64 = side == "long" ? 1 : -1
        func level(_ cents: Int64) -> String {
            var out: [UInt8] = []
            DecimalText.append(micros: Self.center + sign * cents * 10_000, to: &out)
            return String(decoding: out, as: UTF8.self)
        }
        let text = """
            {"id":"p_1","version":1,"owner":"local","symbol":"SPY","contract":null,"triggerOn":"underlying",\
            "side":"\(side)","trigger":"\(trigger)","entry":{"type":"touch","price":145.10},\
            "stop":{"price":\(level(-30))},"targets":[{"price":\(level(30)),"fraction":0.5},\
            {"price":\(level(60)),"fraction":0.3},{"price":\(level(110)),"fraction":0.2}]}
            """
        let fields = ["plan": text, "state": "\"\(state)\"", "stop": stop ?? level(-30), "hits": hits]
        return try #require(PlanView(fields: fields.mapValues { Array($0.utf8) }))
    }

    private func values(_ micros: Int64) -> SymbolValues {
        var values = SymbolValues()
        values.last = Price(micros: micros)
        values.bid = Price(micros: micros - 10_000)
        values.ask = Price(micros: micros + 10_000)
        values.mid = Price(micros: micros)
        return values
    }

    @Test func distancesOfAnArmedLong() throws {
        let fields = DerivedFields(try plan("long"), values(145_000_000))
        #expect(fields.price == Price(micros: 145_000_000))
        #expect(fields.plR == nil)
        #expect(fields.entryR == 0.333 && fields.stopR == -0.667)
        #expect(fields.targetsR == [1.333, 2.333, 4])
        #expect(fields.progress == -0.091)
        #expect(fields.ageMillis == nil && fields.nearestBand == nil)
    }

    @Test func resultCountsWhatIsRealisedAndWhatRests() throws {
        let hits = """
            [{"version":1,"i":1,"kind":"entry","k":null,"price":145.10},{"version":1,"i":2,"kind":"target","k":1,"price":145.40}]
            """
        let fields = DerivedFields(try plan("long", state: "entered", hits: hits), values(145_250_000))
        // Half made 1 R, the other half stands at 0.5 R.
        #expect(fields.plR == 0.75)
        let closed = hits.dropLast() + #",{"version":1,"i":3,"kind":"breakeven","k":null,"price":145.10}]"#
        let after = DerivedFields(try plan("long", state: "closed", hits: String(closed)), values(150_000_000))
        #expect(after.plR == 0.5)
    }

    @Test func slippageIsPartOfTheResultButNotOfR() throws {
        let hits = #"[{"version":1,"i":1,"kind":"entry","k":null,"price":145.16}]"#
        #expect(DerivedFields(try plan("long", state: "entered", hits: hits), values(145_100_000)).plR == -0.2)
    }

    @Test func hitsOfAnEarlierVersionDoNotCount() throws {
        let hits = #"[{"version":0,"i":1,"kind":"entry","k":null,"price":145.10}]"#
        #expect(DerivedFields(try plan("long", hits: hits), values(145_100_000)).plR == nil)
    }

    @Test func aHitWithoutPriceMakesTheResultUnknown() throws {
        let hits = """
            [{"version":1,"kind":"entry","k":null,"price":145.10},{"version":1,"kind":"expired","k":null,"price":null}]
            """
        #expect(DerivedFields(try plan("long", state: "expired", hits: hits), values(145_100_000)).plR == nil)
    }

    @Test func aShortIsTheMirrorImageOfALong() throws {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<500 {
            let offset = Int64.random(in: -2_000_000...2_000_000, using: &generator)
            let entry = Int64.random(in: -50_000...50_000, using: &generator)
            func hits(_ sign: Int64) -> String {
                var out = Array(#"[{"version":1,"kind":"entry","k":null,"price":"#.utf8)
                DecimalText.append(micros: Self.center + sign * entry, to: &out)
                return String(decoding: out, as: UTF8.self) + "}]"
            }
            let long = DerivedFields(try plan("long", state: "entered", hits: hits(1)), values(Self.center + offset))
            let short = DerivedFields(try plan("short", state: "entered", hits: hits(-1)), values(Self.center - offset))
            let place = Comment(rawValue: "seed 7, offset \(offset), entry \(entry)")
            #expect(long.plR == short.plR && long.entryR == short.entryR && long.stopR == short.stopR, place)
            #expect(long.targetsR == short.targetsR && long.progress == short.progress, place)
        }
    }

    @Test(arguments: [
        ("long", "armed", 145_110_000), ("long", "entered", 145_090_000), ("short", "armed", 145_090_000),
        ("short", "entered", 145_110_000),
    ])
    func quoteTriggersUseTheSideThatTheyWouldTradeOn(_ side: String, _ state: String, _ price: Int64) throws {
        for trigger in ["bidask", "doublebidask"] {
            let fields = DerivedFields(try plan(side, state: state, trigger: trigger), values(145_100_000))
            #expect(fields.price == Price(micros: price))
        }
    }

    @Test func theNearestBandAndZ() throws {
        var values = values(145_310_000)
        let bands = ["vwap": "145.1", "sigma": "0.1", "up1": "145.2", "dn1": "145", "up2": "145.3", "up3": "null"]
        values.take(bands: { bands[$0].map { Array($0.utf8) } })
        let fields = DerivedFields(try plan("long"), values)
        #expect(fields.nearestBand == "up2" && fields.zScore == 2.1)
    }

    @Test func unknownIsNullAndTheOrderIsFixed() throws {
        let fields = DerivedFields(try plan("long"), SymbolValues()).encoded()
        #expect(fields.map(\.name) == ["price", "plR", "distanceR", "progress", "touch", "flow", "band", "ageMs"])
        let texts = fields.map { String(decoding: $0.value, as: UTF8.self) }
        #expect(texts[2] == #"{"entry":null,"stop":null,"targets":[null,null,null]}"#)
        #expect(texts.enumerated().allSatisfy { $0.offset == 2 || $0.element == "null" })
    }

    @Test func readsPricesOfATick() {
        let tick = ["last": "145.1", "bid": "145.09", "ask": "145.12", "mid": "null"]
        var values = SymbolValues()
        values.take(prices: { tick[$0].map { Array($0.utf8) } })
        #expect(values.last == Price(micros: 145_100_000))
        #expect(values.mid == Price(micros: 145_105_000))
    }

    @Test func whatIsNoPlanIsRefused() {
        for text in ["{}", "7", #"{"id":"p"}"#, ""] {
            #expect(PlanView(fields: ["plan": Array(text.utf8)]) == nil)
        }
    }
}
