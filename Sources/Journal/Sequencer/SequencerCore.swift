package import Primitives
package import Wire

/// What one turn of the Sequencer lets out, in the engine's order.
package struct SequencedTurn: Sendable {
    /// One thing to release.
    package enum Item: Sendable {
        case message(Envelope)
        /// The answer to a command, after everything it caused.
        case reply(command: String, payload: [UInt8])
        case request([UInt8])
    }

    package var items: [Item] = []
    /// What must be committed before any of it is released.
    package var group = CommitGroup()

    package init() {}
}

/// Merges the shards' outputs into one order and numbers them (architecture.md 4).
///
/// An output is due once every shard has passed its ordinal; due outputs are ordered by (`n`, index), equal ones (clock
/// inputs reach every symbol) by the channel's name, and by their place in the batch within a channel. So the result
/// doesn't depend on the number of shards or on how outputs were grouped into batches. After a recovery durable and
/// `state` outputs not behind the last committed are dropped: they are in the log. Conflatable ones pass, since the
/// last run may have ended before they were seen; replies pass, since the asker may still wait.
package struct SequencerCore: Sendable {
    /// What was let out and what wasn't.
    package struct Counters: Sendable, Equatable {
        package var durable: Int64 = 0
        package var conflatable: Int64 = 0
        package var state: Int64 = 0
        package var replies: Int64 = 0
        /// Derived again after a recovery.
        package var dropped: Int64 = 0
        /// Without a valid channel name.
        package var refused: Int64 = 0
        /// Plan snapshots without id, owner, symbol or state: shown, not kept in the plan store.
        package var unstoredPlans: Int64 = 0
    }

    private struct Pending {
        var n: Ordinal
        var index: OutputIndex
        /// Counts outputs as they are posted: within a channel the order that a shard gave.
        var arrival: Int64
        var slot: Int
        var record: Int
    }

    private struct Slot {
        var batch: OutputBatch
        var remaining: Int
    }

    private struct ChannelState {
        var channel: Channel
        var partition: Int
        var offset: Int64
        var revision: Int64
    }

    private let epoch: String
    private let run: String
    private let lastCommitted: OutputPosition?
    private var passed: [Ordinal]
    private var pending: [Pending] = []
    private var arrivals: Int64 = 0
    private var slots: [Slot] = []
    private var freeSlots: [Int] = []
    private var channels: [ChannelState] = []
    private var channelIndex: [String: Int] = [:]
    private var partitionSequences: [Int64]

    package private(set) var counters = Counters()
    /// Every shard has passed this ordinal.
    package private(set) var watermark: Ordinal

    /// - Parameters:
    ///   - shards: how many shards post, each with its index.
    ///   - run: names this start of the engine in conflatable messages.
    ///   - state: where the log ends.
    package init(shards: Int, run: String, resuming state: CommittedState) {
        precondition(shards > 0, "a Sequencer needs a shard")
        epoch = state.epoch
        self.run = run
        lastCommitted = state.last
        passed = Array(repeating: 0, count: shards)
        watermark = 0
        partitionSequences = state.partitionSequences
        for (channel, offset) in state.offsets {
            channelIndex[channel.name] = channels.count
            channels.append(
                ChannelState(channel: channel, partition: channel.partition, offset: offset, revision: 0)
            )
        }
    }

    /// The lowest ordinal that has an output waiting, nil for none.
    package var earliestPending: Ordinal? { pending.lazy.map(\.n).min() }

    /// How many outputs wait for a shard to pass.
    package var pendingCount: Int { pending.count }

    /// Takes a shard's outputs and how far it has come.
    package mutating func post(_ batch: OutputBatch, shard: Int, passed ordinal: Ordinal) {
        if !batch.isEmpty {
            let slot = freeSlots.popLast() ?? slots.count
            let filled = Slot(batch: batch, remaining: batch.records.count)
            if slot == slots.count { slots.append(filled) } else { slots[slot] = filled }
            for (place, record) in batch.records.enumerated() {
                guard record.n > passed[shard] else {
                    preconditionFailure("shard \(shard) posts an output of \(record.n) after passing \(passed[shard])")
                }
                arrivals += 1
                pending.append(
                    Pending(n: record.n, index: record.index, arrival: arrivals, slot: slot, record: place)
                )
            }
        }
        pass(ordinal, shard: shard)
    }

    /// Takes how far a shard has come.
    package mutating func pass(_ ordinal: Ordinal, shard: Int) {
        guard ordinal > passed[shard] else { return }
        passed[shard] = ordinal
        watermark = passed.min() ?? 0
    }

    /// Orders and numbers what is due.
    package mutating func take() -> SequencedTurn {
        var turn = SequencedTurn()
        let limit = watermark
        guard let earliestPending, earliestPending <= limit else { return turn }
        // Batches come almost in order, which costs the sort one pass.
        pending.sort { ($0.n, $0.index, $0.arrival) < ($1.n, $1.index, $1.arrival) }
        let due = pending.firstIndex { $0.n > limit } ?? pending.count
        var start = 0
        while start < due {
            var end = start + 1
            while end < due, pending[end].n == pending[start].n, pending[end].index == pending[start].index { end += 1 }
            if end - start > 1 { orderByChannel(start..<end) }
            for place in start..<end { release(pending[place], into: &turn) }
            start = end
        }
        pending.removeSubrange(0..<due)
        return turn
    }

    private mutating func orderByChannel(_ range: Range<Int>) {
        pending[range].sort { a, b in
            let (first, second) = (slots[a.slot].batch, slots[b.slot].batch)
            let name = first.bytes[first.records[a.record].channel]
            let other = second.bytes[second.records[b.record].channel]
            return name.elementsEqual(other) ? a.arrival < b.arrival : name.lexicographicallyPrecedes(other)
        }
    }

    private mutating func release(_ entry: Pending, into turn: inout SequencedTurn) {
        let batch = slots[entry.slot].batch
        let record = batch.records[entry.record]
        switch record.outputClass {
        case .reply:
            counters.replies += 1
            let payload = Array(batch.bytes[record.payload])
            turn.items.append(.reply(command: batch.channelName(record), payload: payload))
        case .request: turn.items.append(.request(Array(batch.bytes[record.payload])))
        case .durable, .conflatable, .state: number(record, of: batch, into: &turn)
        }
        slots[entry.slot].remaining -= 1
        if slots[entry.slot].remaining == 0 {
            slots[entry.slot].batch = OutputBatch()
            freeSlots.append(entry.slot)
        }
    }

    private mutating func number(
        _ record: OutputBatch.Record,
        of batch: OutputBatch,
        into turn: inout SequencedTurn
    ) {
        let position = OutputPosition(n: record.n, index: record.index)
        if record.outputClass != .conflatable, let lastCommitted, position <= lastCommitted {
            counters.dropped += 1
            return
        }
        guard let place = channelPlace(batch.channelName(record)) else {
            counters.refused += 1
            return
        }
        let (offset, sequence, kind) = advance(place, record.outputClass)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(record.channel.count + record.payload.count + 160)
        Envelope.encode(
            channel: batch.bytes[record.channel],
            epoch: epoch,
            position: kind,
            n: record.n,
            type: record.type,
            time: record.time,
            payload: batch.bytes[record.payload],
            into: &bytes
        )
        let envelope = Envelope(
            channel: channels[place].channel,
            type: record.type,
            outputClass: record.outputClass,
            offset: offset,
            partitionSequence: sequence,
            n: record.n,
            index: record.index,
            bytes: bytes
        )
        turn.items.append(.message(envelope))
        if record.outputClass == .durable {
            turn.group.messages.append(StoredMessage(envelope, epoch: epoch, time: record.time))
        } else if record.outputClass == .state, record.type == .snapshot, envelope.channel.kind == .plan {
            keepPlan(envelope, record.time, batch.bytes[record.payload], in: &turn)
        }
    }

    /// Gives the next number of its class.
    private mutating func advance(
        _ place: Int,
        _ outputClass: OutputClass
    ) -> (offset: Int64, sequence: Int64, position: Envelope.Position) {
        switch outputClass {
        case .durable:
            counters.durable += 1
            channels[place].offset += 1
            let partition = channels[place].partition
            partitionSequences[partition] += 1
            let offset = channels[place].offset
            return (offset, partitionSequences[partition], .durable(offset: offset))
        case .conflatable:
            counters.conflatable += 1
            channels[place].revision += 1
            let (base, revision) = (channels[place].offset, channels[place].revision)
            return (base, 0, .conflatable(base: base, run: run, revision: revision))
        case .state:
            counters.state += 1
            return (channels[place].offset, 0, .snapshot(offset: channels[place].offset))
        case .reply, .request: preconditionFailure("a reply or request has no place in a channel")
        }
    }

    private mutating func channelPlace(_ name: String) -> Int? {
        if let place = channelIndex[name] { return place }
        guard let channel = Channel(name) else { return nil }
        channelIndex[name] = channels.count
        channels.append(ChannelState(channel: channel, partition: channel.partition, offset: 0, revision: 0))
        return channels.count - 1
    }

    private mutating func keepPlan(
        _ envelope: Envelope,
        _ time: Instant,
        _ payload: ArraySlice<UInt8>,
        in turn: inout SequencedTurn
    ) {
        guard let plan = StoredPlan(snapshot: Array(payload), of: envelope, time: time) else {
            counters.unstoredPlans += 1
            return
        }
        turn.group.plans.append(plan)
    }
}

extension StoredPlan {
    /// Reads the fields by which a plan is found from its snapshot: `plan.id` is the channel's key; owner, symbol and
    /// version stand in `plan`, the state beside it or in it.
    init?(snapshot: [UInt8], of envelope: Envelope, time: Instant) {
        guard let value = try? JSONParser.parse(snapshot) else { return nil }
        func field(_ name: String) -> JSONValue? { value["plan"]?[name] ?? value[name] }
        guard let owner = field("owner")?.string, let symbol = field("symbol")?.string,
            let state = value["state"]?.string ?? value["plan"]?["state"]?.string
        else { return nil }
        self.init(
            id: envelope.channel.key,
            owner: owner,
            symbol: symbol,
            state: state,
            version: field("version")?.integer ?? 0,
            offset: envelope.offset,
            n: envelope.n,
            time: time,
            snapshot: snapshot
        )
    }
}
