import Gateway
import Testing

@Suite struct SubscriberQueueTests {
    @Test func firstInFirstOutWithItsBytesCounted() {
        var queue = SubscriberQueue()
        let limits = HubLimits()
        for number in 0..<600 {
            let isTaken = queue.append(.init([UInt8(number & 255)], stamps: number % 2 == 0), limits: limits)
            #expect(isTaken)
        }
        #expect(queue.count == 600 && queue.bytes == 600)
        for number in 0..<600 {
            let item = queue.popFirst()
            #expect(item?.bytes == [UInt8(number & 255)] && item?.stamps == (number % 2 == 0))
        }
        #expect(queue.popFirst() == nil && queue.isEmpty && queue.bytes == 0)
    }

    @Test func refusesAboveItsReserve() {
        var limits = HubLimits()
        limits.pendingBytes = 10
        limits.pendingMessages = 3
        var queue = SubscriberQueue()
        let taken = [4, 6, 1].map { queue.append(.init([UInt8](repeating: 0, count: $0)), limits: limits) }
        #expect(taken == [true, true, false])
        _ = queue.popFirst()
        let more = [1, 1, 1].map { queue.append(.init([UInt8](repeating: 0, count: $0)), limits: limits) }
        #expect(more == [true, true, false])
    }
}
