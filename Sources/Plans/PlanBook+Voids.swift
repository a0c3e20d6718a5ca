package import MarketData
import Primitives

/// The trade behind a hit.
struct HitTrace: BitwiseCopyable {
    var trade: Trade
    var plan: PlanHandle
    /// Number of the hit among the plan's.
    var index: Int32
}

/// The trades behind the newest hits: what a bust is looked up in.
struct HitTraces {
    static var limit: Int { 4_096 }

    private var traces: [HitTrace] = []
    /// Where the next one goes once the ring is full: the oldest.
    private var next = 0

    init() {}

    mutating func append(_ trace: HitTrace) {
        if traces.count < Self.limit {
            traces.append(trace)
        } else {
            traces[next] = trace
            next = (next + 1) % Self.limit
        }
    }

    /// Those of a trade, oldest first.
    func find(_ bust: TradeBust) -> [HitTrace] { (traces[next...] + traces[..<next]).filter { bust.names($0.trade) } }
}

extension HitTraces: Checkpointable {
    func save(to writer: inout StateWriter) {
        writer.write(traces)
        writer.write(Int64(next))
    }

    init(restoring reader: inout StateReader) throws(StateError) {
        traces = try reader.readArray()
        next = Int(try reader.read(Int64.self))
        guard next >= 0, next < Self.limit, next == 0 || traces.count == Self.limit else {
            throw StateError(offset: 0, expected: "a ring of hits")
        }
    }
}

extension PlanBook {
    /// Remembers which trade gave a hit, so that its bust voids the hit; the newest 4,096 are remembered.
    package mutating func remember(_ hit: PlanHit, from trade: Trade) {
        traces.append(HitTrace(trade: trade, plan: hit.plan, index: hit.index))
    }

    /// A trade was busted: each hit that it gave is voided, once; the plan's state stays as it is.
    package mutating func void(_ bust: TradeBust, into out: inout [PlanOutcome]) {
        for trace in traces.find(bust) {
            guard let slot = try? slot(trace.plan) else {
                gapCounts.forgottenVoids += 1
                continue
            }
            guard let hit = table.void(trace.index, of: slot) else { continue }
            gapCounts.voided += 1
            out.append(.voided(PlanVoid(hit: hit, bust: bust)))
        }
    }
}
