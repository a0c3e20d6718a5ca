internal import Wire

extension Hub {
    /// A subscribe request whose channels are not all there yet.
    struct WaitingRequest {
        enum Outcome {
            case waiting
            case found
            case refused(RefusalCode, String)
        }

        struct Item {
            var request: ChannelRequest
            var channel: Channel
            var outcome: Outcome
        }

        let connection: ConnectionID
        let id: JSONValue
        var items: [Item]
        /// Channels that are still read.
        var remaining: Int
    }

    /// Whether a channel that is there may be shown to a user: a plan to its owner only.
    func mayRead(_ index: Int32, user: String) -> Bool {
        channels[index].feed.channel.kind != .plan || channels[index].deriver.view?.owner == user
    }

    mutating func subscribe(_ id: ConnectionID, _ requestID: JSONValue, _ list: [ChannelRequest], now: Int64) {
        guard connections[id.index].waitingRequests < limits.waitingRequestsPerConnection else {
            refuse(id, requestID, .tooMany, "\(limits.waitingRequestsPerConnection) requests wait already", nil)
            return
        }
        nextWaiting += 1
        let key = nextWaiting
        var waiting = WaitingRequest(connection: id, id: requestID, items: [], remaining: 0)
        var room = limits.subscriptionsPerConnection - connections[id.index].subscriptions.count
        for request in list {
            let item = begin(request, of: id, key: key, room: &room, now: now)
            if case .waiting = item.outcome { waiting.remaining += 1 }
            waiting.items.append(item)
        }
        if waiting.remaining == 0 {
            finish(waiting, now: now)
        } else {
            connections[id.index].waitingRequests += 1
            waitingRequests[key] = waiting
        }
    }

    private mutating func begin(
        _ request: ChannelRequest,
        of id: ConnectionID,
        key: Int,
        room: inout Int,
        now: Int64
    ) -> WaitingRequest.Item {
        var item = WaitingRequest.Item(
            request: request,
            channel: request.channel ?? Channel(.health),
            outcome: .refused(.unknownChannel, Self.unknownText)
        )
        guard let channel = access.resolve(request, for: connections[id.index].user) else { return item }
        item.channel = channel
        if subscription(of: id.index, to: channel) == nil {
            guard room > 0 else {
                item.outcome = .refused(.tooMany, "at most \(limits.subscriptionsPerConnection) subscriptions")
                return item
            }
            room -= 1
        }
        guard let index = open(channel, now: now) else {
            item.outcome = .refused(.tooMany, "this gateway watches \(limits.channels) channels already")
            return item
        }
        if channels[index].feed.phase == .live {
            item.outcome = .found
            // It stays until the request is finished, also if nobody else watches it.
            releaseIfIdle(index, now: now)
        } else {
            item.outcome = .waiting
            channels[index].waiting.append(key)
        }
        return item
    }

    static var unknownText: String { "no such channel, or not yours" }

    /// The channel that requests waited for is there, or can't be had.
    mutating func resolveWaiting(_ index: Int32, _ outcome: WaitingRequest.Outcome, now: Int64) {
        let keys = channels[index].waiting
        channels[index].waiting = []
        let channel = channels[index].feed.channel
        for key in keys {
            guard var waiting = waitingRequests[key] else { continue }
            for position in waiting.items.indices where waiting.items[position].channel == channel {
                guard case .waiting = waiting.items[position].outcome else { continue }
                waiting.items[position].outcome = outcome
                waiting.remaining -= 1
            }
            waitingRequests[key] = waiting
            guard waiting.remaining == 0 else { continue }
            waitingRequests[key] = nil
            let id = waiting.connection
            if connections[id.index, id.generation] != nil { connections[id.index].waitingRequests -= 1 }
            finish(waiting, now: now)
        }
        releaseIfIdle(index, now: now)
    }

    private mutating func finish(_ waiting: WaitingRequest, now: Int64) {
        let id = waiting.connection
        guard let user = connections[id.index, id.generation]?.user else { return }
        var subscribed: [SubscribedChannel] = []
        for item in waiting.items {
            if case .refused(let code, let message) = item.outcome {
                refuse(id, waiting.id, code, message, item.request.name)
                continue
            }
            // The channel may have been given up between, while another one of the request was awaited.
            guard let index = channelIndex[item.channel], channels[index].feed.phase != .joining else {
                refuse(id, waiting.id, .unavailable, "the channel was given up; try again", item.request.name)
                continue
            }
            guard mayRead(index, user: user) else {
                refuse(id, waiting.id, .unknownChannel, Self.unknownText, item.request.name)
                continue
            }
            attach(id.index, index, item.request, now: now)
            let feed = channels[index].feed
            subscribed.append(
                SubscribedChannel(
                    channel: item.channel,
                    epoch: feed.epoch,
                    offset: feed.valueOffset,
                    recovered: false
                )
            )
        }
        if !subscribed.isEmpty { answer(id, ServerReply.subscribed(id: waiting.id, subscribed)) }
    }

    private mutating func attach(_ connection: Int32, _ channel: Int32, _ request: ChannelRequest, now: Int64) {
        let index: Int32
        if let known = subscription(of: connection, to: channels[channel].feed.channel) {
            index = known
        } else {
            let position = Int32(channels[channel].subscribers.count)
            (index, _) = subscriptions.insert(
                Subscription(connection: connection, channel: channel, position: position)
            )
            channels[channel].subscribers.append(index)
            channels[channel].idleSince = nil
            connections[connection].subscriptions.append(index)
        }
        subscriptions[index].interval = request.maxRate.map { Int64(1e9 / $0) } ?? 0
        subscriptions[index].stamps = request.stamps
        needSnapshot(index)
    }

    mutating func needSnapshot(_ index: Int32) {
        let connection = subscriptions[index].connection
        if !subscriptions[index].needsSnapshot {
            subscriptions[index].needsSnapshot = true
            connections[connection].snapshots.append(index)
        }
        markReady(connection)
    }

    private mutating func refuse(
        _ id: ConnectionID,
        _ requestID: JSONValue,
        _ code: RefusalCode,
        _ message: String,
        _ channel: String?
    ) {
        counters.requestErrors += 1
        answer(id, ServerReply.error(id: requestID, code: code.rawValue, message: message, channel: channel))
    }

    /// - Complexity: O(subscriptions of the connection); for requests only.
    private func subscription(of connection: Int32, to channel: Channel) -> Int32? {
        guard let index = channelIndex[channel] else { return nil }
        return connections[connection].subscriptions.first { subscriptions[$0].channel == index }
    }

    mutating func unsubscribe(_ id: ConnectionID, _ requestID: JSONValue, _ list: [ChannelRequest], now: Int64) {
        var names: [String] = []
        for request in list {
            guard let channel = access.resolve(request, for: connections[id.index].user),
                let index = subscription(of: id.index, to: channel)
            else {
                refuse(id, requestID, .unknownChannel, "not subscribed", request.name)
                continue
            }
            connections[id.index].subscriptions.removeAll { $0 == index }
            connections[id.index].dirty.removeAll { $0 == index }
            connections[id.index].snapshots.removeAll { $0 == index }
            remove(index, now: now)
            names.append(channel.name)
        }
        if !names.isEmpty { answer(id, ServerReply.unsubscribed(id: requestID, names)) }
    }
}
