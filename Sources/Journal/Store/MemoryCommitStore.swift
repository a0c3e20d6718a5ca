internal import Primitives
package import Wire

/// The twin that forgets with the process.
///
/// Any thread.
package final class MemoryCommitStore: CommitStore {
    private struct Content {
        var state: CommittedState
        var channels: [Channel: [StoredMessage]] = [:]
        var partitions: [[StoredMessage]] = Array(repeating: [], count: CommittedState.partitions)
        var plans: [String: StoredPlan] = [:]
        var evicted: Int64 = 0
    }

    private let limit: Int
    private let content: Lock<Content>

    /// - Parameters:
    ///   - epoch: the log's name.
    ///   - limit: messages kept a channel and a partition, the newest; older ones are forgotten and counted.
    package init(epoch: String, limit: Int = 100_000) {
        self.limit = limit
        content = Lock(Content(state: CommittedState(epoch: epoch)))
    }

    /// Messages that no read finds any more.
    package var evictedCount: Int64 { content.withLock { $0.evicted } }

    package func load() -> CommittedState { content.withLock { $0.state } }

    package func commit(_ group: CommitGroup) {
        content.withLock { content in
            for message in group.messages {
                content.state.offsets[message.channel] = message.offset
                content.state.partitionSequences[message.channel.partition] = message.partitionSequence
                content.state.last = OutputPosition(n: message.n, index: message.index)
                content.evicted += Self.append(message, to: &content.channels[message.channel, default: []], limit)
                _ = Self.append(message, to: &content.partitions[message.channel.partition], limit)
            }
            for plan in group.plans { content.plans[plan.id] = plan }
        }
    }

    // Twice the limit before the older half goes: so forgetting costs nothing a message.
    private static func append(_ message: StoredMessage, to messages: inout [StoredMessage], _ limit: Int) -> Int64 {
        messages.append(message)
        guard messages.count > 2 * limit else { return 0 }
        let excess = messages.count - limit
        messages.removeFirst(excess)
        return Int64(excess)
    }

    package func messages(of channel: Channel, after offset: Int64, limit: Int) -> [StoredMessage] {
        content.withLock { content in
            Array((content.channels[channel] ?? []).drop { $0.offset <= offset }.prefix(max(0, limit)))
        }
    }

    package func messages(ofPartition partition: Int, after sequence: Int64, limit: Int) -> [StoredMessage] {
        content.withLock { content in
            guard content.partitions.indices.contains(partition) else { return [] }
            return Array(
                content.partitions[partition].drop { $0.partitionSequence <= sequence }.prefix(max(0, limit))
            )
        }
    }

    package func latest(of channel: Channel) -> StoredMessage? {
        content.withLock { $0.channels[channel]?.last }
    }

    package func plan(_ id: String) -> StoredPlan? { content.withLock { $0.plans[id] } }

    package func plans(of owner: String, after id: String, limit: Int) -> [StoredPlan] {
        sorted(after: id, limit: limit) { $0.owner == owner }
    }

    package func plans(after id: String, limit: Int) -> [StoredPlan] {
        sorted(after: id, limit: limit) { _ in true }
    }

    private func sorted(
        after id: String,
        limit: Int,
        where isWanted: @Sendable (StoredPlan) -> Bool
    ) -> [StoredPlan] {
        let all = content.withLock { Array($0.plans.values) }
        let behind = all.filter { id.utf8.lexicographicallyPrecedes($0.id.utf8) && isWanted($0) }
        return Array(behind.sorted { $0.id.utf8.lexicographicallyPrecedes($1.id.utf8) }.prefix(max(0, limit)))
    }
}

/// A store that keeps nothing: for replays and benchmarks.
///
/// Any thread.
package final class DiscardingCommitStore: CommitStore {
    private let epoch: String

    package init(epoch: String) { self.epoch = epoch }

    package func load() -> CommittedState { CommittedState(epoch: epoch) }

    package func commit(_ group: CommitGroup) {}

    package func messages(of channel: Channel, after offset: Int64, limit: Int) -> [StoredMessage] { [] }

    package func messages(ofPartition partition: Int, after sequence: Int64, limit: Int) -> [StoredMessage] { [] }

    package func latest(of channel: Channel) -> StoredMessage? { nil }

    package func plan(_ id: String) -> StoredPlan? { nil }

    package func plans(of owner: String, after id: String, limit: Int) -> [StoredPlan] { [] }

    package func plans(after id: String, limit: Int) -> [StoredPlan] { [] }
}
