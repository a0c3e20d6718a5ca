package import Plans
internal import Primitives

/// Reads a plan's JSON (analytics.md 5) into a draft; what is wrong is named, with the field's path, for `validate`.
package struct PlanParser {
    private var draft: PlanDraft

    /// Reads a new plan.
    package static func draft(_ body: JSONValue) -> PlanDraft {
        var parser = PlanParser(draft: PlanDraft())
        parser.read(body)
        return parser.draft
    }

    /// Lays the fields of an amendment over a plan; `null` takes an optional field away.
    package static func draft(_ body: JSONValue, over plan: Plan) -> PlanDraft {
        var parser = PlanParser(draft: PlanDraft(plan))
        parser.read(body)
        return parser.draft
    }

    private mutating func read(_ body: JSONValue) {
        guard case .object(let members) = body else {
            problem("plan", body, "an object")
            return
        }
        for (key, value) in members { read(key, value) }
    }

    private mutating func read(_ key: String, _ value: JSONValue) {
        switch key {
        case "id": draft.id = text(key, value)
        case "visibility": draft.visibility = text(key, value)
        case "symbol": draft.symbol = text(key, value)
        case "contract": draft.contract = text(key, value)
        case "triggerOn": draft.triggerOn = text(key, value)
        case "side": draft.side = text(key, value)
        case "style": draft.style = text(key, value)
        case "kind": draft.kind = text(key, value)
        case "trigger": draft.trigger = text(key, value)
        case "rationale": draft.rationale = text(key, value)
        case "entry": readEntry(value)
        case "stop": readStop(value)
        case "targets": readTargets(value)
        case "trail": readTrail(value)
        case "sessions": readSessions(value)
        case "breakevenAfter": draft.breakevenAfter = number(value)
        case "size": draft.size = number(value)
        case "armAt": draft.armAt = time(value)
        case "expiresAt": draft.expiresAt = time(value)
        // The caller, the engine's own count and what a snapshot adds: never taken from a request.
        case "owner", "version": break
        default: problem(key, value, "no such field")
        }
    }

    private mutating func readEntry(_ value: JSONValue) {
        guard let members = members("entry", value, ["type", "price", "zone"]) else { return }
        for (key, value) in members {
            switch key {
            case "type": draft.entryType = text("entry.type", value)
            case "price": draft.entryPrice = number(value)
            default: draft.entryZone = value.isNull ? nil : list("entry.zone", value)?.compactMap(number)
            }
        }
    }

    private mutating func readStop(_ value: JSONValue) {
        if value.isNull { draft.stopPrice = nil }
        guard let members = members("stop", value, ["price"]) else { return }
        for (_, value) in members { draft.stopPrice = number(value) }
    }

    private mutating func readTargets(_ value: JSONValue) {
        draft.targets = nil
        guard !value.isNull, let values = list("targets", value) else { return }
        var targets: [DraftTarget] = []
        for (index, value) in values.enumerated() {
            var target = DraftTarget()
            for (key, value) in members("targets[\(index)]", value, ["price", "fraction"]) ?? [] {
                if key == "price" { target.price = number(value) } else { target.fraction = number(value) }
            }
            targets.append(target)
        }
        draft.targets = targets
    }

    private mutating func readTrail(_ value: JSONValue) {
        if value.isNull { (draft.trailAfter, draft.trailDistance) = (nil, nil) }
        for (key, value) in members("trail", value, ["after", "distance"]) ?? [] {
            if key == "after" { draft.trailAfter = number(value) } else { draft.trailDistance = number(value) }
        }
    }

    private mutating func readSessions(_ value: JSONValue) {
        draft.sessions = nil
        guard !value.isNull, let values = list("sessions", value) else { return }
        var names: [String] = []
        for (index, value) in values.enumerated() {
            if let name = text("sessions[\(index)]", value) { names.append(name) }
        }
        draft.sessions = names
    }

    private mutating func text(_ field: String, _ value: JSONValue) -> String? {
        if let text = value.string { return text }
        if !value.isNull { problem(field, value, "a text") }
        return nil
    }

    private func number(_ value: JSONValue) -> DraftNumber? {
        switch value {
        case .null: nil
        case .number(let text): DraftNumber(text: Array(text.utf8))
        default: .unreadable(value.kindName)
        }
    }

    private func time(_ value: JSONValue) -> DraftTime? {
        switch value {
        case .null: nil
        case .string(let text): InstantText.parse(text).map { .instant($0) } ?? .unreadable(text)
        default: .unreadable(value.kindName)
        }
    }

    private mutating func list(_ field: String, _ value: JSONValue) -> [JSONValue]? {
        if let values = value.array { return values }
        problem(field, value, "an array")
        return nil
    }

    /// The members of an object field, with those it can't have reported and left out; nil for `null`.
    private mutating func members(
        _ field: String,
        _ value: JSONValue,
        _ known: [String]
    ) -> [(key: String, value: JSONValue)]? {
        if value.isNull { return nil }
        guard case .object(let members) = value else {
            problem(field, value, "an object")
            return nil
        }
        for (key, value) in members where !known.contains(key) { problem("\(field).\(key)", value, "no such field") }
        return members.filter { known.contains($0.key) }
    }

    private mutating func problem(_ field: String, _ value: JSONValue, _ expected: String) {
        draft.problems.append(PlanProblem(field: field, found: value.kindName, expected: expected))
    }
}
