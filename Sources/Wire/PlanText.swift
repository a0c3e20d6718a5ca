package import MarketData
package import Plans
internal import Primitives

/// Plans, hits and status as JSON, in the shape of analytics.md 5.
package enum PlanText {
    /// Appends the plan's definition.
    package static func append(_ plan: Plan, to out: inout [UInt8]) {
        var object = JSONObject(&out)
        object.field("id", plan.id as String?, to: &out)
        object.field("version", Int64(plan.version), to: &out)
        object.field("owner", plan.owner as String?, to: &out)
        object.field("visibility", plan.visibility.rawValue as String?, to: &out)
        object.field("symbol", plan.symbol as String?, to: &out)
        object.field("contract", plan.contract, to: &out)
        object.field("triggerOn", plan.triggerOn.rawValue as String?, to: &out)
        object.field("side", plan.side.rawValue as String?, to: &out)
        object.field("style", plan.style.rawValue as String?, to: &out)
        object.field("kind", plan.kind.rawValue as String?, to: &out)
        object.field("trigger", plan.trigger.rawValue as String?, to: &out)
        object.key("entry", to: &out)
        append(plan.entry, to: &out)
        object.key("stop", to: &out)
        var stop = JSONObject(&out)
        stop.field("price", plan.stop as Price?, to: &out)
        stop.end(&out)
        object.key("targets", to: &out)
        append(plan.targets, to: &out)
        object.field("breakevenAfter", plan.breakevenAfter.map(Int64.init), to: &out)
        object.key("trail", to: &out)
        append(plan.trail, to: &out)
        object.key("sessions", to: &out)
        append(plan.sessions, to: &out)
        appendTime("armAt", plan.armAt, to: &object, &out)
        appendTime("expiresAt", plan.expiresAt, to: &object, &out)
        object.field("size", plan.size, to: &out)
        object.field("rationale", plan.rationale, to: &out)
        object.end(&out)
    }

    /// The names of sessions, in the order of their kinds.
    package static let sessionNames: [(name: String, kind: SessionKind)] = [
        ("overnight", .overnight), ("pre", .pre), ("rth", .rth), ("post", .post), ("closed", .closed),
    ]

    private static func append(_ entry: PlanEntry, to out: inout [UInt8]) {
        var object = JSONObject(&out)
        object.field("type", entry.type.rawValue as String?, to: &out)
        object.field("price", entry.price as Price?, to: &out)
        object.key("zone", to: &out)
        if let zone = entry.zone {
            out.append(UInt8(ascii: "["))
            DecimalText.append(zone.low, to: &out)
            out.append(UInt8(ascii: ","))
            DecimalText.append(zone.high, to: &out)
            out.append(UInt8(ascii: "]"))
        } else {
            out.append(contentsOf: "null".utf8)
        }
        object.end(&out)
    }

    private static func append(_ targets: [PlanTarget], to out: inout [UInt8]) {
        out.append(UInt8(ascii: "["))
        for (index, target) in targets.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            var object = JSONObject(&out)
            object.field("price", target.price as Price?, to: &out)
            object.key("fraction", to: &out)
            DecimalText.append(micros: Int64(target.fraction.micros), to: &out)
            object.end(&out)
        }
        out.append(UInt8(ascii: "]"))
    }

    private static func append(_ trail: PlanTrail?, to out: inout [UInt8]) {
        guard let trail else {
            out.append(contentsOf: "null".utf8)
            return
        }
        var object = JSONObject(&out)
        object.field("after", Int64(trail.after), to: &out)
        object.field("distance", trail.distance as Price?, to: &out)
        object.end(&out)
    }

    private static func append(_ sessions: SessionSet, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "["))
        var isFirst = true
        for (name, kind) in sessionNames where sessions.contains(kind) {
            if !isFirst { out.append(UInt8(ascii: ",")) }
            isFirst = false
            JSONText.append(name, to: &out)
        }
        out.append(UInt8(ascii: "]"))
    }

    private static func appendTime(
        _ name: String,
        _ instant: Instant?,
        to object: inout JSONObject,
        _ out: inout [UInt8]
    ) {
        object.key(name, to: &out)
        guard let instant else {
            out.append(contentsOf: "null".utf8)
            return
        }
        out.append(UInt8(ascii: "\""))
        InstantText.append(instant, to: &out)
        out.append(UInt8(ascii: "\""))
    }
}
