import MarketData
import Primitives
import SymbolCore
import Testing
import Wire

/// Which feed a plan looks at before its instrument's first event.
@Suite struct PlanSourceTests {
    /// Whether a plan on SPY is told as blind when it's made, these feeds having been told of.
    private func isBlind(_ told: [(FeedSource, FeedState)]) throws -> Bool {
        var feeds = FeedsState()
        for (source, state) in told { feeds.changed(source, to: state) }
        var core = SymbolCore(symbol: "SPY", number: 0, options: SymbolCoreOptions(), feeds: feeds)
        core.introduce(try #require(Instrument("SPY")), id: SymbolID(index: 0), slot: Slot.equity)
        var out = OutputBatch()
        let body = """
            {"id":"p_1","symbol":"SPY","side":"long","style":"swing","entry":{"type":"touch","price":600},\
            "stop":{"price":590},"targets":[{"price":620,"fraction":1}]}
            """
        let command = Command(operation: .create, id: "c", owner: "local", body: Array(body.utf8))
        let time = NewYork.instant(CivilDate(20_131_008), hour: 10, minute: 0)
        core.ingest(Input(n: 1, received: time, core: 0, slot: 0, body: .command(0)), command: command, into: &out)
        let texts = out.records.map { String(decoding: out.bytes[$0.payload], as: UTF8.self) }
        #expect(texts.contains { $0.contains(#""id":"p_1""#) || $0.contains("armed") })
        return texts.contains { $0.contains(#""blind":true"#) }
    }

    @Test func theMarketsWhereItHasOne() throws {
        #expect(try isBlind([(.stocks, .down), (.bridge, .up)]))
        #expect(try !isBlind([(.stocks, .up), (.bridge, .down)]))
        #expect(try !isBlind([(.options, .down), (.stocks, .up)]))
    }

    @Test func theBridgeWhereTheMarketHasNone() throws {
        #expect(try isBlind([(.bridge, .down)]))
        #expect(try isBlind([(.options, .up), (.bridge, .down)]))
        #expect(try !isBlind([(.bridge, .down), (.bridge, .up)]))
    }

    /// Whose trade is an instrument's first one: the bridge's is early, the market's comes later.
    private func stepsOnTheBridge(_ told: [(FeedSource, FeedState)]) throws -> Bool {
        var feeds = FeedsState()
        for (source, state) in told { feeds.changed(source, to: state) }
        var core = SymbolCore(symbol: "SPY", number: 0, options: SymbolCoreOptions(), feeds: feeds)
        core.introduce(try #require(Instrument("SPY")), id: SymbolID(index: 0), slot: Slot.equity)
        var out = OutputBatch()
        let time = NewYork.instant(CivilDate(20_131_008), hour: 10, minute: 0)
        let trade = Trade(symbol: SymbolID(index: 0), time: time, price: Price(micros: 600_000_000), size: .zero)
        let input = Input(n: 1, received: time, core: 0, slot: 0, body: .market(.trade(trade)), source: .bridge)
        core.ingest(input, into: &out)
        return core.counters.shadowed == 0
    }

    @Test func whoIsFirstDoesNotDecideWhosePricesCount() throws {
        #expect(try !stepsOnTheBridge([(.stocks, .down), (.bridge, .up)]))
        #expect(try !stepsOnTheBridge([(.stocks, .up), (.bridge, .up)]))
        #expect(try stepsOnTheBridge([(.bridge, .up)]))
        #expect(try stepsOnTheBridge([]))
    }
}
