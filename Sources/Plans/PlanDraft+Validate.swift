import MarketData
import Primitives

extension PlanDraft {
    /// Most bytes of an id.
    package static let idLimit = 64
    /// Most characters (Unicode scalars) of a rationale.
    package static let rationaleLimit = 2_000
    /// Most targets of a plan.
    package static let targetLimit = 16

    /// Checks everything and makes the plan.
    ///
    /// - Throws: all problems at once, each with its field, the value found and what was expected.
    package func validate(in context: PlanContext) throws(PlanRejection) -> Plan {
        var check = DraftCheck(problems: problems)
        let names = checkNames(context, &check)
        let levels = checkLevels(&check, side: names.side)
        let after = checkManagement(&check, targetCount: targets?.count ?? 0)
        let times = checkTimes(context, &check)
        let sessions = checkSessions(&check)
        let size = check.price("size", self.size, required: false)
        checkText("rationale", rationale, limit: Self.rationaleLimit, &check)
        guard check.problems.isEmpty, let id = names.id, let symbol, let side = names.side, let style = names.style,
            let entry = levels.entry, let stop = levels.stop
        else { throw PlanRejection(problems: check.problems) }
        return Plan(
            id: id,
            version: context.version,
            owner: context.owner,
            visibility: names.visibility,
            symbol: symbol,
            contract: contract,
            triggerOn: names.triggerOn,
            side: side,
            style: style,
            kind: names.kind,
            trigger: names.trigger,
            entry: entry,
            stop: stop,
            targets: levels.targets,
            breakevenAfter: after.breakeven,
            trail: after.trail,
            sessions: sessions,
            armAt: times.armAt,
            expiresAt: times.expiresAt,
            size: size.map { Size(micros: $0.micros) },
            rationale: rationale
        )
    }

    private struct Names {
        var id: String?
        var visibility = PlanVisibility.private
        var triggerOn = TriggerTarget.underlying
        var side: PlanSide?
        var style: PlanStyle?
        var kind = PlanKind.live
        var trigger = TriggerKind.last
    }

    private func checkNames(_ context: PlanContext, _ check: inout DraftCheck) -> Names {
        var names = Names()
        names.id = checkID(id ?? context.id, &check)
        names.visibility = check.choice("visibility", visibility, default: .private)
        let underlying = checkSymbol(context, &check)
        names.triggerOn = check.choice("triggerOn", triggerOn, default: .underlying)
        let option = checkContract(context, underlying: underlying, triggerOn: names.triggerOn, &check)
        names.side = check.choice("side", side)
        names.style = check.choice("style", style)
        names.kind = check.choice("kind", kind, default: .live)
        let instrument = names.triggerOn == .contract ? option : underlying
        names.trigger = check.choice(
            "trigger",
            trigger,
            default: instrument?.kind == .option ? .doublebidask : .last
        )
        if instrument?.kind == .index, names.trigger.usesQuotes {
            check.problem("trigger", names.trigger.rawValue, "last: an index has no quotes")
        }
        return names
    }

    private func checkID(_ id: String?, _ check: inout DraftCheck) -> String? {
        let expected = "1…\(Self.idLimit) characters of A–Z a–z 0–9 _ -"
        guard let id else {
            check.problem("id", "nothing", expected)
            return nil
        }
        let isGood = (1...Self.idLimit).contains(id.utf8.count) && id.utf8.allSatisfy(Self.isIDByte)
        if !isGood { check.problem("id", DraftCheck.excerpt(id), expected) }
        return id
    }

    private static func isIDByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private func checkSymbol(_ context: PlanContext, _ check: inout DraftCheck) -> Instrument? {
        guard let symbol else {
            check.problem("symbol", "nothing", "a known symbol")
            return nil
        }
        guard let instrument = context.instrument(symbol) else {
            check.problem("symbol", DraftCheck.excerpt(symbol), "a known symbol")
            return nil
        }
        return instrument
    }

    private func checkContract(
        _ context: PlanContext,
        underlying: Instrument?,
        triggerOn: TriggerTarget,
        _ check: inout DraftCheck
    ) -> Instrument? {
        guard let contract else {
            if triggerOn == .contract { check.problem("contract", "nothing", "the contract that triggers") }
            return nil
        }
        guard let option = context.instrument(contract), option.kind == .option else {
            check.problem("contract", DraftCheck.excerpt(contract), "an option contract, as O:SPY251219C00650000")
            return nil
        }
        if let underlying, option.underlying != underlying.underlying {
            check.problem("contract", contract, "a contract on \(underlying.underlying)")
        }
        return option
    }

    private struct Levels {
        var entry: PlanEntry?
        var stop: Price?
        var targets: [PlanTarget] = []
    }

    private func checkLevels(_ check: inout DraftCheck, side: PlanSide?) -> Levels {
        var levels = Levels()
        let type: EntryType? = check.choice("entry.type", entryType)
        let price = check.price("entry.price", entryPrice)
        let zone = checkZone(&check)
        if let type, let price { levels.entry = PlanEntry(type: type, price: price, zone: zone) }
        levels.stop = check.price("stop.price", stopPrice, expected: "a price (default stops come later)")
        let prices = checkTargets(&check, into: &levels)
        guard let side, let price else { return levels }
        let isLong = side == .long
        if let stop = levels.stop, isLong ? stop >= price : stop <= price {
            check.problem(
                "stop.price",
                check.text(stop),
                "\(isLong ? "below" : "above") the entry \(check.text(price))"
            )
        }
        var before = price
        for (index, target) in prices.enumerated() {
            guard let target else { continue }
            if isLong ? target <= before : target >= before {
                let name = before == price ? "the entry" : "the target before,"
                check.problem(
                    "targets[\(index)].price",
                    check.text(target),
                    "\(isLong ? "above" : "below") \(name) \(check.text(before))"
                )
            }
            before = target
        }
        return levels
    }

    private func checkZone(_ check: inout DraftCheck) -> PriceZone? {
        guard let entryZone else { return nil }
        guard entryZone.count == 2 else {
            check.problem("entry.zone", "\(entryZone.count) numbers", "[low, high]")
            return nil
        }
        let low = check.price("entry.zone[0]", entryZone[0])
        let high = check.price("entry.zone[1]", entryZone[1])
        guard let low, let high else { return nil }
        if low > high { check.problem("entry.zone", "[\(check.text(low)), \(check.text(high))]", "low ≤ high") }
        return PriceZone(low: low, high: high)
    }

    /// Reads the targets; the prices come back one for each, also where a fraction is wrong.
    private func checkTargets(_ check: inout DraftCheck, into levels: inout Levels) -> [Price?] {
        guard let targets, !targets.isEmpty else {
            check.problem(
                "targets",
                targets == nil ? "nothing" : "none",
                "1…\(Self.targetLimit) (default targets come later)"
            )
            return []
        }
        guard targets.count <= Self.targetLimit else {
            check.problem("targets", "\(targets.count)", "1…\(Self.targetLimit)")
            return []
        }
        var sum: Int64 = 0
        var prices: [Price?] = []
        for (index, target) in targets.enumerated() {
            let price = check.price("targets[\(index)].price", target.price)
            let fraction = check.number("targets[\(index)].fraction", target.fraction, "above 0, at most 1") {
                $0 > 0 && $0 <= 1_000_000
            }
            prices.append(price)
            sum += fraction ?? 0
            if let price, let fraction {
                levels.targets.append(PlanTarget(price: price, fraction: Fraction(micros: Int32(fraction))))
            }
        }
        if sum > 1_000_000 {
            check.problem("targets", "fractions of \(check.text(Price(micros: sum)))", "at most 1 in all")
        }
        return prices
    }

    private func checkManagement(
        _ check: inout DraftCheck,
        targetCount: Int
    ) -> (breakeven: Int?, trail: PlanTrail?) {
        // Without targets that is the problem, not what refers to them.
        let range = 1...(targetCount == 0 ? Self.targetLimit : min(targetCount, Self.targetLimit))
        let breakeven = breakevenAfter.flatMap { check.count("breakevenAfter", $0, range) }
        guard trailAfter != nil || trailDistance != nil else { return (breakeven, nil) }
        let after = check.count("trail.after", trailAfter, range)
        let distance = check.price("trail.distance", trailDistance)
        guard let after, let distance else { return (breakeven, nil) }
        return (breakeven, PlanTrail(after: after, distance: distance))
    }

    private func checkTimes(_ context: PlanContext, _ check: inout DraftCheck) -> (armAt: Instant?, expiresAt: Instant?)
    {
        let arm = check.time("armAt", armAt)
        let expiry = check.time("expiresAt", expiresAt)
        if let expiry, let start = arm ?? context.now, expiry <= start {
            check.problem(
                "expiresAt",
                "\(expiry.nanos) ns",
                "later than \(arm == nil ? "now" : "armAt"), \(start.nanos) ns"
            )
        }
        return (arm, expiry)
    }

    private func checkSessions(_ check: inout DraftCheck) -> SessionSet {
        guard let sessions else { return .rth }
        let expected = SessionKind.allCases.map(Self.name).joined(separator: " | ")
        var set = SessionSet()
        for (index, text) in sessions.enumerated() {
            if let kind = SessionKind.allCases.first(where: { Self.name($0) == text }) {
                set.insert(SessionSet(kind))
            } else {
                check.problem("sessions[\(index)]", DraftCheck.excerpt(text), expected)
            }
        }
        if sessions.isEmpty { check.problem("sessions", "none", "at least one of \(expected)") }
        return set
    }

    private func checkText(_ field: String, _ text: String?, limit: Int, _ check: inout DraftCheck) {
        guard let text, text.unicodeScalars.count > limit else { return }
        check.problem(field, "\(text.unicodeScalars.count) characters", "at most \(limit)")
    }
}

/// Collects problems while a draft is read.
struct DraftCheck {
    var problems: [PlanProblem]

    mutating func problem(_ field: String, _ found: String, _ expected: String) {
        problems.append(PlanProblem(field: field, found: found, expected: expected))
    }

    /// A text short enough for a message.
    static func excerpt(_ text: String) -> String {
        text.unicodeScalars.count <= 80 ? "\"\(text)\"" : "\"\(String(text.unicodeScalars.prefix(80)))…\""
    }

    func text(_ price: Price) -> String {
        var bytes: [UInt8] = []
        DecimalText.append(price, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// One of a closed set of names, required.
    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(_ field: String, _ found: String?) -> Choice?
    {
        if let found, let choice = Choice(rawValue: found) { return choice }
        let expected = Choice.allCases.map(\.rawValue).joined(separator: " | ")
        problem(field, found.map(Self.excerpt) ?? "nothing", expected)
        return nil
    }

    /// One of a closed set of names, with a default.
    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ field: String,
        _ found: String?,
        default standard: Choice
    ) -> Choice {
        found == nil ? standard : choice(field, found) ?? standard
    }

    /// A number that `isGood` accepts, in micros.
    mutating func number(
        _ field: String,
        _ found: DraftNumber?,
        _ expected: String,
        isGood: (Int64) -> Bool
    ) -> Int64? {
        switch found {
        case nil: problem(field, "nothing", expected)
        case .unreadable(let text): problem(field, Self.excerpt(text), "\(expected), with at most 6 decimals")
        case .micros(let micros):
            if isGood(micros) { return micros }
            problem(field, text(Price(micros: micros)), expected)
        }
        return nil
    }

    /// A price above zero.
    mutating func price(
        _ field: String,
        _ found: DraftNumber?,
        required: Bool = true,
        expected: String = "a number"
    ) -> Price? {
        if found == nil, !required { return nil }
        let limit = TriggerRules.priceLimit.micros
        return number(field, found, "\(expected) above 0, at most \(text(TriggerRules.priceLimit))") {
            $0 > 0 && $0 <= limit
        }
        .map { Price(micros: $0) }
    }

    /// A whole number in `range`.
    mutating func count(_ field: String, _ found: DraftNumber?, _ range: ClosedRange<Int>) -> Int? {
        number(field, found, "a whole number from \(range.lowerBound) to \(range.upperBound), a target's") {
            $0 % Price.scale == 0 && range.contains(Int($0 / Price.scale))
        }
        .map { Int($0 / Price.scale) }
    }

    /// A point in time, or nothing.
    mutating func time(_ field: String, _ found: DraftTime?) -> Instant? {
        switch found {
        case nil: return nil
        case .instant(let instant): return instant
        case .unreadable(let text):
            problem(field, Self.excerpt(text), "a time as 2013-10-08T13:30:00Z")
            return nil
        }
    }
}
