internal import Bus
internal import Primitives
internal import Wire

/// Snapshots of channels by HTTP: the same texts as a WebSocket's first frame, made of one read of the bus.
struct StateReader: Sendable {
    let bus: any MessageBus
    let symbols: Set<String>?
    static let channelsMax = 100

    /// Reads snapshots, in the order asked for, as a JSON array; a channel that can't be read is an `error` element.
    func frame(_ names: [String], user: String) async throws(Problem) -> [UInt8] {
        guard (1...Self.channelsMax).contains(names.count) else {
            throw Problem(400, "bad_request", "channels: 1 to \(Self.channelsMax) names, separated by commas")
        }
        let access = ChannelAccess(symbols: symbols)
        let channels = names.map { access.resolve(ChannelRequest(name: $0), for: user) }
        let known = channels.compactMap { $0 }
        // Whoever polls watches too: the engine publishes a channel only while it is wanted.
        bus.want(known)
        let states = try await read(known)
        var out: [UInt8] = [UInt8(ascii: "[")]
        for (name, channel) in zip(names, channels) {
            if out.count > 1 { out.append(UInt8(ascii: ",")) }
            let state = channel.flatMap { states[$0] }
            if let channel, let text = try await snapshot(channel, state, user: user) {
                out.append(contentsOf: text)
            } else {
                out.append(
                    contentsOf: ServerReply.error(
                        id: .null,
                        code: RefusalCode.unknownChannel.rawValue,
                        message: Hub.unknownText,
                        channel: name
                    )
                )
            }
        }
        out.append(UInt8(ascii: "]"))
        return out
    }

    /// A plan's snapshot, the object `d` alone.
    func plan(_ id: String, user: String) async throws(Problem) -> [UInt8] {
        let channel = Channel(.plan, id)
        guard let text = try await snapshot(channel, try await read([channel])[channel], user: user),
            let header = EnvelopeHeader(text)
        else { throw .notFound }
        return Array(text[header.payload])
    }

    private func read(_ channels: [Channel]) async throws(Problem) -> [Channel: HotState] {
        do {
            let states = try await bus.hotState(of: channels)
            let pairs = zip(channels, states).compactMap { channel, state in state.map { (channel, $0) } }
            return Dictionary(pairs) { first, _ in first }
        } catch {
            throw Problem(503, "unavailable", error.message)
        }
    }

    /// Nil where the user may not see it, or there is none.
    private func snapshot(_ channel: Channel, _ state: HotState?, user: String) async throws(Problem) -> [UInt8]? {
        var feed = ChannelFeed(channel)
        _ = feed.joined(state)
        guard channel.kind == .plan else { return ChannelEncoder.snapshotText(of: feed) }
        var deriver = PlanDeriver()
        guard deriver.update(from: feed.value), let view = deriver.view, view.owner == user else { return nil }
        let bands = Channel(.bands, view.symbol)
        let sources = try await read([view.priceChannel, bands])
        func value(_ channel: Channel) -> ChannelValue? {
            guard let state = sources[channel] else { return nil }
            var feed = ChannelFeed(channel)
            _ = feed.joined(state)
            return feed.value
        }
        let fields = PlanDeriver.derive(
            view,
            prices: value(view.priceChannel),
            bands: view.contract == nil ? value(bands) : nil,
            receivedAt: .zero,
            now: .zero
        )
        _ = feed.value.merge(.delta, fields, revision: 0, n: feed.n, time: feed.time)
        return ChannelEncoder.snapshotText(of: feed)
    }
}

/// What a channel's name means to a user.
struct ChannelAccess: Sendable {
    /// The served symbols; nil: any.
    let symbols: Set<String>?

    /// Nil where there is no such thing for that user; a plan's owner is judged when its state is there.
    func resolve(_ request: ChannelRequest, for user: String) -> Channel? {
        guard let channel = request.channel else { return nil }
        switch channel.kind {
        case .plans where channel.key.isEmpty: return Channel(.plans, user)
        case .plans: return channel.key == user ? channel : nil
        case .symbol, .bands: return symbols.map { $0.contains(channel.key) } ?? true ? channel : nil
        case .plan, .contract, .health: return channel
        }
    }
}
