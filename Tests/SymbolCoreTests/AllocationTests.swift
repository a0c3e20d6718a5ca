import AllocationCounting
import Analytics
import MarketData
import Primitives
import SymbolCore
import Testing
import Wire

/// A tick without outputs allocates nothing after warm-up, and state stays within its budgets (docs/performance.md).
///
/// Bytes are jemalloc's own count of the blocks on this thread, slack of the size classes included.
@Suite struct AllocationTests {
    /// Where the compiler can't see it, so that an array isn't kept on the stack.
    private nonisolated(unsafe) static var kept: [UInt8] = []

    /// False where nothing can be counted, with the reason printed.
    private func gauge() -> Bool {
        #if DEBUG
        print("skipped: a debug build allocates where a release build doesn't")
        return false
        #else
        guard let proof = AllocationCounting.bytes({ Self.kept = [UInt8](repeating: 1, count: 4096) }) else {
            print("skipped: built without jemalloc")
            return false
        }
        #expect(proof >= 4096)
        return true
        #endif
    }

    @Test func aTickAllocatesNothing() throws {
        guard gauge() else { return }
        var bench = try CoreBench()
        for number in 0..<1_000 { bench.addPlan(number) }
        bench.walk(ticks: 20_000)
        let bytes = AllocationCounting.bytes { bench.walk(ticks: 20_000) }
        #expect(bytes == 0)
        #expect(bench.refused == 0 && bench.hits == 0)
    }

    @Test func anUnderlyingWithADayOfBarsKeepsWithin96K() throws {
        guard gauge() else { return }
        // The core with its plan book, bars of 960 minutes and the 5-minute window of spread samples.
        let place = UnsafeMutablePointer<CoreBench>.allocate(capacity: 1)
        defer { place.deallocate() }
        let bytes = try AllocationCounting.kept {
            place.initialize(to: try CoreBench())
            place.pointee.walkWholeDay()
        }
        place.deinitialize(count: 1)
        let whole = try #require(bytes) + Int64(MemoryLayout<CoreBench>.stride)
        print("underlying with bars: \(whole) bytes")
        #expect(whole > 46_080 && whole <= 96 << 10)
    }

    /// Counted is the analytics state: not the instrument's texts, nor the places in the symbol table and the router.
    @Test func aContractKeepsWithinItsBudget() throws {
        guard gauge() else { return }
        let window = SessionCalendar().window(at: CoreBench.start)
        let count = 1_000
        var contracts: [ContractAnalytics] = []
        let trades = AllocationCounting.kept {
            contracts = Array(repeating: ContractAnalytics(), count: count)
            for index in 0..<count {
                contracts[index].traded(CoreBench.trade(1, at: CoreBench.start, 3_000_000), as: .all, in: window)
            }
        }
        let quotes = AllocationCounting.kept {
            for index in 0..<count {
                let quote = CoreBench.quote(1, at: CoreBench.start, 3_000_000)
                contracts[index].quoted(quote, in: window, received: CoreBench.start)
            }
        }
        let tradeOnly = Double(try #require(trades)) / Double(count)
        let withQuotes = tradeOnly + Double(try #require(quotes)) / Double(count)
        print("contract: \(tradeOnly) bytes with trades only, \(withQuotes) with quotes")
        // A thirtieth for the slack of the one array that holds all.
        #expect(tradeOnly > 64 && tradeOnly <= 128 * 1.04)
        #expect(withQuotes > tradeOnly && withQuotes <= 384 * 1.04)
        #expect(contracts.count == count)
    }

    @Test func anArmedPlanKeepsWithin400Bytes() throws {
        guard gauge() else { return }
        var bench = try CoreBench()
        let count = 20_000
        let bytes = AllocationCounting.kept {
            for number in 0..<count { bench.addPlan(number) }
        }
        let each = Double(try #require(bytes)) / Double(count)
        print("armed plan: \(each) bytes")
        #expect(each > 64 && each <= 400)
        #expect(bench.refused == 0)
    }
}

/// One core with an equity and a contract, and ticks that reach no plan's level.
private struct CoreBench: ~Copyable {
    static let start = NewYork.instant(CivilDate(20_131_008), hour: 10, minute: 0)
    private var core = SymbolCore(symbol: "SPY", number: 0, options: SymbolCoreOptions(limitsLivePlans: false))
    private var out = OutputBatch()
    private var n: Ordinal = 0
    private var time = CoreBench.start

    init() throws {
        core.introduce(try #require(Instrument("SPY")), id: SymbolID(index: 0), slot: Slot.equity)
        let contract = try #require(Instrument("O:SPY131019C00145000"))
        core.introduce(contract, id: SymbolID(index: 1), slot: Slot.firstContract)
    }

    var refused: Int64 { core.counters.refusedCommands }
    var hits: Int64 { core.counters.hits }

    static func trade(_ symbol: UInt32, at time: Instant, _ price: Int64) -> Trade {
        Trade(
            symbol: SymbolID(index: symbol),
            time: time,
            price: Price(micros: price),
            size: Size(shares: 100)
        )
    }

    static func quote(_ symbol: UInt32, at time: Instant, _ price: Int64) -> Quote {
        Quote(
            symbol: SymbolID(index: symbol),
            time: time,
            bid: Price(micros: price - 10_000),
            ask: Price(micros: price + 10_000),
            bidSize: Size(shares: 100),
            askSize: Size(shares: 100)
        )
    }

    /// A plan with its level far below the ticks, by touch.
    mutating func addPlan(_ number: Int) {
        let entry = 100 + number % 30
        let body = """
            {"id":"b\(number)","symbol":"SPY","side":"long","style":"swing","entry":{"type":"touch","price":\(entry)},\
            "stop":{"price":\(entry - 2)},"targets":[{"price":\(entry + 2),"fraction":0.5},\
            {"price":\(entry + 4),"fraction":0.5}]}
            """
        n += 1
        let command = Command(operation: .create, id: "c", owner: "o\(number)", body: Array(body.utf8))
        core.ingest(Input(n: n, received: time, core: 0, slot: 0, body: .command(0)), command: command, into: &out)
        out.removeAll()
    }

    private mutating func take(_ event: MarketEvent, slot: UInt32) {
        n += 1
        core.ingest(Input(n: n, received: time, core: 0, slot: slot, body: .market(event)), into: &out)
    }

    /// Trades and quotes over some minutes, of the equity and of the contract.
    mutating func walk(ticks: Int) {
        for tick in 0..<ticks {
            time = time.advanced(byNanos: 20_000_000)
            let price: Int64 = 145_000_000 + Int64(tick % 100) * 10_000
            switch tick % 4 {
            case 0: take(.trade(Self.trade(0, at: time, price)), slot: Slot.equity)
            case 1: take(.quote(Self.quote(1, at: time, 3_000_000)), slot: Slot.firstContract)
            case 2: take(.trade(Self.trade(1, at: time, 3_000_000)), slot: Slot.firstContract)
            default: take(.quote(Self.quote(0, at: time, price)), slot: Slot.equity)
            }
        }
    }

    /// A trade and a quote each second from 04:00 to 20:00.
    mutating func walkWholeDay() {
        time = NewYork.instant(CivilDate(20_131_008), hour: 4, minute: 0)
        for _ in 0..<(16 * 3_600) {
            take(.trade(Self.trade(0, at: time, 145_000_000)), slot: Slot.equity)
            take(.quote(Self.quote(0, at: time, 145_000_000)), slot: Slot.equity)
            time = time.advanced(byNanos: 1_000_000_000)
        }
    }
}
