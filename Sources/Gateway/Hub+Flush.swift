package import Primitives
internal import Wire

/// What a flush wrote.
package enum FlushResult: Sendable {
    case nothing
    /// A frame; nothing is left but what waits for its rate or for a state.
    case frame
    /// A frame, and there is more.
    case more
}

extension Hub {
    /// Appends everything that waits for a subscriber as one frame, a JSON array.
    ///
    /// Durable messages, gaps and answers first, in their order; then snapshots; then the newest conflatable fields. A
    /// frame ends with the message that reaches `frameBytes`.
    /// `wall` is the time for latency stamps.
    package mutating func flush(_ id: ConnectionID, now: Int64, wall: Instant, into out: inout [UInt8]) -> FlushResult {
        guard let connection = connections[id.index, id.generation], !connection.isClosing else { return .nothing }
        var frame = Frame(start: out.count, limit: limits.frameBytes, wall: wall)
        out.append(UInt8(ascii: "["))
        while !frame.isFull, let item = connections[id.index].queue.popFirst() {
            frame.append(item.bytes, stamps: item.stamps, to: &out)
        }
        writeSnapshots(of: id.index, &frame, now: now, to: &out)
        writeFields(of: id.index, &frame, now: now, to: &out)
        guard frame.count > 0 else {
            out.removeSubrange(frame.start...)
            return .nothing
        }
        out.append(UInt8(ascii: "]"))
        counters.framesOut += 1
        counters.messagesOut += UInt64(frame.count)
        counters.bytesOut += UInt64(out.count - frame.start)
        return frame.isFull ? .more : .frame
    }

    /// One frame being written.
    private struct Frame {
        let start: Int
        let limit: Int
        let wall: Instant
        var count = 0
        var isFull = false

        mutating func append(_ bytes: [UInt8], stamps: Bool, to out: inout [UInt8]) {
            if count > 0 { out.append(UInt8(ascii: ",")) }
            count += 1
            if stamps {
                // Only what this process knows; the object's closing brace comes after.
                out.append(contentsOf: bytes.dropLast())
                out.append(contentsOf: #","lat":{"gw":""#.utf8)
                DecimalText.append(wall.nanos, to: &out)
                out.append(contentsOf: #""}}"#.utf8)
            } else {
                out.append(contentsOf: bytes)
            }
            isFull = out.count - start >= limit
        }
    }

    private mutating func writeSnapshots(
        of connection: Int32,
        _ frame: inout Frame,
        now: Int64,
        to out: inout [UInt8]
    ) {
        guard !frame.isFull, !connections[connection].snapshots.isEmpty else { return }
        let due = connections[connection].snapshots
        connections[connection].snapshots = []
        for (place, index) in due.enumerated() {
            guard !frame.isFull else {
                connections[connection].snapshots.append(contentsOf: due[place...])
                return
            }
            guard isSnapshotReady(index) else {
                connections[connection].snapshots.append(index)
                continue
            }
            let channel = subscriptions[index].channel
            let bytes = channels[channel].encoder.snapshot(of: channels[channel].feed, encoded: &counters.encoded)
            frame.append(bytes, stamps: subscriptions[index].stamps, to: &out)
            subscriptions[index].needsSnapshot = false
            subscriptions[index].isFresh = false
            subscriptions[index].offset = channels[channel].feed.valueOffset
            subscriptions[index].stamp = channels[channel].feed.value.stamp
            subscriptions[index].nextDue = now + subscriptions[index].interval
        }
    }

    /// A new subscriber may get a value that is ahead of the messages (those are dropped by their offsets); one that has
    /// followed waits until both are level, so that it gets each durable message too.
    private func isSnapshotReady(_ index: Int32) -> Bool {
        let feed = channels[subscriptions[index].channel].feed
        guard feed.phase == .live else { return false }
        return subscriptions[index].isFresh ? feed.valueOffset >= feed.offset : feed.valueOffset == feed.offset
    }

    private mutating func writeFields(
        of connection: Int32,
        _ frame: inout Frame,
        now: Int64,
        to out: inout [UInt8]
    ) {
        guard !frame.isFull, !connections[connection].dirty.isEmpty else { return }
        let dirty = connections[connection].dirty
        connections[connection].dirty.removeAll(keepingCapacity: true)
        for (place, index) in dirty.enumerated() {
            guard !frame.isFull else {
                connections[connection].dirty.append(contentsOf: dirty[place...])
                return
            }
            guard subscriptions[index].nextDue <= now else {
                connections[connection].dirty.append(index)
                rateHeld.insert(connection)
                continue
            }
            subscriptions[index].isDirty = false
            // The snapshot that is due contains them, and they may rest on messages that only it makes up for.
            if subscriptions[index].needsSnapshot { continue }
            let channel = subscriptions[index].channel
            let messages = channels[channel].encoder.messages(
                since: subscriptions[index].stamp,
                of: channels[channel].feed,
                own: channels[channel].feed.channel.kind == .plan ? run : nil,
                encoded: &counters.encoded
            )
            for message in messages { frame.append(message, stamps: subscriptions[index].stamps, to: &out) }
            subscriptions[index].stamp = channels[channel].feed.value.stamp
            subscriptions[index].nextDue = subscriptions[index].interval == 0 ? 0 : now + subscriptions[index].interval
        }
    }
}
