package import MarketData
package import Primitives

/// A number as a request gave it: exact, or the text that isn't one.
package enum DraftNumber: Hashable, Sendable {
    /// Millionths.
    case micros(Int64)
    /// Not a number, too large, or with more than 6 decimals.
    case unreadable(String)

    /// Reads the text of a JSON number.
    package init(text: some Collection<UInt8>) {
        if let micros = DecimalText.micros(text) {
            self = .micros(micros)
        } else {
            self = .unreadable(String(decoding: text, as: UTF8.self))
        }
    }
}

/// A point in time as a request gave it: read, or the text that isn't one.
package enum DraftTime: Hashable, Sendable {
    case instant(Instant)
    case unreadable(String)
}

/// One target as a request gave it.
package struct DraftTarget: Hashable, Sendable {
    package var price: DraftNumber?
    package var fraction: DraftNumber?

    package init(price: DraftNumber? = nil, fraction: DraftNumber? = nil) {
        self.price = price
        self.fraction = fraction
    }
}

/// One thing wrong with a request.
package struct PlanProblem: Hashable, Sendable, CustomStringConvertible {
    /// The field's path: `targets[1].fraction`.
    package var field: String
    /// The value found, as text.
    package var found: String
    package var expected: String

    package init(field: String, found: String, expected: String) {
        self.field = field
        self.found = found
        self.expected = expected
    }

    package var description: String { "\(field): expected \(expected), found \(found)" }
}

/// A plan that can't be taken, with everything that is wrong with it.
package struct PlanRejection: Error, Hashable, Sendable, CustomStringConvertible {
    /// Never empty; in the order of the fields.
    package var problems: [PlanProblem]

    package init(problems: [PlanProblem]) { self.problems = problems }

    package var description: String { problems.map(\.description).joined(separator: "; ") }
}

/// A plan as a request gave it: nothing checked, everything optional (analytics.md 5 shows the JSON).
///
/// A parser sets what it finds, `null` and absent alike as nil; what can't even be put here (a text where an object should
/// be) it adds to `problems`, which `validate` reports with its own.
package struct PlanDraft: Hashable, Sendable {
    package var id: String?
    package var visibility: String?
    package var symbol: String?
    package var contract: String?
    package var triggerOn: String?
    package var side: String?
    package var style: String?
    package var kind: String?
    package var trigger: String?
    package var entryType: String?
    package var entryPrice: DraftNumber?
    /// `[low, high]`.
    package var entryZone: [DraftNumber]?
    package var stopPrice: DraftNumber?
    package var targets: [DraftTarget]?
    package var breakevenAfter: DraftNumber?
    package var trailAfter: DraftNumber?
    package var trailDistance: DraftNumber?
    package var sessions: [String]?
    package var armAt: DraftTime?
    package var expiresAt: DraftTime?
    package var size: DraftNumber?
    package var rationale: String?
    /// What the parser found wrong already.
    package var problems: [PlanProblem] = []

    package init() {}

    /// The draft that says what `plan` says: what an amendment's fields are laid over.
    package init(_ plan: Plan) {
        id = plan.id
        visibility = plan.visibility.rawValue
        symbol = plan.symbol
        contract = plan.contract
        triggerOn = plan.triggerOn.rawValue
        side = plan.side.rawValue
        style = plan.style.rawValue
        kind = plan.kind.rawValue
        trigger = plan.trigger.rawValue
        entryType = plan.entry.type.rawValue
        entryPrice = .micros(plan.entry.price.micros)
        entryZone = plan.entry.zone.map { [.micros($0.low.micros), .micros($0.high.micros)] }
        stopPrice = .micros(plan.stop.micros)
        targets = plan.targets.map {
            DraftTarget(price: .micros($0.price.micros), fraction: .micros(Int64($0.fraction.micros)))
        }
        breakevenAfter = plan.breakevenAfter.map { .micros(Int64($0) * Price.scale) }
        trailAfter = plan.trail.map { .micros(Int64($0.after) * Price.scale) }
        trailDistance = plan.trail.map { .micros($0.distance.micros) }
        sessions = SessionKind.allCases.filter { plan.sessions.contains($0) }.map(PlanDraft.name)
        armAt = plan.armAt.map { .instant($0) }
        expiresAt = plan.expiresAt.map { .instant($0) }
        size = plan.size.map { .micros($0.micros) }
        rationale = plan.rationale
    }

    /// How a session is written in a plan.
    package static func name(_ session: SessionKind) -> String {
        switch session {
        case .overnight: "overnight"
        case .pre: "pre"
        case .rth: "rth"
        case .post: "post"
        case .closed: "closed"
        }
    }
}

/// What a draft is checked against.
package struct PlanContext: Sendable {
    /// Who asks; an owner in the request doesn't count.
    package var owner: String
    /// The id for a draft without one; nil requires one.
    package var id: String?
    package var version: Int32
    /// The receive time of the command: what a plan without `armAt` is armed at.
    ///
    /// Nil where no time is known yet (a replay before its first event).
    package var now: Instant?
    /// What a symbol's text names; nil where there is no such instrument.
    package var instrument: @Sendable (String) -> Instrument?

    package init(
        owner: String,
        id: String? = nil,
        version: Int32 = 1,
        now: Instant? = nil,
        instrument: @escaping @Sendable (String) -> Instrument? = { Instrument($0) }
    ) {
        self.owner = owner
        self.id = id
        self.version = version
        self.now = now
        self.instrument = instrument
    }
}
