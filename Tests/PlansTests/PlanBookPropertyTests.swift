import MarketData
import Plans
import Primitives
import Testing

/// Random plans on random paths; every failure names its seed.
@Suite struct PlanBookPropertyTests {
    @Test func saysWhatThePlainReferenceSays() {
        var hits: [HitKind: Int] = [:]
        for seed: UInt64 in 1...100 {
            var script = PlanScript(seed: seed)
            var book = PlanBook()
            var naive = NaiveBook()
            var handles: [PlanHandle] = []
            for step in 0..<400 {
                let event = script.next().standing(on: naive.preceding)
                var out: [PlanOutcome] = []
                var expected: [PlanOutcome] = []
                let known = handles.count
                book.apply(event, handles: &handles, into: &out)
                naive.apply(event, handles: handles, isAdded: handles.count > known, book: book, into: &expected)
                guard out == expected else {
                    Issue.record("seed \(seed) step \(step) \(event): \(out) instead of \(expected)")
                    return
                }
                for case .hit(let hit) in out { hits[hit.kind, default: 0] += 1 }
            }
            for entry in naive.entries where !entry.isRetired {
                guard let snapshot = try? book.snapshot(entry.handle) else {
                    Issue.record("seed \(seed): \(entry.plan.id) is lost")
                    return
                }
                #expect(snapshot == entry.snapshot(hits: snapshot.hits), "seed \(seed) \(entry.plan)")
            }
        }
        // The paths meet every kind, and often.
        for kind in HitKind.allCases { #expect(hits[kind, default: 0] > 30, "\(kind): \(hits)") }
    }
}

extension PlanBookPropertyTests {
    /// A copy made from a checkpoint at a random place goes on as the book itself does.
    @Test func goesOnFromACheckpoint() throws {
        for seed: UInt64 in 1...100 {
            var script = PlanScript(seed: seed)
            var book = PlanBook()
            var copy: PlanBook?
            var handles: [PlanHandle] = []
            let cuts = Set((0..<3).map { _ in script.pick(5...390) })
            for step: Int64 in 0..<400 {
                if cuts.contains(step) {
                    var writer = StateWriter()
                    book.save(to: &writer)
                    var reader = StateReader(writer.finish())
                    copy = try PlanBook(restoring: &reader)
                    #expect(reader.remaining == 0, "seed \(seed) step \(step)")
                }
                let event = script.next()
                var out: [PlanOutcome] = []
                var outOfCopy: [PlanOutcome] = []
                var handlesOfCopy = handles
                book.apply(event, handles: &handles, into: &out)
                copy?.apply(event, handles: &handlesOfCopy, into: &outOfCopy)
                guard let copy else { continue }
                guard out == outOfCopy, handles == handlesOfCopy, book.nextDue == copy.nextDue else {
                    Issue.record("seed \(seed) step \(step) \(event): \(outOfCopy) instead of \(out)")
                    return
                }
            }
            guard let copy else { continue }
            #expect(copy.handles == book.handles, "seed \(seed)")
            for handle in book.handles {
                #expect(try copy.snapshot(handle) == book.snapshot(handle), "seed \(seed)")
                #expect(try copy.plan(handle) == book.plan(handle), "seed \(seed)")
            }
            #expect(copy.openCount == book.openCount && copy.lateCount == book.lateCount, "seed \(seed)")
        }
    }

    /// A book cut short is refused wherever it is cut.
    @Test func refusesACutCheckpoint() {
        var script = PlanScript(seed: 9)
        var book = PlanBook()
        var handles: [PlanHandle] = []
        var out: [PlanOutcome] = []
        for _ in 0..<60 { book.apply(script.next(), handles: &handles, into: &out) }
        var writer = StateWriter()
        book.save(to: &writer)
        let whole = writer.finish()
        for length in stride(from: 0, to: whole.count, by: 97) {
            var reader = StateReader(Array(whole[..<length]))
            #expect(throws: StateError.self) { try PlanBook(restoring: &reader) }
        }
    }

    /// The mirror image of a long is a short: all prices turned over a middle, bids for asks.
    @Test func theMirrorImageOfALongIsAShort() {
        for seed: UInt64 in 1...100 {
            var script = PlanScript(seed: seed)
            script.isMirrorable = true
            var book = PlanBook()
            var image = PlanBook()
            var handles: [PlanHandle] = []
            var imageHandles: [PlanHandle] = []
            for step in 0..<400 {
                let event = script.next()
                var out: [PlanOutcome] = []
                var imageOut: [PlanOutcome] = []
                book.apply(event, handles: &handles, into: &out)
                image.apply(event.mirrored, handles: &imageHandles, into: &imageOut)
                guard out == imageOut.map(\.mirrored) else {
                    Issue.record("seed \(seed) step \(step) \(event): \(imageOut) is not the image of \(out)")
                    return
                }
            }
        }
    }

    /// What must hold whatever the rules give.
    @Test func keepsItsInvariants() {
        for seed: UInt64 in 1...80 {
            var script = PlanScript(seed: seed)
            var book = PlanBook()
            var handles: [PlanHandle] = []
            var nextIndex: [PlanHandle: Int32] = [:]
            for step in 0..<400 {
                let event = script.next()
                var timed: [PlanOutcome] = []
                book.fire(upTo: event.received, into: &timed)
                var out: [PlanOutcome] = []
                book.apply(event, handles: &handles, into: &out)
                // Made only on failure: it is long.
                var place: Comment { "seed \(seed) step \(step) \(event)" }
                var kinds: [PlanHandle: Set<HitKind>] = [:]
                for case .hit(let hit) in timed + out {
                    #expect(hit.index == nextIndex[hit.plan, default: 0] + 1, place)
                    nextIndex[hit.plan] = hit.index
                    #expect((0...1_000_000).contains(hit.remaining.micros), place)
                }
                for case .hit(let hit) in out { kinds[hit.plan, default: []].insert(hit.kind) }
                // One x: entry, targets, or what closes; never two of them.
                for (_, kinds) in kinds { #expect(kinds.count == 1, place) }
                let orders = out.compactMap(\.plan?.order)
                #expect(orders == orders.sorted(), place)
                #expect(
                    timed.allSatisfy { outcome in
                        if case .hit(let hit) = outcome { return hit.kind == .expired && hit.time <= event.received }
                        return true
                    },
                    place
                )
                // Only a command can set a boundary that has passed already; the next input fires it.
                if event.isMarket { #expect(book.nextDue > event.received, place) }
            }
        }
    }
}
