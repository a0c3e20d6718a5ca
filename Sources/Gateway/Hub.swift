internal import Bus
internal import Primitives
package import Wire

/// Joins subscribers and channels: who gets what, in which order, and what is given up when one of them is slow.
///
/// A pure machine on the gateway's loop: the shell tells it what came, hands `takeBusRequests` to the bus, closes what
/// `takeClosing` names, and calls `flush` for each subscriber in `takeReady` whose pipe is free. Time is an input, in ns
/// on one monotonic clock. Promises (protocol.md 7): per channel and subscriber, snapshot and what follows equal the
/// state; every durable message comes once, in order, or a gap is told.
package struct Hub: ~Copyable {
    /// A subscription: one connection, one channel.
    struct Subscription {
        var connection: Int32
        var channel: Int32
        /// Where it stands in the channel's list.
        var position: Int32
        /// The channel's stamp up to which conflatable fields were sent.
        var stamp: Int64 = 0
        /// The last durable message put into the queue, or contained in the snapshot.
        var offset: Int64 = 0
        /// Nanoseconds between conflatable messages; 0 as they come.
        var interval: Int64 = 0
        var nextDue: Int64 = 0
        /// New fields wait.
        var isDirty = false
        /// A snapshot is due.
        var needsSnapshot = false
        /// Nothing was sent yet: durable messages go into the snapshot.
        var isFresh = true
        var stamps = false
    }

    struct Connection {
        var user: String
        var queue = SubscriberQueue()
        var subscriptions: [Int32] = []
        /// Subscriptions with fields to send, oldest mark first.
        var dirty: [Int32] = []
        /// Subscriptions with a snapshot to send.
        var snapshots: [Int32] = []
        var waitingRequests = 0
        var isReady = false
        var isClosing = false
    }

    struct ChannelEntry {
        var feed: ChannelFeed
        var encoder = ChannelEncoder()
        var subscribers: [Int32] = []
        /// Plans whose derived fields need this channel.
        var dependents: [Channel] = []
        /// Subscribe requests that wait for the state.
        var waiting: [Int] = []
        var deriver = PlanDeriver()
        /// The channels that this plan's derived fields need.
        var sources: [Channel] = []
        /// Kept without anybody watching.
        var isPermanent = false
        var idleSince: Int64?
        /// When the state is read again; nil while no read is due.
        var readAt: Int64?
        var isReadUnderWay = false
        /// Delivery was cut while the state was read.
        var mustReadAgain = false
        /// Reads in a row that found the engine's whole value older than its messages.
        var behindReads = 0
        /// Since when the value is ahead of the messages: they are on their way, or lost.
        var aheadSince: Int64?
        /// When a message came last.
        var receivedAt: Int64 = 0
    }

    package let limits: HubLimits
    /// Names this gateway's start: derived fields are numbered in it.
    let run: String
    var connections = SlotTable(empty: Connection(user: ""))
    var subscriptions = SlotTable(empty: Subscription(connection: -1, channel: -1, position: -1))
    var channels = SlotTable(empty: ChannelEntry(feed: ChannelFeed(Channel(.health))))
    var channelIndex: [Channel: Int32] = [:]
    var waitingRequests: [Int: WaitingRequest] = [:]
    var nextWaiting = 0
    var requests = BusRequests()
    var ready: [ConnectionID] = []
    var closing: [(id: ConnectionID, code: CloseCode)] = []
    /// Plans whose derived fields are to be computed.
    var unsettled: Set<Int32> = []
    /// Connections with fields that wait for their rate.
    var rateHeld: Set<Int32> = []
    /// Channels that nobody watches, or whose state is to be read at a time.
    var timed: Set<Int32> = []
    package var counters = HubCounters()
    let access: ChannelAccess

    /// Makes a hub without subscribers.
    ///
    /// - Parameters:
    ///   - limits: how much it keeps.
    ///   - run: unique to this start.
    ///   - symbols: the served symbols; a `symbol` or `bands` channel of another is unknown. nil: any.
    package init(limits: HubLimits = HubLimits(), run: String, symbols: Set<String>? = nil) {
        self.limits = limits
        self.run = run
        access = ChannelAccess(symbols: symbols)
        _ = open(Channel(.health), now: 0, permanent: true)
    }

    /// Subscribers now.
    package var connectionCount: Int { connections.count }
    /// Channels now, those of the grace time included.
    package var channelCount: Int { channels.count }
    package var subscriptionCount: Int { subscriptions.count }
    /// Bytes that wait in a subscriber's queue; 0 for one that is gone.
    package func pendingBytes(of id: ConnectionID) -> Int {
        connections[id.index, id.generation]?.queue.bytes ?? 0
    }

    package func isSubscribed(_ id: ConnectionID, to channel: Channel) -> Bool {
        guard let index = channelIndex[channel], let connection = connections[id.index, id.generation] else {
            return false
        }
        return connection.subscriptions.contains { subscriptions[$0].channel == index }
    }

    /// The channels that somebody watches, for `MessageBus.want`.
    package var watchedChannels: [Channel] {
        channels.indices.compactMap { index in
            let entry = channels[index]
            return entry.subscribers.isEmpty && entry.dependents.isEmpty && !entry.isPermanent
                ? nil : entry.feed.channel
        }
    }

    // MARK: Connections

    /// A subscriber came.
    ///
    /// - Returns: nil above the limit: accept it and close it with `overload`.
    package mutating func connected(user: String) -> ConnectionID? {
        guard connections.count < limits.connections else {
            counters.connectionsRefused += 1
            return nil
        }
        counters.connectionsAccepted += 1
        let (index, generation) = connections.insert(Connection(user: user))
        return ConnectionID(index: index, generation: generation)
    }

    /// A subscriber is gone, or will be: nothing is for it any more.
    package mutating func closed(_ id: ConnectionID, now: Int64) {
        guard let connection = connections[id.index, id.generation] else { return }
        for subscription in connection.subscriptions { remove(subscription, now: now) }
        connections.remove(id.index)
        rateHeld.remove(id.index)
    }

    /// Puts an answer into a subscriber's queue.
    package mutating func answer(_ id: ConnectionID, _ bytes: [UInt8]) {
        guard connections[id.index, id.generation] != nil else { return }
        enqueue(.init(bytes), to: id.index)
    }

    /// Carries out a frame of a subscriber; `auth` is the shell's.
    package mutating func requested(_ request: ClientRequest, by id: ConnectionID, now: Int64) {
        guard let connection = connections[id.index, id.generation], !connection.isClosing else { return }
        switch request {
        case .subscribe(let requestID, let channels):
            subscribe(id, requestID, channels, now: now)
        case .unsubscribe(let requestID, let channels):
            unsubscribe(id, requestID, channels, now: now)
        case .ping(let requestID):
            answer(id, ServerReply.pong(id: requestID))
        case .auth(let requestID, _):
            answer(id, ServerReply.authenticated(id: requestID, user: connection.user))
        }
    }

    /// Tells a subscriber what is wrong with its frame.
    package mutating func failed(_ error: RequestError, by id: ConnectionID) {
        counters.requestErrors += 1
        answer(id, ServerReply.error(id: error.id, code: error.code.rawValue, message: error.message))
    }

    // MARK: What the shell takes

    package mutating func takeBusRequests() -> BusRequests {
        defer { requests = BusRequests() }
        return requests
    }

    /// Subscribers with something to send, each once.
    package mutating func takeReady() -> [ConnectionID] {
        defer { ready.removeAll(keepingCapacity: true) }
        for id in ready where connections[id.index, id.generation] != nil { connections[id.index].isReady = false }
        return ready
    }

    package mutating func takeClosing() -> [(id: ConnectionID, code: CloseCode)] {
        defer { closing = [] }
        return closing
    }

    // MARK: Inside

    mutating func markReady(_ connection: Int32) {
        guard !connections[connection].isReady, !connections[connection].isClosing else { return }
        connections[connection].isReady = true
        ready.append(ConnectionID(index: connection, generation: connections.generation(of: connection)))
    }

    /// Adds to a queue; a full one closes the connection.
    mutating func enqueue(_ item: SubscriberQueue.Item, to connection: Int32) {
        guard !connections[connection].isClosing else { return }
        guard connections[connection].queue.append(item, limits: limits) else {
            counters.closedSlow += 1
            connections[connection].isClosing = true
            connections[connection].queue.removeAll()
            let id = ConnectionID(index: connection, generation: connections.generation(of: connection))
            closing.append((id, .tooSlow))
            return
        }
        markReady(connection)
    }

    /// The channel's place, made and joined if it is new; nil above the limit.
    mutating func open(_ channel: Channel, now: Int64, permanent: Bool = false) -> Int32? {
        if let index = channelIndex[channel] {
            channels[index].idleSince = nil
            return index
        }
        guard channels.count < limits.channels else { return nil }
        var entry = ChannelEntry(feed: ChannelFeed(channel))
        entry.isPermanent = permanent
        entry.isReadUnderWay = true
        entry.receivedAt = now
        let (index, _) = channels.insert(entry)
        channelIndex[channel] = index
        requests.join.append(channel)
        return index
    }

    /// Starts the grace time of a channel that nobody needs.
    mutating func releaseIfIdle(_ index: Int32, now: Int64) {
        let entry = channels[index]
        guard entry.subscribers.isEmpty, entry.dependents.isEmpty, entry.waiting.isEmpty, !entry.isPermanent else {
            return
        }
        channels[index].idleSince = now
        timed.insert(index)
    }

    /// Ends a subscription, but for the connection's own list.
    mutating func remove(_ index: Int32, now: Int64) {
        let subscription = subscriptions[index]
        let position = Int(subscription.position)
        let moved = channels[subscription.channel].subscribers.removeLast()
        if moved != index {
            channels[subscription.channel].subscribers[position] = moved
            subscriptions[moved].position = subscription.position
        }
        subscriptions.remove(index)
        releaseIfIdle(subscription.channel, now: now)
    }
}
