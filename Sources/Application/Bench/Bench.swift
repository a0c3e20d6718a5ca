internal import Dispatch
internal import Engine
internal import FeedProtocols
internal import Journal
internal import MarketData
internal import Primitives
internal import Wire

/// The benchmarks behind `striketape bench`: a warm-up pass, then a measured one over the same frames.
package enum Bench {
    /// Bytes to normalised events, one thread.
    package static func decode(_ frames: BenchFrames, allocator: any AllocationCounter) -> BenchFigure {
        var decoder = PolygonDecoder()
        var symbols = SymbolTable()
        var batch = DecodedBatch()
        var events: Int64 = 0
        func pass() {
            events = 0
            frames.forEach { frame, _ in
                batch.removeAll()
                decoder.decode(frame, symbols: &symbols, into: &batch)
                events += Int64(batch.count)
            }
        }
        pass()
        let before = allocator.threadAllocatedBytes
        let watch = Stopwatch()
        pass()
        var figure = BenchFigure(
            name: "decode",
            events: events,
            seconds: watch.seconds,
            cpuSeconds: watch.cpuSeconds
        )
        figure.extras.append(("megabytesPerCpuSecond", Double(frames.byteCount) / 1e6 / figure.cpuSeconds))
        if let before, let after = allocator.threadAllocatedBytes {
            figure.extras.append(("allocatedBytes", Double(after - before)))
        }
        return figure
    }

    /// Bytes to released outputs: decoder, door, mailbox, shard actors with all analytics, `planCount` plans, and the
    /// Sequencer with a store that discards.
    ///
    /// The whole process is measured, all threads, over the last three quarters of the frames. In the first quarter the
    /// plans are made and symbols, cores, bars and buffers grow; it has wholly passed when the clock starts. Receive time is
    /// the frames' event time.
    package static func engine(
        _ frames: BenchFrames,
        shards: Int,
        planCount: Int,
        settings: OutputSettings = OutputSettings()
    ) throws -> BenchFigure {
        let sink = try Sequencer(
            shards: shards,
            run: "bench",
            store: DiscardingCommitStore(epoch: "bench"),
            sink: DiscardingSink()
        )
        defer { sink.close() }
        let core = settings.coreOptions(limitsLivePlans: true)
        let engine = Engine(EngineOptions(shards: shards, clock: .exchange, core: core), sink: sink)
        let refused = addPlans(planCount, around: prices(in: frames), to: engine)
        let warm = max(1, frames.count / 4)
        var index = 0
        var watch = Stopwatch()
        var eventsBefore: Int64 = 0
        frames.forEach { frame, source in
            if index == warm {
                settle(engine, sink, shards: shards)
                watch = Stopwatch()
                eventsBefore = engine.ingest.counters.events
            }
            index += 1
            engine.ingest.receive(frame: frame, from: source, at: .zero, n: nil)
        }
        engine.ingest.endOfTape()
        engine.stop()
        sink.flush()
        var figure = BenchFigure(
            name: "engine",
            events: engine.ingest.counters.events - eventsBefore,
            seconds: watch.seconds,
            cpuSeconds: watch.cpuSeconds
        )
        figure.extras = [
            ("shards", Double(shards)), ("plans", Double(planCount - refused)),
            ("stalls", Double(engine.stallCount)), ("clocks", Double(engine.ingest.counters.clocks)),
        ]
        return figure
    }

    /// Returns once everything so far was applied and released.
    private static func settle(_ engine: Engine, _ sink: Sequencer, shards: Int) {
        let done = DispatchSemaphore(value: 0)
        engine.ingest.control { _ in .read(.zero) { _ in done.signal() } }
        for _ in 0..<shards { done.wait() }
        sink.flush()
    }

    /// The first price of each symbol, in order of first sight.
    private static func prices(in frames: BenchFrames) -> [(symbol: String, price: Price)] {
        var decoder = PolygonDecoder()
        var symbols = SymbolTable()
        var batch = DecodedBatch()
        var first: [SymbolID: Price] = [:]
        var looked = 0
        frames.forEach { frame, _ in
            looked += 1
            guard looked < 2_000 else { return }
            batch.removeAll()
            decoder.decode(frame, symbols: &symbols, into: &batch)
            for index in 0..<batch.count {
                guard case .trade(let trade) = batch[index], first[trade.symbol] == nil else { continue }
                first[trade.symbol] = trade.price
            }
        }
        return first.sorted { $0.key < $1.key }.map { (symbols.instrument($0.key).symbol, $0.value) }
    }

    /// Gives the engine plans, levels uniform within ±20 % of each symbol's first price.
    ///
    /// - Returns: how many were refused at the door.
    private static func addPlans(
        _ count: Int,
        around prices: [(symbol: String, price: Price)],
        to engine: Engine
    ) -> Int {
        guard !prices.isEmpty else { return count }
        var random = SeededGenerator(seed: 5)
        var refused = 0
        for number in 0..<count {
            let (symbol, price) = prices[number % prices.count]
            let entry = price.micros / 10_000 * Int64.random(in: 8_000...12_000, using: &random)
            let step = max(20_000, price.micros / 100)
            let plan = BenchPlan(id: "b\(number)", symbol: symbol, entry: entry, step: step)
            let command = Command(
                operation: .create,
                id: plan.id,
                owner: "bench\(number)",
                body: Array(plan.json.utf8)
            )
            if engine.ingest.take(command, at: .zero) != nil { refused += 1 }
        }
        engine.ingest.flush()
        return refused
    }
}

/// A plan of a benchmark: long by touch, stop one step below, two targets above.
struct BenchPlan {
    var id: String
    var symbol: String
    var entry: Int64
    var step: Int64

    var json: String {
        func text(_ micros: Int64) -> String {
            var out: [UInt8] = []
            DecimalText.append(micros: micros, to: &out)
            return String(decoding: out, as: UTF8.self)
        }
        return """
            {"id":"\(id)","symbol":"\(symbol)","side":"long","style":"swing",\
            "sessions":["overnight","pre","rth","post","closed"],\
            "entry":{"type":"touch","price":\(text(entry))},"stop":{"price":\(text(entry - step))},\
            "targets":[{"price":\(text(entry + step)),"fraction":0.5},{"price":\(text(entry + 2 * step)),"fraction":0.5}]}
            """
    }
}

/// Where a benchmark's messages go.
private final class DiscardingSink: MessageSink {
    func release(_ messages: [Envelope]) {}
    func reply(to command: String, payload: [UInt8]) {}
}
