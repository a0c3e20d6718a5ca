import Engine
import FeedProtocols
import MarketData
import Primitives
import SymbolCore
import Testing
import Wire

@Suite struct EngineTests {
    @Test func aPlanEntersHitsItsTargetAndSaysSoOnce() {
        let sink = CollectingSink()
        let engine = Engine(EngineOptions(), sink: sink)
        let start = newYork(10, 0)
        #expect(engine.create(spyPlan, at: start) == nil)
        for (index, price) in [145.0, 145.1, 145.3, 145.45, 145.8, 146].enumerated() {
            let time = start.advanced(byNanos: Int64(index + 1) * 1_000_000_000)
            engine.feed(trade("SPY", price, at: time, q: Int64(index + 1)), at: time)
        }
        engine.ingest.endOfTape()
        engine.stop()
        let hits = sink.lines(of: .durable).filter { $0.contains("plan:p_1") && $0.contains("\"i\":") }
        #expect(hits.count == 3)
        #expect(hits[0].contains(#""kind":"entry","k":null,"price":145.1"#))
        #expect(hits[1].contains(#""kind":"target","k":1,"price":145.45"#))
        #expect(hits[2].contains(#""kind":"target","k":2,"price":145.8"#))
        #expect(sink.lines(of: .reply).count == 1)
        #expect(sink.lines(of: .reply)[0].contains(#""ok":true"#))
    }

    @Test func aRefusalNamesEveryField() {
        let sink = CollectingSink()
        let engine = Engine(EngineOptions(), sink: sink)
        let bad = #"{"id":"p_2","symbol":"SPY","side":"up","entry":{"type":"touch","price":-1},"color":"red"}"#
        #expect(engine.create(bad, at: newYork(10, 0)) == nil)
        engine.ingest.flush()
        engine.stop()
        let reply = sink.lines(of: .reply).first ?? ""
        for field in ["side", "entry.price", "stop", "targets", "style", "color"] {
            #expect(reply.contains("\"field\":\"\(field)"), "\(field) missing in \(reply)")
        }
    }

    @Test func unservedSymbolsAndForeignPlansAreRefused() {
        let sink = CollectingSink()
        var options = EngineOptions()
        options.servedSymbols = ["SPY"]
        let engine = Engine(options, sink: sink)
        let other = spyPlan.replacing("\"SPY\"", with: "\"QQQ\"")
        #expect(engine.create(other, at: newYork(10, 0))?.problems.first?.field == "symbol")
        #expect(engine.create(spyPlan, at: newYork(10, 0)) == nil)
        let cancel = Command(operation: .cancel, id: "c2", owner: "mallory", body: Array(#"{"id":"p_1"}"#.utf8))
        #expect(engine.ingest.take(cancel, at: newYork(10, 0)) == nil)
        let unknown = Command(operation: .cancel, id: "c3", owner: "local", body: Array(#"{"id":"p_9"}"#.utf8))
        #expect(engine.ingest.take(unknown, at: newYork(10, 0))?.failure == .notFound)
        engine.ingest.flush()
        engine.stop()
        #expect(sink.lines(of: .reply).contains { $0.contains("c2") && $0.contains("not_found") })
    }

    /// Many symbols, so that most are silent while a clock passes, and are first seen in the middle of a batch.
    @Test(arguments: [(1, 64), (2, 1), (5, 2_048), (3, 7)], [12, 400])
    func outputsDependNeitherOnShardsNorOnBatches(cut: (shards: Int, batch: Int), symbols: Int) {
        let whole = run(shards: 1, batch: 2_048, symbols: symbols)
        let parts = run(shards: cut.shards, batch: cut.batch, symbols: symbols)
        #expect(whole.count > 1_000 && parts.count == whole.count)
        let different = zip(whole, parts).first { $0 != $1 }
        #expect(different == nil, "\(different?.0 ?? "") != \(different?.1 ?? "")")
    }

    @Test func aRefusedCommandLeavesNoTrace() {
        var options = EngineOptions()
        options.servedSymbols = ["SPY"]
        let engine = Engine(options, sink: CollectingSink())
        let unserved = spyPlan.replacing("\"SPY\"", with: "\"QQQ\"")
        for (field, plan) in [
            ("symbol", unserved), ("symbol", spyPlan.replacing("\"SPY\"", with: "\"a b\"")),
            ("contract", spyPlan.replacing("\"side\"", with: #""contract":"O:QQQ251219C00650000","side""#)),
            ("contract", spyPlan.replacing("\"side\"", with: #""contract":"SPY","side""#)),
        ] {
            #expect(engine.create(plan, at: newYork(10, 0))?.problems.first?.field == field, "\(plan)")
        }
        // Neither an ordinal nor a symbol id: what the tape doesn't hold must not shift what a checkpoint names.
        #expect(engine.ingest.numbering.next == 1)
        #expect(engine.ingest.symbolCounts.known == 0)
        engine.stop()
    }

    @Test func aRepeatedEventTakesNoOrdinal() {
        let sink = CollectingSink()
        let engine = Engine(EngineOptions(), sink: sink)
        let time = newYork(10, 0)
        for _ in 0..<3 { engine.feed(trade("SPY", 145, at: time, q: 7), at: time) }
        #expect(engine.ingest.counters.duplicates == 2)
        #expect(engine.ingest.numbering.next == 2)
        engine.ingest.flush()
        engine.stop()
    }

    @Test func oneWakeMakesFewJobsHoweverManyEventsABatchHolds() {
        let engine = Engine(EngineOptions(mailboxInputs: 1 << 20, batchInputs: 1 << 20), sink: CollectingSink())
        var mix = FrameMix(seed: 3, symbols: 20)
        func offer(_ frames: Int) {
            var bytes: [UInt8] = []
            for index in 0..<frames {
                bytes.removeAll(keepingCapacity: true)
                _ = mix.appendFrame(to: &bytes)
                let time = newYork(10, 0, millis: Int64(index))
                bytes.withUnsafeBytes { _ = engine.ingest.receive(frame: $0, from: .stocks, at: time) }
            }
            engine.ingest.flush()
        }
        offer(2_000)
        engine.stop()
        // One drain, its first job and at most a few resumptions: calls between a shard's actors don't queue.
        #expect(engine.jobCount <= 8, "\(engine.jobCount) jobs")
        #expect(engine.ingest.counters.events > 10_000)
    }

    private func run(shards: Int, batch: Int, symbols: Int) -> [String] {
        let sink = CollectingSink()
        let engine = Engine(EngineOptions(shards: shards, mailboxInputs: 256, batchInputs: batch), sink: sink)
        engine.ingest.control { _ in .demand(nil) }
        let start = newYork(9, 29)
        var mix = FrameMix(seed: 11, symbols: symbols)
        var bytes: [UInt8] = []
        for index in 0..<600 {
            bytes.removeAll(keepingCapacity: true)
            _ = mix.appendFrame(to: &bytes)
            let time = start.advanced(byNanos: Int64(index) * 37_000_000)
            bytes.withUnsafeBytes { _ = engine.ingest.receive(frame: $0, from: .stocks, at: time) }
        }
        engine.ingest.endOfTape()
        engine.stop()
        return sink.lines
    }
}

@Suite struct DemandTests {
    @Test func aWantedSymbolSpeaksAndAnUnwantedOneIsSilent() {
        let sink = CollectingSink()
        let engine = Engine(EngineOptions(clock: .exchange), sink: sink)
        let start = newYork(10, 0)
        for second in 0..<6 {
            let time = start.advanced(byNanos: Int64(second) * 1_000_000_000)
            engine.feed(trade("SPY", 145 + Double(second), at: time, q: Int64(second + 1)), at: time)
            engine.feed(trade("QQQ", 145 + Double(second), at: time, q: Int64(second + 1)), at: time)
            engine.ingest.flush()
            if second == 2 { engine.ingest.control { _ in .demand(["symbol:SPY", "health"]) } }
        }
        engine.ingest.endOfTape()
        engine.stop()
        let said = sink.lines(of: .conflatable)
        #expect(!said.isEmpty)
        #expect(said.allSatisfy { $0.contains(" symbol:SPY ") })
        #expect(said.contains { $0.contains("\"last\":149") }, "\(said)")
    }
}
