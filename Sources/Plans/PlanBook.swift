package import MarketData
public import Primitives

/// A command that the book can't follow.
package struct PlanBookError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// No such plan (or forgotten).
        case unknown
        /// The id is taken.
        case duplicate
        /// The plan is over: nothing to amend or cancel.
        case notOpen
        /// Another version is in force than the one the command was meant for.
        case versionConflict
        /// Another live plan of this owner in this symbol and style is open.
        case liveLimit
        /// The book holds as many plans as it may.
        case full
        /// A target that was hit can't be changed any more.
        case targetsHit
    }

    package var code: Code
    /// What the command named and what was found.
    package var detail: String

    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    package var description: String { "\(code.rawValue): \(detail)" }
}

/// What the book needs to know beside a plan to take it in.
package struct PlanPlacement: Sendable {
    /// The instrument of the plan's `triggerSymbol`.
    package var instrument: SymbolID
    /// Its price step at the entry, fixed for the plan's life.
    package var tick: Price
    /// The first session close later than `Plan.armingInstant`: when a scalp or intraday plan ends.
    ///
    /// Not looked at for other styles.
    package var nextClose: Instant
    /// The instrument's last usable quote before the command, with its session.
    ///
    /// Nil where there is none. Used where the book has no plan on the instrument's quotes yet, and not after a halt that no
    /// quote followed; while it has one it keeps the preceding quote itself.
    package var standing: StandingQuote?

    package init(instrument: SymbolID, tick: Price, nextClose: Instant, standing: StandingQuote? = nil) {
        self.instrument = instrument
        self.tick = tick
        self.nextClose = nextClose
        self.standing = standing
    }
}

/// All plans of one symbol core: their states, what they wait for, and their timers.
///
/// A pure machine after analytics.md 5: events in, outcomes out, in the order to be published; no clock. Two copies that
/// get the same calls say the same. The caller decides what is an event for triggers: it applies trade classes and the
/// bad-print filter (`TriggerRules.isBadPrint`), and calls `fire(upTo:)` before each input; while `defersAny` it offers each
/// event to `hold` first. Shard thread only.
///
/// - Complexity: an event that reaches no level costs O(1), however many plans are armed.
public struct PlanBook: Sendable {
    /// Events that gave no x because they came after their session's end.
    package private(set) var lateCount = 0
    /// Events that gave no x because a price was not above 0 and at most `TriggerRules.priceLimit`.
    package private(set) var unfitPriceCount = 0
    /// Events that gave no x because the instrument was frozen.
    package private(set) var frozenCount = 0
    /// Armed, entered and unarmed live plans, and scenarios.
    public internal(set) var openCount = 0
    /// Some instrument's events are kept until a gap is repaired: `hold` has to be asked.
    public internal(set) var defersAny = false
    /// What was done about gaps, and about busted trades.
    package internal(set) var gapCounts = GapCounts()

    /// Most open plans.
    let limit: Int
    /// How many plans that are over `forgetFinished` leaves.
    let finishedLimit: Int
    var deferrals: [Deferral] = []
    var finished = FinishedPlans()
    var traces = HitTraces()
    var table = PlanTable()
    var index = TriggerIndex()
    @usableFromInline var timers = TimerHeap()
    /// Plans that the event at hand may change; empty between events.
    var triggered: [Triggered] = []

    package init(limit: Int = 2_000_000, finishedLimit: Int = 1_024) {
        self.limit = limit
        self.finishedLimit = finishedLimit
    }

    // MARK: Events

    /// Takes a trade of class *last* that is no bad print, or an index value.
    ///
    /// `session` is what the exchange time `time` lies in; an event received at or after its end gives no x. `band` is
    /// 0.1·ATR as it stands (`TriggerRules.retestBand`).
    package mutating func traded(
        _ x: Price,
        on symbol: SymbolID,
        session: TradingSession,
        time: Instant,
        received: Instant,
        band: Price,
        into out: inout [PlanOutcome]
    ) {
        guard let instrument = index.find(symbol) else { return }
        guard isFit(x), accepts(instrument, session, received) else { return }
        step(x, of: instrument, in: session, time: time, band: band, into: &out)
    }

    /// Steps the plans with an x that was accepted.
    @inline(__always)
    mutating func step(
        _ x: Price,
        of instrument: Int,
        in session: TradingSession,
        time: Instant,
        band: Price,
        into out: inout [PlanOutcome]
    ) {
        let band = Self.clamped(band)
        var next = index.instruments[instrument].tradeGroups
        while next != WatchedInstrument.none {
            let group = Int(next)
            next = index.groups[group].next
            guard index.groups[group].open > 0, index.groups[group].sessions.contains(session.kind) else { continue }
            index.begin(group)
            note(group * 2, Sample(x.micros), band)
        }
        stepTriggered(time: time, band: band, into: &out)
    }

    /// Takes a quote; one that isn't usable is skipped.
    ///
    /// Parameters as for `traded`; the exchange time is the quote's.
    package mutating func quoted(
        _ quote: Quote,
        session: TradingSession,
        received: Instant,
        band: Price,
        into out: inout [PlanOutcome]
    ) {
        guard quote.isUsable, let instrument = index.find(quote.symbol) else { return }
        guard index.instruments[instrument].quotePlans > 0 else {
            if index.instruments[instrument].pairsAnew { endPairBreak(instrument, session, received) }
            return
        }
        guard isFit(quote.bid), isFit(quote.ask), accepts(instrument, session, received) else { return }
        step(quote, of: instrument, in: session, band: band, into: &out)
    }

    /// Steps the plans with a quote that was accepted.
    @inline(__always)
    mutating func step(
        _ quote: Quote,
        of instrument: Int,
        in session: TradingSession,
        band: Price,
        into out: inout [PlanOutcome]
    ) {
        let before = index.instruments[instrument]
        index.setPreceding(instrument, quote, session)
        let band = Self.clamped(band)
        var next = before.quoteGroups
        while next != WatchedInstrument.none {
            let group = Int(next)
            let trigger = index.groups[group].trigger
            next = index.groups[group].next
            guard index.groups[group].open > 0, index.groups[group].sessions.contains(session.kind) else { continue }
            index.begin(group)
            switch trigger {
            case .last: preconditionFailure("a group of trades among those of quotes")
            case .mid: note(group * 2, Sample(TriggerRules.mid(quote).micros), band)
            case .bidask:
                note(group * 2, Sample(quote.bid.micros), band)
                note(group * 2 + 1, Sample(quote.ask.micros), band)
            case .doublebidask:
                let isPair = before.isPreceding(in: session)
                let bid = isPair ? (before.bid, before.bidSize) : nil
                let ask = isPair ? (before.ask, before.askSize) : nil
                note(group * 2, Sample(x: quote.bid.micros, size: quote.bidSize.micros, preceding: bid), band)
                note(group * 2 + 1, Sample(x: quote.ask.micros, size: quote.askSize.micros, preceding: ask), band)
            }
        }
        stepTriggered(time: quote.time, band: band, into: &out)
    }

    /// A halt or LULD pause: the instrument's events give no x until `unfreeze`; timers go on.
    package mutating func freeze(_ symbol: SymbolID) {
        let instrument = index.intern(symbol)
        index.setFrozen(instrument, true)
        holdPairBreak(of: instrument)
    }

    /// Trading goes on; the pair rule starts anew.
    package mutating func unfreeze(_ symbol: SymbolID) {
        guard let instrument = index.find(symbol), index.instruments[instrument].isFrozen else { return }
        index.setFrozen(instrument, false)
        holdPairBreak(of: instrument)
    }

    /// Whether a halt stands.
    package func isFrozen(_ symbol: SymbolID) -> Bool {
        index.find(symbol).map { index.instruments[$0].isFrozen } ?? false
    }

    // MARK: Timers

    /// The next boundary that `fire` has to be called for, `Instant.distantFuture` where there is none.
    @inlinable
    public var nextDue: Instant { timers.nextDue }

    /// Arms and expires what is due: by boundary, then arm before expire, then in order of creation.
    ///
    /// To be called with the receive time of every input before it is applied.
    package mutating func fire(upTo received: Instant, into out: inout [PlanOutcome]) {
        guard timers.nextDue.nanos <= received.nanos else { return }
        while let timer = timers.pop(upTo: received) {
            guard isValid(timer) else { continue }
            if defersAny, hold(timer, received) { continue }
            perform(timer, into: &out)
        }
        dropDeadTimers()
    }

    mutating func perform(_ timer: Timer, into out: inout [PlanOutcome]) {
        if timer.isExpiry {
            expire(timer.slot, into: &out)
        } else {
            arm(timer.slot, into: &out)
        }
    }

    mutating func restoreCounts(late: Int, unfit: Int, frozen: Int) {
        lateCount = late
        unfitPriceCount = unfit
        frozenCount = frozen
    }

    // MARK: One event's work

    static func clamped(_ band: Price) -> Int64 {
        min(max(band.micros, 0), TriggerRules.priceLimit.micros)
    }

    mutating func isFit(_ price: Price) -> Bool {
        // Plain integers here and below: `<=` of a Comparable struct from another module is a call.
        if price.micros > 0, price.micros <= TriggerRules.priceLimit.micros { return true }
        unfitPriceCount += 1
        return false
    }

    mutating func accepts(_ instrument: Int, _ session: TradingSession, _ received: Instant) -> Bool {
        if received.nanos >= session.end.nanos {
            lateCount += 1
            return false
        }
        if index.instruments[instrument].isFrozen {
            frozenCount += 1
            return false
        }
        return true
    }

    private mutating func endPairBreak(_ instrument: Int, _ session: TradingSession, _ received: Instant) {
        if accepts(instrument, session, received) { index.endPairBreak(instrument) }
    }

    mutating func note(_ stream: Int, _ sample: Sample, _ band: Int64) {
        if index.note(stream, sample, band: band) {
            index.collect(stream, band: band, records: table.records, into: &triggered)
        }
    }

    /// Steps the plans that the event reached, in order of creation, each once.
    @inline(__always)
    private mutating func stepTriggered(time: Instant, band: Int64, into out: inout [PlanOutcome]) {
        if !triggered.isEmpty { stepSomeTriggered(time: time, band: band, into: &out) }
    }

    private mutating func stepSomeTriggered(time: Instant, band: Int64, into out: inout [PlanOutcome]) {
        forEachTriggered { $0.step($1, time: time, band: band, into: &out) }
    }

    /// Calls `body` for the plans that the event reached, in order of creation, once each.
    mutating func forEachTriggered(_ body: (inout PlanBook, UInt32) -> Void) {
        if triggered.count > 1 { triggered.sort() }
        var previous: UInt64 = 0
        for position in triggered.indices {
            let plan = triggered[position]
            guard plan.order != previous else { continue }
            previous = plan.order
            body(&self, plan.slot)
        }
        triggered.removeAll(keepingCapacity: triggered.count < 4096)
    }

    private mutating func step(_ slot: UInt32, time: Instant, band: Int64, into out: inout [PlanOutcome]) {
        var record = table.records[Int(slot)]
        let sample = index.streams[Self.stream(of: record)].sample
        let step = PlanStep(
            plan: record.handle(slot: slot),
            time: time,
            sample: record.isLong ? sample : sample.mirrored,
            band: band
        )
        let wasEntered = record.state == .entered
        let isUncertain = isUncertain(record)
        let start = out.count
        record.step(step, targets: table.targets(of: record), into: &out)
        if isUncertain { Self.mark(&out, from: start) { $0.isTimeUncertain = true } }
        record.changed = time.nanos
        if record.state == .entered, !wasEntered {
            record.carriedX = record.entryX
            beginManaging(&record)
        }
        settle(slot, record)
        keepHits(out[start...], of: slot)
    }

    /// Whether the level may have been crossed unseen, before this x.
    private func isUncertain(_ record: PlanRecord) -> Bool {
        let group = index.groups[Int(record.group)]
        return group.sequence <= group.uncertainThrough
    }

    static func mark(_ out: inout [PlanOutcome], from start: Int, _ body: (inout PlanHit) -> Void) {
        for position in start..<out.count {
            guard case .hit(var hit) = out[position] else { continue }
            body(&hit)
            out[position] = .hit(hit)
        }
    }
}
