import MarketData
import Plans
import Primitives

/// One call of a book.
enum PlanAction {
    case add(Plan, PlanPlacement)
    case cancel(Int)
    case amend(Int, Plan, PlanPlacement)
    case forget(Int)
    case trade(Price, SymbolID, TradingSession)
    case quote(Quote, TradingSession)
    case freeze(SymbolID)
    case unfreeze(SymbolID)
}

/// An action and the receive time at which it comes; the same for every book that is compared.
struct PlanEvent {
    var action: PlanAction
    var received: Instant
    var band: Price

    var isMarket: Bool {
        switch action {
        case .trade, .quote: true
        default: false
        }
    }

    /// The same with the instrument's standing quote told to the book, as a core does.
    func standing(on quotes: [SymbolID: StandingQuote]) -> PlanEvent {
        var event = self
        switch action {
        case .add(let plan, var placement):
            placement.standing = quotes[placement.instrument]
            event.action = .add(plan, placement)
        case .amend(let plan, let version, var placement):
            placement.standing = quotes[placement.instrument]
            event.action = .amend(plan, version, placement)
        default: break
        }
        return event
    }
}

/// Makes plans, prices and quotes from a seed: a narrow band of prices, so that levels are met often.
struct PlanScript {
    static let symbols = [SymbolID(index: 3), SymbolID(index: 900)]
    static let tick = Price(micros: 10_000)

    private var generator: SeededGenerator
    private var now = Day.at(0)
    private var levels: [Int64] = [100_000_000, 100_000_000]
    private var made = 0
    private var plans: [(plan: Plan, instrument: SymbolID)] = []
    /// No orders that depend on a plan's side other than the mirror image of each other.
    var isMirrorable = false

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func pick(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &generator) }
    mutating func chance(_ percent: Int64) -> Bool { pick(1...100) <= percent }
    mutating func one<T>(of choices: [T]) -> T { choices[Int(pick(0...Int64(choices.count - 1)))] }

    mutating func next() -> PlanEvent {
        now = now.advanced(byNanos: pick(0...20) * 1_000_000_000)
        let band: Int64 = one(of: [0, 0, 15_000, 30_001])
        return PlanEvent(action: action(), received: now, band: Price(micros: band))
    }

    private mutating func action() -> PlanAction {
        let dice = pick(1...100)
        if dice <= 12 || made < 6 {
            made += 1
            let plan = plan(id: "p_\(made)")
            let placement = placement()
            plans.append((plan, placement.instrument))
            return .add(plan, placement)
        }
        if dice <= 14 { return .cancel(Int(pick(0...Int64(made - 1)))) }
        if dice <= 18 { return amendment(Int(pick(0...Int64(made - 1)))) }
        if dice == 19 { return .freeze(one(of: Self.symbols)) }
        if dice <= 22 { return .unfreeze(one(of: Self.symbols)) }
        if dice == 23 { return .forget(Int(pick(0...Int64(made - 1)))) }
        let which = Int(pick(0...1))
        move(which)
        return dice <= 55
            ? .trade(Price(micros: levels[which]), Self.symbols[which], session()) : .quote(quote(which), session())
    }

    /// Another entry, or one thing changed that leaves it alone.
    private mutating func amendment(_ index: Int) -> PlanAction {
        var placement = placement()
        if chance(15) { return .amend(index, plan(id: "x"), placement) }
        var (plan, instrument) = plans[index]
        placement.instrument = instrument
        let sign: Int64 = plan.side == .long ? 1 : -1
        switch pick(1...7) {
        case 1: plan.stop = Price(micros: plan.entry.price.micros - sign * pick(1...60) * 5_000)
        case 2:
            plan.trail = PlanTrail(
                after: Int(pick(1...Int64(plan.targets.count))),
                distance: Price(micros: pick(1...60) * 5_000)
            )
        case 3: plan.breakevenAfter = chance(30) ? nil : 1
        case 4: plan.sessions = plan.sessions == .rth ? [.pre, .rth] : .rth
        case 5: plan.expiresAt = now.advanced(byNanos: pick(1...500) * 1_000_000_000)
        case 6:
            if plan.targets.count > 1, let fraction = plan.targets.popLast()?.fraction {
                plan.targets[plan.targets.count - 1].fraction.micros += fraction.micros
            }
        default: plan.rationale = "new"
        }
        plans[index].plan = plan
        return .amend(index, plan, placement)
    }

    private mutating func move(_ which: Int) {
        let step = chance(8) ? pick(-120...120) : pick(-4...4)
        levels[which] = min(max(levels[which] + step * 5_000, 98_000_000), 102_000_000)
    }

    private mutating func session() -> TradingSession {
        chance(92) ? Day.rth : one(of: [Day.pre, Day.post, Day.nextRTH])
    }

    private mutating func quote(_ which: Int) -> Quote {
        let spread: Int64 = one(of: [0, 10_000, 10_000, 20_000, 10_001, -10_000])
        // The middle of a mirrored pair is only the mirror image where it needs no rounding.
        return Quote(
            symbol: Self.symbols[which],
            time: now,
            bid: Price(micros: levels[which]),
            ask: Price(micros: levels[which] + (isMirrorable ? spread / 10_000 * 10_000 : spread)),
            bidSize: Size(shares: pick(1...4)),
            askSize: Size(shares: pick(1...4))
        )
    }

    mutating func placement() -> PlanPlacement {
        PlanPlacement(
            instrument: one(of: Self.symbols),
            tick: Self.tick,
            nextClose: now.advanced(byNanos: pick(100...3_000) * 1_000_000_000)
        )
    }

    mutating func plan(id: String) -> Plan {
        let side = one(of: PlanSide.allCases)
        let sign: Int64 = side == .long ? 1 : -1
        let entry = 100_000_000 + pick(-150...150) * 5_000
        var level: Int64 = entry
        var targets: [PlanTarget] = []
        var rest: Int32 = 1_000_000
        let count = pick(1...4)
        for index: Int64 in 0..<count {
            level += sign * pick(1...40) * 5_000
            let share: Int32 = index == count - 1 && chance(70) ? rest : Int32(pick(1...Int64(rest / 2)))
            rest -= share
            targets.append(PlanTarget(price: Price(micros: level), fraction: Fraction(micros: share)))
        }
        let armAt = chance(25) ? now.advanced(byNanos: pick(-50...400) * 1_000_000_000) : nil
        return Plan(
            id: id,
            owner: one(of: ["u_1", "u_2"]),
            symbol: "SPY",
            side: side,
            style: one(of: PlanStyle.allCases),
            kind: chance(95) ? .live : .scenario,
            trigger: one(of: TriggerKind.allCases),
            entry: PlanEntry(type: one(of: EntryType.allCases), price: Price(micros: entry)),
            stop: Price(micros: entry - sign * pick(1...60) * 5_000),
            targets: targets,
            breakevenAfter: chance(50) ? Int(pick(1...count)) : nil,
            trail: chance(50)
                ? PlanTrail(after: Int(pick(1...count)), distance: Price(micros: pick(1...60) * 5_000)) : nil,
            sessions: chance(85) ? .rth : [.pre, .rth, .post],
            armAt: armAt,
            expiresAt: chance(40)
                ? (armAt ?? now).advanced(byNanos: pick(1...2_000) * 1_000_000_000) : nil,
            rationale: chance(10) ? "because" : nil
        )
    }
}

extension PlanBook {
    /// Applies one call the way a core does, timers first; commands that the book refuses change nothing.
    mutating func apply(_ event: PlanEvent, handles: inout [PlanHandle], into out: inout [PlanOutcome]) {
        fire(upTo: event.received, into: &out)
        switch event.action {
        case .add(let plan, let placement):
            if let handle = try? add(plan, at: placement, received: event.received, limitsLive: false, into: &out) {
                handles.append(handle)
            }
        case .cancel(let plan): try? cancel(handles[plan], into: &out)
        case .amend(let plan, let version, let placement):
            try? amend(
                handles[plan],
                to: version,
                at: placement,
                received: event.received,
                limitsLive: false,
                into: &out
            )
        case .forget(let plan): try? forget(handles[plan])
        case .trade(let x, let symbol, let session):
            traded(
                x,
                on: symbol,
                session: session,
                time: event.received,
                received: event.received,
                band: event.band,
                into: &out
            )
        case .quote(let quote, let session):
            quoted(quote, session: session, received: event.received, band: event.band, into: &out)
        case .freeze(let symbol): freeze(symbol)
        case .unfreeze(let symbol): unfreeze(symbol)
        }
    }
}

/// Turns prices over a middle, so that up is down and they stay above zero.
protocol Mirrorable {
    var mirrored: Self { get }
}

extension Price: Mirrorable {
    var mirrored: Price { Price(micros: 200_000_000 - micros) }
}

extension Quote: Mirrorable {
    var mirrored: Quote {
        var image = self
        (image.bid, image.ask) = (ask.mirrored, bid.mirrored)
        (image.bidSize, image.askSize) = (askSize, bidSize)
        return image
    }
}

extension Plan: Mirrorable {
    var mirrored: Plan {
        var image = self
        image.side = side == .long ? .short : .long
        image.entry.price = entry.price.mirrored
        image.stop = stop.mirrored
        image.targets = targets.map { PlanTarget(price: $0.price.mirrored, fraction: $0.fraction) }
        return image
    }
}

extension PlanEvent: Mirrorable {
    var mirrored: PlanEvent {
        var image = self
        switch action {
        case .add(let plan, let placement): image.action = .add(plan.mirrored, placement)
        case .amend(let which, let plan, let placement): image.action = .amend(which, plan.mirrored, placement)
        case .trade(let x, let symbol, let session): image.action = .trade(x.mirrored, symbol, session)
        case .quote(let quote, let session): image.action = .quote(quote.mirrored, session)
        case .cancel, .forget, .freeze, .unfreeze: break
        }
        return image
    }
}

extension PlanOutcome: Mirrorable {
    var mirrored: PlanOutcome {
        switch self {
        case .hit(var hit):
            hit.price = hit.price?.mirrored
            return .hit(hit)
        case .status(var status):
            status.stop = status.stop.mirrored
            return .status(status)
        case .voided, .because: return self
        }
    }
}
