package import Plans
internal import Primitives

extension PlanText {
    /// Appends a plan's `snapshot`: the definition and where it stands.
    package static func append(_ snapshot: PlanSnapshot, of plan: Plan, to out: inout [UInt8]) {
        var object = JSONObject(&out)
        object.key("plan", to: &out)
        append(plan, to: &out)
        object.field("state", snapshot.state.rawValue as String?, to: &out)
        object.field("stop", snapshot.stop as Price?, to: &out)
        object.key("filled", to: &out)
        DecimalText.append(micros: Int64(snapshot.filled.micros), to: &out)
        object.key("hits", to: &out)
        out.append(UInt8(ascii: "["))
        for (index, hit) in snapshot.hits.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            append(hit, to: &out)
        }
        out.append(UInt8(ascii: "]"))
        object.key("blind", to: &out)
        append(snapshot.blind, to: &out)
        if snapshot.needsReview { object.field("needsReview", true, to: &out) }
        object.key("derived", to: &out)
        out.append(contentsOf: "null".utf8)
        object.end(&out)
    }

    /// A hit in a snapshot: without its *why*, which the hit's own message holds.
    private static func append(_ hit: PlanHit, to out: inout [UInt8]) {
        var object = JSONObject(&out)
        appendIdentity(of: hit, to: &object, &out)
        object.end(&out)
    }

    /// The fields by which a hit is known and what it says, shared by message and snapshot; marks only where true.
    static func appendIdentity(of hit: PlanHit, to object: inout JSONObject, _ out: inout [UInt8]) {
        object.field("version", Int64(hit.version), to: &out)
        object.field("i", Int64(hit.index), to: &out)
        object.field("kind", hit.kind.rawValue as String?, to: &out)
        object.field("k", hit.target.map(Int64.init), to: &out)
        object.field("price", hit.price, to: &out)
        object.field("t", hit.time as Instant?, to: &out)
        object.field("gap", hit.isGap, to: &out)
        object.field("slippageR", hit.slippageR, to: &out)
        if hit.isRepaired { object.field("repaired", true, to: &out) }
        if hit.isAmbiguous { object.field("ambiguous", true, to: &out) }
        if hit.isTimeUncertain { object.field("uncertainTime", true, to: &out) }
        if hit.isVoided { object.field("voided", true, to: &out) }
    }
}
