import MarketData
import Primitives

/// One plan inside the book: its definition packed, and its state.
///
/// Trivially copied, no reference.
///
/// Prices are micros as they are; the rules look at them from the plan's side (`signed`). Texts, targets and hits are in
/// the book's pools.
struct PlanRecord: BitwiseCopyable {
    /// What an armed plan waits for.
    enum Phase: UInt8 {
        /// `touch`: the side isn't fixed yet.
        case openSide
        /// `touch`: the side is fixed, x was above E (seen from a long).
        case touchFromAbove
        case touchFromBelow
        case breakout
        /// `retest`: x must first get beyond E.
        case beyond
        /// `retest`: x must come back.
        case back
        /// Entered: stop, targets and trail.
        case managed
        /// Nothing: unarmed, frozen or done.
        case idle
    }

    // Definition.
    var entry: Int64 = 0
    var firstStop: Int64 = 0
    var trailDistance: Int64 = 0
    /// `Int64.min` where absent, as `expiresAt`.
    var armAt: Int64 = .min
    var expiresAt: Int64 = .min
    /// 0 where absent.
    var size: Int64 = 0
    var targets = PoolRange()
    var id = PoolRange()
    var tick: UInt32 = 0
    var version: Int32 = 0
    /// Indices of interned texts; `contract` and `rationale` 0 where absent.
    var owner: UInt32 = 0
    var symbol: UInt32 = 0
    var contract: UInt32 = 0
    var rationale: UInt32 = 0
    var breakevenAfter: UInt8 = 0
    var trailAfter: UInt8 = 0
    var sessions: UInt8 = 0
    var side = PlanSide.long
    var style = PlanStyle.intraday
    var kind = PlanKind.live
    var trigger = TriggerKind.last
    var entryType = EntryType.touch
    var triggerOn = TriggerTarget.underlying
    var visibility = PlanVisibility.private

    // State.
    var state = PlanState.draft
    var phase = Phase.idle
    var targetsHit: UInt8 = 0
    /// Holds running extremes of its group since `since`.
    var hasExtremes = false
    /// Its instrument isn't seen.
    var isBlind = false
    /// Frozen by a corporate action until it is amended.
    var needsReview = false
    /// A repair bar could be read in two ways: every hit says so from then on, until the plan starts anew.
    var isDoubtful = false
    /// Counted among its instrument's live plans.
    var isCounted = false
    /// Place in the order of creation, from 1; 0 marks a free slot.
    var order: UInt64 = 0
    /// Watches of another generation no longer count.
    var generation: UInt32 = 0
    /// The group whose x it takes.
    var group: UInt32 = 0
    var hitCount: Int32 = 0
    /// Head and tail of its hits in the book's list, index + 1.
    var firstHit: UInt32 = 0
    var lastHit: UInt32 = 0
    /// Fraction closed by targets, micros.
    var filled: Int32 = 0
    var stop: Int64 = 0
    /// x of the entry; 0 before.
    var entryX: Int64 = 0
    /// The group's `sequence` when it was armed, entered or moved to this group: later ones are its own.
    var since: UInt64 = 0
    /// Receive time at which it ends, `Int64.max` for never.
    var expiry: Int64 = .max
    /// Receive time at which a draft is armed.
    var armDue: Int64 = .min
    /// Time of the last x that may have changed what it waits for: a bar around it isn't wholly its own.
    var changed: Int64 = .min
    /// What was carried over from before `since`: last x (0 for none), and best and worst as the long sees them.
    var carriedX: Int64 = 0
    var carriedHigh: Int64 = Sample.unconfirmedUp
    var carriedLow: Int64 = Sample.unconfirmedDown

    var isLong: Bool { side == .long }
    var handleIsFree: Bool { order == 0 }

    /// Takes x from its group.
    var isWatching: Bool { (state == .armed || state == .entered) && !needsReview }

    /// A price as a long sees it: a short's turned over zero, so that the rules are written once.
    func signed(_ micros: Int64) -> Int64 { isLong ? micros : -micros }

    /// Whether x comes from the ask: a long enters on the ask and leaves on the bid, a short the reverse.
    var isOnAsk: Bool { trigger != .last && trigger != .mid && isLong == (state != .entered) }

    func handle(slot: UInt32) -> PlanHandle { PlanHandle(slot: slot, order: order) }

    /// Position left, 10⁻⁶.
    var remaining: Fraction {
        switch state {
        case .draft, .armed: .whole
        case .entered: Fraction(micros: 1_000_000 - filled)
        case .closed, .cancelled, .expired, .invalidated: .zero
        }
    }
}
