/// What waits for one subscriber in order: answers, gaps and durable messages.
///
/// Durable messages are references to texts that all subscribers share. Conflatable fields and snapshots don't stand
/// here: they are kept as marks (see `Hub`) and written from the channel's value when the pipe is free.
package struct SubscriberQueue: Sendable {
    /// One message that waits.
    package struct Item: Sendable {
        package var bytes: [UInt8]
        /// Whether the receiver wants latency stamps in it.
        package var stamps: Bool

        package init(_ bytes: [UInt8], stamps: Bool = false) {
            self.bytes = bytes
            self.stamps = stamps
        }
    }

    private var items: [Item] = []
    /// The first that waits: taken ones are removed in bulk.
    private var head = 0
    /// Bytes of all that wait.
    package private(set) var bytes = 0

    package init() {}

    package var count: Int { items.count - head }
    package var isEmpty: Bool { count == 0 }

    /// Adds a message.
    ///
    /// - Returns: false where the reserve is full: the subscriber is too slow, and nothing more is for it.
    package mutating func append(_ item: Item, limits: HubLimits) -> Bool {
        guard count < limits.pendingMessages, bytes + item.bytes.count <= limits.pendingBytes else { return false }
        items.append(item)
        bytes += item.bytes.count
        return true
    }

    /// Takes the oldest.
    package mutating func popFirst() -> Item? {
        guard head < items.count else { return nil }
        let item = items[head]
        items[head].bytes = []
        head += 1
        bytes -= item.bytes.count
        if head == items.count {
            items.removeAll(keepingCapacity: items.capacity <= 64)
            head = 0
        } else if head >= 256 {
            items.removeFirst(head)
            head = 0
        }
        return item
    }

    package mutating func removeAll() {
        items = []
        head = 0
        bytes = 0
    }
}
