import MarketData
package import Primitives

/// Repair of a gap from bars (analytics.md 5, rule 8 and Blind spots).
///
/// Plans on trades (and index values) are stepped through the bars as `PlanRecord.step(_: BarStep…)` says; plans on quotes
/// can't be repaired from bars of trades: for them the gap stays. At the ends of the gap bars hold more than the gap:
/// - A bar that began before the gap has no usable open; a level it reached was reached inside the gap, else it would have
///   been hit before, unless the plan changed inside this bar: then its extremes are doubtful.
/// - Of a bar that ends after the gap only an extreme that the kept events of its window don't reach lies inside the gap;
///   such a bar marks what it hits as ambiguous, and what the kept events of its window hit has an uncertain time.
/// - A bar around a plan's expiry is doubtful; one that began before it was armed doesn't count.
extension PlanBook {
    /// Answers the oldest gap of the instrument that waits; what came after it stays kept until `seeing`.
    ///
    /// `from` is where the events before the gap end, `to` where those after it begin (exchange time). Bars that don't
    /// overlap it are left out. `bars` nil: there are none to be had, the gap stays. Empty: nothing was traded in it.
    package mutating func repair(
        _ symbol: SymbolID,
        from: Instant,
        to: Instant,
        bars: [RepairBar]?,
        received: Instant,
        into out: inout [PlanOutcome]
    ) {
        guard let instrument = index.find(symbol),
            let position = deferral(of: instrument), !deferrals[position].gaps.isEmpty
        else {
            gapCounts.strayRepairs += 1
            return
        }
        let start = out.count
        replay(deferrals[position].take(untilGap: true), received: received, into: &out)
        _ = deferrals[position].takeGap()
        if let bars {
            let deferral = deferrals[position]
            let rest = stepBars(bars, of: instrument, from: from, to: to, before: deferral, into: &out)
            if index.instruments[instrument].quotePlans > 0 {
                leaveGap(instrument, from: from, to: to, quotesOnly: true, into: &out)
            }
            if rest > 0 { index.expectUncertain(instrument, ofQuotes: false, events: rest) }
        } else {
            leaveGap(instrument, from: from, to: to, into: &out)
        }
        endCauses(since: start, in: &out)
    }

    /// - Returns: how many of the kept trades lie in the window of a bar.
    private mutating func stepBars(
        _ bars: [RepairBar],
        of instrument: Int,
        from: Instant,
        to: Instant,
        before deferral: Deferral,
        into out: inout [PlanOutcome]
    ) -> UInt64 {
        let kept = KeptRange(deferral.eventsBeforeGap)
        var end = Instant.distantPast
        var rest: UInt64 = 0
        for bar in bars.sorted(by: { ($0.start, $0.seconds) < ($1.start, $1.seconds) }) {
            guard bar.start < to, bar.end > from else { continue }
            guard bar.isFit, bar.start >= end else {
                gapCounts.unfitBars += 1
                continue
            }
            end = bar.end
            fireHeld(deferral.timers, upTo: bar.start, into: &out)
            var own = bar
            var isTrimmed = false
            if bar.end > to, let seen = kept.range(in: bar) {
                rest = seen.count
                guard seen.trim(&own, keepsOpen: bar.start >= from) else { continue }
                isTrimmed = true
            }
            caused(by: .bar(bar), into: &out) { book, out in
                book.step(own, of: instrument, hasOpen: bar.start >= from, isTrimmed: isTrimmed, into: &out)
            }
        }
        return rest
    }

    /// Timers that were kept keep their place among the bars.
    private mutating func fireHeld(_ timers: [HeldTimer], upTo instant: Instant, into out: inout [PlanOutcome]) {
        let due = timers.filter { $0.timer.boundary <= instant.nanos && isValid($0.timer) }
        for held in due.sorted(by: { $0.timer < $1.timer }) { perform(held, into: &out) }
    }

    private mutating func step(
        _ bar: RepairBar,
        of instrument: Int,
        hasOpen: Bool,
        isTrimmed: Bool,
        into out: inout [PlanOutcome]
    ) {
        let band = Self.clamped(bar.band)
        let sample = Sample(x: bar.close.micros, up: bar.high.micros, down: bar.low.micros)
        var next = index.instruments[instrument].tradeGroups
        while next != WatchedInstrument.none {
            let group = Int(next)
            next = index.groups[group].next
            guard index.groups[group].open > 0, index.groups[group].sessions.contains(bar.session) else { continue }
            index.begin(group)
            note(group * 2, sample, band)
        }
        forEachTriggered { $0.step($1, through: bar, hasOpen: hasOpen, isTrimmed: isTrimmed, into: &out) }
    }

    private mutating func step(
        _ slot: UInt32,
        through bar: RepairBar,
        hasOpen: Bool,
        isTrimmed: Bool,
        into out: inout [PlanOutcome]
    ) {
        var record = table.records[Int(slot)]
        let changedInside = record.changed >= bar.start.nanos
        let (high, low) = (record.signed(bar.high.micros), record.signed(bar.low.micros))
        let step = BarStep(
            plan: record.handle(slot: slot),
            time: bar.start,
            open: hasOpen && !changedInside ? record.signed(bar.open.micros) : nil,
            high: max(high, low),
            low: min(high, low),
            band: Self.clamped(bar.band),
            isPartial: changedInside || record.expiry < bar.end.nanos
        )
        let wasEntered = record.state == .entered
        let start = out.count
        record.step(step, targets: table.targets(of: record), into: &out)
        let hasHits = out.count > start
        if isTrimmed, hasHits { record.isDoubtful = true }
        Self.mark(&out, from: start) {
            $0.isRepaired = true
            if isTrimmed { $0.isAmbiguous = true }
        }
        record.changed = max(record.changed, bar.start.nanos)
        if record.state == .entered, !wasEntered {
            record.carriedX = bar.close.micros
            beginManaging(&record)
        }
        settle(slot, record)
        keepHits(out[start...], of: slot)
    }
}

/// The trades kept after a gap, to be told from those in it where a bar holds both.
private struct KeptRange {
    struct Seen {
        var low: Price
        var high: Price
        var count: UInt64

        /// Leaves of the bar what only the gap can hold; false where that is nothing.
        func trim(_ bar: inout RepairBar, keepsOpen: Bool) -> Bool {
            let (hasHigh, hasLow) = (bar.high > high, bar.low < low)
            guard hasHigh || hasLow else { return false }
            if !hasHigh { bar.high = keepsOpen ? bar.open : bar.low }
            if !hasLow { bar.low = keepsOpen ? bar.open : bar.high }
            return true
        }
    }

    private let trades: [(time: Instant, x: Price)]

    init(_ events: ArraySlice<HeldEvent>) {
        trades = events.compactMap { held in
            switch held.event {
            case .trade(let trade): (trade.time, trade.price)
            case .indexValue(let value): (value.time, value.value)
            default: nil
            }
        }
    }

    func range(in bar: RepairBar) -> Seen? {
        let xs = trades.filter { $0.time >= bar.start && $0.time < bar.end }.map(\.x)
        guard let low = xs.min(), let high = xs.max() else { return nil }
        return Seen(low: low, high: high, count: UInt64(xs.count))
    }
}
