package import Bus
package import MarketData
package import Primitives
package import Wire

extension Hub {
    /// A message came.
    package mutating func received(_ message: ReceivedMessage, now: Int64) {
        counters.messagesIn += 1
        guard let index = channelIndex[message.channel] else {
            counters.strays += 1
            return
        }
        take(message, index, now: now)
    }

    private mutating func take(_ message: ReceivedMessage, _ index: Int32, isOlder: Bool = false, now: Int64) {
        switch channels[index].feed.received(message, limits, isOlder: isOlder) {
        case .known:
            counters.known += 1
        case .held(let dropped):
            if dropped { counters.heldDropped += 1 }
        case .durable:
            channels[index].receivedAt = now
            passOn(message, index)
            if channels[index].feed.isValueStale { needRead(index, now: now) }
        case .fields:
            channels[index].receivedAt = now
            let kind = channels[index].feed.channel.kind
            if kind != .plan, kind != .health {
                channels[index].encoder.passOn(message.bytes, stamp: channels[index].feed.value.stamp)
            }
            fieldsChanged(index, now: now)
        case .broken:
            counters.holes += 1
            needRead(index, now: now)
        }
    }

    /// Gives a durable message to everyone who has the channel's snapshot.
    private mutating func passOn(_ message: ReceivedMessage, _ index: Int32) {
        guard let offset = message.header.offset else {
            preconditionFailure("a durable message without an offset on \(message.channel)")
        }
        for subscriber in channels[index].subscribers {
            guard !subscriptions[subscriber].isFresh, offset > subscriptions[subscriber].offset else { continue }
            subscriptions[subscriber].offset = offset
            let item = SubscriberQueue.Item(message.bytes, stamps: subscriptions[subscriber].stamps)
            enqueue(item, to: subscriptions[subscriber].connection)
        }
    }

    /// Marks what rests on a channel's fields.
    private mutating func fieldsChanged(_ index: Int32, now: Int64) {
        for dependent in channels[index].dependents {
            if let plan = channelIndex[dependent] { unsettled.insert(plan) }
        }
        if channels[index].feed.channel.kind == .plan { unsettled.insert(index) }
        markDirty(index, now: now)
    }

    func isConflated(_ kind: Channel.Kind) -> Bool { kind != .plans && kind != .health }

    private mutating func markDirty(_ index: Int32, now: Int64) {
        guard isConflated(channels[index].feed.channel.kind) else { return }
        for subscriber in channels[index].subscribers {
            // A snapshot that is due contains the fields.
            guard !subscriptions[subscriber].isDirty, !subscriptions[subscriber].isFresh else { continue }
            subscriptions[subscriber].isDirty = true
            let connection = subscriptions[subscriber].connection
            connections[connection].dirty.append(subscriber)
            if subscriptions[subscriber].nextDue > now {
                rateHeld.insert(connection)
            } else {
                markReady(connection)
            }
        }
    }

    /// Has the channel's state read, at once or after a wait that grows with the reads that didn't help.
    private mutating func needRead(_ index: Int32, now: Int64, attempts: Int? = nil) {
        // One that is under way is judged, and repeated if need be, when it is there.
        guard !channels[index].isReadUnderWay else { return }
        let attempts = attempts ?? channels[index].feed.attempts
        guard attempts > 1 else {
            requestRead(index)
            return
        }
        channels[index].readAt = now + min(1_000_000_000, limits.rereadNanos << min(10, attempts - 2))
        timed.insert(index)
    }

    private mutating func requestRead(_ index: Int32) {
        channels[index].readAt = nil
        channels[index].isReadUnderWay = true
        channels[index].feed.askedForState()
        let channel = channels[index].feed.channel
        if channels[index].feed.phase == .joining {
            requests.join.append(channel)
        } else {
            requests.read.append(channel)
        }
    }

    // MARK: States

    /// The bus has subscribed the channel, or read its state.
    package mutating func joined(_ channel: Channel, _ state: HotState?, now: Int64) {
        guard let index = channelIndex[channel], channels[index].isReadUnderWay else {
            counters.strays += 1
            return
        }
        counters.statesRead += 1
        channels[index].isReadUnderWay = false
        channels[index].receivedAt = now
        if channels[index].mustReadAgain {
            // The delivery was cut while it was read: what came before the cut may be missing.
            channels[index].mustReadAgain = false
            requestRead(index)
            return
        }
        if channels[index].feed.isForgotten(by: state) {
            channels[index].feed.readFailed()
            needRead(index, now: now)
            return
        }
        let joined = channels[index].feed.joined(state)
        if let gap = joined.gap { tell(gap, index) }
        if channel.kind == .plan { updatePlan(index, now: now) }
        if joined.hasNewFields { fieldsChanged(index, now: now) }
        for (place, message) in joined.held.enumerated() {
            take(message, index, isOlder: place < joined.olderCount, now: now)
        }
        if joined.hasDropped { channels[index].feed.interrupted() }
        readAgainIfNeeded(index, now: now)
        guard channels[index].feed.phase == .live else { return }
        if channels[index].feed.isAhead {
            channels[index].aheadSince = channels[index].aheadSince ?? now
            timed.insert(index)
        }
        resolveWaiting(index, .found, now: now)
        for subscriber in channels[index].subscribers where subscriptions[subscriber].needsSnapshot {
            markReady(subscriptions[subscriber].connection)
        }
    }

    private mutating func readAgainIfNeeded(_ index: Int32, now: Int64) {
        guard channels[index].feed.phase == .live else {
            needRead(index, now: now)
            return
        }
        if channels[index].feed.isValueStale {
            needRead(index, now: now)
        } else if channels[index].feed.isValueBehind, channels[index].behindReads < 4 {
            channels[index].behindReads += 1
            needRead(index, now: now, attempts: 1 + channels[index].behindReads)
        } else {
            channels[index].behindReads = 0
        }
    }

    private mutating func tell(_ gap: (from: Int64, to: Int64?), _ index: Int32) {
        let feed = channels[index].feed
        for subscriber in channels[index].subscribers where !subscriptions[subscriber].isFresh {
            let from =
                gap.to == nil
                ? subscriptions[subscriber].offset + 1 : max(gap.from, subscriptions[subscriber].offset + 1)
            if let to = gap.to, to < from { continue }
            subscriptions[subscriber].offset = feed.offset
            counters.gapsSent += 1
            let text = ServerReply.gap(channel: feed.channel, from: from, to: gap.to, reason: .busLost)
            enqueue(.init(text), to: subscriptions[subscriber].connection)
            needSnapshot(subscriber)
        }
    }

    /// The bus could not subscribe or read.
    package mutating func joinFailed(_ channel: Channel, _ message: String, now: Int64) {
        guard let index = channelIndex[channel], channels[index].isReadUnderWay else {
            counters.strays += 1
            return
        }
        counters.readFailures += 1
        channels[index].isReadUnderWay = false
        channels[index].mustReadAgain = false
        channels[index].feed.readFailed()
        resolveWaiting(index, .refused(.unavailable, message), now: now)
        let attempts = max(2, channels[index].feed.attempts + 1)
        needRead(index, now: now, attempts: attempts)
    }

    /// Delivery of these channels was cut and is up again.
    package mutating func interrupted(_ list: [Channel], now: Int64) {
        for channel in list {
            guard let index = channelIndex[channel] else { continue }
            channels[index].feed.interrupted()
            if channels[index].isReadUnderWay {
                channels[index].mustReadAgain = true
            } else {
                requestRead(index)
            }
        }
    }

    /// The bus itself went down or came back: told on `health`, where only the gateway can.
    package mutating func busChanged(to state: FeedState, cause: String, since: Instant, now: Int64) {
        guard let index = channelIndex[Channel(.health)] else {
            preconditionFailure("the hub without its health channel")
        }
        var payload: [UInt8] = []
        var object = JSONObject(&payload)
        object.field("feed", "bus", to: &payload)
        object.field("state", state.rawValue, to: &payload)
        object.field("lagMs", Int64?.none, to: &payload)
        object.field("since", since, to: &payload)
        object.field("reason", cause, to: &payload)
        object.end(&payload)
        channels[index].feed.value.apply(
            .health,
            [("bus", payload)],
            revision: 0,
            n: channels[index].feed.n,
            time: since
        )
        let feed = channels[index].feed
        var text: [UInt8] = []
        Envelope.encode(
            channel: Array(feed.channel.name.utf8),
            epoch: feed.epoch,
            position: .conflatable(base: feed.offset, run: run, revision: feed.value.stamp),
            n: feed.n,
            type: .health,
            time: since,
            payload: payload,
            into: &text
        )
        for subscriber in channels[index].subscribers where !subscriptions[subscriber].isFresh {
            enqueue(.init(text), to: subscriptions[subscriber].connection)
        }
    }

    // MARK: Plans

    private mutating func updatePlan(_ index: Int32, now: Int64) {
        let value = channels[index].feed.value
        guard value.part(.snapshot) != nil else { return }
        guard channels[index].deriver.update(from: value), let view = channels[index].deriver.view else {
            counters.malformedPlans += 1
            return
        }
        let channel = channels[index].feed.channel
        var sources = [view.priceChannel]
        if view.contract == nil { sources.append(Channel(.bands, view.symbol)) }
        unsettled.insert(index)
        guard sources != channels[index].sources else { return }
        let old = channels[index].sources
        // The new ones first: one that is in both must not become idle.
        channels[index].sources = sources
        for source in sources where !old.contains(source) {
            guard let place = open(source, now: now) else { continue }
            channels[place].dependents.append(channel)
        }
        for source in old where !sources.contains(source) { leave(source, dependent: channel, now: now) }
    }

    private mutating func leave(_ source: Channel, dependent: Channel, now: Int64) {
        guard let place = channelIndex[source] else { return }
        channels[place].dependents.removeAll { $0 == dependent }
        releaseIfIdle(place, now: now)
    }

    /// Computes the derived fields of watched plans whose prices changed; before each round of flushes.
    package mutating func settle(now: Int64) {
        let plans = unsettled
        unsettled.removeAll(keepingCapacity: true)
        for index in plans { derive(index, now: now) }
    }

    private mutating func derive(_ index: Int32, now: Int64) {
        guard let view = channels[index].deriver.view else { return }
        let price = channelIndex[view.priceChannel]
        let bands = view.contract == nil ? channelIndex[Channel(.bands, view.symbol)] : nil
        let receivedAt = price.map { channels[$0].receivedAt } ?? now
        let fields = PlanDeriver.derive(
            view,
            prices: price.map { channels[$0].feed.value },
            bands: bands.map { channels[$0].feed.value },
            receivedAt: Instant(nanos: receivedAt),
            now: Instant(nanos: now)
        )
        let known = channels[index].feed.value.part(.delta)
        // Age grows by itself: it goes with a change, it is none.
        let hasChanged = fields.contains { $0.key != "ageMs" && known?[$0.key] != $0.value }
        guard hasChanged else { return }
        let source = price.map { channels[$0].feed }
        let n = max(source?.n ?? 0, channels[index].feed.n)
        let time = max(source?.time ?? .zero, channels[index].feed.time)
        _ = channels[index].feed.value.merge(.delta, fields, revision: 0, n: n, time: time)
        markDirty(index, now: now)
    }

    // MARK: Time

    /// Does what is due: reads, rates, channels that nobody watches any more.
    package mutating func tick(now: Int64) {
        for index in timed { runTimers(of: index, now: now) }
        for connection in rateHeld {
            let isDue = connections[connection].dirty.contains { subscriptions[$0].nextDue <= now }
            guard isDue else { continue }
            rateHeld.remove(connection)
            markReady(connection)
        }
    }

    private mutating func runTimers(of index: Int32, now: Int64) {
        if let readAt = channels[index].readAt, readAt <= now { requestRead(index) }
        checkLost(index, now: now)
        let entry = channels[index]
        if let since = entry.idleSince, now - since >= limits.graceNanos, !entry.isReadUnderWay {
            giveUp(index, now: now)
        } else if entry.readAt == nil, entry.idleSince == nil, entry.aheadSince == nil {
            timed.remove(index)
        }
    }

    /// Messages that the value contains and that don't come are lost: the line is made anew, which tells the gap.
    private mutating func checkLost(_ index: Int32, now: Int64) {
        guard let since = channels[index].aheadSince else { return }
        guard channels[index].feed.isAhead else {
            channels[index].aheadSince = nil
            return
        }
        guard now - since >= limits.lostNanos, !channels[index].isReadUnderWay else { return }
        channels[index].aheadSince = nil
        channels[index].feed.interrupted()
        counters.holes += 1
        requestRead(index)
    }

    private mutating func giveUp(_ index: Int32, now: Int64) {
        let channel = channels[index].feed.channel
        let sources = channels[index].sources
        channels.remove(index)
        channelIndex[channel] = nil
        timed.remove(index)
        unsettled.remove(index)
        requests.leave.append(channel)
        for source in sources { leave(source, dependent: channel, now: now) }
    }
}
