import Feeds
import Primitives
import Testing

@Suite struct LeaseKeeperTests {
    private func at(_ seconds: Double) -> Instant { Instant(nanos: Int64(seconds * 1e9)) }

    @Test func beginsWhenItIsOursAndRenews() {
        var keeper = LeaseKeeper(lifeNanos: 10_000_000_000)
        #expect(keeper.tick(now: at(0)) == [.ask])
        #expect(keeper.tick(now: at(1)) == [])
        #expect(keeper.answered(.ours(token: 3), asked: at(0)) == [.begin(token: 3)])
        #expect(keeper.tick(now: at(2)) == [.ask])
        #expect(keeper.answered(.ours(token: 3), asked: at(2)) == [])
        #expect(keeper.isOwner)
    }

    @Test func letsGoAtHalfOfItsLifeWithoutARenewal() {
        var keeper = LeaseKeeper(lifeNanos: 10_000_000_000)
        _ = keeper.tick(now: at(0))
        _ = keeper.answered(.ours(token: 1), asked: at(0))
        _ = keeper.tick(now: at(4))
        #expect(keeper.answered(.failed("no answer"), asked: at(4)) == [])
        #expect(keeper.tick(now: at(5)) == [.end("the lease could not be renewed in time"), .ask])
        #expect(!keeper.isOwner)
        #expect(keeper.answered(.ours(token: 1), asked: at(5)) == [.begin(token: 1)])
    }

    @Test func anAnswerCountsFromWhenItWasAskedFor() {
        var keeper = LeaseKeeper(lifeNanos: 10_000_000_000)
        _ = keeper.tick(now: at(0))
        _ = keeper.answered(.ours(token: 1), asked: at(0))
        // Asked at 1, answered at 4: the life began at 1.
        _ = keeper.tick(now: at(1))
        _ = keeper.answered(.ours(token: 1), asked: at(1))
        #expect(keeper.tick(now: at(5.9)) == [.ask])
        #expect(keeper.tick(now: at(6)) == [.end("the lease could not be renewed in time")])
    }

    @Test func anotherOwnerIsSaidOnce() {
        var keeper = LeaseKeeper(lifeNanos: 10_000_000_000)
        _ = keeper.tick(now: at(0))
        #expect(keeper.answered(.another, asked: at(0)) == [.wait("another process has it")])
        _ = keeper.tick(now: at(2))
        #expect(keeper.answered(.another, asked: at(2)) == [])
        _ = keeper.tick(now: at(4))
        #expect(keeper.answered(.failed("no Redis"), asked: at(4)) == [.wait("no Redis")])
    }

    @Test func anotherTokenMeansThatItWasLostInBetween() {
        var keeper = LeaseKeeper(lifeNanos: 10_000_000_000)
        _ = keeper.tick(now: at(0))
        _ = keeper.answered(.ours(token: 1), asked: at(0))
        _ = keeper.tick(now: at(1))
        #expect(
            keeper.answered(.ours(token: 2), asked: at(1))
                == [.end("the lease was lost for a moment"), .begin(token: 2)]
        )
    }

    @Test func nothingAfterTheEnd() {
        var keeper = LeaseKeeper(lifeNanos: 10_000_000_000)
        _ = keeper.tick(now: at(0))
        keeper.stop()
        #expect(keeper.answered(.ours(token: 1), asked: at(0)) == [])
        #expect(keeper.tick(now: at(60)) == [])
    }
}
