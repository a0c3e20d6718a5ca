import Testing

@testable import Bus

@Suite struct SubscriptionSetTests {
    @Test func isDeliveredOnceConfirmed() {
        var set = SubscriptionSet(limit: 10)
        expect(set.add(["a", "b", "a"]), ["a", "b"])
        set.requested(["a", "b"])
        expect(set.add(["a"]), [])
        #expect(!set.isConfirmed("a"))
        expect(set.confirmed("a"), true)
        #expect(set.isConfirmed("a") && !set.isWhole)
        expect(set.confirmed("b"), true)
        #expect(set.isWhole)
        expect(set.confirmed("c"), false)
    }

    @Test func onlyTheLastRequestCounts() {
        var set = SubscriptionSet(limit: 10)
        expect(set.add(["a"]), ["a"])
        set.requested(["a"])
        expect(set.remove(["a", "b"]), ["a"])
        #expect(!set.isWanted("a"))
        expect(set.add(["a"]), ["a"])
        set.requested(["a"])
        // The answer to the first request: between the two the server delivers nothing.
        expect(set.confirmed("a"), false)
        expect(set.confirmed("a"), true)
    }

    @Test func aLeftChannelsAnswerIsForgotten() {
        var set = SubscriptionSet(limit: 10)
        expect(set.add(["a"]), ["a"])
        set.requested(["a"])
        expect(set.remove(["a"]), ["a"])
        expect(set.confirmed("a"), false)
        expect(set.add(["a"]), ["a"])
        set.requested(["a"])
        expect(set.confirmed("a"), true)
    }

    @Test func aLossInterruptsWhatWasDelivered() {
        var set = SubscriptionSet(limit: 10)
        expect(set.add(["a", "b"]), ["a", "b"])
        set.requested(["a", "b"])
        expect(set.confirmed("a"), true)
        set.wentOffline()
        #expect(set.interrupted == ["a"] && !set.isConfirmed("a") && Set(set.names) == ["a", "b"])
        set.requested(set.names)
        expect(set.confirmed("a"), true)
        expect(set.confirmed("b"), true)
        #expect(set.isWhole)
    }

    @Test func hasALimit() {
        var set = SubscriptionSet(limit: 2)
        expect(set.add(["a"]), ["a"])
        expect(set.add(["b", "c"]), nil)
        expect(set.add(["b", "b"]), ["b"])
    }
}
