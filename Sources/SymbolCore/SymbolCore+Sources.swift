internal import Analytics
package import MarketData
internal import Plans
internal import Primitives
package import Wire

/// What inputs refer to by index: the texts that don't fit into one.
package struct InputTexts: Sendable {
    package var commands: [Command]
    package var feeds: [FeedChange]
    package var repairs: [RepairBars]
    package var rules: [TradeRules]

    package init(
        commands: [Command] = [],
        feeds: [FeedChange] = [],
        repairs: [RepairBars] = [],
        rules: [TradeRules] = []
    ) {
        self.commands = commands
        self.feeds = feeds
        self.repairs = repairs
        self.rules = rules
    }
}

/// What a lower feed says of an instrument while its own is away: shown, with the feed's name, and nothing else.
///
/// It never steps a plan: the bridge sends a few snapshots a second, and a stop crossed between two of them would be
/// missed without a word (docs/decisions/0012).
struct Fallback: Sendable, BitwiseCopyable {
    var source: FeedSource
    var quote: Quote?
    var last: Price?
    var received: Instant
}

// One active feed an instrument, and what its plans see.
extension SymbolCore {
    /// Whether an event of another feed than the slot's own counts; the slot's first feed becomes its own, a better one too.
    mutating func admit(_ event: MarketEvent, of source: FeedSource, slot: Int, received: Instant) -> Bool {
        switch event {
        // Words about an instrument, whoever says them.
        case .halt, .flowAlert: return true
        default: break
        }
        let own = planSource(slot)
        // Before its first event an instrument waits for its market's feed, where there is one: who is first must not
        // decide whose prices the plans see.
        let isFree = places[slot].source == nil && (!feeds.known.contains(own) || source.rank <= own.rank)
        if isFree || source.rank < own.rank {
            places[slot].source = source
            fallbacks[slot] = nil
            return true
        }
        counters.shadowed += 1
        guard feeds.down.contains(own) else { return false }
        var fallback = fallbacks[slot] ?? Fallback(source: source, received: received)
        switch event {
        case .quote(let quote): fallback.quote = quote
        case .trade(let trade): fallback.last = trade.price
        case .indexValue(let value): fallback.last = value.value
        default: return false
        }
        (fallback.source, fallback.received) = (source, received)
        fallbacks[slot] = fallback
        publisher.touched(slot: slot, at: received)
        return false
    }

    /// What a lower feed that is there says of a slot whose own is away; nil where nothing of it is shown.
    func shownFallback(_ slot: Int) -> Fallback? {
        guard feeds.down.contains(planSource(slot)), let fallback = fallbacks[slot],
            !feeds.down.contains(fallback.source)
        else { return nil }
        return fallback
    }

    /// What is shown of a slot now: its own feed's figures, or a lower one's while that is away.
    func shown(_ slot: Int, quote: Quote?, last: Price?) -> (quote: Quote?, last: Price?, source: Int64?) {
        guard let own = places[slot].source, feeds.down.contains(own) else {
            return (quote, last, Int64(planSource(slot).rawValue))
        }
        if let fallback = shownFallback(slot) {
            return (fallback.quote, fallback.last ?? last, Int64(fallback.source.rawValue))
        }
        guard slot < Int(Slot.firstContract), let close = underlying.bars.lastClose else { return (nil, last, nil) }
        return (nil, close, TickField.lastBar)
    }

    /// The feed that an instrument's plans act on: its own, or before its first event the market's; the bridge where it
    /// has none.
    func planSource(_ slot: Int) -> FeedSource {
        if let source = places[slot].source { return source }
        let market: FeedSource =
            switch instruments[slot]?.kind {
            case .option: .options
            case .index: .indices
            case .equity, nil: .stocks
            }
        return !feeds.known.contains(market) && feeds.known.contains(.bridge) ? .bridge : market
    }

    /// Takes a feed's new state: the plans of its instruments lose sight, or get it back.
    mutating func ingest(_ input: Input, feed change: FeedChange, into out: inout OutputBatch) {
        cursor.start(input.n, core: number)
        if input.received >= timerDue { fireTimers(upTo: input.received, into: &out) }
        guard let source = change.source else { return }
        feeds.changed(source, to: change.state)
        if change.state == .up {
            for slot in fallbacks.keys where places[slot].source == source { fallbacks[slot] = nil }
        }
        publisher.sourcesChanged()
        for index in watches.indices where planSource(watches[index].slot) == source {
            let last = watches[index].lastTime == .distantPast ? input.received : watches[index].lastTime
            let actions: [Sight.Action]
            switch change.state {
            case .down: actions = watches[index].sight.lost(after: last)
            case .degraded: actions = watches[index].sight.dimmed(after: last)
            case .up:
                actions = watches[index].sight.restored(at: input.received, repairNanos: options.repairNanos)
                watches[index].silenceDue = input.received.advanced(byNanos: watches[index].silenceNanos)
            }
            perform(actions, watch: index, bars: nil, received: input.received, into: &out)
        }
        settleWatches()
    }

    /// Takes what bars say of a gap.
    mutating func ingest(_ input: Input, repair: RepairBars, into out: inout OutputBatch) {
        cursor.start(input.n, core: number)
        if input.received >= timerDue { fireTimers(upTo: input.received, into: &out) }
        guard let index = watches.firstIndex(where: { $0.slot == Int(input.slot) }) else { return }
        let actions = watches[index].sight.answered(hasBars: repair.bars != nil, from: repair.from, to: repair.to)
        perform(actions, watch: index, bars: repair.bars, received: input.received, into: &out)
        settleWatches()
    }

    /// Watches an instrument from its first plan on.
    mutating func watch(slot: Int, id: SymbolID, received: Instant) {
        guard places[slot].watch < 0 else { return }
        var watch = SlotWatch(slot: slot, id: id)
        let source = planSource(slot)
        if feeds.down.contains(source) {
            plans.blind(id, from: received, defers: true, because: .sourceDown, into: &outcomes)
            _ = watch.sight.lost(after: received)
        } else if feeds.degraded.contains(source) {
            plans.blind(id, from: received, defers: false, because: .lag, into: &outcomes)
            _ = watch.sight.dimmed(after: received)
        }
        places[slot].watch = Int32(watches.count)
        watches.append(watch)
    }

    /// An event of a watched instrument's own feed came.
    @inline(never)
    mutating func touch(watch index: Int, time: Instant, received: Instant) {
        let hadBeenDim = watches[index].touched(at: time, received: received, day: sessions.current.day.date)
        watchDue = min(watchDue, watches[index].silenceDue)
        guard hadBeenDim, !feeds.degraded.contains(planSource(watches[index].slot)) else { return }
        _ = watches[index].sight.restored(at: received, repairNanos: options.repairNanos)
        settleWatches()
    }

    /// Looks at what is due at a clock input: sight that comes back, silence.
    mutating func fireWatches(at clock: Instant, delivering: FeedSet, into out: inout OutputBatch) {
        for index in watches.indices {
            perform(watches[index].sight.fire(at: clock), watch: index, bars: nil, received: clock, into: &out)
            guard clock >= watches[index].silenceDue else { continue }
            let watch = watches[index]
            let due = watch.lastReceived.advanced(byNanos: watch.silenceNanos)
            if due > clock {
                watches[index].silenceDue = due
            } else {
                // Looked at again with the next event; or later, where now is no time to be alarmed.
                let isAlarming =
                    delivering.contains(planSource(watch.slot)) && !halted
                    && sessions.window(at: clock).kind == .rth
                watches[index].silenceDue =
                    isAlarming ? .distantFuture : clock.advanced(byNanos: SlotWatch.silenceNanosMin)
                guard isAlarming else { continue }
                let actions = watches[index].sight.dimmed(after: watch.lastTime)
                perform(actions, watch: index, bars: nil, received: clock, into: &out)
            }
        }
        settleWatches()
    }

    private mutating func settleWatches() {
        watchDue = watches.reduce(.distantFuture) { min($0, $1.due) }
    }

    private mutating func perform(
        _ actions: [Sight.Action],
        watch index: Int,
        bars: [Bar]?,
        received: Instant,
        into out: inout OutputBatch
    ) {
        let (slot, id) = (watches[index].slot, watches[index].id)
        for action in actions {
            switch action {
            case .blind(let from, let defers):
                let isLate = feeds.degraded.contains(planSource(slot))
                let reason = defers ? BlindReason.sourceDown : isLate ? .lag : .silence
                plans.blind(id, from: from, defers: defers, because: reason, into: &outcomes)
            case .ask(let from, let to): ask(slot: slot, from: from, to: to, received: received, into: &out)
            case .giveUp(let from, let to):
                plans.repair(id, from: from, to: to, bars: nil, received: received, into: &outcomes)
            case .repair(let from, let to):
                let bars = bars?.map { repairBar($0) }
                plans.repair(id, from: from, to: to, bars: bars, received: received, into: &outcomes)
                // Bars that end before the gap does may lack what came after them.
                let end = bars?.last?.end ?? from
                if end < to { plans.doubt(id, from: max(from, end), to: to, into: &outcomes) }
            case .see: plans.seeing(id, received: received, into: &outcomes)
            }
            emitOutcomes(because: nil, slot: slot, received: received, into: &out)
        }
    }

    private mutating func repairBar(_ bar: Bar) -> RepairBar {
        RepairBar(
            start: bar.start,
            seconds: Int32(bar.seconds),
            session: sessions.window(at: bar.start).kind,
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            band: Price(micros: underlying.tenthATRMicros)
        )
    }

    /// Asks for bars: whoever runs the engine has them fetched, and brings the answer as an input.
    private mutating func ask(slot: Int, from: Instant, to: Instant, received: Instant, into out: inout OutputBatch) {
        guard let symbol = instruments[slot]?.instrument.symbol else { return }
        let index = cursor.take()
        out.append(
            n: cursor.n,
            index: index,
            type: .reply,
            outputClass: .request,
            time: received,
            channel: { $0.append(contentsOf: symbol.utf8) },
            payload: { bytes in
                var object = JSONObject(&bytes)
                object.field("symbol", symbol as String?, to: &bytes)
                object.field("from", from as Instant?, to: &bytes)
                object.field("to", to as Instant?, to: &bytes)
                object.end(&bytes)
            }
        )
    }
}
