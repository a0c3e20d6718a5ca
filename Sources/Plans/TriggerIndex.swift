import MarketData
import Primitives

/// An instrument that plans of the book watch, or that is or was frozen or blind.
struct WatchedInstrument: BitwiseCopyable {
    static let none = UInt32.max

    /// Whether its events can be relied on.
    enum Sight: UInt8 {
        case sees
        case blind
        /// Blind, and what comes is kept until the gap before it is repaired.
        case defers
    }

    var symbol: UInt32
    var isFrozen = false
    var sight = Sight.sees
    /// Where the book keeps its events, where it defers.
    var deferral: Int32 = -1
    /// No usable quote came since a halt.
    var pairsAnew = false
    /// Open live plans (drafts too) that take x from trades, and from quotes.
    var tradePlans: Int32 = 0
    var quotePlans: Int32 = 0
    /// Heads of the lists of groups that live on trades and on quotes.
    var tradeGroups = WatchedInstrument.none
    var quoteGroups = WatchedInstrument.none
    /// The preceding usable quote, for the pair rule; kept up only while there are plans on quotes.
    var hasPreceding = false
    var precedingKind: UInt8 = 0
    var precedingStart: Int64 = 0
    var bid: Int64 = 0
    var ask: Int64 = 0
    var bidSize: Int64 = 0
    var askSize: Int64 = 0

    mutating func setPreceding(_ quote: Quote, _ session: TradingSession) {
        hasPreceding = true
        pairsAnew = false
        precedingKind = session.kind.rawValue
        precedingStart = session.start.nanos
        bid = quote.bid.micros
        ask = quote.ask.micros
        bidSize = quote.bidSize.micros
        askSize = quote.askSize.micros
    }

    func isPreceding(in session: TradingSession) -> Bool {
        hasPreceding && precedingKind == session.kind.rawValue && precedingStart == session.start.nanos
    }
}

/// Plans that see the same x: one instrument, trigger kind and set of sessions.
struct TriggerGroup: BitwiseCopyable {
    var instrument: UInt32
    var trigger: TriggerKind
    var sessions: SessionSet
    /// The next group of the instrument's list.
    var next: UInt32
    /// Events that gave an x, so far.
    var sequence: UInt64 = 0
    /// Events up to this one may show a crossing that nobody saw.
    var uncertainThrough: UInt64 = 0
    /// Armed or entered plans.
    var open = 0
}

/// One stream of x: the newest, and what is nearest to it; all that a tick between levels reads.
///
/// A group has two, bid and ask; only the first is used where there is one price.
struct TriggerStream: BitwiseCopyable {
    static let none = TriggerStream()

    /// Thresholds on the lanes' values (`TriggerIndex`), `Int64.max` where nothing waits.
    var near = InlineArray<8, Int64>(repeating: .max)
    var sample = Sample(0)
    /// Plans wait for their first x.
    var hasPending = false
}

/// A plan that an event may change.
struct Triggered: Comparable, BitwiseCopyable {
    var order: UInt64
    var slot: UInt32

    static func < (a: Triggered, b: Triggered) -> Bool { a.order < b.order }
}

/// Which plans an x may change: for each stream the nearest level above and below, so that all others cost nothing.
///
/// Eight lanes a stream. Each compares a value made of the sample with its lowest level: 0 `up`, 1 `−down`, then the same
/// shifted by the retest band for longs (2, 3) and shorts (4, 5), then (6, 7) the running maxima of `up` and `−down`.
struct TriggerIndex {
    private static let lanesPerStream = 6

    private(set) var instruments: [WatchedInstrument] = []
    private(set) var groups: [TriggerGroup] = []
    private(set) var streams: [TriggerStream] = []
    private var heaps: [LevelHeap] = []
    private var maxima: [RunningMaximum] = []
    private var pending: [[Watch]] = []
    /// Open addressing from a symbol: index + 1, 0 is free; a power of two, at most half full.
    private var slots: [UInt32] = []

    init() {}

    /// Watches held, dead ones included; for tests.
    var watchCount: Int { heaps.reduce(0) { $0 + $1.count } + pending.reduce(0) { $0 + $1.count } }

    // MARK: Instruments and groups

    func find(_ symbol: SymbolID) -> Int? {
        guard !slots.isEmpty else { return nil }
        var position = Self.home(symbol.index, slots.count)
        while slots[position] != 0 {
            let index = Int(slots[position]) - 1
            if instruments[index].symbol == symbol.index { return index }
            position = (position + 1) & (slots.count - 1)
        }
        return nil
    }

    /// The instrument's place, made if new.
    mutating func intern(_ symbol: SymbolID) -> Int {
        if let known = find(symbol) { return known }
        instruments.append(WatchedInstrument(symbol: symbol.index))
        if instruments.count * 2 > slots.count {
            rebuildSlots()
        } else {
            place(instruments.count - 1)
        }
        return instruments.count - 1
    }

    mutating func setFrozen(_ instrument: Int, _ isFrozen: Bool) {
        instruments[instrument].isFrozen = isFrozen
        instruments[instrument].hasPreceding = false
        instruments[instrument].pairsAnew = true
    }

    mutating func setSight(_ instrument: Int, _ sight: WatchedInstrument.Sight) {
        instruments[instrument].sight = sight
    }

    mutating func setDeferral(_ instrument: Int, _ position: Int) {
        instruments[instrument].deferral = Int32(position)
    }

    /// A usable quote after a halt: where no plan needs it, all that is kept of it is that it came.
    mutating func endPairBreak(_ instrument: Int) { instruments[instrument].pairsAnew = false }

    /// Forgets the preceding quote: the next one has none to be compared with.
    mutating func clearPreceding(_ instrument: Int) { instruments[instrument].hasPreceding = false }

    mutating func setPreceding(_ instrument: Int, _ quote: Quote, _ session: TradingSession) {
        instruments[instrument].setPreceding(quote, session)
    }

    /// The group of plans that see the same x, made if new.
    mutating func group(instrument: Int, trigger: TriggerKind, sessions: SessionSet) -> Int {
        let head = trigger.usesQuotes ? instruments[instrument].quoteGroups : instruments[instrument].tradeGroups
        var next = head
        while next != WatchedInstrument.none {
            let group = groups[Int(next)]
            if group.trigger == trigger, group.sessions == sessions { return Int(next) }
            next = group.next
        }
        let index = groups.count
        groups.append(
            TriggerGroup(instrument: UInt32(instrument), trigger: trigger, sessions: sessions, next: head)
        )
        if trigger.usesQuotes {
            instruments[instrument].quoteGroups = UInt32(index)
        } else {
            instruments[instrument].tradeGroups = UInt32(index)
        }
        appendStreams()
        return index
    }

    mutating func countOpen(_ group: Int, by change: Int) { groups[group].open += change }

    /// Counts an open live plan of the group's instrument in or out.
    mutating func countPlan(_ group: Int, by change: Int32) {
        let instrument = Int(groups[group].instrument)
        if groups[group].trigger.usesQuotes {
            instruments[instrument].quotePlans += change
        } else {
            instruments[instrument].tradePlans += change
        }
    }

    /// The next `events` of the instrument's trades, or quotes, may show a crossing that nobody saw.
    mutating func expectUncertain(_ instrument: Int, ofQuotes: Bool, events: UInt64) {
        var next = ofQuotes ? instruments[instrument].quoteGroups : instruments[instrument].tradeGroups
        while next != WatchedInstrument.none {
            let group = Int(next)
            next = groups[group].next
            // The pair rule needs one more to confirm what the first one shows.
            let count = groups[group].trigger == .doublebidask ? events + 1 : events
            groups[group].uncertainThrough = max(groups[group].uncertainThrough, groups[group].sequence + count)
        }
    }

    private mutating func appendStreams() {
        for _ in 0..<2 {
            streams.append(.none)
            pending.append([])
            for _ in 0..<Self.lanesPerStream { heaps.append(LevelHeap()) }
            for _ in 0..<2 { maxima.append(RunningMaximum()) }
        }
    }

    private static func home(_ symbol: UInt32, _ count: Int) -> Int {
        Int(truncatingIfNeeded: (UInt64(symbol) &* 0x9E37_79B9_7F4A_7C15) >> 32) & (count - 1)
    }

    private mutating func place(_ index: Int) {
        var position = Self.home(instruments[index].symbol, slots.count)
        while slots[position] != 0 { position = (position + 1) & (slots.count - 1) }
        slots[position] = UInt32(index + 1)
    }

    private mutating func rebuildSlots() {
        slots = Array(repeating: 0, count: max(4, slots.count * 2))
        while instruments.count * 2 > slots.count { slots = Array(repeating: 0, count: slots.count * 2) }
        for index in instruments.indices { place(index) }
    }

    // MARK: An event

    /// Begins an event that gives the group an x.
    mutating func begin(_ group: Int) { groups[group].sequence += 1 }

    /// Takes a stream's new x; true where it reaches something, so that `collect` is to be called.
    mutating func note(_ stream: Int, _ sample: Sample, band: Int64) -> Bool {
        streams[stream].sample = sample
        let up = sample.up
        let down = -sample.down
        let near = streams[stream].near
        return streams[stream].hasPending || up >= near[0] || down >= near[1] || up - band >= near[2]
            || down + band >= near[3] || up + band >= near[4] || down - band >= near[5] || up >= near[6]
            || down >= near[7]
    }

    /// Takes out every plan that the stream's x may change.
    mutating func collect(
        _ stream: Int,
        band: Int64,
        records: Chunked<PlanRecord>,
        into triggered: inout [Triggered]
    ) {
        let up = streams[stream].sample.up
        let down = -streams[stream].sample.down
        let values: InlineArray<6, Int64> = [up, down, up - band, down + band, up + band, down - band]
        for lane in 0..<Self.lanesPerStream where values[lane] >= streams[stream].near[lane] {
            let heap = stream * Self.lanesPerStream + lane
            while let watch = heaps[heap].pop(upTo: values[lane]) { Self.add(watch, records, &triggered) }
            streams[stream].near[lane] = heaps[heap].nearest
        }
        if streams[stream].hasPending {
            for watch in pending[stream] { Self.add(watch, records, &triggered) }
            pending[stream].removeAll(keepingCapacity: pending[stream].count < 1024)
            streams[stream].hasPending = false
        }
        maxima[stream * 2].record(up)
        maxima[stream * 2 + 1].record(down)
        refreshMaxima(stream)
    }

    private static func add(
        _ watch: Watch,
        _ records: Chunked<PlanRecord>,
        _ triggered: inout [Triggered]
    ) {
        let record = records[Int(watch.slot)]
        guard record.generation == watch.generation else { return }
        triggered.append(Triggered(order: record.order, slot: watch.slot))
    }

    // MARK: Watches

    /// Sets what an armed or entered plan waits for at this point.
    mutating func watch(
        _ record: PlanRecord,
        slot: UInt32,
        targets: ArraySlice<PlanTarget>,
        records: Chunked<PlanRecord>
    ) {
        let setter = WatchSetter(record: record, slot: slot)
        let entry = record.signed(record.entry)
        switch record.phase {
        case .idle: break
        case .openSide:
            // At most one an open plan counts.
            if pending[setter.stream].count > 2 * groups[setter.group].open + 64 {
                pending[setter.stream].removeAll { records[Int($0.slot)].generation != $0.generation }
            }
            pending[setter.stream].append(setter.watch(0))
            streams[setter.stream].hasPending = true
        case .touchFromAbove: push(setter, upwards: false, entry, records)
        case .touchFromBelow: push(setter, upwards: true, entry, records)
        case .breakout: push(setter, upwards: true, entry + Int64(record.tick), records)
        case .beyond: push(setter, upwards: true, entry + Int64(record.tick), isBanded: true, records)
        case .back: push(setter, upwards: false, entry, isBanded: true, records)
        case .managed:
            push(setter, upwards: false, record.signed(record.stop), records)
            if Int(record.targetsHit) < targets.count {
                let next = targets[targets.startIndex + Int(record.targetsHit)]
                push(setter, upwards: true, record.signed(next.price.micros), records)
            }
            if record.isTrailing {
                push(setter, upwards: true, record.signed(record.stop) + record.trailDistance + 1, records)
            }
        }
    }

    private struct WatchSetter {
        var isLong: Bool
        var group: Int
        var stream: Int
        var slot: UInt32
        var generation: UInt32

        init(record: PlanRecord, slot: UInt32) {
            isLong = record.isLong
            group = Int(record.group)
            stream = group * 2 + (record.isOnAsk ? 1 : 0)
            self.slot = slot
            generation = record.generation
        }

        func watch(_ level: Int64) -> Watch { Watch(level: level, slot: slot, generation: generation) }
    }

    /// Sets a watch at a level as the plan sees it; a short's up is the stream's down.
    private mutating func push(
        _ setter: WatchSetter,
        upwards: Bool,
        _ level: Int64,
        isBanded: Bool = false,
        _ records: Chunked<PlanRecord>
    ) {
        let isUpLane = upwards == setter.isLong
        let lane = (isBanded ? (setter.isLong ? 2 : 4) : 0) + (isUpLane ? 0 : 1)
        let heap = setter.stream * Self.lanesPerStream + lane
        // A plan has at most two watches in one heap: above four an open plan most are dead.
        if heaps[heap].count > 4 * groups[setter.group].open + 64 {
            heaps[heap].filter { records[Int($0.slot)].generation == $0.generation }
        }
        heaps[heap].push(setter.watch(upwards ? level : -level))
        streams[setter.stream].near[lane] = heaps[heap].nearest
    }

    // MARK: Running extremes

    /// Begins the extremes of a plan in a stream, from the next x on.
    mutating func openExtremes(_ stream: Int, since: UInt64) {
        maxima[stream * 2].open(at: since)
        maxima[stream * 2 + 1].open(at: since)
        refreshMaxima(stream)
    }

    /// Highest `up` and lowest `down` since; nil before the first x.
    func extremes(_ stream: Int, since: UInt64) -> (high: Int64?, low: Int64?) {
        (maxima[stream * 2].highest(since: since), maxima[stream * 2 + 1].highest(since: since).map { -$0 })
    }

    mutating func closeExtremes(_ stream: Int, since: UInt64) -> (high: Int64?, low: Int64?) {
        let high = maxima[stream * 2].close(since)
        let low = maxima[stream * 2 + 1].close(since)
        refreshMaxima(stream)
        return (high, low.map { -$0 })
    }

    private mutating func refreshMaxima(_ stream: Int) {
        for side in 0..<2 {
            let threshold = maxima[stream * 2 + side].threshold
            streams[stream].near[6 + side] = threshold == .max ? .max : threshold + 1
        }
    }
}

extension TriggerIndex: Checkpointable {
    /// Watches aren't saved: the plans say what they wait for.
    func save(to writer: inout StateWriter) {
        writer.write(instruments)
        writer.write(groups)
        writer.write(streams.map(\.sample))
        for maximum in maxima { maximum.save(to: &writer) }
    }

    init(restoring reader: inout StateReader) throws(StateError) {
        instruments = try reader.readArray()
        groups = try reader.readArray()
        for _ in groups { appendStreams() }
        let samples: [Sample] = try reader.readArray()
        guard samples.count == streams.count else {
            throw StateError(offset: 0, expected: "\(streams.count) samples of triggers")
        }
        for (index, sample) in samples.enumerated() { streams[index].sample = sample }
        for index in maxima.indices { maxima[index] = try RunningMaximum(restoring: &reader) }
        for stream in streams.indices { refreshMaxima(stream) }
        rebuildSlots()
    }
}
