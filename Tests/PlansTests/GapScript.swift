import MarketData
import Plans
import Primitives

/// One call of a book in a day with gaps.
enum GapCall {
    case add(Plan, PlanPlacement)
    case trade(Trade)
    case clock
    case blind(from: Instant, defers: Bool)
    case repair(from: Instant, to: Instant, bars: [RepairBar]?)
    case see
}

struct TimedGapCall {
    var call: GapCall
    var received: Instant
}

extension PlanBook {
    /// Applies a call the way a core does, timers first.
    mutating func apply(_ timed: TimedGapCall, into out: inout [PlanOutcome]) {
        let received = timed.received
        fire(upTo: received, into: &out)
        switch timed.call {
        case .add(let plan, let placement):
            _ = try? add(plan, at: placement, received: received, limitsLive: false, into: &out)
        case .trade(let trade):
            let (x, symbol, session) = (trade.price, trade.symbol, Day.rth)
            let event = MarketEvent.trade(trade)
            if hold(event, nbbo: nil, session: session, received: received, band: GapScript.band, into: &out) { return }
            traded(
                x,
                on: symbol,
                session: session,
                time: trade.time,
                received: received,
                band: GapScript.band,
                into: &out
            )
        case .clock: break
        case .blind(let from, let defers):
            blind(GapScript.symbol, from: from, defers: defers, because: defers ? .sourceDown : .silence, into: &out)
        case .repair(let from, let to, let bars):
            repair(GapScript.symbol, from: from, to: to, bars: bars, received: received, into: &out)
        case .see: seeing(GapScript.symbol, received: received, into: &out)
        }
    }
}

/// A random walk of trades, plans on it, and the same day with gaps in it, from a seed.
struct GapScript {
    static let symbol = SymbolID(index: 7)
    static let band = Price(micros: 15_000)

    /// What bars there are for a gap.
    enum Bars: CaseIterable {
        /// Made of the missing trades alone.
        case ofMissing
        /// As a provider gives them: each second whole, with what was seen around the gap.
        case ofWholeSeconds
        case none
    }

    private var generator: SeededGenerator
    private(set) var plans: [TimedGapCall] = []
    private(set) var trades: [Trade] = []

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        var level: Int64 = 100_000_000
        var now = Day.at(1).nanos
        for number in 1...Int64(600) {
            now += pick(20...500) * 1_000_000
            // A cent or two; at times a jump, but never as far as a stop is from its entry.
            level += (chance(4) ? pick(-4...4) : pick(-2...2)) * 10_000
            trades.append(
                Trade(
                    symbol: Self.symbol,
                    time: Instant(nanos: now),
                    sequence: number,
                    price: Price(micros: level),
                    size: Size(shares: 100)
                )
            )
        }
        for number in 0..<10 { plans.append(plan(number)) }
    }

    mutating func pick(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &generator) }
    mutating func chance(_ percent: Int64) -> Bool { pick(1...100) <= percent }
    mutating func one<T>(of choices: [T]) -> T { choices[Int(pick(0...Int64(choices.count - 1)))] }

    private mutating func plan(_ number: Int) -> TimedGapCall {
        let side = one(of: PlanSide.allCases)
        let sign: Int64 = side == .long ? 1 : -1
        let entry = 100_000_000 + pick(-15...15) * 10_000
        let count = pick(1...3)
        var level = entry
        var targets: [PlanTarget] = []
        for _ in 0..<count {
            level += sign * pick(2...12) * 10_000
            targets.append(
                PlanTarget(price: Price(micros: level), fraction: Fraction(micros: Int32(1_000_000 / count)))
            )
        }
        let plan = Plan(
            id: "p_\(number)",
            owner: "u_1",
            symbol: "SPY",
            side: side,
            style: .swing,
            entry: PlanEntry(type: one(of: EntryType.allCases), price: Price(micros: entry)),
            stop: Price(micros: entry - sign * pick(6...15) * 10_000),
            targets: targets,
            breakevenAfter: chance(50) ? 1 : nil,
            trail: chance(50) ? PlanTrail(after: 1, distance: Price(micros: pick(3...15) * 10_000)) : nil,
            armAt: chance(30) ? Day.at(pick(2...60)) : nil,
            expiresAt: chance(30) ? Day.at(pick(61...140)) : Day.at(1_000)
        )
        let placement = PlanPlacement(instrument: Self.symbol, tick: Price(micros: 10_000), nextClose: Day.close)
        return TimedGapCall(call: .add(plan, placement), received: Day.at(0))
    }

    /// Whether the plan of this place in the order of creation moves its stop to the entry.
    func hasBreakeven(_ order: UInt64) -> Bool {
        guard case .add(let plan, _) = plans[Int(order) - 1].call else { return false }
        return plan.breakevenAfter != nil
    }

    /// Every trade as it came, and the end of every plan.
    var undisturbed: [TimedGapCall] {
        plans + trades.map { TimedGapCall(call: .trade($0), received: $0.time) } + [Self.end]
    }

    private static let end = TimedGapCall(call: .clock, received: Day.at(2_000))

    /// The same day, seen through gaps: their trades never come, clocks do; bars come some trades later.
    mutating func disturbed(_ kinds: [Bars]) -> [TimedGapCall] {
        var calls = plans
        var next = 0
        while next < trades.count {
            let calm = Int(pick(1...60))
            for _ in 0..<calm where next < trades.count {
                calls.append(TimedGapCall(call: .trade(trades[next]), received: trades[next].time))
                next += 1
            }
            if chance(30) { silence(&calls) }
            let end = next + Int(pick(1...40))
            if end < trades.count { next = gap(next..<end, one(of: kinds), &calls) }
        }
        return calls + [Self.end]
    }

    /// A silence changes nothing but what is marked.
    private func silence(_ calls: inout [TimedGapCall]) {
        guard let now = calls.last?.received else { return }
        calls.append(TimedGapCall(call: .blind(from: now, defers: false), received: now))
        calls.append(TimedGapCall(call: .see, received: now))
    }

    private mutating func gap(_ missing: Range<Int>, _ kind: Bars, _ calls: inout [TimedGapCall]) -> Int {
        let from = trades[missing.lowerBound - 1].time
        let to = trades[missing.upperBound].time
        calls.append(TimedGapCall(call: .blind(from: from, defers: true), received: from))
        for lost in trades[missing] { calls.append(TimedGapCall(call: .clock, received: lost.time)) }
        var next = missing.upperBound
        var now = to
        func keep(_ count: Int) {
            for _ in 0..<count where next < trades.count {
                now = trades[next].time
                calls.append(TimedGapCall(call: .trade(trades[next]), received: now))
                next += 1
            }
        }
        keep(Int(pick(1...12)))
        calls.append(TimedGapCall(call: .repair(from: from, to: to, bars: bars(missing, kind)), received: now))
        keep(Int(pick(0...6)))
        calls.append(TimedGapCall(call: .see, received: now))
        return next
    }

    private func bars(_ missing: Range<Int>, _ kind: Bars) -> [RepairBar]? {
        let second = { (trade: Trade) in trade.time.nanos / 1_000_000_000 }
        let wanted = Set(trades[missing].map(second))
        let used: [Trade]
        switch kind {
        case .none: return nil
        case .ofMissing: used = Array(trades[missing])
        case .ofWholeSeconds: used = trades.filter { wanted.contains(second($0)) }
        }
        return Dictionary(grouping: used, by: second).compactMap { start, trades in
            guard let first = trades.first, let last = trades.last, let high = trades.map(\.price).max(),
                let low = trades.map(\.price).min()
            else { return nil }
            return RepairBar(
                start: Instant(nanos: start * 1_000_000_000),
                seconds: 1,
                session: .rth,
                open: first.price,
                high: high,
                low: low,
                close: last.price,
                band: Self.band
            )
        }
    }
}

extension RepairBar: Mirrorable {
    var mirrored: RepairBar {
        var image = self
        (image.open, image.close) = (open.mirrored, close.mirrored)
        (image.high, image.low) = (low.mirrored, high.mirrored)
        return image
    }
}

extension TimedGapCall: Mirrorable {
    var mirrored: TimedGapCall {
        var image = self
        switch call {
        case .add(let plan, let placement): image.call = .add(plan.mirrored, placement)
        case .trade(var trade):
            trade.price = trade.price.mirrored
            image.call = .trade(trade)
        case .repair(let from, let to, let bars):
            image.call = .repair(from: from, to: to, bars: bars?.map(\.mirrored))
        case .clock, .blind, .see: break
        }
        return image
    }
}
