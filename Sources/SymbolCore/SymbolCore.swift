package import Analytics
package import MarketData
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
    /// Since when a feed says that trading is halted; nil where none does.
    var toldHalt: Instant?
    /// What conditions forbid: the fallback, or as fetched.
    var rules: TradeRules
    /// How the feeds do.
    var feeds: FeedsState
    /// The feed of the event at hand.
    var eventSource = FeedSource.stocks
    /// What lower feeds say of instruments whose own is away, by slot.
    var fallbacks: [Int: Fallback] = [:]
    /// Days of corporate actions that the plans have seen, as yyyymmdd.
    var adjustedDates: [Int32] = []
    /// What is kept of instruments with plans, and when the first of them wants a clock.
    var watches: [SlotWatch] = []
    var watchDue = Instant.distantFuture
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
    /// Whether somebody watches the channels that are this core's if it turns out to be an index'.
    var demandsIndex = (symbol: false, bands: false)
    var outcomes: [PlanOutcome] = []
    var publisher = Publisher()
    package internal(set) var counters = CoreCounters()

    /// Where the next output of the input at hand goes.
    var cursor = OutputCursor()

    package init(
        symbol: String,
        number: UInt32,
        options: SymbolCoreOptions,
        rules: TradeRules = TradeRules(),
        feeds: FeedsState = FeedsState()
    ) {
        self.rules = rules
        self.feeds = feeds
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
            guard let mark = classify(event, slot: input.slot, source: input.source, received: input.received) else {
                return
            }
            updateBook(event, mark)
            let revised = updateAnalytics(event, mark, received: input.received)
            stepPlans(event, mark, received: input.received)
            emit(event, mark, received: input.received, revisedBar: revised, into: &out)
        case .clock(let delivering):
            if input.received >= watchDue { fireWatches(at: input.received, delivering: delivering, into: &out) }
            if input.received >= publisher.due { publish(at: input.received, into: &out) }
        case .command, .feed, .repair, .rules:
            preconditionFailure("an input without its text: \(input.n)")
        }
    }

    /// When the core next wants a clock input: a timer of its own, or something to publish.
    package var nextDue: Instant { min(timerDue, publisher.due, watchDue) }

    /// The earliest of the timers that fire on any input.
    var timerDue: Instant { min(underlying.nextBoundary, plans.nextDue) }

    /// Applies this core's inputs of a batch, and between them the clocks that it is due at; the others are jumped over.
    ///
    /// `order` has positions in `inputs`, in order of `n`.
    /// - Returns: when the core next wants a clock.
    package mutating func apply(
        _ inputs: UnsafeBufferPointer<Input>,
        in order: UnsafeBufferPointer<Int32>,
        broadcasts: UnsafeBufferPointer<Input>,
        texts: InputTexts,
        into out: inout OutputBatch
    ) -> Instant {
        guard let base = inputs.baseAddress else { return nextDue }
        var next = 0
        var passed = bornAfter
        var due = nextDue
        // Every feed state is heard, a clock only where it is due.
        let lastBroadcast =
            texts.feeds.isEmpty && texts.rules.isEmpty ? broadcasts.last?.received ?? .distantPast : .distantFuture
        for position in order {
            let position = Int(position)
            if due <= lastBroadcast {
                due = applyBroadcasts(broadcasts, from: &next, between: passed, inputs[position].n, texts, into: &out)
            }
            switch inputs[position].body {
            case .command(let index): ingest(inputs[position], command: texts.commands[index], into: &out)
            case .repair(let index): ingest(inputs[position], repair: texts.repairs[index], into: &out)
            default: ingest(at: base + position, into: &out)
            }
            due = nextDue
            passed = inputs[position].n
        }
        if due <= lastBroadcast {
            due = applyBroadcasts(broadcasts, from: &next, between: passed, .max, texts, into: &out)
        }
        return due
    }

    /// Applies feed states, and the clocks that are due, between two inputs; clocks before `passed` weren't, when it was
    /// their turn.
    private mutating func applyBroadcasts(
        _ broadcasts: UnsafeBufferPointer<Input>,
        from next: inout Int,
        between passed: Ordinal,
        _ n: Ordinal,
        _ texts: InputTexts,
        into out: inout OutputBatch
    ) -> Instant {
        var due = nextDue
        while next < broadcasts.count, broadcasts[next].n < n {
            let input = broadcasts[next]
            if input.n > passed {
                switch input.body {
                case .feed(let index): ingest(input, feed: texts.feeds[index], into: &out)
                case .rules(let index): rules = texts.rules[index]
                default: if input.received >= due { ingest(input, into: &out) }
                }
                due = nextDue
            }
            next += 1
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
    private mutating func classify(
        _ event: MarketEvent,
        slot: UInt32,
        source: FeedSource,
        received: Instant
    ) -> Mark? {
        let slot = Int(slot)
        guard slot < places.count, places[slot].isKnown else {
            counters.unplaced += 1
            return nil
        }
        if places[slot].source != source, !admit(event, of: source, slot: slot, received: received) { return nil }
        eventSource = source
        // From here on `sessions.current` is the event's window; it isn't handed on, because copies of it stall.
        let session = sessions.window(at: event.time).kind
        var mark = Mark(slot: slot, tradeClass: .none, triggers: false)
        if case .trade(let trade) = event {
            let kind = places[slot].kind
            mark.tradeClass = rules.classify(trade.conditions, kind, in: session)
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
        case .bar, .indexValue, .priceBands, .imbalance, .fairValue, .flowAlert, .halt:
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
        case .halt(let halt): toldHalt = halt.isHalted ? halt.time : nil
        case .imbalance, .fairValue, .flowAlert: break
        case .trade, .quote: preconditionFailure("a trade or quote among the rare events")
        }
        return nil
    }

    // MARK: 4. Step plans

    @inline(__always)
    private mutating func stepPlans(_ event: MarketEvent, _ mark: Mark, received: Instant) {
        if mark.slot < Int(Slot.firstContract) {
            if toldHalt != nil { reviewHalt(event, mark) }
            if (underlying.isHaltSuspected || toldHalt != nil) != halted { haltChanged() }
        }
        guard plans.openCount > 0 else { return }
        if places[mark.slot].watch >= 0 {
            touch(watch: Int(places[mark.slot].watch), time: event.time, received: received)
        }
        let session = TradingSession(
            kind: sessions.current.kind,
            start: sessions.current.start,
            end: sessions.current.end
        )
        let band = Price(micros: underlying.tenthATRMicros)
        if mark.tradeClass.contains(.cancel), case .trade(let trade) = event { void(trade, received) }
        if plans.defersAny, hold(event, mark, session, received, band) { return }
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

    /// Keeps what may trigger while a gap of its instrument waits for repair.
    @inline(never)
    private mutating func hold(
        _ event: MarketEvent,
        _ mark: Mark,
        _ session: TradingSession,
        _ received: Instant,
        _ band: Price
    ) -> Bool {
        if case .trade = event, !mark.triggers { return true }
        return plans.hold(
            event,
            nbbo: places[mark.slot].book,
            session: session,
            received: received,
            band: band,
            into: &outcomes
        )
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
