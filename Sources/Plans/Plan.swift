package import MarketData
package import Primitives

/// Which way a plan trades.
@frozen
package enum PlanSide: String, CaseIterable, Sendable {
    case long
    case short
}

/// How long a plan is meant to last; decides its expiry (analytics.md 5, rule 7).
@frozen
package enum PlanStyle: String, CaseIterable, Sendable {
    case scalp
    case intraday
    case swing
    case leap

    /// Ends at the first session close after arming.
    package var endsWithSession: Bool { self == .scalp || self == .intraday }
}

/// A plan that is stepped, or a frozen alternative of one.
@frozen
package enum PlanKind: String, CaseIterable, Sendable {
    case live
    case scenario
}

/// What a plan's price x is taken from.
@frozen
package enum TriggerKind: String, CaseIterable, Sendable {
    case last
    case mid
    case bidask
    case doublebidask

    /// Takes x from quotes, never from trades.
    package var usesQuotes: Bool { self != .last }
}

/// Whose prices a plan's levels are.
@frozen
package enum TriggerTarget: String, CaseIterable, Sendable {
    case underlying
    case contract
}

/// How an entry is recognised (analytics.md 5, rule 2).
@frozen
package enum EntryType: String, CaseIterable, Sendable {
    case touch
    case breakout
    case retest
}

/// Who may see a plan: its owner alone, or a tier.
@frozen
package enum PlanVisibility: String, CaseIterable, Sendable {
    case `private`
    case premium
    case basic
    case free
}

/// A share of a position, exact to 10⁻⁶.
@frozen
package struct Fraction: Hashable, Comparable, Sendable {
    /// Millionths of the whole.
    package var micros: Int32

    @inlinable
    package init(micros: Int32) { self.micros = micros }

    package static let zero = Fraction(micros: 0)
    package static let whole = Fraction(micros: 1_000_000)

    @inlinable
    package static func < (a: Fraction, b: Fraction) -> Bool { a.micros < b.micros }
}

/// Where a plan enters.
package struct PlanEntry: Hashable, Sendable {
    package var type: EntryType
    package var price: Price
    /// Shown only, never triggers.
    package var zone: PriceZone?

    package init(type: EntryType, price: Price, zone: PriceZone? = nil) {
        self.type = type
        self.price = price
        self.zone = zone
    }
}

/// A price interval, both ends included.
package struct PriceZone: Hashable, Sendable {
    package var low: Price
    package var high: Price

    package init(low: Price, high: Price) {
        self.low = low
        self.high = high
    }
}

/// A level that closes a fraction of the position.
@frozen
package struct PlanTarget: Hashable, Sendable {
    package var price: Price
    package var fraction: Fraction

    @inlinable
    package init(price: Price, fraction: Fraction) {
        self.price = price
        self.fraction = fraction
    }
}

/// A stop that follows the best price from target `after` on.
package struct PlanTrail: Hashable, Sendable {
    /// The target, from 1, whose hit starts it.
    package var after: Int
    package var distance: Price

    package init(after: Int, distance: Price) {
        self.after = after
        self.distance = distance
    }
}

/// A validated plan as one version defines it; what happens to it lives in the `PlanBook`.
///
/// Made by `PlanDraft.validate`. A plan put together by hand must obey the same rules: the book takes them for granted.
package struct Plan: Hashable, Sendable {
    package var id: String
    /// From 1; each amendment adds 1.
    package var version: Int32
    package var owner: String
    package var visibility: PlanVisibility
    package var symbol: String
    /// The option contract of the idea, if it has one.
    package var contract: String?
    package var triggerOn: TriggerTarget
    package var side: PlanSide
    package var style: PlanStyle
    package var kind: PlanKind
    package var trigger: TriggerKind
    package var entry: PlanEntry
    package var stop: Price
    /// 1…16, in the order they are reached.
    package var targets: [PlanTarget]
    /// The target, from 1, after which the stop goes to the entry price.
    package var breakevenAfter: Int?
    package var trail: PlanTrail?
    package var sessions: SessionSet
    package var armAt: Instant?
    package var expiresAt: Instant?
    package var size: Size?
    package var rationale: String?

    package init(
        id: String,
        version: Int32 = 1,
        owner: String,
        visibility: PlanVisibility = .private,
        symbol: String,
        contract: String? = nil,
        triggerOn: TriggerTarget = .underlying,
        side: PlanSide,
        style: PlanStyle,
        kind: PlanKind = .live,
        trigger: TriggerKind = .last,
        entry: PlanEntry,
        stop: Price,
        targets: [PlanTarget],
        breakevenAfter: Int? = nil,
        trail: PlanTrail? = nil,
        sessions: SessionSet = .rth,
        armAt: Instant? = nil,
        expiresAt: Instant? = nil,
        size: Size? = nil,
        rationale: String? = nil
    ) {
        self.id = id
        self.version = version
        self.owner = owner
        self.visibility = visibility
        self.symbol = symbol
        self.contract = contract
        self.triggerOn = triggerOn
        self.side = side
        self.style = style
        self.kind = kind
        self.trigger = trigger
        self.entry = entry
        self.stop = stop
        self.targets = targets
        self.breakevenAfter = breakevenAfter
        self.trail = trail
        self.sessions = sessions
        self.armAt = armAt
        self.expiresAt = expiresAt
        self.size = size
        self.rationale = rationale
    }

    /// The text of the instrument whose prices the levels are.
    package var triggerSymbol: String { triggerOn == .contract ? contract ?? symbol : symbol }

    /// When a plan made (or amended) at `received` is armed: what its first session close is counted from.
    package func armingInstant(createdAt received: Instant) -> Instant { max(armAt ?? received, received) }
}
