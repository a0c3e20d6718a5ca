internal import Dispatch
internal import Primitives
package import Wire

/// The bus of one process: same meaning as Redis, nothing outside.
///
/// Its thread is a serial queue. The log and the hot state live as long as the object; nothing that is released is ever
/// dropped: a releaser that is `backlogMessagesMax` ahead waits.
package final class MemoryBus: MessageBus, BusLogReader, @unchecked Sendable {
    // Unchecked: `core` is touched on `queue` only; `backlog` is locked.
    private let queue = DispatchQueue(label: "striketape.bus")
    private let queueKey = DispatchSpecificKey<Bool>()
    private let limits: BusLimits
    private let core: MemoryBusCore
    private let backlog = Lock(0)

    /// Makes a bus without connections.
    ///
    /// - Parameters:
    ///   - limits: the limits.
    ///   - log: what a hole in the released messages is filled from; without it a hole is reported as lost.
    package init(limits: BusLimits = BusLimits(), log: (any DurableLog)? = nil) {
        self.limits = limits
        core = MemoryBusCore(limits: limits, log: log)
        queue.setSpecific(key: queueKey, value: true)
    }

    package func start(engine: (any BusEngine)?, subscriber: (any BusSubscriber)?) {
        queue.async { [core] in core.start(engine: engine, subscriber: subscriber) }
    }

    package func stop() async {
        await withCheckedContinuation { continuation in
            queue.async { [core] in
                core.stop()
                continuation.resume()
            }
        }
    }

    package func release(_ messages: [Envelope]) {
        let waiting = backlog.withLock { waiting in
            waiting += messages.count
            return waiting
        }
        queue.async { [core, backlog] in
            core.take(messages)
            backlog.withLock { $0 -= messages.count }
        }
        guard waiting > limits.backlogMessagesMax, DispatchQueue.getSpecific(key: queueKey) == nil else { return }
        queue.sync {}
    }

    package func reply(to command: String, payload: [UInt8]) {
        queue.async { [core] in core.answered(command, payload) }
    }

    package func subscribe(_ channels: [Channel]) async throws(BusError) {
        let answer: Result<Void, BusError> = await withCheckedContinuation { continuation in
            queue.async { [core] in continuation.resume(returning: core.subscribe(channels)) }
        }
        try answer.get()
    }

    package func unsubscribe(_ channels: [Channel]) {
        queue.async { [core] in core.unsubscribe(channels) }
    }

    package func hotState(of channels: [Channel]) async throws(BusError) -> [HotState?] {
        let answer: Result<[HotState?], BusError> = await withCheckedContinuation { continuation in
            queue.async { [core] in continuation.resume(returning: core.hotState(of: channels)) }
        }
        return try answer.get()
    }

    package func log(of partition: Int, from: Int64, limit: Int) async throws(BusError) -> [LogEntry] {
        let answer: Result<[LogEntry], BusError> = await withCheckedContinuation { continuation in
            queue.async { [core] in continuation.resume(returning: core.log(of: partition, from: from, limit: limit)) }
        }
        return try answer.get()
    }

    package func want(_ channels: [Channel]) {
        queue.async { [core] in core.want(channels, now: Self.nowMillis()) }
        queue.asyncAfter(deadline: .now() + .milliseconds(Int(limits.wantMillis) + 1)) { [core] in
            core.expireWants(now: Self.nowMillis())
        }
    }

    package func submit(_ command: Command) async throws(BusError) -> [UInt8] {
        let answer: Result<[UInt8], BusError> = await withCheckedContinuation { continuation in
            queue.async { [self] in
                guard let waiter = core.submit(command, { continuation.resume(returning: $0) }) else { return }
                queue.asyncAfter(deadline: .now() + .milliseconds(Int(limits.replyMillis))) { [core] in
                    core.timeOut(command.id, waiter)
                }
            }
        }
        return try answer.get()
    }

    /// What it did so far; not from a callback of the bus.
    package func counters() -> BusCounters { queue.sync { core.counters } }

    private static func nowMillis() -> Int64 { Int64(DispatchTime.now().uptimeNanoseconds / 1_000_000) }
}
