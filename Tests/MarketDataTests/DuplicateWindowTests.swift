import MarketData
import Primitives
import Testing

@Suite struct DuplicateWindowTests {
    @Test func tellsNewOlderAndDuplicate() {
        var window = DuplicateWindow()
        #expect(window.admit(sequence: 10, tag: 1) == .new)
        #expect(window.admit(sequence: 10, tag: 1) == .duplicate)
        #expect(window.admit(sequence: 10, tag: 2) == .newButOlder)
        #expect(window.admit(sequence: 7, tag: 1) == .newButOlder)
        #expect(window.admit(sequence: 7, tag: 1) == .duplicate)
        #expect(window.admit(sequence: 11, tag: 1) == .new)
    }

    @Test func withoutSequenceNothingIsADuplicate() {
        var window = DuplicateWindow()
        for _ in 0..<10 { #expect(window.admit(sequence: 0, tag: 3) == .new) }
        #expect(window.admit(sequence: -5, tag: 3) == .new)
        #expect(window.admit(sequence: 0, tag: 3) == .new)
        #expect(window.admit(sequence: -5, tag: 3) == .duplicate)
    }

    @Test func forgetsExactlyBeyondItsCapacity() {
        var window = DuplicateWindow()
        let count = Int64(DuplicateWindow.capacity)
        for sequence in 1...count { #expect(window.admit(sequence: sequence) == .new) }
        #expect(window.admit(sequence: 1) == .duplicate)
        #expect(window.admit(sequence: count + 1) == .new)
        #expect(window.admit(sequence: 2) == .duplicate)
        #expect(window.admit(sequence: 1) == .newButOlder)
    }

    @Test func healsAfterADailyReset() {
        var window = DuplicateWindow()
        let count = Int64(DuplicateWindow.capacity)
        for sequence in 1_000_000...(1_000_000 + count) { _ = window.admit(sequence: sequence) }
        for sequence in 1...count { #expect(window.admit(sequence: sequence) == .newButOlder) }
        #expect(window.admit(sequence: count + 1) == .new)
        #expect(window.admit(sequence: count) == .duplicate)
    }

    /// Against the plain definition, with every order of sequences.
    @Test(arguments: [UInt64(1), 2, 3])
    func equalsTheDefinition(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var window = DuplicateWindow()
        var kept: [(Int64, UInt32)] = []
        for step in 0..<6_000 {
            let sequence = Int64(step) + Int64.random(in: -2_000...2_000, using: &random)
            let tag = UInt32.random(in: 0..<3, using: &random)
            let verdict = window.admit(sequence: sequence, tag: tag)
            guard sequence != 0 else { continue }
            let isKnown = kept.contains { $0 == (sequence, tag) }
            let isAbove = kept.allSatisfy { sequence > $0.0 }
            let wanted: DuplicateWindow.Verdict = isKnown ? .duplicate : isAbove ? .new : .newButOlder
            if verdict != wanted { Issue.record("seed \(seed), step \(step): \(verdict), wanted \(wanted)") }
            if !isKnown {
                kept.append((sequence, tag))
                if kept.count > DuplicateWindow.capacity { kept.removeFirst() }
            }
        }
    }

    @Test func stateReadsBack() throws {
        var window = DuplicateWindow()
        for sequence in Int64(1)...5_000 { _ = window.admit(sequence: sequence, tag: UInt32(sequence % 7)) }
        var writer = StateWriter()
        window.save(to: &writer)
        let bytes = writer.finish()
        var reader = StateReader(bytes)
        var copy = try DuplicateWindow(restoring: &reader)
        for sequence in Int64(800)...5_100 {
            let tag = UInt32(sequence % 7)
            #expect(copy.admit(sequence: sequence, tag: tag) == window.admit(sequence: sequence, tag: tag))
        }
        var cut = StateReader(Array(bytes.dropLast(3)))
        #expect(throws: StateError.self) { _ = try DuplicateWindow(restoring: &cut) }
    }

    @Test func tagsTellExchangesAndIdsApart() {
        var seen: Set<UInt32> = []
        for exchange in UInt16(0)..<50 {
            for id in UInt64(0)..<50 { seen.insert(DuplicateWindow.tag(exchange: exchange, idHash: id)) }
        }
        #expect(seen.count == 2_500)
    }
}
