import Engine
import FeedProtocols
import MarketData
import Primitives
import SymbolCore
import Testing
import Wire

/// A restart from saved cores and a saved door, at any place: the same outputs as without it.
@Suite struct DoorStateTests {
    private static let frameCount = 400
    private static let start = newYork(9, 29)

    private func feed(_ engine: Engine, _ frames: Range<Int>, _ all: [[UInt8]]) {
        for index in frames {
            let time = Self.start.advanced(byNanos: Int64(index) * 37_000_000)
            all[index].withUnsafeBytes { _ = engine.ingest.receive(frame: $0, from: .stocks, at: time) }
            if index % 50 == 7 {
                let plan = spyPlan.replacing("p_1", with: "p_\(index)").replacing("SPY", with: "S\(index % 5)")
                _ = engine.create(plan, id: "c\(index)", at: time)
            }
            if index % 50 == 31 {
                let body = Array(#"{"id":"p_\#(index - 24)","version":1}"#.utf8)
                _ = engine.ingest.take(
                    Command(operation: .cancel, id: "x\(index)", owner: "local", body: body),
                    at: time
                )
            }
        }
    }

    private var frames: [[UInt8]] {
        var mix = FrameMix(seed: 11, symbols: 30)
        return (0..<Self.frameCount).map { index in
            var bytes: [UInt8] = []
            // Some frames without an event: they stand on the tape and take no ordinal.
            if index % 9 == 4 { return Array(#"[{"ev":"status","status":"success","message":"x"}]"#.utf8) }
            _ = mix.appendFrame(to: &bytes)
            return bytes
        }
    }

    @Test(arguments: [1, 40, 122, 300, 399], [(1, 1), (2, 3)])
    func aRestoredDoorGoesOnAsTheOneThatWasSaved(cut: Int, shards: (before: Int, after: Int)) throws {
        let frames = frames
        let whole = CollectingSink()
        let first = Engine(EngineOptions(shards: shards.before), sink: whole)
        feed(first, 0..<cut, frames)
        let cores = Lock<[(name: String, state: [UInt8])]>([])
        first.ingest.control { _ in .save { states in cores.withLock { $0 += states } } }
        let door = first.ingest.saveState()
        let n = first.ingest.numbering.next - 1
        // Repeats from before the cut: both must know them.
        feed(first, 0..<cut, frames)
        feed(first, cut..<frames.count, frames)
        first.ingest.endOfTape()
        first.stop()

        let rest = CollectingSink()
        let saved = Dictionary(uniqueKeysWithValues: cores.withLock { $0 }.map { ($0.name, $0.state) })
        let second = Engine(EngineOptions(shards: shards.after), sink: rest, savedCores: saved)
        try second.ingest.restoreState(door)
        #expect(second.ingest.numbering.next == n + 1)
        #expect(second.ingest.framesWithoutOrdinal == (cut > 1 && (cut - 1) % 9 == 4 ? 1 : 0))
        feed(second, 0..<cut, frames)
        feed(second, cut..<frames.count, frames)
        second.ingest.endOfTape()
        second.stop()

        let expected = whole.lines.filter { Int64($0.prefix { $0 != " " }) ?? 0 > n }
        #expect(!expected.isEmpty || cut == 399)
        let found = rest.lines
        let different = zip(expected, found).first { $0 != $1 }
        #expect(found.count == expected.count && different == nil, "\(different?.0 ?? "") != \(different?.1 ?? "")")
        #expect(second.ingest.numbering.next == first.ingest.numbering.next)
        #expect(second.ingest.counters.frames == first.ingest.counters.frames)
        #expect(second.ingest.saveState().count == first.ingest.saveState().count)
    }

    @Test func everyPrefixOfAStateIsRefused() throws {
        let engine = Engine(EngineOptions(), sink: CollectingSink())
        feed(engine, 0..<3, frames)
        let state = engine.ingest.saveState()
        engine.stop()
        for length in 0..<state.count where length % 11 == 0 {
            let other = Engine(EngineOptions(), sink: CollectingSink())
            #expect(throws: StateError.self, "\(length)") { try other.ingest.restoreState(Array(state[..<length])) }
            other.stop()
        }
    }
}
