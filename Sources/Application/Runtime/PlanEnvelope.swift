internal import Journal
internal import Wire

/// Stored plans as messages and replies.
enum PlanEnvelope {
    /// The state message that a bus keeps as the plan's hot state.
    static func state(of plan: StoredPlan, epoch: String) -> Envelope {
        let channel = Channel(.plan, plan.id)
        var bytes: [UInt8] = []
        Envelope.encode(
            channel: Array(channel.name.utf8),
            epoch: epoch,
            position: .snapshot(offset: plan.offset),
            n: plan.n,
            type: .snapshot,
            time: plan.time,
            payload: plan.snapshot,
            into: &bytes
        )
        return Envelope(
            channel: channel,
            type: .snapshot,
            outputClass: .state,
            offset: plan.offset,
            partitionSequence: 0,
            n: plan.n,
            index: 0,
            bytes: bytes
        )
    }

    /// The reply to `show`; somebody else's plan is not found.
    static func reply(_ plan: StoredPlan?, id: String, owner: String) -> [UInt8] {
        var out: [UInt8] = []
        guard let plan, plan.owner == owner else {
            CommandRefusal(.notFound, plan: id).encode(into: &out)
            return out
        }
        var object = JSONObject(&out)
        object.field("ok", true, to: &out)
        object.key("plan", to: &out)
        out.append(contentsOf: plan.snapshot)
        object.end(&out)
        return out
    }

    /// The reply to `list`.
    static func reply(_ plans: [StoredPlan]) -> [UInt8] {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("ok", true, to: &out)
        object.key("plans", to: &out)
        out.append(UInt8(ascii: "["))
        for (index, plan) in plans.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            out.append(contentsOf: plan.snapshot)
        }
        out.append(UInt8(ascii: "]"))
        object.end(&out)
        return out
    }
}
