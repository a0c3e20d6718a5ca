package import MarketData
package import Primitives

/// Blindness, and what is kept through a gap (analytics.md 5, Blind spots).
///
/// While an instrument defers, nothing happens to its plans but what commands do: its events, and the timers of its plans,
/// are kept in the order they came in, and performed in that order once the gap before them is repaired. So an expiry can't
/// overtake an event that came before it, and what happens is what would have happened had the bars been there in time.
/// A plan that is made, or starts anew, meanwhile stays a draft: it is armed at its place in that order. Cancelling and
/// amending act at once; what is kept from before them then meets the plan as amended.
extension PlanBook {
    /// Events kept for one instrument at most; one more and its repair is given up.
    package static var heldLimit: Int { 4_096 }

    /// The instrument's plans are blind from now on; each says so once, and again when a worse reason comes.
    ///
    /// `defers`: events were lost since `from`, so all that comes is kept until `repair` and `seeing`. Else (silence, lag)
    /// everything goes on, but a crossing that the next event shows has an uncertain time. A further gap of an instrument
    /// that defers already wants a `repair` of its own.
    package mutating func blind(
        _ symbol: SymbolID,
        from: Instant,
        defers: Bool,
        because reason: BlindReason,
        into out: inout [PlanOutcome]
    ) {
        let instrument = index.intern(symbol)
        let before = index.instruments[instrument].sight
        if defers {
            if before != .defers {
                index.setDeferral(instrument, deferrals.count)
                deferrals.append(Deferral(instrument: instrument))
                defersAny = true
            }
            gapCounts.gaps += 1
            withDeferral(of: instrument) { $0.append(gapFrom: from) }
        } else if before != .defers {
            expectUncertain(instrument)
        }
        guard before == .sees || (defers && before == .blind) else { return }
        index.setSight(instrument, defers ? .defers : .blind)
        tell(instrument, reason.status, isBlind: true, into: &out)
    }

    /// The instrument is seen again: what was kept is stepped, then its plans say so.
    ///
    /// A gap that `repair` hasn't come for stays. Nothing for an instrument that isn't blind.
    package mutating func seeing(_ symbol: SymbolID, received: Instant, into out: inout [PlanOutcome]) {
        guard let instrument = index.find(symbol), index.instruments[instrument].sight != .sees else { return }
        release(instrument, received: received, into: &out)
        index.setSight(instrument, .sees)
        tell(instrument, .seeing, isBlind: false, into: &out)
    }

    /// Keeps an event that may trigger where its instrument defers; false where it is to be stepped as usual.
    ///
    /// Parameters as for `traded` and `quoted`; `nbbo` is the last usable quote before it. Where too much is kept already the
    /// repair is given up, and everything stepped.
    package mutating func hold(
        _ event: MarketEvent,
        nbbo: Quote?,
        session: TradingSession,
        received: Instant,
        band: Price,
        into out: inout [PlanOutcome]
    ) -> Bool {
        guard defersAny, let instrument = index.find(event.symbol), index.instruments[instrument].sight == .defers
        else {
            return false
        }
        let watched = index.instruments[instrument]
        switch event {
        case .trade(let trade): guard watched.tradePlans > 0, isFit(trade.price) else { return true }
        case .indexValue(let value): guard watched.tradePlans > 0, isFit(value.value) else { return true }
        case .quote(let quote):
            guard quote.isUsable else { return true }
            // One that no plan needs may still be the first after a halt: `quoted` sees to that, and steps nothing.
            guard watched.quotePlans > 0 else { return false }
            guard isFit(quote.bid), isFit(quote.ask) else { return true }
        case .bar, .priceBands, .imbalance, .fairValue, .flowAlert, .halt: return true
        }
        guard accepts(instrument, session, received) else { return true }
        if heldEvents(event.symbol) >= Self.heldLimit {
            gapCounts.overflows += 1
            release(instrument, received: received, into: &out)
            return false
        }
        let held = HeldEvent(event: event, nbbo: nbbo, session: session, received: received, band: band)
        withDeferral(of: instrument) { $0.append(held) }
        return true
    }

    // MARK: Keeping

    /// Keeps a timer of a plan whose instrument defers.
    mutating func hold(_ timer: Timer, _ received: Instant) -> Bool {
        let instrument = instrument(of: timer.slot)
        guard index.instruments[instrument].sight == .defers else { return false }
        withDeferral(of: instrument) { $0.append(HeldTimer(timer: timer, received: received)) }
        return true
    }

    mutating func holdPairBreak(of instrument: Int) {
        guard index.instruments[instrument].sight == .defers else { return }
        withDeferral(of: instrument) { $0.appendPairBreak() }
    }

    func deferral(of instrument: Int) -> Int? {
        let position = Int(index.instruments[instrument].deferral)
        return position < 0 ? nil : position
    }

    private mutating func withDeferral(of instrument: Int, _ body: (inout Deferral) -> Void) {
        guard let position = deferral(of: instrument) else {
            preconditionFailure("instrument \(instrument) defers without a place to keep its events")
        }
        body(&deferrals[position])
    }

    func instrument(of slot: UInt32) -> Int { Int(index.groups[Int(table.records[Int(slot)].group)].instrument) }

    // MARK: Stepping what was kept

    /// Steps all that is kept, gaps unrepaired, and keeps no more.
    mutating func release(_ instrument: Int, received: Instant, into out: inout [PlanOutcome]) {
        guard let position = deferral(of: instrument) else { return }
        deferrals.swapAt(position, deferrals.count - 1)
        var deferral = deferrals.removeLast()
        if position < deferrals.count { index.setDeferral(deferrals[position].instrument, position) }
        index.setDeferral(instrument, -1)
        defersAny = !deferrals.isEmpty
        index.setSight(instrument, .blind)
        replay(deferral.take(untilGap: false), received: received, into: &out)
    }

    /// Performs what was kept, each with its cause before it.
    mutating func replay(_ deferral: Deferral, received: Instant, into out: inout [PlanOutcome]) {
        let start = out.count
        var (gaps, events, timers) = (deferral.gaps[...], deferral.events[...], deferral.timers[...])
        for step in deferral.steps {
            switch step {
            case .gap:
                let to = events.first?.event.time ?? received
                if let from = gaps.popFirst() { leaveGap(deferral.instrument, from: from, to: to, into: &out) }
            case .event:
                guard let held = events.popFirst() else { continue }
                caused(by: .held(held), into: &out) { $0.step(held, of: deferral.instrument, into: &$1) }
            case .timer:
                guard let held = timers.popFirst() else { continue }
                perform(held, into: &out)
            case .pairBreak: index.clearPreceding(deferral.instrument)
            }
        }
        endCauses(since: start, in: &out)
    }

    mutating func perform(_ held: HeldTimer, into out: inout [PlanOutcome]) {
        guard isValid(held.timer) else { return }
        caused(by: .timer(held.received), into: &out) { $0.perform(held.timer, into: &$1) }
    }

    private mutating func step(_ held: HeldEvent, of instrument: Int, into out: inout [PlanOutcome]) {
        let (session, band) = (held.session, held.band)
        switch held.event {
        case .trade(let trade):
            step(trade.price, of: instrument, in: session, time: trade.time, band: band, into: &out)
        case .indexValue(let value):
            step(value.value, of: instrument, in: session, time: value.time, band: band, into: &out)
        case .quote(let quote): step(quote, of: instrument, in: session, band: band, into: &out)
        case .bar, .priceBands, .imbalance, .fairValue, .flowAlert, .halt:
            preconditionFailure("an event without x was kept: \(held)")
        }
    }

    /// Puts the cause before what `body` says, if that is anything.
    mutating func caused(
        by cause: PlanCause,
        into out: inout [PlanOutcome],
        _ body: (inout PlanBook, inout [PlanOutcome]) -> Void
    ) {
        out.append(.because(cause))
        let count = out.count
        body(&self, &out)
        if out.count == count { out.removeLast() }
    }

    /// What follows is caused by the input at hand again.
    func endCauses(since start: Int, in out: inout [PlanOutcome]) {
        let hasCause = out[start...].contains {
            if case .because = $0 { return true }
            return false
        }
        if hasCause { out.append(.because(.input)) }
    }

    // MARK: Gaps that stay

    /// Nobody will tell what happened: the plans record it, and what the next events show has an uncertain time.
    mutating func leaveGap(
        _ instrument: Int,
        from: Instant,
        to: Instant,
        quotesOnly: Bool = false,
        into out: inout [PlanOutcome]
    ) {
        if !quotesOnly { gapCounts.unrepaired += 1 }
        index.clearPreceding(instrument)
        if !quotesOnly { index.expectUncertain(instrument, ofQuotes: false, events: 1) }
        index.expectUncertain(instrument, ofQuotes: true, events: 1)
        caused(by: .input, into: &out) { book, out in
            for slot in book.openPlans(of: instrument) {
                let record = book.table.records[Int(slot)]
                // A draft that is to be armed inside the gap has its part of it.
                let isArming = record.state == .draft && !record.needsReview && record.armDue < to.nanos
                guard record.isWatching || isArming, !quotesOnly || record.trigger.usesQuotes else { continue }
                book.table.gaps[slot] = PlanTable.Gap(slot: slot, from: from.nanos, to: to.nanos)
                var status = book.table.records[Int(slot)].status(book.handle(slot), .unrepaired)
                status.blind = .gap(from: from, to: to)
                out.append(.status(status))
            }
        }
    }

    private mutating func expectUncertain(_ instrument: Int) {
        index.expectUncertain(instrument, ofQuotes: false, events: 1)
        index.expectUncertain(instrument, ofQuotes: true, events: 1)
    }

    // MARK: Telling

    private mutating func tell(
        _ instrument: Int,
        _ reason: StatusReason,
        isBlind: Bool,
        into out: inout [PlanOutcome]
    ) {
        for slot in openPlans(of: instrument) {
            table.records[Int(slot)].isBlind = isBlind
            var status = table.records[Int(slot)].status(handle(slot), reason)
            status.blind = table.blindness(slot)
            out.append(.status(status))
        }
    }

    /// Open live plans of the instrument, drafts too, in order of creation.
    ///
    /// - Complexity: O(plans of the book).
    func openPlans(of instrument: Int) -> [UInt32] {
        let watched = index.instruments[instrument]
        guard watched.tradePlans > 0 || watched.quotePlans > 0 else { return [] }
        return (0..<UInt32(table.records.count)).filter { slot in
            let record = table.records[Int(slot)]
            return record.isCounted && !record.handleIsFree && self.instrument(of: slot) == instrument
        }.sorted { table.records[Int($0)].order < table.records[Int($1)].order }
    }
}
