import MarketData
import Primitives

/// What a bar of a repaired gap offers a plan, seen from the plan's side.
struct BarStep {
    var plan: PlanHandle
    /// Start of the bar.
    var time: Instant
    /// Nil where the plan's own time in the bar doesn't begin with it.
    var open: Int64?
    var high: Int64
    var low: Int64
    /// 0.1·ATR, micros.
    var band: Int64
    /// Its extremes may lie outside the plan's own time.
    var isPartial: Bool
}

/// The rules of analytics.md 5 on a bar (rule 8), written for a long as those on an x.
///
/// The open is an x like any other, the first of the bar: what it hits is hit at the open, and what it does to the stop
/// holds inside the bar. Of the rest only the extremes are known, not their order. A level inside is hit at its own price.
/// What can be read in two ways is decided against the plan, and marks it: that hit and every later one is `ambiguous`.
/// - A stop that the low reaches counts, whatever else the bar reached. It is doubtful where the high reached a target or
///   would have raised the stop, and where the plan entered in the same bar.
/// - A target that the high reaches counts where the stop doesn't, but not in the bar of the entry: the high may be of before,
///   or the entry's own x, which hits nothing. It is left out then, and the plan marked.
/// - A stop raised by the high holds from the next bar on; where the low lies under it the plan is marked.
/// - A `retest` that goes beyond comes back in a later bar at the earliest; where this one may hold both it is marked.
extension PlanRecord {
    mutating func step(
        _ bar: BarStep,
        targets: some RandomAccessCollection<PlanTarget>,
        into out: inout [PlanOutcome]
    ) {
        var own = (low: !bar.isPartial, high: !bar.isPartial)
        if let open = bar.open {
            let before = (state, stop, targetsHit)
            step(event(of: bar, at: open), targets: targets, into: &out)
            guard state.isOpen else { return }
            if (state, stop, targetsHit) != before {
                // What it did holds from the next x on, which this extreme need not be.
                if bar.low == open { own.low = false }
                if bar.high == open { own.high = false }
            }
        }
        let entry = signed(self.entry)
        switch phase {
        case .idle: break
        case .openSide:
            if bar.low > entry {
                phase = .touchFromAbove
            } else if bar.high < entry {
                phase = .touchFromBelow
            } else {
                // Which side came first isn't known, but E was met.
                isDoubtful = true
                enter(bar, at: entry, targets, into: &out)
            }
        case .touchFromAbove:
            if bar.low <= entry { enter(bar, at: entry, targets, into: &out) }
        case .touchFromBelow:
            if bar.high >= entry { enter(bar, at: entry, targets, into: &out) }
        case .breakout:
            let level = entry + Int64(tick)
            if bar.high >= level { enter(bar, at: level, targets, into: &out) }
        case .beyond:
            guard bar.high >= entry + Int64(tick) + bar.band else { break }
            phase = .back
            if bar.low <= entry + bar.band || bar.isPartial { isDoubtful = true }
        case .back:
            let level = entry + bar.band
            if bar.low <= level { enter(bar, at: level, targets, into: &out) }
        case .managed:
            manage(bar, own, targets, into: &out)
        }
    }

    /// Whether x of unknown order up to the bar's extremes may have changed the plan without a hit.
    func mayDiffer(after bar: BarStep) -> Bool {
        switch phase {
        case .openSide: true
        case .beyond: bar.high >= signed(entry) + Int64(tick) + bar.band
        case .managed: raisedStop(by: bar.high) > signed(stop)
        case .touchFromAbove, .touchFromBelow, .breakout, .back, .idle: false
        }
    }

    /// The x that a level gives: its own price, or where it was passed already (or lies beyond an open that isn't known) the
    /// bar's nearest.
    private func event(of bar: BarStep, at level: Int64) -> PlanStep {
        let x = min(max(level, bar.low), bar.high)
        return PlanStep(plan: bar.plan, time: bar.time, sample: Sample(x), band: bar.band)
    }

    /// Inside a bar, where its extremes may be of before.
    private mutating func enter(
        _ bar: BarStep,
        at level: Int64,
        _ targets: some RandomAccessCollection<PlanTarget>,
        into out: inout [PlanOutcome]
    ) {
        if bar.isPartial { isDoubtful = true }
        enter(event(of: bar, at: level), into: &out)
        manage(bar, (low: false, high: false), targets, into: &out)
    }

    /// `own`: which extremes are x that came while the plan stood as it stands.
    private mutating func manage(
        _ bar: BarStep,
        _ own: (low: Bool, high: Bool),
        _ targets: some RandomAccessCollection<PlanTarget>,
        into out: inout [PlanOutcome]
    ) {
        let stop = signed(self.stop)
        let next = Int(targetsHit) < targets.count ? level(of: targetsHit, targets) : Sample.unconfirmedDown
        let isOtherwisePossible = bar.high >= next || raisedStop(by: bar.high) > stop
        if bar.low <= stop {
            if !own.low || isOtherwisePossible { isDoubtful = true }
            let kind = stopKind
            close(event(of: bar, at: stop), kind.hit, kind.rule, into: &out)
            return
        }
        guard own.high else {
            if isOtherwisePossible { isDoubtful = true }
            return
        }
        while Int(targetsHit) < targets.count {
            let level = level(of: targetsHit, targets)
            guard bar.high >= level else { break }
            // On the way to the target the stop may have risen above the bar's low.
            if bar.low <= raisedStop(by: level) { isDoubtful = true }
            if hitTarget(event(of: bar, at: level), targets, into: &out) {
                out.append(.status(status(bar.plan, .targets)))
                return
            }
        }
        if bar.low <= raisedStop(by: bar.high) { isDoubtful = true }
        raiseStop(event(of: bar, at: bar.high), into: &out)
    }

    private func level(of target: UInt8, _ targets: some RandomAccessCollection<PlanTarget>) -> Int64 {
        signed(targets[targets.index(targets.startIndex, offsetBy: Int(target))].price.micros)
    }
}
