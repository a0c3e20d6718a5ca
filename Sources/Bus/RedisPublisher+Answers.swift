internal import MarketData
internal import Network
internal import Primitives
internal import Wire

// What the server answers, what follows from it, and how the bus is; loop thread only.
extension RedisPublisher {
    func replied(_ tag: Tag?, _ reply: RedisReply) {
        guard let tag else { return }
        if let error = reply.errorText { return refused(tag, error) }
        switch (tag, reply) {
        case (.durable(let partition, let sequence, let generation), .integer(let code)):
            took(partition, sequence, generation, code)
        case (.live(let partition), .integer(let code)) where code < 0:
            counters.add(\.droppedConflatable)
            if -code - 1 < feeds[partition].knownTop { hole(partition, top: -code - 1) }
        case (.live, .integer(RedisScripts.Answer.fenced)): fenced()
        case (.script, _): sha = reply.string
        case (.top(let partition), .array(let entries)): foundTop(partition, entries)
        case (.demand, .array(let pairs)): foundDemand(pairs)
        case (.reply, .integer(0)): counters.add(\.droppedReplies)
        default: break
        }
    }

    private func took(_ partition: Int, _ sequence: Int64, _ generation: UInt32, _ code: Int64) {
        switch code {
        case RedisScripts.Answer.done, RedisScripts.Answer.duplicate:
            counters.add(code == RedisScripts.Answer.done ? \.appended : \.duplicates)
            feeds[partition].confirmed(sequence, generation: generation)
            pump(partition)
        case RedisScripts.Answer.fenced: fenced()
        default:
            guard generation == feeds[partition].generation else { return }
            hole(partition, top: -code - 1)
        }
    }

    private func hole(_ partition: Int, top: Int64) {
        counters.add(\.holes)
        cause = "the log of partition \(partition) lacks messages after \(top)"
        accept(partition, top, isOtherEpoch: false)
    }

    private func foundTop(_ partition: Int, _ entries: [RedisReply]) {
        let entry = entries.first?.elements
        let top = entry?.first?.string.flatMap { Int64($0.prefix { $0 != "-" }) } ?? 0
        let text = entry?.last?.elements?.last?.bytes
        let isOtherEpoch = text.flatMap { EnvelopeHeader($0)?.epoch }.map { $0 != epoch } ?? false
        let feed = feeds[partition]
        // A regular look: all is well while the log ends where the last answer said.
        if feed.isOnline, top == feed.knownTop { return }
        if feed.isOnline, top < feed.knownTop { counters.add(\.holes) }
        accept(partition, top, isOtherEpoch: isOtherEpoch)
    }

    private func accept(_ partition: Int, _ top: Int64, isOtherEpoch: Bool) {
        switch feeds[partition].foundTop(top, isOtherEpoch: isOtherEpoch) {
        case .accepted:
            aheadTold.remove(partition)
            pump(partition)
        case .ahead(let sequences): beAhead(partition, sequences)
        }
    }

    /// The bus has messages that our commit log hasn't: the log lost its end.
    ///
    /// A new epoch ends this; it is seen at a later look.
    private func beAhead(_ partition: Int, _ sequences: ClosedRange<Int64>) {
        let text = "the bus holds messages of epoch \(epoch) that the commit log doesn't: it needs a new epoch"
        if aheadTold.insert(partition).inserted { lose(partition, sequences, text) }
        cause = text
        readLogEnd { [self] epoch, last in
            if epoch != self.epoch { beginEpoch(epoch, last) }
        }
    }

    /// The commit log began anew: so do the feeds.
    private func beginEpoch(_ epoch: String, _ last: [Int64]) {
        self.epoch = epoch
        aheadTold = []
        for partition in 0..<16 {
            feeds[partition] = PartitionFeed(limits: feedLimits)
            feeds[partition].began(at: last[partition])
        }
        askTops()
        // What the old feeds took for known is in the commit log by now.
        readLogEnd { [self] _, last in
            for partition in 0..<16 {
                feeds[partition].spilled(upTo: last[partition])
                pump(partition)
            }
            endTurn()
        }
    }

    private func fenced() {
        counters.add(\.fenced)
        isFenced = true
        cause = "another engine with a higher fencing token writes to this bus"
        for partition in feeds.indices { feeds[partition].wentOffline() }
    }

    private func refused(_ tag: Tag, _ error: String) {
        counters.add(\.serverErrors)
        cause = "server: \(error)"
        switch tag {
        case .durable(let partition, _, _), .top(let partition): feeds[partition].wentOffline()
        case .live: dropLive()
        case .reply: counters.add(\.droppedReplies)
        case .script, .demand, .upkeep: break
        }
        switch RedisReply.code(of: error) {
        case "NOSCRIPT":
            guard sha != nil else { return }
            sha = nil
            send(.script, ["SCRIPT", "LOAD", RedisScripts.append])
            askTops()
        case "READONLY", "LOADING", "MASTERDOWN": connection?.restart(cause)
        default: break
        }
    }

    // MARK: State

    /// Ends a turn: writes what it brought, and says how the bus is.
    func endTurn() {
        connection?.flush()
        refreshState()
    }

    func refreshState() {
        guard let connection, connection.isReady, !isFenced else { return report(.down) }
        if let moment = repeatAfter {
            report(.degraded)
            guard SystemClock.monotonicNanos() >= moment else { return }
            repeatAfter = nil
        }
        let isWhole = sha != nil && !feeds.contains { $0.isBehind }
        report(isWhole ? .up : .degraded)
    }

    /// Tells a change; while down, another cause as well.
    func report(_ state: FeedState) {
        guard state != reported || (state == .down && cause != reportedCause) else { return }
        reported = state
        reportedCause = cause
        engine?.busChanged(to: state, cause: state == .up ? "the log is complete" : cause)
    }
}
