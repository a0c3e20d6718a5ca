import MarketData
package import Primitives

/// Repair of a gap from bars (analytics.md 5, rule 8 and Blind spots).
///
/// Plans on trades (and index values) are stepped through the bars as `PlanRecord.step(_: BarStep…)` says; plans on quotes
/// can't be repaired from bars of trades: for them the gap stays. At the ends of the gap bars hold more than the gap:
/// - A bar that began before the gap has no usable open; a level it reached was reached inside the gap, else it would have
///   been hit before, unless the plan changed inside this bar: then its extremes are doubtful.
/// - Of a bar that ends after the gap only an extreme that the kept events of its window don't reach lies inside the gap;
///   such a bar marks what it hits as ambiguous, and what the kept events of its window hit has an uncertain time. A plan
///   for which more than the next level counts (a side or a retest not begun, a trail) is marked from then on.
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

    /// What bars don't tell of the end of a gap stays unknown: the plans record it, and the next event's hits say so.
    package mutating func doubt(_ symbol: SymbolID, from: Instant, to: Instant, into out: inout [PlanOutcome]) {
        guard let instrument = index.find(symbol) else { return }
        let start = out.count
        leaveGap(instrument, from: from, to: to, into: &out)
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
            var gap = GapBar(whole: bar, own: bar, hasOpen: bar.start >= from)
            if bar.end > to, let seen = kept.range(in: bar) {
                rest = seen.count
                gap.isShared = true
                gap.own = seen.trimmed(bar, keepsOpen: gap.hasOpen)
            }
            caused(by: .bar(bar), into: &out) { $0.step(gap, of: instrument, into: &$1) }
        }
        return rest
    }

    /// Timers that were kept keep their place among the bars.
    private mutating func fireHeld(_ timers: [HeldTimer], upTo instant: Instant, into out: inout [PlanOutcome]) {
        let due = timers.filter { $0.timer.boundary <= instant.nanos && isValid($0.timer) }
        for held in due.sorted(by: { $0.timer < $1.timer }) { perform(held, into: &out) }
    }

    private mutating func step(_ gap: GapBar, of instrument: Int, into out: inout [PlanOutcome]) {
        let bar = gap.whole
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
        forEachTriggered { $0.step($1, through: gap, into: &out) }
    }

    private mutating func step(_ slot: UInt32, through gap: GapBar, into out: inout [PlanOutcome]) {
        var record = table.records[Int(slot)]
        let bar = gap.whole
        let isChangedInside = record.changed >= bar.start.nanos
        var step = BarStep(gap.own ?? bar, for: record, slot)
        if !gap.hasOpen || isChangedInside { step.open = nil }
        step.isPartial = isChangedInside || record.expiry < bar.end.nanos
        let wasEntered = record.state == .entered
        let start = out.count
        if gap.own != nil { record.step(step, targets: table.targets(of: record), into: &out) }
        let isAmbiguous = gap.isShared && out.count > start
        if isAmbiguous || (gap.isShared && record.mayDiffer(after: BarStep(bar, for: record, slot))) {
            record.isDoubtful = true
        }
        Self.mark(&out, from: start) {
            $0.isRepaired = true
            if isAmbiguous { $0.isAmbiguous = true }
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

/// A bar and what of it lies in the gap.
private struct GapBar {
    var whole: RepairBar
    /// Nil where the kept events show all that it shows.
    var own: RepairBar?
    var hasOpen: Bool
    /// It goes on behind the gap: kept events are in it too.
    var isShared = false
}

extension BarStep {
    init(_ bar: RepairBar, for record: PlanRecord, _ slot: UInt32) {
        let (high, low) = (record.signed(bar.high.micros), record.signed(bar.low.micros))
        self.init(
            plan: record.handle(slot: slot),
            time: bar.start,
            open: record.signed(bar.open.micros),
            high: max(high, low),
            low: min(high, low),
            band: min(max(bar.band.micros, 0), TriggerRules.priceLimit.micros),
            isPartial: false
        )
    }
}

/// The trades kept after a gap, to be told from those in it where a bar holds both.
private struct KeptRange {
    struct Seen {
        var low: Price
        var high: Price
        var count: UInt64

        /// What of the bar only the gap can hold; nil where that is nothing.
        func trimmed(_ whole: RepairBar, keepsOpen: Bool) -> RepairBar? {
            var bar = whole
            let (hasHigh, hasLow) = (bar.high > high, bar.low < low)
            guard hasHigh || hasLow else { return nil }
            if !hasHigh { bar.high = keepsOpen ? bar.open : bar.low }
            if !hasLow { bar.low = keepsOpen ? bar.open : bar.high }
            return bar
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
