internal import FeedProtocols
internal import MarketData
internal import Primitives
internal import SymbolCore
internal import Wire

/// The state behind the ingest point, and what it does with it: one value, so that a frame costs one check of exclusive
/// access and not some a property.
///
/// A frame's way: decode, receive time, the clock input it makes due, the tape, then for each event the duplicate check,
/// an ordinal, and its shard's batch. Batches leave at `flush`, once a service pass. Feed thread only.
struct Door: ~Copyable {
    private(set) var counters = IngestCounters()
    var numbering: Numbering
    /// Written before an input takes effect; nil in a replay.
    var recorder: (any InputRecorder)?
    /// Inputs up to here are numbered and routed, but not posted: the cores hold them already (restart).
    var appliedThrough: Ordinal = 0

    /// Frames in a row, up to now, without a single accepted event: they have no ordinal of their own, so that a place on the
    /// tape is an ordinal and this.
    private(set) var framesWithoutOrdinal: Int64 = 0

    private let clock: EngineClock
    private let watchesSilence: Bool
    private let servedSymbols: Set<String>?
    private let symbolLimit: Int
    private let shards: [ShardPort]
    private var decoder = FrameDecoder()
    private var decoded = DecodedBatch()
    private var symbols: SymbolTable
    private var router: Router
    private var windows = DuplicateWindows()
    /// The flow feed has ids instead of sequences.
    private var flowWindows = DuplicateWindows()
    private var ledger: FeedLedger
    /// What conditions forbid: the fallback, or as fetched.
    private var rules = TradeRules()
    private var batches: [InputBatch]
    private let batchLimit: Int

    init(_ options: EngineOptions, shards: [ShardPort]) {
        clock = options.clock
        servedSymbols = options.servedSymbols
        symbolLimit = options.symbolLimit
        self.shards = shards
        batchLimit = options.batchInputs
        numbering = Numbering()
        symbols = SymbolTable(limit: options.symbolLimit)
        ledger = FeedLedger(lagMaxNanos: options.lagMaxNanos)
        watchesSilence = options.watchesSilence
        router = Router(shardCount: shards.count)
        batches = Array(repeating: InputBatch(), count: shards.count)
    }

    /// What the decoder counted.
    var decoderFigures: DecoderFigures { decoder.figures }

    /// How many symbols were seen, and how many refused because the table was full.
    var symbolCounts: (known: Int, refused: Int) { (symbols.count, symbols.refusedCount) }

    // MARK: Inputs

    /// Takes a frame; `n` is its number where a tape gives one.
    mutating func receive(
        frame: UnsafeRawBufferPointer,
        from source: FeedSource,
        at received: Instant,
        n: Ordinal?
    ) -> FrameOutcome {
        decoded.removeAll()
        // The last input's receive time: the same live, by whatever clock, and in a replay.
        decoder.decode(frame, of: source, received: exchangeNow, symbols: &symbols, into: &decoded)
        counters.frames += 1
        let stamp = clock == .wall ? received : latestEventTime
        if let line = numbering.advance(to: stamp) { insertClock(line) }
        if let n { resume(at: n) }
        let first = numbering.next
        recorder?.record(frame: frame, of: source, n: first, received: numbering.received)
        for index in 0..<decoded.count { accept(decoded[index], of: source) }
        framesWithoutOrdinal = numbering.next == first ? framesWithoutOrdinal + 1 : 0
        if numbering.next > first { delivered(by: source) }
        return FrameOutcome(
            eventCount: decoded.count,
            firstTime: decoded.count > 0 ? decoded[0].time : nil,
            lastTime: decoded.count > 0 ? decoded[decoded.count - 1].time : nil,
            notices: decoded.statuses.map { FeedNotice(status: $0.status, message: $0.message) }
        )
    }

    /// Takes a clock line of a tape, or live the fact that nothing arrived until `instant`.
    mutating func clockLine(_ instant: Instant, n: Ordinal?) {
        let line = numbering.advance(to: instant)
        if let n {
            numbering.resume(at: n)
            insertClock(instant)
        } else if let line {
            insertClock(line)
        }
    }

    /// Ends a tape: one last clock input, where the tape has none of its own.
    mutating func endOfTape() {
        if numbering.makesClocks, numbering.received != .distantPast { insertClock(numbering.received) }
        flush()
    }

    /// Takes a feed's (or the bus's) new state.
    mutating func feedChanged(_ name: String, to state: FeedState, cause: String, at received: Instant, n: Ordinal?) {
        if let line = numbering.advance(to: clock == .wall ? received : exchangeNow) { insertClock(line) }
        if let n { resume(at: n) }
        let ordinal = take()
        recorder?.record(feed: name, state: state, cause: cause, n: ordinal, received: numbering.received)
        let change = ledger.changed(name, to: state, cause: cause)
        say(ledger.entries(at: numbering.received, n: ordinal))
        guard ordinal > appliedThrough else { return }
        for shard in shards.indices {
            batches[shard].feedChanges.append(change)
            let index = batches[shard].feedChanges.count - 1
            batches[shard].inputs.append(
                Input(n: ordinal, received: numbering.received, core: .max, slot: 0, body: .feed(index))
            )
        }
    }

    /// Takes a provider's answer, a JSON text; `null` means that it couldn't be had.
    mutating func answered(
        _ source: String,
        url: String,
        body: [UInt8],
        at received: Instant,
        n: Ordinal?
    ) {
        if let line = numbering.advance(to: clock == .wall ? received : exchangeNow) { insertClock(line) }
        if let n { resume(at: n) }
        let ordinal = take()
        recorder?.record(rest: source, url: url, body: body, n: ordinal, received: numbering.received)
        counters.answers += 1
        switch body.withUnsafeBytes({
            RESTAnswer.decode(source: source, url: url, body: $0, symbols: &symbols)
        }) {
        case .bars(let symbol, let from, let to, _, let bars):
            repair(RepairBars(symbol: symbol, from: from, to: to, bars: bars), n: ordinal)
        case .conditions(let fetched):
            rules = fetched.applied(to: rules)
            guard ordinal > appliedThrough else { return }
            for shard in shards.indices {
                batches[shard].rules.append(rules)
                append(.rules(batches[shard].rules.count - 1), n: ordinal, core: .max, to: shard)
            }
        case .malformed: counters.malformedAnswers += 1
        case .holidays, .lastQuote, .other, .unavailable: break
        }
    }

    /// What bars say of a gap, for the core that has the symbol.
    private mutating func repair(_ repair: RepairBars, n: Ordinal) {
        guard let route = router.known(repair.symbol) else {
            counters.strayAnswers += 1
            return
        }
        guard n > appliedThrough else { return }
        batches[route.shard].repairs.append(repair)
        let index = batches[route.shard].repairs.count - 1
        append(.repair(index), n: n, core: route.core, slot: route.slot, to: route.shard)
    }

    private mutating func append(
        _ body: Input.Body,
        n: Ordinal,
        core: UInt32,
        slot: UInt32 = 0,
        to shard: Int
    ) {
        batches[shard].inputs.append(
            Input(n: n, received: numbering.received, core: core, slot: slot, body: body)
        )
    }

    /// Takes a command; it is numbered if a core can answer it.
    ///
    /// - Returns: the reply's payload where no core can: a body without a symbol or with an unknown plan.
    mutating func take(_ command: Command, at received: Instant, n: Ordinal?) -> CommandRefusal? {
        let target: UInt32
        switch core(for: command) {
        case .success(let core): target = core
        case .failure(let refusal):
            counters.refusedCommands += 1
            return refusal
        }
        if let line = numbering.advance(to: clock == .wall ? received : exchangeNow) { insertClock(line) }
        if let n { resume(at: n) }
        let ordinal = take()
        recorder?.record(command, n: ordinal, received: numbering.received)
        counters.commands += 1
        guard ordinal > appliedThrough else { return nil }
        let shard = router.shard(of: target)
        batches[shard].commands.append(command)
        let index = batches[shard].commands.count - 1
        batches[shard].inputs.append(
            Input(n: ordinal, received: numbering.received, core: target, slot: 0, body: .command(index))
        )
        return nil
    }

    /// Posts what was collected; live once a service pass.
    mutating func flush() {
        for shard in shards.indices { post(shard) }
    }

    /// Posts a wish to every shard, behind all inputs so far.
    mutating func control(_ make: (Int) -> Control) {
        for shard in shards.indices {
            batches[shard].controls.append(make(shard))
            post(shard)
        }
    }

    // MARK: One event

    /// Trades and quotes whose key is among the last 4,096 of their symbol and kind are dropped (analytics.md 5).
    @inline(__always)
    private mutating func accept(_ event: MarketEvent, of source: FeedSource) {
        switch source == .flow ? flowWindows.admit(byID: event) : windows.admit(event) {
        case .new: break
        case .newButOlder:
            counters.outOfOrder += 1
            ledger.odd(.regression, of: source, received: numbering.received)
        case .duplicate:
            counters.duplicates += 1
            ledger.odd(.duplicate, of: source, received: numbering.received)
            return
        }
        counters.events += 1
        let n = numbering.take()
        let symbol = event.symbol
        let route = router.known(symbol) ?? introduce(symbol, at: n)
        guard n > appliedThrough else { return }
        batches[route.shard].inputs.append(
            Input(
                n: n,
                received: numbering.received,
                core: route.core,
                slot: route.slot,
                body: .market(event),
                source: source
            )
        )
        if batches[route.shard].inputs.count >= batchLimit { flush() }
    }

    private mutating func introduce(_ symbol: SymbolID, at n: Ordinal) -> Route {
        var introduction = router.place(symbol, symbols.instrument(symbol), at: n)
        introduction.feeds = ledger.feeds
        introduction.rules = rules
        let shard = router.shard(of: introduction.core)
        batches[shard].introductions.append(introduction)
        return Route(core: introduction.core, slot: introduction.slot, shard: shard)
    }

    // MARK: Clocks, posting, commands

    /// Goes on at an ordinal, never back.
    mutating func resume(at ordinal: Ordinal) {
        if ordinal > numbering.next { framesWithoutOrdinal = 0 }
        numbering.resume(at: ordinal)
    }

    private mutating func take() -> Ordinal {
        framesWithoutOrdinal = 0
        return numbering.take()
    }

    private mutating func insertClock(_ line: Instant) {
        let n = take()
        counters.clocks += 1
        recorder?.recordClock(n: n, received: line)
        say(ledger.entries(at: line, n: n))
        if n > appliedThrough {
            let delivering = watchesSilence ? ledger.delivering(at: line) : FeedSet()
            for shard in shards.indices {
                batches[shard].inputs.append(
                    Input(n: n, received: line, core: .max, slot: 0, body: .clock(delivering: delivering))
                )
            }
        }
        guard numbering.makesClocks else { return }
        for (source, cause) in ledger.recovered(at: line) {
            feedChanged(source.tapeName, to: .up, cause: cause, at: line, n: nil)
        }
    }

    /// A frame brought events: how late they are, and which gap they end (said with the next clock input).
    private mutating func delivered(by source: FeedSource) {
        // The last one tells, but for a bar: its time is its start, which is long ago.
        var newest: Instant?
        var index = decoded.count - 1
        while index >= 0, newest == nil {
            if case .bar = decoded[index] {} else { newest = decoded[index].time }
            index -= 1
        }
        let late = ledger.delivered(source, newest: newest, received: numbering.received)
        // What a tape brings of it stands there as a line of its own.
        guard let late, numbering.makesClocks else { return }
        feedChanged(source.tapeName, to: late.state, cause: late.cause, at: numbering.received, n: nil)
    }

    private mutating func say(_ entries: [LedgerEntry]) {
        guard let n = entries.first?.n, n > appliedThrough else { return }
        batches[0].ledger.append(contentsOf: entries)
    }

    private mutating func post(_ shard: Int) {
        batches[shard].through = numbering.next - 1
        shards[shard].post(&batches[shard])
        batches[shard].removeAll()
    }

    /// Receive time by the exchange's clock: the latest event time in the frame, a bar counting by its end.
    private var latestEventTime: Instant {
        var latest = exchangeNow
        for index in 0..<decoded.count {
            let event = decoded[index]
            if case .bar(let bar) = event {
                latest = max(latest, bar.start.advanced(byNanos: Int64(bar.seconds) * 1_000_000_000))
            } else {
                latest = max(latest, event.time)
            }
        }
        return latest
    }

    /// Where the exchange's clock stands; the epoch before the first event.
    private var exchangeNow: Instant { max(numbering.received, .zero) }

    /// The core that answers a command; a new plan's symbols are placed.
    ///
    /// Only a command that is accepted may leave a trace: a refused one isn't on the tape, and a symbol interned for it
    /// would shift the ids of all later ones against those that a checkpoint holds.
    private mutating func core(for command: Command) -> Result<UInt32, CommandRefusal> {
        let body: JSONValue
        do { body = try JSONParser.parse(command.body) } catch {
            return .failure(CommandRefusal(.invalid, field: "body", message: error.description))
        }
        if command.operation == .adjust {
            guard let instrument = body["symbol"]?.string.flatMap({ Instrument($0) }),
                let core = router.core(ofUnderlying: instrument.underlying)
            else { return .failure(CommandRefusal(.notFound, field: "symbol", message: "nothing is known of it")) }
            return .success(core)
        }
        guard let plan = body["id"]?.string else {
            return .failure(CommandRefusal(.invalid, field: "id", message: "expected the plan's id"))
        }
        if let core = router.core(ofPlan: plan) { return .success(core) }
        guard command.operation == .create else { return .failure(CommandRefusal(.notFound, plan: plan)) }
        let symbol: Instrument
        let contract: Instrument?
        switch instruments(of: body) {
        case .success(let found): (symbol, contract) = found
        case .failure(let refusal): return .failure(refusal)
        }
        guard symbols.count + 2 <= symbolLimit, let id = symbols.intern(symbol.symbol) else {
            return .failure(CommandRefusal(.unavailable, field: "symbol", message: "the symbol table is full"))
        }
        let route = router.known(id) ?? introduce(id, at: numbering.next)
        if let contract, let id = symbols.intern(contract.symbol), router.known(id) == nil {
            _ = introduce(id, at: numbering.next)
        }
        router.remember(plan: plan, core: route.core)
        return .success(route.core)
    }

    /// What a new plan's body names, checked by text alone.
    private func instruments(of body: JSONValue) -> Result<(symbol: Instrument, contract: Instrument?), CommandRefusal>
    {
        func refuse(_ field: String, _ message: String) -> CommandRefusal {
            CommandRefusal(.invalid, field: field, message: message)
        }
        guard let text = body["symbol"]?.string, let symbol = Instrument(text) else {
            let found = body["symbol"]?.kindName ?? "nothing"
            return .failure(refuse("symbol", "expected a symbol such as SPY, found \(found)"))
        }
        if let servedSymbols, !servedSymbols.contains(text) {
            let served = servedSymbols.sorted().prefix(20).joined(separator: ", ")
            return .failure(refuse("symbol", "unknown symbol \(text); served are \(served)"))
        }
        guard let name = body["contract"]?.string else { return .success((symbol, nil)) }
        guard let contract = Instrument(name), contract.kind == .option else {
            return .failure(refuse("contract", "expected an option symbol such as O:SPY…"))
        }
        guard contract.underlying == symbol.underlying else {
            return .failure(refuse("contract", "\(name) isn't a contract of \(text)"))
        }
        return .success((symbol, contract))
    }
}

// MARK: Checkpoints

extension Door {
    /// Appends everything that decides what later inputs become: numbers, symbols, routes, duplicate windows.
    ///
    /// Some ten megabytes with a thousand busy symbols: not for every minute.
    borrowing func save(to writer: inout StateWriter) {
        writer.write(numbering.next)
        writer.write(numbering.received.nanos)
        writer.write(framesWithoutOrdinal)
        writer.write(counters)
        writer.write(Int64(symbols.count))
        for index in 0..<symbols.count { writer.write(symbols.instrument(SymbolID(index: UInt32(index))).symbol) }
        router.save(to: &writer)
        windows.save(to: &writer)
        flowWindows.save(to: &writer)
        ledger.save(to: &writer)
        writer.write(rules.table)
        decoder.save(to: &writer)
    }

    /// Takes up a saved state, in a door that has taken no input; the shards get their cores.
    ///
    /// - Throws: `StateError`; the door is of no use then.
    mutating func restore(from reader: inout StateReader) throws(StateError) {
        precondition(numbering.next == 1 && symbols.count == 0, "a door that has taken inputs can't be restored")
        let next: Ordinal = try reader.read()
        let received = Instant(nanos: try reader.read())
        numbering = Numbering(next: next, received: received, makesClocks: numbering.makesClocks)
        framesWithoutOrdinal = try reader.read()
        counters = try reader.read()
        for index in 0..<max(0, try reader.read(Int64.self)) {
            guard symbols.intern(try reader.readString())?.index == UInt32(index) else {
                throw StateError(offset: 0, expected: "a symbol that isn't known yet")
            }
        }
        for introduction in try router.restore(from: &reader, instruments: symbols) {
            batches[router.shard(of: introduction.core)].introductions.append(introduction)
        }
        windows = try DuplicateWindows(restoring: &reader, symbolCount: symbols.count)
        flowWindows = try DuplicateWindows(restoring: &reader, symbolCount: symbols.count)
        try ledger.restore(from: &reader)
        guard let rules = TradeRules(table: try reader.readArray()) else {
            throw StateError(offset: 0, expected: "a table of trade rules")
        }
        self.rules = rules
        try decoder.restore(from: &reader, symbols: &symbols)
        guard reader.remaining == 0 else { throw StateError(offset: 0, expected: "the end") }
    }
}
