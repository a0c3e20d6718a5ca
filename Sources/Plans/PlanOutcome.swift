package import Primitives

/// Where a plan stands.
///
/// Stored in checkpoints by its memory: only add at the end.
@frozen
package enum PlanState: String, CaseIterable, Sendable {
    case draft
    case armed
    case entered
    case closed
    case cancelled
    case expired
    case invalidated

    /// May still change by price or time.
    package var isOpen: Bool { self == .draft || self == .armed || self == .entered }
}

/// What a hit says happened.
@frozen
package enum HitKind: String, CaseIterable, Sendable {
    case entry
    case target
    case stop
    case breakeven
    case trail
    case expired
    case invalidated
}

/// The rule that gave a hit, for its *why*.
@frozen
package enum PlanRule: String, CaseIterable, Sendable {
    case touch
    case breakout
    case retest
    case target
    case stop
    case breakeven
    case trail
    case expiry
    case gappedThroughStop = "gapped_through_stop"
}

/// Why a status was sent.
@frozen
package enum StatusReason: String, CaseIterable, Sendable {
    case created
    case armed
    case entered
    case breakeven
    case trail
    case amended
    case stop
    case targets
    case expired
    case cancelled
    case gappedThroughStop = "gapped_through_stop"
    // Blindness.
    case sourceDown = "source_down"
    case silence
    case lag
    case overload
    /// It sees again.
    case seeing
    /// A gap stays: what happened in it isn't known.
    case unrepaired
    // Corporate actions.
    case adjusted
    case needsReview = "needs_review"
}

/// Names a plan inside its `PlanBook`, until it is forgotten.
@frozen
package struct PlanHandle: Hashable, Sendable {
    /// Where the plan is kept.
    package var slot: UInt32
    /// The place in the order of creation, from 1: tells a reused slot.
    package var order: UInt64

    @inlinable
    package init(slot: UInt32, order: UInt64) {
        self.slot = slot
        self.order = order
    }
}

/// A plan's level was reached, or its time was up.
///
/// Identity: (plan, version, kind, index). The caller adds the event that caused it.
@frozen
package struct PlanHit: Hashable, Sendable {
    package var plan: PlanHandle
    package var version: Int32
    /// Number of this hit among the plan's, from 1, over all versions.
    package var index: Int32
    package var kind: HitKind
    package var rule: PlanRule
    /// The target, from 1; nil where the hit isn't one.
    package var target: UInt8?
    /// The x that hit; the plan's last x for an expiry, nil where it never had one.
    package var price: Price?
    /// Exchange time of the event; the boundary for an expiry.
    package var time: Instant
    /// The entry's x lies more than a tick beyond E.
    package var isGap: Bool
    /// How much worse than E the entry's x is, in R = |E − first stop|; negative where better.
    ///
    /// For entries, and plans invalidated in place of one; else nil.
    package var slippageR: Double?
    /// The position left after it.
    package var remaining: Fraction
    /// Found in a bar after a gap: `time` is the bar's start, `price` the level, or the open where it lies beyond.
    package var isRepaired = false
    /// A bar could be read in two ways, for this hit or for what became of the plan before it.
    package var isAmbiguous = false
    /// The level may have been crossed earlier, unseen.
    package var isTimeUncertain = false
    /// Its trade was busted.
    package var isVoided = false

    package init(
        plan: PlanHandle,
        version: Int32,
        index: Int32,
        kind: HitKind,
        rule: PlanRule,
        target: UInt8? = nil,
        price: Price?,
        time: Instant,
        isGap: Bool = false,
        slippageR: Double? = nil,
        remaining: Fraction
    ) {
        self.plan = plan
        self.version = version
        self.index = index
        self.kind = kind
        self.rule = rule
        self.target = target
        self.price = price
        self.time = time
        self.isGap = isGap
        self.slippageR = slippageR
        self.remaining = remaining
    }
}

/// A plan's state or stop changed.
@frozen
package struct PlanStatus: Hashable, Sendable {
    package var plan: PlanHandle
    package var version: Int32
    package var state: PlanState
    /// The stop in force from the plan's next x on.
    package var stop: Price
    package var reason: StatusReason
    package var blind: PlanBlindness
    /// Frozen by a corporate action until it is amended.
    package var needsReview: Bool

    package init(
        plan: PlanHandle,
        version: Int32,
        state: PlanState,
        stop: Price,
        reason: StatusReason,
        blind: PlanBlindness = .sees,
        needsReview: Bool = false
    ) {
        self.plan = plan
        self.version = version
        self.state = state
        self.stop = stop
        self.reason = reason
        self.blind = blind
        self.needsReview = needsReview
    }
}

/// What a plan has to say, in the order to be published.
@frozen
package enum PlanOutcome: Hashable, Sendable {
    case hit(PlanHit)
    case status(PlanStatus)
    /// A hit of before counts no longer.
    case voided(PlanVoid)
    /// Says nothing itself: what follows wasn't caused by the input at hand, until the next one of these.
    case because(PlanCause)

    /// The plan that it is about; nil for a cause.
    package var plan: PlanHandle? {
        switch self {
        case .hit(let hit): hit.plan
        case .status(let status): status.plan
        case .voided(let void): void.hit.plan
        case .because: nil
        }
    }
}
