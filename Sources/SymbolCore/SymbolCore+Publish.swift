internal import Analytics
internal import MarketData
internal import Plans
internal import Primitives
internal import Wire

extension SymbolCore {
    /// Takes what somebody watches now, by channel name; everything where nil (a replay that writes all).
    package mutating func setDemand(_ channels: Set<String>?) {
        introduceAnnounced(through: .max)
        wantsAllPlans = channels == nil
        demandedContracts = channels?.filter { $0.hasPrefix("contract:") } ?? []
        demandsIndex = (
            channels?.contains(Channel(.symbol, "I:" + symbol).name) ?? true,
            channels?.contains(Channel(.bands, "I:" + symbol).name) ?? true
        )
        guard let channels else {
            publisher.setDemand(symbol: true, bands: true, contracts: nil, plans: watched(plans.handles))
            return
        }
        var slots: Set<Int> = []
        for slot in instruments.indices where slot >= Int(Slot.firstContract) {
            guard let placed = instruments[slot] else { continue }
            if channels.contains(Channel(.contract, placed.instrument.symbol).name) { slots.insert(slot) }
        }
        var handles: [PlanHandle] = []
        for channel in channels {
            guard let channel = Channel(channel), channel.kind == .plan else { continue }
            if let handle = plans.handle(id: channel.key) { handles.append(handle) }
        }
        handles.sort { $0.order < $1.order }
        publisher.setDemand(
            symbol: channels.contains(Channel(.symbol, publicName).name),
            bands: channels.contains(Channel(.bands, publicName).name),
            contracts: slots,
            plans: watched(handles)
        )
    }

    /// The underlying's name on channels: an index keeps its prefix.
    var publicName: String { underlying.kind == .index ? "I:" + symbol : symbol }

    /// Those of the plans that may still have something to tell.
    private func watched(_ handles: [PlanHandle]) -> [Publisher.WatchedPlan] {
        var watched: [Publisher.WatchedPlan] = []
        for handle in handles where (try? plans.state(handle).isOpen) == true {
            if let plan = self.watched(handle) { watched.append(plan) }
        }
        return watched
    }

    private func watched(_ handle: PlanHandle) -> Publisher.WatchedPlan? {
        guard let plan = try? plans.plan(handle) else { return nil }
        return Publisher.WatchedPlan(
            handle: handle,
            channel: Channel(.plan, plan.id),
            risk: abs(plan.entry.price.micros - plan.stop.micros)
        )
    }

    /// Where every plan is watched, a new one is from its beginning and one that is over no longer.
    mutating func watch(_ status: PlanStatus) {
        if wantsAllPlans, status.reason == .created, let plan = watched(status.plan) {
            publisher.watchedPlans.append(plan)
        } else if !status.state.isOpen {
            publisher.watchedPlans.removeAll { $0.handle == status.plan }
        }
    }

    /// Fires every timer due at `received`: by boundary, then bars complete, plans arm, plans expire.
    mutating func fireTimers(upTo received: Instant, into out: inout OutputBatch) {
        while timerDue <= received {
            if underlying.nextBoundary <= plans.nextDue {
                let fired = underlying.fireNextBoundary()
                if let minute = fired.minuteStart { publisher.finished(bar: minute) }
                if (underlying.isHaltSuspected || toldHalt != nil) != halted { haltChanged() }
            } else {
                plans.fire(upTo: min(received, underlying.nextBoundary.advanced(byNanos: -1)), into: &outcomes)
                emitOutcomes(because: nil, slot: nil, received: received, into: &out)
            }
        }
    }

    /// A print that may set the last price shows that trading goes on, whoever forgot to say so.
    @inline(never)
    mutating func reviewHalt(_ event: MarketEvent, _ mark: Mark) {
        if let since = toldHalt, case .trade(let trade) = event, mark.triggers, trade.time > since { toldHalt = nil }
    }

    /// Freezes the triggers of the underlying's plans while a halt is told or suspected.
    mutating func haltChanged() {
        halted = underlying.isHaltSuspected || toldHalt != nil
        guard let id = instruments[Int(Slot.equity)]?.id else { return }
        if halted { plans.freeze(id) } else { plans.unfreeze(id) }
    }

    /// Says what changed on the wanted channels.
    mutating func publish(at clock: Instant, into out: inout OutputBatch) {
        let what = publisher.take(at: clock, interval: options.publishNanos)
        for start in what.bars { publishBar(startingAt: start, isFinal: true, at: clock, into: &out) }
        if what.underlying {
            if publisher.wantsSymbol { publishTick(at: clock, into: &out) }
            if publisher.wantsBands { publishBands(at: clock, into: &out) }
            for index in publisher.watchedPlans.indices { publishExtremes(index, at: clock, into: &out) }
        }
        for slot in what.contracts { publishContract(slot, at: clock, into: &out) }
    }

    private mutating func publishTick(at clock: Instant, into out: inout OutputBatch) {
        let isIndex = underlying.kind == .index
        let shown = shown(
            Int(isIndex ? Slot.index : Slot.equity),
            quote: underlying.quote,
            last: isIndex ? underlying.value?.value : underlying.lastTrade?.price
        )
        let quote = shown.quote
        publisher.tick.set(TickField.last, shown.last)
        publisher.tick.set(TickField.lastSize, isIndex ? nil : underlying.lastTrade?.size)
        publisher.tick.set(TickField.bid, quote.flatMap { $0.bid == .zero ? nil : $0.bid })
        publisher.tick.set(TickField.ask, quote.flatMap { $0.ask == .zero ? nil : $0.ask })
        publisher.tick.set(TickField.bidSize, quote?.bidSize)
        publisher.tick.set(TickField.askSize, quote?.askSize)
        publisher.tick.set(
            TickField.mid,
            quote.flatMap { $0.isUsable ? Price(micros: ($0.bid.micros + $0.ask.micros) >> 1) : nil }
        )
        publisher.tick[TickField.session] = Int64(sessions.window(at: clock).kind.rawValue)
        publisher.tick.set(TickField.locked, quote.map { $0.isTwoSided && $0.bid == $0.ask })
        publisher.tick.set(TickField.crossed, quote.map { $0.isTwoSided && $0.bid > $0.ask })
        publisher.tick[TickField.age] = Self.ageMillis(of: publisher.lastTouched, at: clock)
        publisher.tick[TickField.source] = shown.source ?? FieldRow.null
        if publisher.tick.isDirty {
            append(.tick, to: Channel(.symbol, publicName), at: clock, into: &out) { $0.publisher.tick.write(to: &$1) }
        }
        let minute = Instant(nanos: clock.nanos - clock.nanos % 60_000_000_000)
        publishBar(startingAt: minute, isFinal: false, at: clock, into: &out)
    }

    private static func ageMillis(of instant: Instant, at clock: Instant) -> Int64 {
        instant <= .zero ? FieldRow.null : max(0, clock.nanos(since: instant) / 1_000_000)
    }

    private mutating func publishBands(at clock: Instant, into out: inout OutputBatch) {
        let vwap = underlying.vwap
        publisher.bands.set(BandsField.vwap, vwap.value)
        publisher.bands.set(BandsField.sigma, vwap.sigma)
        for multiple in 1...3 {
            let position = BandsField.firstBand + (multiple - 1) * 2
            publisher.bands.set(position, vwap.band(Double(multiple)))
            publisher.bands.set(position + 1, vwap.band(-Double(multiple)))
        }
        publisher.bands.set(BandsField.atr, underlying.bars.atr.value)
        publisher.bands[BandsField.source] = underlying.vwapSource == .bars ? 1 : 0
        guard publisher.bands.isDirty else { return }
        append(.bands, to: Channel(.bands, publicName), at: clock, into: &out) { $0.publisher.bands.write(to: &$1) }
    }

    private mutating func publishContract(_ slot: Int, at clock: Instant, into out: inout OutputBatch) {
        guard slot < instruments.count, let placed = instruments[slot] else { return }
        let contract = contracts[slot - Int(Slot.firstContract)]
        var row = publisher.contracts[slot] ?? FieldRow(ContractField.fields)
        let fallback = shownFallback(slot)
        let lower = fallback?.quote
        row.set(ContractField.bid, lower?.bid ?? contract.bid)
        row.set(ContractField.ask, lower?.ask ?? contract.ask)
        row.set(ContractField.bidSize, lower?.bidSize ?? contract.bidSize)
        row.set(ContractField.askSize, lower?.askSize ?? contract.askSize)
        // Without a quote of the lower feed the contract's own old one stays, with its age.
        let source = lower == nil ? planSource(slot) : fallback?.source ?? planSource(slot)
        row[ContractField.source] = Int64(source.rawValue)
        row.set(ContractField.stability, contract.stability)
        row.set(ContractField.spreadPct, contract.spreadFraction)
        row.set(
            ContractField.twas,
            contract.timeWeightedSpread(at: clock, of: sessions.window(at: clock).day)
        )
        row.set(ContractField.gate, contract.stability.map { $0 >= SymbolCore.gateStability })
        row[ContractField.age] = Self.ageMillis(of: contract.quoteReceived, at: clock)
        let isDirty = row.isDirty
        if isDirty {
            append(.contract, to: Channel(.contract, placed.instrument.symbol), at: clock, into: &out) { _, bytes in
                row.write(to: &bytes)
            }
        }
        publisher.contracts[slot] = row
    }

    /// A contract is tradeable from this spread stability on (analytics.md 1, Gate).
    static let gateStability = 0.6

    private mutating func publishBar(
        startingAt start: Instant,
        isFinal: Bool,
        at clock: Instant,
        into out: inout OutputBatch
    ) {
        guard let minute = underlying.bars.index(of: start), let bar = underlying.bars.bar(minute), !bar.isEmpty else {
            return
        }
        let values = [bar.open.micros, bar.high.micros, bar.low.micros, bar.close.micros, bar.volume.micros]
        if !isFinal {
            let open = Publisher.OpenBar(start: start, values: values)
            guard open != publisher.openBar else { return }
            publisher.openBar = open
        }
        append(.bar, to: Channel(.symbol, publicName), at: clock, into: &out) { _, bytes in
            var object = JSONObject(&bytes)
            object.field("start", start as Instant?, to: &bytes)
            object.field("minutes", 1 as Int64?, to: &bytes)
            for (name, price) in [("o", bar.open), ("h", bar.high), ("l", bar.low), ("c", bar.close)] {
                object.field(name, price == .zero ? nil : price, to: &bytes)
            }
            object.field("v", bar.volume as Size?, to: &bytes)
            object.field("vw", Price?.none, to: &bytes)
            object.field("final", isFinal, to: &bytes)
            object.end(&bytes)
        }
    }

    /// Says how far the price went for and against an entered plan, in R, where that changed.
    private mutating func publishExtremes(_ index: Int, at clock: Instant, into out: inout OutputBatch) {
        let plan = publisher.watchedPlans[index]
        guard (try? plans.state(plan.handle)) == .entered, let now = try? plans.snapshot(plan.handle) else { return }
        let adverse = now.adverse?.micros ?? FieldRow.null
        let favourable = now.favourable?.micros ?? FieldRow.null
        guard adverse != plan.adverse || favourable != plan.favourable else { return }
        publisher.watchedPlans[index].adverse = adverse
        publisher.watchedPlans[index].favourable = favourable
        append(.delta, to: plan.channel, at: clock, into: &out) { _, bytes in
            var object = JSONObject(&bytes)
            for (name, value) in [("maeR", adverse), ("mfeR", favourable)] {
                let multiple = value == FieldRow.null ? nil : Double(value) / Double(plan.risk)
                object.field(name, multiple.map { Price(micros: Int64(($0 * 1e6).rounded())) }, to: &bytes)
            }
            object.end(&bytes)
        }
    }

    private mutating func append(
        _ type: MessageType,
        to channel: Channel,
        at time: Instant,
        into out: inout OutputBatch,
        payload: (inout SymbolCore, inout [UInt8]) -> Void
    ) {
        let index = cursor.take()
        out.append(
            n: cursor.n,
            index: index,
            type: type,
            outputClass: .conflatable,
            time: time,
            channel: { $0.append(contentsOf: channel.name.utf8) },
            payload: { payload(&self, &$0) }
        )
    }
}
