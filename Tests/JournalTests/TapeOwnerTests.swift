import Dispatch
import Foundation
import Journal
import Primitives
import Testing

/// Stops a keeper on its queue behind the first segment that it closes, until the test lets it go on.
private final class Gate: Sendable {
    private let reached = DispatchSemaphore(value: 0)
    private let opened = DispatchSemaphore(value: 0)
    private let closed = Lock(0)
    var closedCount: Int { closed.withLock { $0 } }

    func take(_ event: TapeEvent) {
        guard case .closed = event else { return }
        let isFirst = closed.withLock { count in
            count += 1
            return count == 1
        }
        guard isFirst else { return }
        reached.signal()
        opened.wait()
    }

    func waitUntilReached() -> Bool { reached.wait(timeout: .now() + 60) == .success }
    func open() { opened.signal() }
}

@Suite struct TapeOwnerTests {
    private let directory = TemporaryDirectory()

    /// One that is refused at once where the directory is another's.
    private func openAtOnce() throws -> TapeWriter {
        try TapeWriter(directory: directory.path, limits: TapeWriter.Limits(waits: false))
    }

    private func isRefused() -> Bool {
        do {
            _ = try openAtOnce()
            return false
        } catch {
            return (error as? JournalError)?.message == "another writer has this tape"
        }
    }

    @Test func aDirectoryHasOneWriterUntilItIsClosed() throws {
        let writer = try TapeWriter(directory: directory.path)
        writer.clock(n: 1, at: Instant(nanos: 1))
        #expect(isRefused())
        #expect(writer.flush() == nil)
        #expect(isRefused())
        #expect(writer.close() == nil)
        let next = try TapeWriter(directory: directory.path)
        #expect(next.path == directory.file("tape-000002.jsonl"))
        // The former one is still there and asks its keeper for something: it touches nothing any more.
        writer.keeper.needs(after: .max)
        next.clock(n: 2, at: Instant(nanos: 2))
        #expect(next.close() == nil)
        #expect(readAll(try TapeSegment.paths(in: directory.path)).lines == ["1 1 clock", "2 2 clock"])
    }

    @Test func anAbandonedWriterWritesNothingMore() throws {
        let writer = try TapeWriter(directory: directory.path)
        writer.clock(n: 1, at: Instant(nanos: 1))
        #expect(writer.flush() == nil)
        writer.clock(n: 2, at: Instant(nanos: 2))
        writer.abandon()
        let next = try TapeWriter(directory: directory.path)
        #expect(next.recovery.isContinued && next.recovery.lastOrdinal == 1)
        #expect(writer.flush() == nil && writer.close() == nil)
        next.clock(n: 3, at: Instant(nanos: 3))
        #expect(next.close() == nil)
        #expect(readAll(try TapeSegment.paths(in: directory.path)).lines == ["1 1 clock", "3 3 clock"])
    }

    /// A keeper that still closes segments when the next writer comes: without the lock both close the same ones, and what
    /// one has renamed the other takes for damaged and removes.
    @Test func aStartWaitsForTheSegmentThatTheFormerKeeperIsClosing() throws {
        let texts = (1...6).map { #"{"t":\#($0),"n":\#($0),"clock":true}"# + "\n" }
        for (place, text) in texts.enumerated() {
            _ = try directory.write(text.utf8, to: "tape-00000\(place + 1).jsonl")
        }
        let gate = Gate()
        var writer: TapeWriter? = try TapeWriter(directory: directory.path) { gate.take($0) }
        let keeper = try #require(writer?.keeper)
        #expect(gate.waitUntilReached())
        writer = nil
        // Gone, but its keeper is at work: nobody gets in.
        #expect(isRefused())
        #expect(keeper.status.closed == 1)
        gate.open()
        let next = try TapeWriter(directory: directory.path)
        #expect(next.path == directory.file("tape-000006.jsonl"))
        #expect(next.close() == nil)
        // The former one left the rest alone; the next one closed it, and each line is there once.
        #expect(gate.closedCount == 1 && keeper.status.closed == 1 && keeper.status.failures == 0)
        #expect(next.keeper.status.closed == 5 && next.keeper.status.failures == 0)
        let paths = try TapeSegment.paths(in: directory.path)
        #expect(paths == (1...6).map { directory.file("tape-00000\($0).jsonl.zst") })
        #expect(readAll(paths).lines == (1...6).map { "\($0) \($0) clock" })
        #expect(try TapeVerifier.verify(paths, eventCount: { _, _ in 1 }).problems.isEmpty)
    }
}
