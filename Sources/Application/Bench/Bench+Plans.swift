internal import Glibc
internal import MarketData
internal import Primitives
internal import SymbolCore
internal import Wire

/// What a tick of one symbol costs with `count` armed plans, beside the same ticks with 100, and what a hit costs.
///
/// Levels lie uniform within ±20 % of a price path that crosses 2 % of them. Ticks are timed by sixty-four; a group in
/// which nothing was said is a quiet one: their cost a tick is `nanosPerTick`. What the other groups cost beyond that is
/// the hits' own, `nanosPerHit`. The two books are made once and walked in turn, so that both see the same machine.
package final class PlanBench {
    private var small: PlanWalk
    private var large: PlanWalk
    private let bytesPerPlan: Double

    /// Makes both books; most of the time goes here (30 µs a plan: the command's JSON, checks, the answer).
    package init(count: Int) throws {
        small = try PlanWalk(plans: 100)
        let before = Self.residentBytes
        large = try PlanWalk(plans: count)
        bytesPerPlan = Double(Self.residentBytes - before) / Double(count)
    }

    /// Walks both books over a million ticks each.
    package func measure() -> [BenchFigure] {
        small.forget()
        large.forget()
        for _ in 0..<200 {
            small.walk(ticks: 5_000)
            large.walk(ticks: 5_000)
        }
        var figures = [small.figure, large.figure]
        let ratio = large.nanosPerTick / small.nanosPerTick
        figures[1].extras += [("ratioTo100", ratio), ("residentBytesPerPlan", bytesPerPlan)]
        return figures
    }

    private static var residentBytes: Int64 {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var text = [CChar](repeating: 0, count: 128)
        guard fgets(&text, 128, file) != nil else { return 0 }
        let fields = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .split(separator: " ")
        return fields.count > 1 ? (Int64(fields[1]) ?? 0) * Int64(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
}

/// One symbol core with plans, and a price that walks across 2 % of their levels.
private struct PlanWalk: ~Copyable {
    private static let start: Int64 = 200_000_000
    private static let group = 64
    private var core: SymbolCore
    private var out = OutputBatch()
    private var random = SeededGenerator(seed: 9)
    private var n: Ordinal = 1
    private var price = PlanWalk.start
    private var time: Instant
    private var quietTicks: Int64 = 0
    private var quietNanos: Int64 = 0
    private var busyTicks: Int64 = 0
    private var busyNanos: Int64 = 0
    private var hits: Int64 = 0
    private let planCount: Int

    init(plans: Int) throws {
        planCount = plans
        let day = CivilDate(20_131_008)
        time = NewYork.instant(day, hour: 10, minute: 0)
        core = SymbolCore(symbol: "SPY", number: 0, options: SymbolCoreOptions(limitsLivePlans: false))
        guard let instrument = Instrument("SPY") else { preconditionFailure("SPY is no symbol") }
        core.introduce(instrument, id: SymbolID(index: 0), slot: Slot.equity)
        var levels = SeededGenerator(seed: 5)
        for number in 0..<plans {
            // Whole cents, so that a tick of a cent can touch them.
            let entry = Self.start / 10_000 * Int64.random(in: 8_000...12_000, using: &levels) / 10_000 * 10_000
            let plan = BenchPlan(id: "b\(number)", symbol: "SPY", entry: entry, step: 2_000_000)
            let command = Command(operation: .create, id: "c", owner: "o\(number)", body: Array(plan.json.utf8))
            core.ingest(
                Input(n: n, received: time, core: 0, slot: 0, body: .command(0)),
                command: command,
                into: &out
            )
            n += 1
            out.removeAll()
        }
        guard core.counters.refusedCommands == 0 else {
            throw ReplayError("\(core.counters.refusedCommands) of \(plans) plans were refused")
        }
    }

    /// Quotes and trades by turns, within ±0.4 % of the start: 2 % of the levels' range.
    mutating func walk(ticks: Int) {
        var rest = ticks
        while rest > 0 {
            let before = core.counters.hits
            let started = Stopwatch.threadNanos
            for _ in 0..<Self.group { tick() }
            let nanos = Stopwatch.threadNanos - started
            rest -= Self.group
            if out.isEmpty {
                quietTicks += Int64(Self.group)
                quietNanos += nanos
            } else {
                busyTicks += Int64(Self.group)
                busyNanos += nanos
                hits += core.counters.hits - before
                out.removeAll()
            }
        }
    }

    private mutating func tick() {
        let step = Int64.random(in: -1...1, using: &random) * 10_000
        let bound = Self.start / 250
        price = min(max(price + step, Self.start - bound), Self.start + bound)
        time = time.advanced(byNanos: 1_000)
        let event: MarketEvent
        if n % 5 == 0 {
            event = .trade(
                Trade(
                    symbol: SymbolID(index: 0),
                    time: time,
                    sequence: n,
                    price: Price(micros: price),
                    size: Size(shares: 100)
                )
            )
        } else {
            event = .quote(
                Quote(
                    symbol: SymbolID(index: 0),
                    time: time,
                    sequence: n,
                    bid: Price(micros: price - 10_000),
                    ask: Price(micros: price + 10_000),
                    bidSize: Size(shares: 100),
                    askSize: Size(shares: 100)
                )
            )
        }
        core.ingest(Input(n: n, received: time, core: 0, slot: 0, body: .market(event)), into: &out)
        n += 1
    }

    var nanosPerTick: Double { quietTicks > 0 ? Double(quietNanos) / Double(quietTicks) : 0 }

    /// Begins a new run.
    mutating func forget() { (quietTicks, quietNanos, busyTicks, busyNanos, hits) = (0, 0, 0, 0, 0) }

    var figure: BenchFigure {
        let ticks = quietTicks + busyTicks
        var figure = BenchFigure(
            name: "plans \(planCount)",
            events: ticks,
            seconds: Double(quietNanos + busyNanos) / 1e9,
            cpuSeconds: Double(quietNanos + busyNanos) / 1e9
        )
        let beyond = Double(busyNanos) - nanosPerTick * Double(busyTicks)
        figure.extras = [
            ("nanosPerTick", nanosPerTick), ("quietTicks", Double(quietTicks)), ("hits", Double(hits)),
            ("nanosPerHit", hits > 0 ? beyond / Double(hits) : 0),
        ]
        return figure
    }
}
