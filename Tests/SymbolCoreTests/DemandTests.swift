import MarketData
import Primitives
import SymbolCore
import Testing
import Wire

/// What is watched before the core knows what it is of.
@Suite struct DemandTests {
    private static let start = NewYork.instant(CivilDate(20_131_008), hour: 10, minute: 0)

    /// The channels that a core of SPX speaks on after one value of the index.
    private func channels(watched: Set<String>, knowsContract: Bool) throws -> Set<String> {
        var core = SymbolCore(symbol: "SPX", number: 0, options: SymbolCoreOptions())
        var out = OutputBatch()
        if knowsContract {
            let contract = try #require(Instrument("O:SPX131019C01650000"))
            core.introduce(contract, id: SymbolID(index: 1), slot: Slot.firstContract)
        }
        core.setDemand(watched)
        core.introduce(try #require(Instrument("I:SPX")), id: SymbolID(index: 0), slot: Slot.index)
        let value = PublishedValue(symbol: SymbolID(index: 0), time: Self.start, value: Price(micros: 1_655_000_000))
        let event = Input(n: 1, received: Self.start, core: 0, slot: Slot.index, body: .market(.indexValue(value)))
        core.ingest(event, into: &out)
        let later = Self.start.advanced(byNanos: 1_000_000_000)
        core.ingest(Input(n: 2, received: later, core: 0, slot: 0, body: .clock(delivering: FeedSet())), into: &out)
        return Set(out.records.map { out.channelName($0) })
    }

    @Test(arguments: [false, true])
    func anIndexWatchedBeforeItsFirstValueIsTold(knowsContract: Bool) throws {
        #expect(try channels(watched: ["symbol:I:SPX"], knowsContract: knowsContract) == ["symbol:I:SPX"])
    }

    @Test func theEquitysNameIsNotTheIndexs() throws {
        #expect(try channels(watched: ["symbol:SPX"], knowsContract: false).isEmpty)
        #expect(try channels(watched: [], knowsContract: true).isEmpty)
    }
}
