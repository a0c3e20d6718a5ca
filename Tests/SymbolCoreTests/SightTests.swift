import Primitives
import Testing

@testable import SymbolCore

@Suite struct SightTests {
    private func at(_ seconds: Double) -> Instant { Instant(nanos: Int64(seconds * 1e9)) }

    @Test func aLossIsRepairedBeforeSightComesBack() {
        var sight = Sight()
        #expect(sight.lost(after: at(10)) == [.blind(from: at(10), defers: true)])
        #expect(sight.lost(after: at(11)) == [])
        #expect(sight.due == .distantFuture)
        #expect(sight.restored(at: at(20), repairNanos: 10_000_000_000) == [.ask(from: at(10), to: at(20))])
        #expect(sight.fire(at: at(22)) == [])
        #expect(sight.answered(hasBars: true, from: at(10), to: at(20)) == [.repair(from: at(10), to: at(20))])
        #expect(sight.answered(hasBars: true, from: at(10), to: at(20)) == [])
        #expect(sight.due == at(22))
        #expect(sight.fire(at: at(22)) == [.see])
        #expect(sight.phase == .seeing)
    }

    @Test func anEarlyAnswerStillWaitsForHealth() {
        var sight = Sight()
        _ = sight.lost(after: at(10))
        _ = sight.restored(at: at(20), repairNanos: 10_000_000_000)
        #expect(sight.answered(hasBars: false, from: at(10), to: at(20)) == [.giveUp(from: at(10), to: at(20))])
        #expect(sight.fire(at: at(21)) == [])
        #expect(sight.fire(at: at(22)) == [.see])
    }

    @Test func withoutAnAnswerTheRepairIsGivenUp() {
        var sight = Sight()
        _ = sight.lost(after: at(10))
        _ = sight.restored(at: at(20), repairNanos: 10_000_000_000)
        #expect(sight.fire(at: at(29.9)) == [])
        #expect(sight.fire(at: at(30)) == [.giveUp(from: at(10), to: at(20)), .see])
        #expect(sight.answered(hasBars: true, from: at(10), to: at(20)) == [])
    }

    @Test func aSecondLossBeforeTheRepairSettlesTheFirst() {
        var sight = Sight()
        _ = sight.lost(after: at(10))
        _ = sight.restored(at: at(20), repairNanos: 10_000_000_000)
        #expect(
            sight.lost(after: at(21)) == [.giveUp(from: at(10), to: at(20)), .blind(from: at(21), defers: true)]
        )
        // The answer to the first gap comes late and means nothing.
        #expect(sight.restored(at: at(23), repairNanos: 10_000_000_000) == [.ask(from: at(21), to: at(23))])
        #expect(sight.answered(hasBars: true, from: at(10), to: at(20)) == [])
    }

    @Test func aLossAfterTheRepairOpensAnotherGap() {
        var sight = Sight()
        _ = sight.lost(after: at(10))
        _ = sight.restored(at: at(20), repairNanos: 10_000_000_000)
        _ = sight.answered(hasBars: true, from: at(10), to: at(20))
        #expect(sight.lost(after: at(21)) == [.blind(from: at(21), defers: true)])
    }

    @Test func dimnessHeals() {
        var sight = Sight()
        #expect(sight.dimmed(after: at(10)) == [.blind(from: at(10), defers: false)])
        #expect(sight.dimmed(after: at(11)) == [])
        #expect(sight.restored(at: at(12), repairNanos: 10_000_000_000) == [])
        #expect(sight.dimmed(after: at(13)) == [])
        #expect(sight.phase == .dim)
        _ = sight.restored(at: at(14), repairNanos: 10_000_000_000)
        #expect(sight.fire(at: at(15.9)) == [])
        #expect(sight.fire(at: at(16)) == [.see])
    }

    @Test func aLossInTheDarkDefers() {
        var sight = Sight()
        _ = sight.dimmed(after: at(10))
        #expect(sight.lost(after: at(11)) == [.blind(from: at(11), defers: true)])
        #expect(sight.dimmed(after: at(12)) == [])
    }

    /// Whatever happens, sight is told at most once a blindness, and a gap ends exactly once.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func randomSequencesKeepTheInvariants(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var sight = Sight()
        var (isBlind, openGaps, now) = (false, 0, 0.0)
        for _ in 0..<2_000 {
            now += Double(random.next() % 3_000) / 1_000
            let from: Instant? =
                if case .repairing(let from, _, _, _, _) = sight.phase { from } else { nil }
            let actions: [Sight.Action] =
                switch random.next() % 6 {
                case 0: sight.lost(after: at(now))
                case 1: sight.dimmed(after: at(now))
                case 2: sight.restored(at: at(now), repairNanos: 10_000_000_000)
                case 3: sight.answered(hasBars: random.next() % 2 == 0, from: from ?? at(0), to: at(now))
                default: sight.fire(at: at(now))
                }
            for action in actions {
                switch action {
                case .blind(_, let defers):
                    isBlind = true
                    if defers { openGaps += 1 }
                case .ask: #expect(openGaps == 1, "seed \(seed)")
                case .giveUp, .repair: openGaps -= 1
                case .see:
                    #expect(isBlind && openGaps == 0, "seed \(seed)")
                    isBlind = false
                }
                #expect((0...1).contains(openGaps), "seed \(seed)")
            }
        }
    }

    @Test func theMedianGapIsAPowerOfTwoAboveIt() {
        var gaps = GapHistogram()
        for _ in 0..<15 { gaps.add(nanos: 100_000_000) }
        #expect(gaps.medianNanos == nil)
        gaps.add(nanos: 100_000_000)
        #expect(gaps.medianNanos == 127_000_000)
        for _ in 0..<40 { gaps.add(nanos: 3_000_000_000) }
        #expect(gaps.medianNanos == 4_095_000_000)
    }
}
