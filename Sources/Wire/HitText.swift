package import MarketData
package import Plans
package import Primitives

/// Why a hit happened: the event that caused it and what the book looked like then (analytics.md 5, Hits).
package struct HitReason: Sendable {
    /// The event, nil for a timer and a bar.
    package var event: MarketEvent?
    /// The bar that the hit was found in after a gap.
    package var bar: RepairBar?
    package var source: FeedSource?
    /// Receive time of the event, or of the input at which the timer fired.
    package var received: Instant
    /// The last usable quote of the instrument at that instant.
    package var nbbo: Quote?
    /// Spread stability then (analytics.md 1); nil while unknown.
    package var stability: Double?

    package init(
        event: MarketEvent?,
        bar: RepairBar? = nil,
        source: FeedSource?,
        received: Instant,
        nbbo: Quote?,
        stability: Double?
    ) {
        self.event = event
        self.bar = bar
        self.source = source
        self.received = received
        self.nbbo = nbbo
        self.stability = stability
    }
}

extension PlanText {
    /// Appends a hit's `d`.
    package static func append(_ hit: PlanHit, of plan: String, because reason: HitReason, to out: inout [UInt8]) {
        var object = JSONObject(&out)
        object.field("plan", plan as String?, to: &out)
        appendIdentity(of: hit, to: &object, &out)
        object.key("why", to: &out)
        append(reason, rule: hit.rule, to: &out)
        object.end(&out)
    }

    /// Appends a status' `d`; `needsReview` is there only where true.
    package static func append(_ status: PlanStatus, of plan: String, to out: inout [UInt8]) {
        var object = JSONObject(&out)
        object.field("plan", plan as String?, to: &out)
        object.field("state", status.state.rawValue as String?, to: &out)
        object.field("version", Int64(status.version), to: &out)
        object.field("stop", status.stop as Price?, to: &out)
        object.key("blind", to: &out)
        append(status.blind, to: &out)
        if status.needsReview { object.field("needsReview", true, to: &out) }
        object.field("reason", status.reason.rawValue as String?, to: &out)
        object.end(&out)
    }

    /// Appends the `d` of a hit that counts no longer: the hit once more, `voided`, its *why* the bust.
    ///
    /// A further message of type `hit` with the same identity: kind and index stay, so that a reader finds what to undo.
    package static func append(_ void: PlanVoid, of plan: String, to out: inout [UInt8]) {
        var object = JSONObject(&out)
        object.field("plan", plan as String?, to: &out)
        appendIdentity(of: void.hit, to: &object, &out)
        object.key("why", to: &out)
        var why = JSONObject(&out)
        why.field("rule", "bust" as String?, to: &out)
        why.field("event", "bust" as String?, to: &out)
        why.field("seq", void.bust.sequence == 0 ? nil : void.bust.sequence, to: &out)
        why.field("exchange", Int64(void.bust.exchange), to: &out)
        why.field("price", void.bust.price as Price?, to: &out)
        why.field("size", void.bust.size as Size?, to: &out)
        why.field("ex", void.bust.time == .distantPast ? nil : void.bust.time, to: &out)
        why.field("recv", void.bust.received as Instant?, to: &out)
        why.end(&out)
        object.end(&out)
    }

    /// `true`, `false`, or the interval `["from","to"]` (ns) that nobody saw.
    static func append(_ blind: PlanBlindness, to out: inout [UInt8]) {
        switch blind {
        case .sees: out.append(contentsOf: "false".utf8)
        case .blind: out.append(contentsOf: "true".utf8)
        case .gap(let from, let to):
            out.append(contentsOf: "[\"".utf8)
            DecimalText.append(from.nanos, to: &out)
            out.append(contentsOf: "\",\"".utf8)
            DecimalText.append(to.nanos, to: &out)
            out.append(contentsOf: "\"]".utf8)
        }
    }

    private static func append(_ reason: HitReason, rule: PlanRule, to out: inout [UInt8]) {
        var object = JSONObject(&out)
        object.field("rule", rule.rawValue as String?, to: &out)
        object.field("feed", reason.source?.tapeName, to: &out)
        if let bar = reason.bar {
            append(bar, to: &object, &out)
        } else {
            appendEvent(reason.event, to: &object, &out)
        }
        object.field("recv", reason.received as Instant?, to: &out)
        object.field("bid", reason.nbbo?.bid, to: &out)
        object.field("ask", reason.nbbo?.ask, to: &out)
        object.field("spread", reason.nbbo.map { $0.ask - $0.bid }, to: &out)
        object.field("stability", reason.stability, to: &out)
        object.end(&out)
    }

    private static func append(_ bar: RepairBar, to object: inout JSONObject, _ out: inout [UInt8]) {
        object.field("event", "bar", to: &out)
        object.field("start", bar.start as Instant?, to: &out)
        object.field("seconds", Int64(bar.seconds), to: &out)
        object.field("open", bar.open as Price?, to: &out)
        object.field("high", bar.high as Price?, to: &out)
        object.field("low", bar.low as Price?, to: &out)
        object.field("close", bar.close as Price?, to: &out)
    }

    private static func appendEvent(_ event: MarketEvent?, to object: inout JSONObject, _ out: inout [UInt8]) {
        switch event {
        case .trade(let trade):
            object.field("event", "trade", to: &out)
            object.field("seq", trade.sequence as Int64?, to: &out)
            object.field("price", trade.price as Price?, to: &out)
            object.field("size", trade.size as Size?, to: &out)
            object.key("conditions", to: &out)
            append(trade.conditions, to: &out)
            object.field("ex", trade.time as Instant?, to: &out)
        case .quote(let quote):
            object.field("event", "quote", to: &out)
            object.field("seq", quote.sequence as Int64?, to: &out)
            object.field("bidSize", quote.bidSize as Size?, to: &out)
            object.field("askSize", quote.askSize as Size?, to: &out)
            object.field("ex", quote.time as Instant?, to: &out)
        case .indexValue(let value):
            object.field("event", "value", to: &out)
            object.field("price", value.value as Price?, to: &out)
            object.field("ex", value.time as Instant?, to: &out)
        default:
            object.field("event", "timer", to: &out)
        }
    }

    private static func append(_ conditions: Conditions, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "["))
        var isFirst = true
        conditions.forEach { id in
            if !isFirst { out.append(UInt8(ascii: ",")) }
            isFirst = false
            DecimalText.append(Int64(id), to: &out)
        }
        out.append(UInt8(ascii: "]"))
    }
}
