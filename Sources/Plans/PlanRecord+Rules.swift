import MarketData
import Primitives

/// What one event offers a plan, seen from the plan's side.
struct PlanStep {
    var plan: PlanHandle
    /// Exchange time of the event.
    var time: Instant
    /// Of the plan's own stream, mirrored for a short.
    var sample: Sample
    /// 0.1·ATR, micros.
    var band: Int64
}

/// The exact rules of analytics.md 5 for one plan and one x, written for a long; a short sees everything turned over zero.
///
/// Evaluated once an event against the state before it. The trigger index only decides who is asked.
extension PlanRecord {
    /// Rules 2 to 6.
    mutating func step(
        _ step: PlanStep,
        targets: some RandomAccessCollection<PlanTarget>,
        into out: inout [PlanOutcome]
    ) {
        let x = step.sample
        let entry = signed(self.entry)
        switch phase {
        case .idle: break
        case .openSide:
            if x.x != entry {
                phase = x.x > entry ? .touchFromAbove : .touchFromBelow
            } else if x.up >= entry, x.down <= entry {
                enter(step, into: &out)
            }
        case .touchFromAbove: if x.down <= entry { enter(step, into: &out) }
        case .touchFromBelow: if x.up >= entry { enter(step, into: &out) }
        case .breakout: if x.up >= entry + Int64(tick) { enter(step, into: &out) }
        case .beyond: if x.up >= entry + Int64(tick) + step.band { phase = .back }
        case .back: if x.down <= entry + step.band { enter(step, into: &out) }
        case .managed: manage(step, targets: targets, into: &out)
        }
    }

    /// Rule 1: from now on its x count.
    mutating func arm(_ plan: PlanHandle, into out: inout [PlanOutcome]) {
        state = .armed
        if !needsReview {
            switch entryType {
            case .touch: phase = .openSide
            case .breakout: phase = .breakout
            case .retest: phase = .beyond
            }
        }
        out.append(.status(status(plan, .armed)))
    }

    /// Rule 7: the boundary has come.
    mutating func expire(_ plan: PlanHandle, lastX: Price?, into out: inout [PlanOutcome]) {
        let boundary = Instant(nanos: expiry)
        end(.expired)
        var hit = nextHit(plan, .expired, .expiry, time: boundary)
        hit.price = lastX
        out.append(.hit(hit))
        out.append(.status(status(plan, .expired)))
    }

    mutating func cancel(_ plan: PlanHandle, into out: inout [PlanOutcome]) {
        end(.cancelled)
        out.append(.status(status(plan, .cancelled)))
    }

    /// The stop that the definition and what happened so far give: where an amendment puts it.
    ///
    /// `high` is the highest (confirmed) x since the entry as a long sees it.
    func stopByRules(high: Int64?) -> Int64 {
        var stop = signed(firstStop)
        guard state == .entered else { return firstStop }
        if isBreakevenDue { stop = max(stop, signed(entryX)) }
        if isTrailing, let high { stop = max(stop, high - trailDistance) }
        return signed(stop)
    }

    func status(_ plan: PlanHandle, _ reason: StatusReason) -> PlanStatus {
        PlanStatus(
            plan: plan,
            version: version,
            state: state,
            stop: Price(micros: stop),
            reason: reason,
            blind: isBlind ? .blind : .sees,
            needsReview: needsReview
        )
    }

    var isTrailing: Bool { trailAfter != 0 && targetsHit >= trailAfter }

    var isBreakevenDue: Bool { breakevenAfter != 0 && targetsHit >= breakevenAfter }

    /// What put the stop where it is: `trail` only strictly beyond the first or break-even stop.
    var stopKind: (hit: HitKind, rule: PlanRule) {
        let first = signed(firstStop)
        let base = isBreakevenDue ? max(first, signed(entryX)) : first
        if signed(stop) > base { return (.trail, .trail) }
        return base > first ? (.breakeven, .breakeven) : (.stop, .stop)
    }

    mutating func enter(_ step: PlanStep, into out: inout [PlanOutcome]) {
        let x = step.sample.x
        let entry = signed(self.entry)
        let isGap: Bool
        let rule: PlanRule
        switch entryType {
        case .touch:
            rule = .touch
            isGap = abs(x - entry) > Int64(tick)
        case .breakout:
            rule = .breakout
            isGap = x > entry + Int64(tick)
        case .retest:
            rule = .retest
            isGap = x < entry - Int64(tick)
        }
        let isThroughStop = x <= signed(firstStop)
        var hit: PlanHit
        if isThroughStop {
            end(.invalidated)
            hit = nextHit(step.plan, .invalidated, .gappedThroughStop, time: step.time)
        } else {
            state = .entered
            phase = .managed
            entryX = signed(x)
            hit = nextHit(step.plan, .entry, rule, time: step.time)
        }
        hit.price = Price(micros: signed(x))
        hit.isGap = isGap
        hit.slippageR = Double(x - entry) / Double(entry - signed(firstStop))
        out.append(.hit(hit))
        out.append(.status(status(step.plan, isThroughStop ? .gappedThroughStop : .entered)))
    }

    /// Rules 3 to 6 for an entered plan.
    private mutating func manage(
        _ step: PlanStep,
        targets: some RandomAccessCollection<PlanTarget>,
        into out: inout [PlanOutcome]
    ) {
        let x = step.sample
        if x.down <= signed(stop) {
            let kind = stopKind
            close(step, kind.hit, kind.rule, into: &out)
            return
        }
        var isDone = false
        while Int(targetsHit) < targets.count, !isDone {
            let target = targets[targets.index(targets.startIndex, offsetBy: Int(targetsHit))]
            guard x.up >= signed(target.price.micros) else { break }
            isDone = hitTarget(step, targets, into: &out)
        }
        if isDone {
            out.append(.status(status(step.plan, .targets)))
        } else {
            raiseStop(step, into: &out)
        }
    }

    /// Hits the next target with the step's x; true where that closed the plan.
    mutating func hitTarget(
        _ step: PlanStep,
        _ targets: some RandomAccessCollection<PlanTarget>,
        into out: inout [PlanOutcome]
    ) -> Bool {
        let target = targets[targets.index(targets.startIndex, offsetBy: Int(targetsHit))]
        targetsHit += 1
        filled += target.fraction.micros
        let isDone = targetsHit == targets.count && filled == Fraction.whole.micros
        if isDone { end(.closed) }
        var hit = nextHit(step.plan, .target, .target, time: step.time)
        hit.target = targetsHit
        hit.price = Price(micros: signed(step.sample.x))
        out.append(.hit(hit))
        return isDone
    }

    /// The stop, seen from the plan's side, once an x as high as this has been.
    ///
    /// Every earlier x since the entry was below the target that started the trail, or has raised the stop already: this x
    /// alone decides.
    func raisedStop(by high: Int64) -> Int64 {
        var raised = signed(stop)
        if isBreakevenDue { raised = max(raised, signed(entryX)) }
        if isTrailing { raised = max(raised, high - trailDistance) }
        return raised
    }

    /// Rules 5 and 6: what this event makes of the stop, from the plan's next x on.
    mutating func raiseStop(_ step: PlanStep, into out: inout [PlanOutcome]) {
        let before = signed(stop)
        let after = raisedStop(by: step.sample.up)
        guard after > before else { return }
        stop = signed(after)
        out.append(.status(status(step.plan, stopKind.hit == .trail ? .trail : .breakeven)))
    }

    mutating func close(_ step: PlanStep, _ kind: HitKind, _ rule: PlanRule, into out: inout [PlanOutcome]) {
        end(.closed)
        var hit = nextHit(step.plan, kind, rule, time: step.time)
        hit.price = Price(micros: signed(step.sample.x))
        out.append(.hit(hit))
        let reason: StatusReason =
            switch kind {
            case .breakeven: .breakeven
            case .trail: .trail
            default: .stop
            }
        out.append(.status(status(step.plan, reason)))
    }

    mutating func end(_ final: PlanState) {
        state = final
        phase = .idle
    }

    mutating func nextHit(_ plan: PlanHandle, _ kind: HitKind, _ rule: PlanRule, time: Instant) -> PlanHit {
        hitCount += 1
        var hit = PlanHit(
            plan: plan,
            version: version,
            index: hitCount,
            kind: kind,
            rule: rule,
            price: nil,
            time: time,
            remaining: remaining
        )
        hit.isAmbiguous = isDoubtful
        return hit
    }
}
