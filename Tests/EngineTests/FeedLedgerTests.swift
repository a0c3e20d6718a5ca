import MarketData
import Primitives
import SymbolCore
import Testing

@testable import Engine

@Suite struct FeedLedgerTests {
    private func at(_ millis: Int64) -> Instant { Instant(nanos: 1_000_000_000_000 + millis * 1_000_000) }

    @Test func theSameStateAgainIsNoNews() {
        var ledger = FeedLedger(lagMaxNanos: 0)
        #expect(ledger.changed("polygon.stocks", to: .up, cause: "").isNews)
        #expect(!ledger.changed("polygon.stocks", to: .up, cause: "again").isNews)
        let down = ledger.changed("polygon.stocks", to: .down, cause: "reset")
        #expect(down.isNews && down.source == .stocks)
        #expect(ledger.feeds.down.contains(.stocks))
        #expect(ledger.changed("bus", to: .down, cause: "").source == nil)
    }

    @Test func anOutageIsAnEntryWithTheTimesOnBothSides() {
        var ledger = FeedLedger(lagMaxNanos: 0)
        _ = ledger.changed("uw", to: .up, cause: "")
        _ = ledger.delivered(.flow, newest: at(100), received: at(101))
        _ = ledger.changed("uw", to: .down, cause: "reset")
        _ = ledger.changed("uw", to: .up, cause: "")
        #expect(ledger.entries(at: at(500), n: 7).isEmpty)
        _ = ledger.delivered(.flow, newest: at(900), received: at(901))
        #expect(
            ledger.entries(at: at(950), n: 9)
                == [LedgerEntry(n: 9, name: "uw", kind: .gap, count: 0, from: at(100), to: at(900))]
        )
        #expect(ledger.entries(at: at(951), n: 10).isEmpty)
    }

    @Test func latenessIsToldOnceAndEndsAfterTwoSecondsOfHealth() {
        var ledger = FeedLedger(lagMaxNanos: 2_000_000_000)
        _ = ledger.changed("polygon.stocks", to: .up, cause: "")
        #expect(ledger.delivered(.stocks, newest: at(0), received: at(2_000)) == nil)
        let late = ledger.delivered(.stocks, newest: at(0), received: at(2_001))
        #expect(late?.state == .degraded)
        #expect(late?.cause == "events are 2001 ms late")
        _ = ledger.changed("polygon.stocks", to: .degraded, cause: "late")
        #expect(ledger.delivered(.stocks, newest: at(0), received: at(5_000)) == nil)
        #expect(ledger.delivered(.stocks, newest: at(5_100), received: at(5_200)) == nil)
        #expect(ledger.recovered(at: at(6_999)).isEmpty)
        #expect(ledger.recovered(at: at(7_000)).map(\.source) == [.stocks])
        _ = ledger.changed("polygon.stocks", to: .up, cause: "in time")
        #expect(ledger.recovered(at: at(9_000)).isEmpty)
        let entries = ledger.entries(at: at(9_000), n: 3)
        #expect(entries.map(\.kind) == [.lag])
        #expect(entries.first?.count == 5_000)
    }

    @Test func aSilentFeedDoesNotRecoverByItself() {
        var ledger = FeedLedger(lagMaxNanos: 1_000_000_000)
        _ = ledger.changed("polygon.stocks", to: .up, cause: "")
        _ = ledger.delivered(.stocks, newest: at(0), received: at(1_500))
        _ = ledger.changed("polygon.stocks", to: .degraded, cause: "late")
        #expect(ledger.recovered(at: at(60_000)).isEmpty)
    }

    @Test func oddEventsAreAddedUpForTenSeconds() {
        var ledger = FeedLedger(lagMaxNanos: 0)
        for millis in 0..<100 { ledger.odd(.duplicate, of: .options, received: at(Int64(millis))) }
        ledger.odd(.regression, of: .options, received: at(50))
        #expect(ledger.entries(at: at(9_999), n: 1).isEmpty)
        let entries = ledger.entries(at: at(10_000), n: 2)
        #expect(entries.map(\.kind) == [.duplicate, .regression])
        #expect(entries.map(\.count) == [100, 1])
        #expect(entries.allSatisfy { $0.name == "polygon.options" && $0.n == 2 })
        #expect(ledger.entries(at: at(99_999), n: 3).isEmpty)
    }

    @Test func deliveringMeansWithinTheLastSecond() {
        var ledger = FeedLedger(lagMaxNanos: 0)
        _ = ledger.delivered(.indices, newest: nil, received: at(0))
        #expect(ledger.delivering(at: at(1_000)).contains(.indices))
        #expect(!ledger.delivering(at: at(1_001)).contains(.indices))
        #expect(!ledger.delivering(at: at(0)).contains(.stocks))
    }
}
