import MarketData
import Plans
import Primitives

/// The rules of analytics.md 5 written down once more as plainly as possible: every plan is asked at every event, a long
/// and a short by their own words, no index, no mirror, no running structure.
struct NaiveBook {
    final class Entry {
        let handle: PlanHandle
        var plan: Plan
        let tick: Price
        var instrument: SymbolID
        var expiry: Instant?
        var state = PlanState.draft
        var stop: Price
        /// Touch: x was above E when the side was fixed.
        var cameFromAbove: Bool?
        var wasBeyond = false
        var entryX: Price?
        var targetsHit = 0
        var hits: Int32 = 0
        /// Every confirmed value towards the targets, and towards the stop, since the entry.
        var best: [Price] = []
        var worst: [Price] = []
        var lastX: Price?
        var isRetired = false

        init(handle: PlanHandle, plan: Plan, tick: Price, instrument: SymbolID, expiry: Instant?) {
            self.handle = handle
            self.plan = plan
            self.tick = tick
            self.instrument = instrument
            self.expiry = expiry
            stop = plan.stop
        }

        var isLong: Bool { plan.side == .long }
        var filled: Int32 { plan.targets.prefix(targetsHit).reduce(0) { $0 + $1.fraction.micros } }
    }

    var entries: [Entry] = []
    private(set) var preceding: [SymbolID: StandingQuote] = [:]
    private var frozen: Set<SymbolID> = []

    mutating func add(
        _ plan: Plan,
        as handle: PlanHandle,
        at placement: PlanPlacement,
        received: Instant,
        into out: inout [PlanOutcome]
    ) {
        var expiry = plan.expiresAt
        if plan.style.endsWithSession { expiry = min(expiry ?? placement.nextClose, placement.nextClose) }
        let entry = Entry(
            handle: handle,
            plan: plan,
            tick: placement.tick,
            instrument: placement.instrument,
            expiry: expiry
        )
        entries.append(entry)
        status(entry, .created, &out)
        if plan.kind == .live, plan.armAt.map({ $0 <= received }) ?? true { arm(entry, &out) }
    }

    mutating func cancel(_ handle: PlanHandle, into out: inout [PlanOutcome]) {
        guard let entry = entries.first(where: { $0.handle == handle }), entry.state.isOpen else { return }
        entry.state = .cancelled
        status(entry, .cancelled, &out)
    }

    mutating func freeze(_ symbol: SymbolID) { frozen.insert(symbol) }

    mutating func unfreeze(_ symbol: SymbolID) {
        if frozen.remove(symbol) != nil { preceding[symbol] = nil }
    }

    mutating func fire(upTo received: Instant, into out: inout [PlanOutcome]) {
        while true {
            // (boundary, arm 0 or expire 1, order of creation)
            var due: (Instant, Int, Entry)?
            for entry in entries where entry.state.isOpen && entry.plan.kind == .live {
                if entry.state == .draft, let at = entry.plan.armAt, at <= received,
                    due.map({ (at, 0) < ($0.0, $0.1) }) ?? true
                {
                    due = (at, 0, entry)
                }
                if let at = entry.expiry, at <= received, due.map({ (at, 1) < ($0.0, $0.1) }) ?? true {
                    due = (at, 1, entry)
                }
            }
            guard let (boundary, what, entry) = due else { return }
            if what == 0 {
                arm(entry, &out)
            } else {
                entry.state = .expired
                hit(entry, .expired, .expiry, entry.lastX, boundary, &out)
                status(entry, .expired, &out)
            }
        }
    }

    mutating func traded(
        _ x: Price,
        on symbol: SymbolID,
        session: TradingSession,
        time: Instant,
        received: Instant,
        band: Price,
        into out: inout [PlanOutcome]
    ) {
        guard received < session.end, !frozen.contains(symbol) else { return }
        for entry in entries where entry.instrument == symbol && entry.plan.trigger == .last {
            step(entry, x, { $0(x) }, session, time, band, &out)
        }
    }

    mutating func quoted(
        _ quote: Quote,
        session: TradingSession,
        received: Instant,
        band: Price,
        into out: inout [PlanOutcome]
    ) {
        guard received < session.end, !frozen.contains(quote.symbol), quote.isUsable else { return }
        let before = preceding[quote.symbol].flatMap { $0.session == session ? $0.quote : nil }
        preceding[quote.symbol] = StandingQuote(quote: quote, session: session)
        for entry in entries where entry.instrument == quote.symbol && entry.plan.trigger.usesQuotes {
            if entry.plan.trigger == .mid {
                let x = Price(micros: (quote.bid.micros + quote.ask.micros) >> 1)
                step(entry, x, { $0(x) }, session, quote.time, band, &out)
                continue
            }
            // A long enters on the ask and leaves on the bid; a short the reverse.
            let isAsk = entry.isLong != (entry.state == .entered)
            let x = isAsk ? quote.ask : quote.bid
            if entry.plan.trigger == .bidask {
                step(entry, x, { $0(x) }, session, quote.time, band, &out)
            } else {
                let other = before.map { isAsk ? $0.ask : $0.bid }
                let isLarger = before.map { isAsk ? quote.askSize > $0.askSize : quote.bidSize > $0.bidSize } ?? false
                step(entry, x, { $0(x) && (isLarger || (other.map($0) ?? false)) }, session, quote.time, band, &out)
            }
        }
    }

    fileprivate func arm(_ entry: Entry, _ out: inout [PlanOutcome]) {
        entry.state = .armed
        status(entry, .armed, &out)
    }

    /// One plan, one x; `holds` says whether a level test holds for the event.
    private func step(
        _ entry: Entry,
        _ x: Price,
        _ holds: ((Price) -> Bool) -> Bool,
        _ session: TradingSession,
        _ time: Instant,
        _ band: Price,
        _ out: inout [PlanOutcome]
    ) {
        guard entry.plan.sessions.contains(session.kind) else { return }
        switch entry.state {
        case .armed:
            entry.lastX = x
            if isEntered(entry, x, holds, band) { enter(entry, x, time, &out) }
        case .entered:
            entry.lastX = x
            manage(entry, x, holds, time, &out)
        default: break
        }
    }

    private func isEntered(_ entry: Entry, _ x: Price, _ holds: ((Price) -> Bool) -> Bool, _ band: Price) -> Bool {
        let level = entry.plan.entry.price
        switch entry.plan.entry.type {
        case .touch:
            switch entry.cameFromAbove {
            case nil:
                if x == level { return holds { $0 == level } }
                entry.cameFromAbove = x > level
                return false
            case true?: return holds { $0 <= level }
            case false?: return holds { $0 >= level }
            }
        case .breakout:
            return entry.isLong ? holds { $0 >= level + entry.tick } : holds { $0 <= level - entry.tick }
        case .retest:
            guard entry.wasBeyond else {
                entry.wasBeyond =
                    entry.isLong
                    ? holds { $0 >= level + entry.tick + band } : holds { $0 <= level - entry.tick - band }
                return false
            }
            return entry.isLong ? holds { $0 <= level + band } : holds { $0 >= level - band }
        }
    }

    private func enter(_ entry: Entry, _ x: Price, _ time: Instant, _ out: inout [PlanOutcome]) {
        let level = entry.plan.entry.price
        let isGap =
            switch entry.plan.entry.type {
            case .touch: x > level + entry.tick || x < level - entry.tick
            case .breakout: entry.isLong ? x > level + entry.tick : x < level - entry.tick
            case .retest: entry.isLong ? x < level - entry.tick : x > level + entry.tick
            }
        let slippage =
            entry.isLong
            ? Double((x - level).micros) / Double((level - entry.plan.stop).micros)
            : Double((level - x).micros) / Double((entry.plan.stop - level).micros)
        if entry.isLong ? x <= entry.plan.stop : x >= entry.plan.stop {
            entry.state = .invalidated
            hit(entry, .invalidated, .gappedThroughStop, x, time, isGap: isGap, slippage: slippage, &out)
            status(entry, .gappedThroughStop, &out)
        } else {
            entry.state = .entered
            entry.entryX = x
            let rules: [EntryType: PlanRule] = [.touch: .touch, .breakout: .breakout, .retest: .retest]
            hit(entry, .entry, rules[entry.plan.entry.type] ?? .stop, x, time, isGap: isGap, slippage: slippage, &out)
            status(entry, .entered, &out)
        }
    }

    private func manage(
        _ entry: Entry,
        _ x: Price,
        _ holds: ((Price) -> Bool) -> Bool,
        _ time: Instant,
        _ out: inout [PlanOutcome]
    ) {
        let isLong = entry.isLong
        let plan = entry.plan
        guard let entryX = entry.entryX else { preconditionFailure("entered without x") }
        let isBreakeven = plan.breakevenAfter.map { entry.targetsHit >= $0 } ?? false
        // The confirmed value: the furthest price for which a level test holds; x, or the preceding quote's if nearer.
        keepConfirmed(entry, x, holds)
        if isLong ? holds({ $0 <= entry.stop }) : holds({ $0 >= entry.stop }) {
            entry.state = .closed
            // `trail` only if strictly beyond the first or break-even stop.
            let base = isBreakeven ? entryX : plan.stop
            let better = isLong ? entry.stop > max(base, plan.stop) : entry.stop < min(base, plan.stop)
            let kind = better ? HitKind.trail : isBreakeven ? .breakeven : .stop
            hit(entry, kind, PlanRule(rawValue: kind.rawValue) ?? .expiry, x, time, &out)
            status(entry, StatusReason(rawValue: kind.rawValue) ?? .created, &out)
            return
        }
        while entry.targetsHit < plan.targets.count {
            let level = plan.targets[entry.targetsHit].price
            guard isLong ? holds({ $0 >= level }) : holds({ $0 <= level }) else { break }
            entry.targetsHit += 1
            if entry.targetsHit == plan.targets.count, entry.filled == 1_000_000 { entry.state = .closed }
            hit(entry, .target, .target, x, time, target: UInt8(entry.targetsHit), &out)
        }
        if entry.state == .closed {
            status(entry, .targets, &out)
            return
        }
        let before = entry.stop
        if let after = plan.breakevenAfter, entry.targetsHit >= after {
            entry.stop = isLong ? max(entry.stop, entryX) : min(entry.stop, entryX)
        }
        if let trail = plan.trail, entry.targetsHit >= trail.after,
            let best = isLong ? entry.best.max() : entry.best.min()
        {
            let level = isLong ? best - trail.distance : best + trail.distance
            entry.stop = isLong ? max(entry.stop, level) : min(entry.stop, level)
        }
        guard entry.stop != before else { return }
        let isBreakevenNow = plan.breakevenAfter.map { entry.targetsHit >= $0 } ?? false
        let base = isBreakevenNow ? (isLong ? max(entryX, plan.stop) : min(entryX, plan.stop)) : plan.stop
        status(entry, (isLong ? entry.stop > base : entry.stop < base) ? .trail : .breakeven, &out)
    }

    /// Finds by trial which of the event's prices pass level tests.
    private func keepConfirmed(_ entry: Entry, _ x: Price, _ holds: ((Price) -> Bool) -> Bool) {
        var seen: [Price] = []
        _ = holds {
            seen.append($0)
            return true
        }
        let ups = seen.filter { level in holds { $0 >= level } }
        let downs = seen.filter { level in holds { $0 <= level } }
        if let high = ups.max() { entry.isLong ? entry.best.append(high) : entry.worst.append(high) }
        if let low = downs.min() { entry.isLong ? entry.worst.append(low) : entry.best.append(low) }
    }

    private func hit(
        _ entry: Entry,
        _ kind: HitKind,
        _ rule: PlanRule,
        _ x: Price?,
        _ time: Instant,
        target: UInt8? = nil,
        isGap: Bool = false,
        slippage: Double? = nil,
        _ out: inout [PlanOutcome]
    ) {
        entry.hits += 1
        let remaining = entry.state == .entered ? Fraction(micros: 1_000_000 - entry.filled) : .zero
        out.append(
            .hit(
                PlanHit(
                    plan: entry.handle,
                    version: entry.plan.version,
                    index: entry.hits,
                    kind: kind,
                    rule: rule,
                    target: target,
                    price: x,
                    time: time,
                    isGap: isGap,
                    slippageR: slippage,
                    remaining: remaining
                )
            )
        )
    }

    fileprivate func status(_ entry: Entry, _ reason: StatusReason, _ out: inout [PlanOutcome]) {
        out.append(
            .status(
                PlanStatus(
                    plan: entry.handle,
                    version: entry.plan.version,
                    state: entry.state,
                    stop: entry.stop,
                    reason: reason
                )
            )
        )
    }
}

extension NaiveBook {
    mutating func apply(
        _ event: PlanEvent,
        handles: [PlanHandle],
        isAdded: Bool,
        book: PlanBook,
        into out: inout [PlanOutcome]
    ) {
        fire(upTo: event.received, into: &out)
        switch event.action {
        case .add(let plan, let placement):
            guard isAdded, let handle = handles.last else { return }
            add(plan, as: handle, at: placement, received: event.received, into: &out)
        case .cancel(let plan): cancel(handles[plan], into: &out)
        case .amend(let plan, let version, let placement):
            amend(handles[plan], to: version, at: placement, received: event.received, into: &out)
        case .forget(let plan):
            if let entry = entries.first(where: { $0.handle == handles[plan] }), !entry.state.isOpen {
                entry.isRetired = true
            }
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

    mutating func amend(
        _ handle: PlanHandle,
        to plan: Plan,
        at placement: PlanPlacement,
        received: Instant,
        into out: inout [PlanOutcome]
    ) {
        guard let entry = entries.first(where: { $0.handle == handle }), entry.state.isOpen, !entry.isRetired else {
            return
        }
        let old = entry.plan
        var new = plan
        new.id = old.id
        new.version = old.version + 1
        let startsAnew =
            entry.state == .draft || new.entry.type != old.entry.type || new.entry.price != old.entry.price
            || new.side != old.side || new.trigger != old.trigger || new.kind != old.kind
            || placement.instrument != entry.instrument || (entry.state == .armed && new.armAt != old.armAt)
        if !startsAnew {
            guard new.targets.count >= entry.targetsHit else { return }
            for index in 0..<entry.targetsHit where new.targets[index] != old.targets[index] { return }
        }
        entry.plan = new
        entry.instrument = placement.instrument
        entry.expiry = new.expiresAt
        if new.style.endsWithSession { entry.expiry = min(new.expiresAt ?? placement.nextClose, placement.nextClose) }
        if startsAnew {
            entry.state = .draft
            entry.stop = new.stop
            entry.cameFromAbove = nil
            entry.wasBeyond = false
            entry.entryX = nil
            entry.targetsHit = 0
            entry.best = []
            entry.worst = []
            entry.lastX = nil
            status(entry, .amended, &out)
            if new.kind == .live, new.armAt.map({ $0 <= received }) ?? true { arm(entry, &out) }
            return
        }
        if new.stop != old.stop || new.trail != old.trail || new.breakevenAfter != old.breakevenAfter {
            var stops = [new.stop]
            if let x = entry.entryX, let after = new.breakevenAfter, entry.targetsHit >= after { stops.append(x) }
            if let trail = new.trail, entry.state == .entered, entry.targetsHit >= trail.after {
                if let best = entry.isLong ? entry.best.max() : entry.best.min() {
                    stops.append(entry.isLong ? best - trail.distance : best + trail.distance)
                }
            }
            entry.stop = (entry.isLong ? stops.max() : stops.min()) ?? new.stop
        }
        status(entry, .amended, &out)
    }
}

extension NaiveBook.Entry {
    func snapshot(hits: [PlanHit]) -> PlanSnapshot {
        let far = isLong ? best.max() : best.min()
        let near = isLong ? worst.min() : worst.max()
        func gain(_ x: Price?) -> Price? {
            guard let x, let entryX else { return nil }
            return isLong ? x - entryX : entryX - x
        }
        return PlanSnapshot(
            version: plan.version,
            state: state,
            stop: stop,
            entryPrice: entryX,
            filled: Fraction(micros: filled),
            remaining: state == .entered
                ? Fraction(micros: 1_000_000 - filled) : state == .armed || state == .draft ? .whole : .zero,
            targetsHit: targetsHit,
            hits: hits,
            lastX: lastX,
            favourable: gain(far).map { max($0, .zero) },
            adverse: gain(near).map { max(.zero - $0, .zero) },
            expiry: expiry
        )
    }
}
