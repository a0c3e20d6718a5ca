import Engine
import MarketData
import Primitives
import SymbolCore
import Wire

/// Collects what the shards say and waits until all have passed an ordinal.
final class CollectingSink: OutputSink {
    private struct State {
        var batch = OutputBatch()
        var passed: [Int: Ordinal] = [:]
        var posts = 0
    }

    private let state = Lock(State())

    func post(_ batch: OutputBatch, shard: Int, passed: Ordinal) {
        state.withLock { state in
            for record in batch.records { state.batch.append(record, of: batch) }
            state.passed[shard] = max(state.passed[shard] ?? 0, passed)
            state.posts += 1
        }
    }

    /// Every output as `n index class channel payload`, in order.
    var lines: [String] {
        state.withLock { state in
            state.batch.sort()
            return state.batch.records.map { record in
                let payload = String(decoding: state.batch.bytes[record.payload], as: UTF8.self)
                let channel = state.batch.channelName(record)
                return "\(record.n) \(record.index) \(record.outputClass) \(channel) \(payload)"
            }
        }
    }

    func lines(of outputClass: OutputClass) -> [String] { lines.filter { $0.contains(" \(outputClass) ") } }
}

/// A day of New York: 2013-10-08 at a wall-clock time.
func newYork(_ hour: Int, _ minute: Int, millis: Int64 = 0) -> Instant {
    NewYork.instant(CivilDate(20_131_008), hour: hour, minute: minute).advanced(byNanos: millis * 1_000_000)
}

extension Engine {
    func feed(_ text: String, at received: Instant, from source: FeedSource = .stocks) {
        var text = text
        text.withUTF8 { bytes in
            _ = ingest.receive(frame: UnsafeRawBufferPointer(bytes), from: source, at: received)
        }
    }

    func create(_ plan: String, id: String = "c1", at received: Instant) -> CommandRefusal? {
        ingest.take(Command(operation: .create, id: id, owner: "local", body: Array(plan.utf8)), at: received)
    }
}

func trade(_ symbol: String, _ price: Double, at time: Instant, q: Int64, conditions: String = "") -> String {
    let c = conditions.isEmpty ? "" : ",\"c\":[\(conditions)]"
    return
        #"[{"ev":"T","sym":"\#(symbol)","x":4,"i":"\#(q)","z":2,"p":\#(price),"s":100\#(c),"t":\#(time.nanos / 1_000_000),"q":\#(q)}]"#
}

func quote(_ symbol: String, _ bid: Double, _ ask: Double, at time: Instant, q: Int64) -> String {
    #"[{"ev":"Q","sym":"\#(symbol)","bx":11,"bp":\#(bid),"bs":100,"ax":12,"ap":\#(ask),"as":100,"c":0,"t":\#(time.nanos / 1_000_000),"q":\#(q),"z":2}]"#
}

let spyPlan = #"""
    {"id":"p_1","symbol":"SPY","side":"long","style":"intraday","entry":{"type":"touch","price":145.1},
    "stop":{"price":144.8},"targets":[{"price":145.4,"fraction":0.5},{"price":145.7,"fraction":0.5}]}
    """#
