internal import Analytics
internal import MarketData
internal import Plans
internal import Primitives
package import Wire

extension SymbolCore {
    /// Applies a numbered command and answers it; the answer follows what the command caused.
    package mutating func ingest(_ input: Input, command: Command, into out: inout OutputBatch) {
        introduceAnnounced(through: input.n)
        cursor.start(input.n, core: number)
        if input.received >= timerDue { fireTimers(upTo: input.received, into: &out) }
        if command.operation == .adjust {
            adjust(command, received: input.received)
            return emitOutcomes(because: nil, slot: nil, received: input.received, into: &out)
        }
        let answer: Result<PlanHandle, CommandRefusal> = perform(command, received: input.received)
        emitOutcomes(because: nil, slot: nil, received: input.received, into: &out)
        if case .failure = answer { counters.refusedCommands += 1 }
        let index = cursor.take()
        out.append(
            n: input.n,
            index: index,
            type: .reply,
            outputClass: .reply,
            time: input.received,
            channel: { $0.append(contentsOf: command.id.utf8) },
            payload: { bytes in
                switch answer {
                case .failure(let refusal): refusal.encode(into: &bytes)
                case .success(let handle): appendReply(handle, to: &bytes)
                }
            }
        )
    }

    private func appendReply(_ handle: PlanHandle, to out: inout [UInt8]) {
        var object = JSONObject(&out)
        object.field("ok", true, to: &out)
        object.key("plan", to: &out)
        appendSnapshot(handle, to: &out)
        object.end(&out)
    }

    private func appendSnapshot(_ handle: PlanHandle, to out: inout [UInt8]) {
        guard let plan = try? plans.plan(handle), let snapshot = try? plans.snapshot(handle) else {
            preconditionFailure("a plan of this core's own book is gone: \(handle)")
        }
        PlanText.append(snapshot, of: plan, to: &out)
    }

    // MARK: Commands

    /// Puts open swing and leap plans on the other side of a corporate action, once for its day.
    private mutating func adjust(_ command: Command, received: Instant) {
        guard let body = try? JSONParser.parse(command.body),
            let exDate = body["exDate"]?.integer.flatMap({ Int32(exactly: $0) })
        else {
            counters.refusedCommands += 1
            return
        }
        guard !adjustedDates.contains(exDate) else { return }
        adjustedDates.append(exDate)
        var ratio: PriceRatio?
        if let parts = body["ratio"]?.array, parts.count == 2, let numerator = parts[0].integer,
            let denominator = parts[1].integer
        {
            ratio = PriceRatio(numerator, over: denominator)
        }
        plans.adjust(publicName, by: ratio, received: received, into: &outcomes)
    }

    private mutating func perform(_ command: Command, received: Instant) -> Result<PlanHandle, CommandRefusal> {
        do {
            let body = try JSONParser.parse(command.body)
            switch command.operation {
            case .create: return .success(try create(body, owner: command.owner, received: received))
            case .amend: return .success(try amend(body, owner: command.owner, received: received))
            case .cancel: return .success(try cancel(body, owner: command.owner))
            case .adjust, .show, .list: preconditionFailure("not a wish of a user: \(command.operation)")
            }
        } catch let error as JSONError {
            return .failure(CommandRefusal(.invalid, field: "body", message: error.description))
        } catch let error as PlanRejection {
            return .failure(
                CommandRefusal(
                    .invalid,
                    problems: error.problems.map {
                        .init(field: $0.field, message: "expected \($0.expected), found \($0.found)")
                    }
                )
            )
        } catch let error as PlanBookError {
            return .failure(Self.refusal(error))
        } catch let error as CommandRefusal {
            return .failure(error)
        } catch {
            preconditionFailure("an error that no command throws: \(error)")
        }
    }

    private static func refusal(_ error: PlanBookError) -> CommandRefusal {
        switch error.code {
        case .unknown: CommandRefusal(.notFound, field: "id", message: error.detail)
        case .duplicate: CommandRefusal(.conflict, field: "id", message: "the id \(error.detail) is taken")
        case .versionConflict: CommandRefusal(.conflict, field: "version", message: error.detail)
        case .notOpen: CommandRefusal(.conflict, field: "state", message: error.detail)
        case .liveLimit: CommandRefusal(.conflict, field: "kind", message: error.detail)
        case .targetsHit: CommandRefusal(.conflict, field: "targets", message: error.detail)
        case .full: CommandRefusal(.unavailable, field: "plan", message: error.detail)
        }
    }

    private mutating func create(_ body: JSONValue, owner: String, received: Instant) throws -> PlanHandle {
        let plan = try PlanParser.draft(body).validate(in: PlanContext(owner: owner, now: received))
        return try plans.add(
            plan,
            at: try placement(of: plan, received: received),
            received: received,
            limitsLive: options.limitsLivePlans,
            into: &outcomes
        )
    }

    private mutating func amend(_ body: JSONValue, owner: String, received: Instant) throws -> PlanHandle {
        let (handle, plan, expected) = try find(body, owner: owner)
        let context = PlanContext(owner: owner, id: plan.id, version: plan.version, now: received)
        let amended = try PlanParser.draft(body, over: plan).validate(in: context)
        guard amended.symbol == plan.symbol else {
            throw CommandRefusal(.invalid, field: "symbol", message: "an amendment can't change it; cancel and create")
        }
        try plans.amend(
            handle,
            to: amended,
            expected: expected,
            at: try placement(of: amended, received: received),
            received: received,
            limitsLive: options.limitsLivePlans,
            into: &outcomes
        )
        return handle
    }

    private mutating func cancel(_ body: JSONValue, owner: String) throws -> PlanHandle {
        let (handle, _, expected) = try find(body, owner: owner)
        try plans.cancel(handle, expected: expected, into: &outcomes)
        return handle
    }

    /// The caller's plan; somebody else's is not found.
    private func find(_ body: JSONValue, owner: String) throws -> (PlanHandle, Plan, expected: Int32?) {
        let id = body["id"]?.string ?? ""
        guard let handle = plans.handle(id: id), let plan = try? plans.plan(handle), plan.owner == owner else {
            throw CommandRefusal(.notFound, plan: id)
        }
        guard let version = body["version"], !version.isNull else { return (handle, plan, nil) }
        guard let expected = version.integer.flatMap(Int32.init(exactly:)) else {
            throw CommandRefusal(
                .invalid,
                field: "version",
                message: "expected a whole number, found \(version.kindName)"
            )
        }
        return (handle, plan, expected)
    }

    private mutating func placement(of plan: Plan, received: Instant) throws -> PlanPlacement {
        let symbol = plan.triggerSymbol
        guard let slot = instruments.firstIndex(where: { $0?.instrument.symbol == symbol }),
            let placed = instruments[slot]
        else {
            let field = plan.triggerOn == .contract ? "contract" : "symbol"
            throw CommandRefusal(.invalid, field: field, message: "\(symbol) isn't an instrument of \(self.symbol)")
        }
        watch(slot: slot, id: placed.id, received: received)
        let standing = places[slot].book.map { quote in
            let window = sessions.window(at: quote.time)
            return StandingQuote(
                quote: quote,
                session: TradingSession(kind: window.kind, start: window.start, end: window.end)
            )
        }
        return PlanPlacement(
            instrument: placed.id,
            tick: placed.instrument.tick(at: plan.entry.price),
            nextClose: options.calendar.nextClose(after: plan.armingInstant(createdAt: received)),
            standing: halted ? nil : standing
        )
    }

    // MARK: Outcomes

    /// Says what the plans had to say, each after what caused it, and each plan's new snapshot once behind it.
    mutating func emitOutcomes(
        because event: MarketEvent?,
        slot: Int?,
        received: Instant,
        into out: inout OutputBatch
    ) {
        guard !outcomes.isEmpty else { return }
        var cause = PlanCause.input
        for (position, outcome) in outcomes.enumerated() {
            guard let handle = outcome.plan else {
                if case .because(let other) = outcome { cause = other }
                continue
            }
            guard let plan = try? plans.plan(handle) else {
                preconditionFailure("an outcome of a plan that the book doesn't hold: \(handle)")
            }
            switch outcome {
            case .hit(let hit):
                counters.hits += 1
                let reason = reason(for: plan, cause, event: event, received: received)
                if case .trade(let trade) = reason.event { plans.remember(hit, from: trade) }
                emit(.hit, of: plan, at: hit.time, into: &out) {
                    PlanText.append(hit, of: plan.id, because: reason, to: &$0)
                }
            case .status(let status):
                watch(status)
                emit(.status, of: plan, at: received, into: &out) { PlanText.append(status, of: plan.id, to: &$0) }
            case .voided(let void):
                emit(.hit, of: plan, at: void.bust.received, into: &out) {
                    PlanText.append(void, of: plan.id, to: &$0)
                }
            case .because: break
            }
            let isLast = position + 1 == outcomes.count || outcomes[position + 1].plan != handle
            if isLast { emitSnapshot(handle, plan, at: received, into: &out) }
        }
        outcomes.removeAll(keepingCapacity: true)
        plans.forgetFinished()
    }

    private func reason(for plan: Plan, _ cause: PlanCause, event: MarketEvent?, received: Instant) -> HitReason {
        let slot = instruments.firstIndex { $0?.instrument.symbol == plan.triggerSymbol } ?? Int(Slot.equity)
        switch cause {
        case .input: break
        // What wasn't kept of that instant isn't known any more.
        case .held(let held):
            return HitReason(
                event: held.event,
                source: planSource(slot),
                received: held.received,
                nbbo: held.nbbo,
                stability: nil
            )
        case .timer(let due): return HitReason(event: nil, source: nil, received: due, nbbo: nil, stability: nil)
        case .bar(let bar):
            return HitReason(event: nil, bar: bar, source: nil, received: received, nbbo: nil, stability: nil)
        }
        let stability =
            slot < Int(Slot.firstContract)
            ? underlying.sampler.statistics?.stability : contracts[slot - Int(Slot.firstContract)].stability
        return HitReason(
            event: event,
            source: event == nil ? nil : eventSource,
            received: received,
            nbbo: places[slot].book,
            stability: stability
        )
    }

    /// A durable message goes to the plan's channel and to its owner's.
    private mutating func emit(
        _ type: MessageType,
        of plan: Plan,
        at time: Instant,
        into out: inout OutputBatch,
        payload: (inout [UInt8]) -> Void
    ) {
        for channel in [Channel(.plan, plan.id), Channel(.plans, plan.owner)] {
            let index = cursor.take()
            out.append(
                n: cursor.n,
                index: index,
                type: type,
                outputClass: .durable,
                time: time,
                channel: { $0.append(contentsOf: channel.name.utf8) },
                payload: payload
            )
        }
    }

    private mutating func emitSnapshot(
        _ handle: PlanHandle,
        _ plan: Plan,
        at time: Instant,
        into out: inout OutputBatch
    ) {
        let index = cursor.take()
        out.append(
            n: cursor.n,
            index: index,
            type: .snapshot,
            outputClass: .state,
            time: time,
            channel: { $0.append(contentsOf: Channel(.plan, plan.id).name.utf8) },
            payload: { appendSnapshot(handle, to: &$0) }
        )
    }

    /// An option's cancel names an earlier trade: the hits that it gave count no longer.
    @inline(never)
    mutating func void(_ cancel: Trade, _ received: Instant) {
        plans.void(
            TradeBust(
                symbol: cancel.symbol,
                exchange: cancel.exchange,
                price: cancel.price,
                size: cancel.size,
                // Its own time is the cancel's.
                time: .distantPast,
                received: received
            ),
            into: &outcomes
        )
    }
}
