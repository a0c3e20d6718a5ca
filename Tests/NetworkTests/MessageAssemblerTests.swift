import Primitives
import Testing

@testable import Network

@Suite struct MessageAssemblerTests {
    private func add(
        _ assembler: inout MessageAssembler,
        _ text: String,
        announced: Int = 0,
        isLast: Bool
    ) -> MessageAssembler.Outcome {
        Array(text.utf8).withUnsafeBytes { assembler.add($0, announced: announced, isLast: isLast, isText: true) }
    }

    @Test func aWholeMessageIsNotCopied() {
        var assembler = MessageAssembler(limit: 10)
        #expect(add(&assembler, "0123456789", isLast: true) == .whole)
        #expect(assembler.bytes.isEmpty)
    }

    @Test func piecesAreJoinedAndCleared() {
        var assembler = MessageAssembler(limit: 10)
        #expect(add(&assembler, "01", announced: 2, isLast: false) == .incomplete)
        #expect(add(&assembler, "23", isLast: false) == .incomplete)
        #expect(add(&assembler, "4", isLast: true) == .assembled)
        #expect(assembler.bytes == Array("01234".utf8))
        assembler.clear()
        #expect(add(&assembler, "", isLast: true) == .whole)
    }

    @Test func whatIsAnnouncedCounts() {
        var assembler = MessageAssembler(limit: 10)
        #expect(add(&assembler, "0", announced: 10, isLast: false) == .tooBig)
        #expect(add(&assembler, "0", announced: .max, isLast: false) == .tooBig)
        #expect(assembler.bytes.isEmpty)
        #expect(add(&assembler, "0", announced: 9, isLast: false) == .incomplete)
        #expect(add(&assembler, "1234567890", isLast: true) == .tooBig)
    }

    /// Against the plain definition, over random cuts.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func everyCutGivesTheSameMessage(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let message = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                UInt8.random(in: 97...122, using: &random)
            }
            var assembler = MessageAssembler(limit: 40)
            var rest = message[...]
            var outcome = MessageAssembler.Outcome.incomplete
            while outcome == .incomplete {
                let count = Int.random(in: 0...rest.count, using: &random)
                let piece = Array(rest.prefix(count))
                rest = rest.dropFirst(count)
                let isLast = rest.isEmpty && Bool.random(using: &random)
                outcome = piece.withUnsafeBytes { assembler.add($0, announced: 0, isLast: isLast, isText: true) }
                if outcome == .whole { #expect(piece == message, "seed \(seed)") }
            }
            if outcome == .assembled { #expect(assembler.bytes == message, "seed \(seed)") }
            #expect((outcome == .tooBig) == (message.count > 40), "seed \(seed)")
        }
    }
}

@Suite struct SlotTableTests {
    @Test func aStaleHandleFindsNothing() throws {
        var table = SlotTable<String>()
        let first = table.insert("first")
        let second = table.insert("second")
        #expect(table.remove(first) == "first")
        #expect(table.remove(first) == nil)
        let third = table.insert("third")
        #expect(third.index == first.index)
        #expect(third != first)
        #expect(table[first] == nil)
        #expect(table[third] == "third")
        #expect(table[second] == "second")
        #expect(table.values == ["third", "second"])
        #expect(table.count == 2)
    }

    @Test func handlesSurviveTheWayThroughC() {
        var table = SlotTable<Int>()
        let handle = table.insert(7)
        #expect(SlotHandle(bits: handle.bits) == handle)
        #expect(handle.bits != 0)
        #expect(SlotHandle(bits: 0) == nil)
        let foreign = SlotHandle(bits: 0xFFFF_FFFF_FFFF_FFFF).flatMap { table[$0] }
        #expect(foreign == nil)
    }
}
