import MarketData
package import Primitives

extension PlanBook {
    /// Takes a plan in between two events; a live plan without a later `armAt` is armed at once, a scenario stays frozen.
    ///
    /// `received` is the receive time of the command; `limitsLive` refuses a second open live plan of the same symbol,
    /// style and owner (off in a replay of plans).
    ///
    /// - Throws: `full`, `duplicate`, `liveLimit`; nothing has changed then.
    /// - Returns: the plan's name in this book.
    package mutating func add(
        _ plan: Plan,
        at placement: PlanPlacement,
        received: Instant,
        limitsLive: Bool = true,
        into out: inout [PlanOutcome]
    ) throws(PlanBookError) -> PlanHandle {
        guard openCount < limit else { throw PlanBookError(.full, "\(limit) open plans") }
        guard table.slot(of: plan.id) == nil else { throw PlanBookError(.duplicate, plan.id) }
        if limitsLive, plan.kind == .live, table.liveCount(like: plan) > 0 { throw Self.liveLimit(plan) }
        let slot = table.insert(plan, tick: placement.tick)
        openCount += 1
        place(slot, placement)
        out.append(.status(table.records[Int(slot)].status(handle(slot), .created)))
        begin(slot, placement, received: received, into: &out)
        return handle(slot)
    }

    /// Puts a new version in force between two events.
    ///
    /// A change of the entry, of the side or of what x is taken from starts the plan anew (also an entered one), and so
    /// does another `armAt` before the entry, and any change of a plan that needed review. Else the state stays: a changed stop, break-even or trail takes effect from
    /// the next x on, as if it had been so since the entry.
    ///
    /// `plan` is the whole new definition; its id and version are ignored. `expected` is the version that the command was
    /// meant for, nil for any.
    ///
    /// - Throws: `unknown`, `notOpen`, `versionConflict`, `liveLimit`, `targetsHit`; nothing has changed then.
    package mutating func amend(
        _ handle: PlanHandle,
        to plan: Plan,
        expected: Int32? = nil,
        at placement: PlanPlacement,
        received: Instant,
        limitsLive: Bool = true,
        into out: inout [PlanOutcome]
    ) throws(PlanBookError) {
        let slot = try openSlot(handle, expected: expected)
        let old = table.plan(slot)
        var new = plan
        new.id = old.id
        new.version = old.version + 1
        let isSameSeat = new.owner == old.owner && new.symbol == old.symbol && new.style == old.style
        if limitsLive, new.kind == .live, !(isSameSeat && old.kind == .live), table.liveCount(like: new) > 0 {
            throw Self.liveLimit(new)
        }
        let restarts = startsAnew(slot, from: old, to: new, at: placement)
        let hit = Int(table.records[Int(slot)].targetsHit)
        if !restarts, new.targets.prefix(hit) != old.targets.prefix(hit) || new.targets.count < hit {
            throw PlanBookError(.targetsHit, "targets 1…\(hit) of \(old.id) were hit and stay as they are")
        }
        detach(slot)
        table.redefine(slot, new, tick: placement.tick)
        if restarts {
            countOut(slot)
            resetState(slot)
            place(slot, placement)
            out.append(.status(table.records[Int(slot)].status(handle, .amended)))
            begin(slot, placement, received: received, into: &out)
        } else {
            carryOn(slot, old: old, placement, received: received)
            out.append(.status(table.records[Int(slot)].status(handle, .amended)))
        }
        dropDeadTimers()
    }

    /// Ends an open plan between two events.
    ///
    /// - Throws: `unknown`, `notOpen`, `versionConflict`.
    package mutating func cancel(
        _ handle: PlanHandle,
        expected: Int32? = nil,
        into out: inout [PlanOutcome]
    ) throws(PlanBookError) {
        let slot = try openSlot(handle, expected: expected)
        var record = table.records[Int(slot)]
        record.cancel(handle, into: &out)
        settle(slot, record)
    }

    /// Drops a plan that is over from memory; its id is free again.
    ///
    /// - Throws: `unknown`, `notOpen` while it is still open.
    package mutating func forget(_ handle: PlanHandle) throws(PlanBookError) {
        let slot = try self.slot(handle)
        guard !table.records[Int(slot)].state.isOpen else {
            throw PlanBookError(.notOpen, "\(table.id(slot)) is still \(table.records[Int(slot)].state.rawValue)")
        }
        finished.remove(handle)
        table.remove(slot)
    }

    /// Forgets the plans that were over first, but for the newest `finishedLimit` of them.
    ///
    /// To be called when everything that the book said is out: what it says names plans by handles.
    package mutating func forgetFinished() {
        while finished.count > finishedLimit { table.remove(finished.removeFirst().slot) }
    }

    private static func liveLimit(_ plan: Plan) -> PlanBookError {
        PlanBookError(.liveLimit, "\(plan.owner) has an open live \(plan.style.rawValue) plan in \(plan.symbol)")
    }

    private func openSlot(_ handle: PlanHandle, expected: Int32?) throws(PlanBookError) -> UInt32 {
        let slot = try self.slot(handle)
        let record = table.records[Int(slot)]
        guard record.state.isOpen else {
            throw PlanBookError(.notOpen, "\(table.id(slot)) is \(record.state.rawValue)")
        }
        if let expected, expected != record.version {
            throw PlanBookError(.versionConflict, "\(table.id(slot)) is at version \(record.version), not \(expected)")
        }
        return slot
    }

    private func startsAnew(_ slot: UInt32, from old: Plan, to new: Plan, at placement: PlanPlacement) -> Bool {
        let record = table.records[Int(slot)]
        let isMoved =
            record.state == .draft
            || index.instruments[Int(index.groups[Int(record.group)].instrument)].symbol != placement.instrument.index
        return isMoved || record.needsReview || new.entry.type != old.entry.type || new.entry.price != old.entry.price
            || new.side != old.side
            || new.trigger != old.trigger || new.kind != old.kind
            || (record.state != .entered && new.armAt != old.armAt)
    }

    /// Back to before arming; hits so far stay counted.
    private mutating func resetState(_ slot: UInt32) {
        var record = table.records[Int(slot)]
        record.state = .draft
        record.phase = .idle
        record.targetsHit = 0
        record.filled = 0
        record.stop = record.firstStop
        record.entryX = 0
        record.carriedX = 0
        record.carriedHigh = Sample.unconfirmedUp
        record.carriedLow = Sample.unconfirmedDown
        record.needsReview = false
        record.isDoubtful = false
        table.gaps[slot] = nil
        table.records[Int(slot)] = record
    }

    /// Gives the plan its group, and its part in what is known of the instrument.
    private mutating func place(_ slot: UInt32, _ placement: PlanPlacement) {
        let record = table.records[Int(slot)]
        let instrument = index.intern(placement.instrument)
        let isLive = record.kind == .live
        if isLive, record.trigger.usesQuotes, index.instruments[instrument].quotePlans == 0 {
            takeStanding(placement.standing, of: instrument)
        }
        let group = index.group(
            instrument: instrument,
            trigger: record.trigger,
            sessions: SessionSet(rawValue: record.sessions)
        )
        table.records[Int(slot)].group = UInt32(group)
        table.records[Int(slot)].isBlind = isLive && index.instruments[instrument].sight != .sees
        if isLive { countIn(slot) }
    }

    /// The first plan on an instrument's quotes: until now nobody kept the preceding one.
    private mutating func takeStanding(_ standing: StandingQuote?, of instrument: Int) {
        let watched = index.instruments[instrument]
        guard let standing, standing.quote.isUsable, standing.quote.ask <= TriggerRules.priceLimit, !watched.isFrozen,
            !watched.pairsAnew
        else {
            index.clearPreceding(instrument)
            return
        }
        index.setPreceding(instrument, standing.quote, standing.session)
    }

    /// Sets timers, and arms what is due.
    private mutating func begin(
        _ slot: UInt32,
        _ placement: PlanPlacement,
        received: Instant,
        into out: inout [PlanOutcome]
    ) {
        var record = table.records[Int(slot)]
        setExpiry(&record, slot, placement)
        record.armDue = max(record.armAt, received.nanos)
        table.records[Int(slot)] = record
        guard record.kind == .live else { return }
        let timer = Timer(boundary: Instant(nanos: record.armDue), isExpiry: false, order: record.order, slot: slot)
        if record.armAt > received.nanos {
            push(timer)
        } else if !defersAny || !hold(timer, received) {
            arm(slot, into: &out)
        }
    }

    /// Goes on in the same state under a new definition.
    private mutating func carryOn(_ slot: UInt32, old: Plan, _ placement: PlanPlacement, received: Instant) {
        var record = table.records[Int(slot)]
        let new = table.plan(slot)
        record.group = UInt32(
            index.group(
                instrument: Int(index.groups[Int(record.group)].instrument),
                trigger: record.trigger,
                sessions: new.sessions
            )
        )
        if new.stop != old.stop || new.trail != old.trail || new.breakevenAfter != old.breakevenAfter {
            let high = record.carriedHigh == Sample.unconfirmedUp ? nil : record.carriedHigh
            record.stop = record.stopByRules(high: high)
        }
        setExpiry(&record, slot, placement)
        index.countOpen(Int(record.group), by: 1)
        record.since = index.groups[Int(record.group)].sequence
        if record.state == .entered { beginManaging(&record) }
        settle(slot, record)
    }

    private mutating func setExpiry(_ record: inout PlanRecord, _ slot: UInt32, _ placement: PlanPlacement) {
        var expiry = record.expiresAt == .min ? Int64.max : record.expiresAt
        if record.style.endsWithSession { expiry = min(expiry, placement.nextClose.nanos) }
        record.expiry = expiry
        if expiry != .max, record.kind == .live {
            push(Timer(boundary: Instant(nanos: expiry), isExpiry: true, order: record.order, slot: slot))
        }
    }

    private mutating func push(_ timer: Timer) {
        // A plan has at most two timers: above three an open plan some are dead.
        if timers.count > 3 * openCount + 64 {
            let book = table
            timers.filter { Self.isValid($0, book) }
        }
        timers.push(timer)
    }
}
