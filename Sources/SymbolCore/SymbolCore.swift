package import Analytics
internal import MarketData
internal import Plans
package import Primitives
package import Wire

/// The heart of the engine: the whole state of one underlying, its index and its option contracts.
///
/// Pure.
///
/// An input in, outputs out, in five steps: classify, update book, update analytics, step plans, emit. Time is an input:
/// timers fire on inputs whose receive time has reached their boundary. After warm-up an input without outputs doesn't
/// allocate. Never copied: a copy of this much state at every read was what cost most. Shard thread only.
package struct SymbolCore: ~Copyable, Sendable {
    /// The underlying's name: `SPY`, `SPX`.
    package let symbol: String
    /// The core's number in order of first sight: the upper half of its output indices.
    package let number: UInt32
    let options: SymbolCoreOptions

    // What is known of the market.
    var sessions: SessionClock
    package internal(set) var underlying: UnderlyingAnalytics
    var contracts: [ContractAnalytics] = []
    /// What an event needs to know of its slot.
    var places = PlaceTable()
    /// The instruments by slot, for what isn't said every tick; nil where a slot has none yet.
    var instruments: [PlacedInstrument?] = [nil, nil]
    var halted = false
    /// Instruments of inputs to come, in order of `n`, and the first's.
    var announced: [Announcement] = []
    var nextAnnounced = Ordinal.max
    /// The input before the one that made the core: clocks up to it are none of its business.
    var bornAfter = Ordinal.max

    // What is wanted of it.
    var plans: PlanBook
    var wantsAllPlans = false
    /// Contract channels that somebody watches, of this core or not: the instrument may come after the wish.
    var demandedContracts: Set<String> = []
    var outcomes: [PlanOutcome] = []
    var publisher = Publisher()
    package internal(set) var counters = CoreCounters()

    /// Where the next output of the input at hand goes.
    var cursor = OutputCursor()

    package init(symbol: String, number: UInt32, options: SymbolCoreOptions) {
        self.symbol = symbol
        self.number = number
        self.options = options
        plans = PlanBook(limit: options.planLimit)
        sessions = SessionClock(options.calendar)
        underlying = UnderlyingAnalytics(kind: .equity, settings: options.analytics)
    }

    /// Applies one input.
    package mutating func ingest(_ input: Input, into out: inout OutputBatch) {
        withUnsafePointer(to: input) { ingest(at: $0, into: &out) }
    }

    /// The five steps, all of them inlined here: an event is read where it lies, and not copied for each.
    private mutating func ingest(at place: UnsafePointer<Input>, into out: inout OutputBatch) {
        let input = place.pointee
        if input.n >= nextAnnounced { introduceAnnounced(through: input.n) }
        cursor.start(input.n, core: number)
        if input.received >= timerDue { fireTimers(upTo: input.received, into: &out) }
        switch input.body {
        case .market(let event):
            guard let mark = classify(event, slot: input.slot) else { return }
            updateBook(event, mark)
            let revised = updateAnalytics(event, mark, received: input.received)
            stepPlans(event, mark, received: input.received)
            emit(event, mark, received: input.received, revisedBar: revised, into: &out)
        case .clock:
            if input.received >= publisher.due { publish(at: input.received, into: &out) }
        case .command, .feed:
            preconditionFailure("a core takes commands with their text, and no feed states")
        }
    }

    /// When the core next wants a clock input: a timer of its own, or something to publish.
    package var nextDue: Instant { min(timerDue, publisher.due) }

    /// The earliest of the timers that fire on any input.
    var timerDue: Instant { min(underlying.nextBoundary, plans.nextDue) }

    /// Applies this core's inputs of a batch, and between them the clocks that it is due at; the others are jumped over.
    ///
    /// `order` has positions in `inputs`, in order of `n`.
    /// - Returns: when the core next wants a clock.
    package mutating func apply(
        _ inputs: UnsafeBufferPointer<Input>,
        in order: UnsafeBufferPointer<Int32>,
        clocks: UnsafeBufferPointer<Input>,
        commands: UnsafeBufferPointer<Command>,
        into out: inout OutputBatch
    ) -> Instant {
        guard let base = inputs.baseAddress else { return nextDue }
        var clock = 0
        var passed = bornAfter
        var due = nextDue
        let lastClock = clocks.last?.received ?? .distantPast
        for position in order {
            let position = Int(position)
            if due <= lastClock {
                due = applyClocks(clocks, from: &clock, between: passed, inputs[position].n, into: &out)
            }
            if case .command(let index) = inputs[position].body {
                ingest(inputs[position], command: commands[index], into: &out)
            } else {
                ingest(at: base + position, into: &out)
            }
            due = nextDue
            passed = inputs[position].n
        }
        if due <= lastClock { due = applyClocks(clocks, from: &clock, between: passed, .max, into: &out) }
        return due
    }

    /// Applies the clocks that are due between two inputs; those before `passed` weren't, when it was their turn.
    private mutating func applyClocks(
        _ clocks: UnsafeBufferPointer<Input>,
        from clock: inout Int,
        between passed: Ordinal,
        _ n: Ordinal,
        into out: inout OutputBatch
    ) -> Instant {
        var due = nextDue
        while clock < clocks.count, clocks[clock].n < n {
            if clocks[clock].received >= due, clocks[clock].n > passed {
                ingest(clocks[clock], into: &out)
                due = nextDue
            }
            clock += 1
        }
        return due
    }

    // MARK: 1. Classify

    /// What an event may do: decided once, before anything changes.
    struct Mark {
        var slot: Int
        var tradeClass: TradeClass
        /// A trade that may trigger plans: class *last*, and no bad print.
        var triggers: Bool
    }

    @inline(__always)
    private mutating func classify(_ event: MarketEvent, slot: UInt32) -> Mark? {
        let slot = Int(slot)
        guard slot < places.count, places[slot].isKnown else {
            counters.unplaced += 1
            return nil
        }
        // From here on `sessions.current` is the event's window; it isn't handed on, because copies of it stall.
        let session = sessions.window(at: event.time).kind
        var mark = Mark(slot: slot, tradeClass: .none, triggers: false)
        if case .trade(let trade) = event {
            let kind = places[slot].kind
            mark.tradeClass = options.rules.classify(trade.conditions, kind, in: session)
            mark.triggers = mark.tradeClass.contains(.last)
            if mark.triggers,
                TriggerRules.isBadPrint(
                    trade.price,
                    prevailing: places[slot].book,
                    tick: Instrument.tick(kind, at: trade.price)
                )
            {
                mark.triggers = false
                counters.badPrints += 1
            }
        }
        return mark
    }

    // MARK: 2. Update book

    @inline(__always)
    private mutating func updateBook(_ event: MarketEvent, _ mark: Mark) {
        if case .quote(let quote) = event, quote.isUsable { places[mark.slot].book = quote }
    }

    // MARK: 3. Update analytics

    /// - Returns: the start of a completed minute bar that changed.
    @inline(__always)
    private mutating func updateAnalytics(_ event: MarketEvent, _ mark: Mark, received: Instant) -> Instant? {
        guard mark.slot < Int(Slot.firstContract) else {
            let contract = mark.slot - Int(Slot.firstContract)
            switch event {
            case .trade(let trade): contracts[contract].traded(trade, as: mark.tradeClass, in: sessions.current)
            case .quote(let quote):
                contracts[contract].quoted(quote, in: sessions.current, received: received, options.contractSampling)
            default: break
            }
            return nil
        }
        switch event {
        case .trade(let trade):
            return underlying.traded(trade, as: mark.tradeClass, in: sessions.current, received: received)
        case .quote(let quote): underlying.quoted(quote, in: sessions.current, received: received)
        case .bar, .indexValue, .priceBands, .imbalance, .fairValue:
            return updateRarely(event, mark, received: received)
        }
        return nil
    }

    /// The same for what is a twentieth of the traffic, kept apart so that the rest stays small enough to be inlined.
    @inline(never)
    private mutating func updateRarely(_ event: MarketEvent, _ mark: Mark, received: Instant) -> Instant? {
        switch event {
        case .bar(let bar): return underlying.barred(bar, in: sessions.current, received: received)
        case .indexValue(let value): return underlying.valued(value, in: sessions.current, received: received)
        case .priceBands(let bands): underlying.banded(bands, in: sessions.current, received: received)
        case .imbalance, .fairValue: break
        case .trade, .quote: preconditionFailure("a trade or quote among the rare events")
        }
        return nil
    }

    // MARK: 4. Step plans

    @inline(__always)
    private mutating func stepPlans(_ event: MarketEvent, _ mark: Mark, received: Instant) {
        if mark.slot < Int(Slot.firstContract), underlying.isHaltSuspected != halted { haltChanged() }
        guard plans.openCount > 0 else { return }
        let session = TradingSession(
            kind: sessions.current.kind,
            start: sessions.current.start,
            end: sessions.current.end
        )
        let band = Price(micros: underlying.tenthATRMicros)
        switch event {
        case .trade(let trade) where mark.triggers:
            plans.traded(
                trade.price,
                on: trade.symbol,
                session: session,
                time: trade.time,
                received: received,
                band: band,
                into: &outcomes
            )
        case .indexValue(let value):
            plans.traded(
                value.value,
                on: value.symbol,
                session: session,
                time: value.time,
                received: received,
                band: band,
                into: &outcomes
            )
        case .quote(let quote):
            plans.quoted(quote, session: session, received: received, band: band, into: &outcomes)
        default: break
        }
    }

    // MARK: 5. Emit

    @inline(__always)
    private mutating func emit(
        _ event: MarketEvent,
        _ mark: Mark,
        received: Instant,
        revisedBar: Instant?,
        into out: inout OutputBatch
    ) {
        if !outcomes.isEmpty { emitOutcomes(because: event, slot: mark.slot, received: received, into: &out) }
        publisher.touched(slot: mark.slot, at: received)
        if let revisedBar { publisher.finished(bar: revisedBar) }
    }
}
