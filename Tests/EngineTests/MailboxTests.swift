import Dispatch
import MarketData
import Primitives
import SymbolCore
import Testing

@testable import Engine

@Suite struct MailboxTests {
    private func batch(_ ordinals: ClosedRange<Ordinal>) -> InputBatch {
        var batch = InputBatch()
        for n in ordinals {
            batch.inputs.append(Input(n: n, received: .zero, core: 0, slot: 0, body: .clock(delivering: FeedSet())))
        }
        batch.through = ordinals.upperBound
        return batch
    }

    @Test func smallBatchesGrowTogetherUpToTheLimit() {
        let mailbox = Mailbox(limit: 100, batchLimit: 6)
        for start in stride(from: Ordinal(1), through: 13, by: 3) {
            var posted = batch(start...(start + 2))
            #expect(mailbox.post(&posted) == (start == 1 ? .wake : .seen))
            #expect(posted.isEmpty)
        }
        var sizes: [Int] = []
        var taken = InputBatch()
        while mailbox.take(into: &taken) { sizes.append(taken.inputs.count) }
        #expect(sizes == [6, 6, 3])
        #expect(taken.through == 15)
    }

    @Test func anEmptyPostMovesTheWatermarkOnly() {
        let mailbox = Mailbox(limit: 100, batchLimit: 6)
        var empty = InputBatch()
        empty.through = 5
        #expect(mailbox.post(&empty) == .idle)
        var posted = batch(6...7)
        #expect(mailbox.post(&posted) == .wake)
        empty.through = 9
        #expect(mailbox.post(&empty) == .seen)
        var taken = InputBatch()
        #expect(mailbox.take(into: &taken))
        #expect(taken.inputs.map(\.n) == [6, 7] && taken.through == 9)
        #expect(!mailbox.take(into: &taken))
    }

    /// A writer that waits for room mustn't have told of what it still holds.
    @Test func theReaderNeverPassesWhatItHasNotSeen() {
        let mailbox = Mailbox(limit: 4, batchLimit: 4)
        let posts: Ordinal = 20_000
        let ended = DispatchSemaphore(value: 0)
        DispatchQueue.global().async {
            for post in 0..<posts {
                var posted = batch((post * 3 + 1)...(post * 3 + 3))
                _ = mailbox.post(&posted)
            }
            ended.signal()
        }
        var taken = InputBatch()
        var last: Ordinal = 0
        var isInOrder = true
        var passedTooFar = false
        while last < posts * 3 {
            guard mailbox.take(into: &taken) else { continue }
            for input in taken.inputs {
                isInOrder = isInOrder && input.n == last + 1
                last = input.n
            }
            passedTooFar = passedTooFar || taken.through > last
        }
        ended.wait()
        #expect(isInOrder && !passedTooFar)
        #expect(mailbox.stallCount > 0)
    }
}
