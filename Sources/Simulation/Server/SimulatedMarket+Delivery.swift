internal import Network
internal import Primitives
internal import Wire

// Events to those who subscribed.
extension SimulatedMarket {
    /// Bytes of one frame at most before the next begins.
    private static let frameBytes = 65_536
    private static let hugeBytes = 2 << 20

    /// Hands a batch of the model's events to all three protocols.
    func distribute(_ events: [ModelEvent]) {
        distributePolygon(moodBars(events))
        distributeFlow(events)
        distributeBridge(events)
    }

    /// Sends bytes on a WebSocket, within its limit.
    func deliver(_ bytes: [UInt8], to socket: SimulatedSocket) {
        guard socket.isOpen, !socket.isFrozen, socket.closingSince == nil else { return }
        counters.frames += 1
        counters.bytes += bytes.count
        socket.send(bytes)
        guard socket.pendingBytes > options.backlogBytesMax else { return }
        counters.cutClients += 1
        socket.close(1_008)
        socket.end()
    }

    // MARK: The first vendor

    private func distributePolygon(_ events: [ModelEvent]) {
        guard var encoder, !events.isEmpty else { return }
        encoder.moods = moods(of: .polygon)
        let clients = ordered.compactMap { socket -> (SimulatedSocket, PolygonClient)? in
            guard let client = socket.session as? PolygonClient, client.hasSubscriptions else { return nil }
            return (socket, client)
        }
        guard !clients.isEmpty, !moods(of: .polygon).contains(.silence) else { return }
        var object: [UInt8] = []
        for event in events {
            guard let place = encoder.place(of: event) else { continue }
            object.removeAll(keepingCapacity: true)
            for (socket, client) in clients
            where client.session.market == place.market && client.heard.contains(place.channel, place.symbol) {
                if object.isEmpty { encoder.append(event, to: &object) }
                client.frame.append(client.frame.isEmpty ? UInt8(ascii: "[") : UInt8(ascii: ","))
                client.frame += object
                if client.frame.count > Self.frameBytes { flush(client, socket) }
            }
        }
        self.encoder = encoder
        for (socket, client) in clients { flush(client, socket) }
    }

    private func flush(_ client: PolygonClient, _ socket: SimulatedSocket) {
        guard !client.frame.isEmpty else { return }
        client.frame.append(UInt8(ascii: "]"))
        deliver(client.frame, to: socket)
        client.frame.removeAll(keepingCapacity: true)
        guard moods(of: .polygon).contains(.hugeFrames) else { return }
        oddFrames += 1
        guard oddFrames % 200 == 1 else { return }
        let pad = [UInt8](repeating: UInt8(ascii: "x"), count: Self.hugeBytes)
        deliver(Array(#"[{"ev":"ZZ","pad":""#.utf8) + pad + Array(#""}]"#.utf8), to: socket)
    }

    /// Bars as a mood has them: held back, or told wrong first and again.
    private func moodBars(_ events: [ModelEvent]) -> [ModelEvent] {
        let moods = moods(of: .polygon)
        let now = marketNow
        var out = heldBars.filter { $0.release <= now }.map(\.event)
        heldBars.removeAll { $0.release <= now }
        guard moods.contains(.lateBars) || moods.contains(.resentBars) else { return out + events }
        for event in events {
            guard case .bar(let bar) = event else {
                out.append(event)
                continue
            }
            let seconds: Int64 = moods.contains(.lateBars) ? 20 : 5
            heldBars.append((now.advanced(byNanos: seconds * 1_000_000_000), event))
            guard moods.contains(.resentBars) else { continue }
            var early = bar
            early.volume = Size(micros: bar.volume.micros / 10 * 9)
            early.high = max(bar.open, bar.close)
            out.append(.bar(early))
        }
        return out
    }

    /// Hands on a recorded frame.
    func deliver(_ frame: SimulatedFrame) {
        for socket in ordered {
            guard let client = socket.session as? PolygonClient, client.session.market == frame.market else { continue }
            let session = client.session
            guard
                let bytes = FrameFilter.filter(
                    frame.bytes,
                    isWanted: { session.hears(channel: $0.channel, symbol: $0.symbol) }
                )
            else { continue }
            deliver(bytes, to: socket)
        }
    }

    // MARK: The flow vendor

    private func distributeFlow(_ events: [ModelEvent]) {
        let moods = moods(of: .flow)
        let clients = ordered.filter { ($0.session as? FlowClient)?.hasSubscriptions ?? false }
        guard let model, !clients.isEmpty, !moods.contains(.silence) else { return }
        let joined = clients.reduce(into: Set<String>()) {
            $0.formUnion(($1.session as? FlowClient)?.session.channels ?? [])
        }
        flowFeed.moods = moods
        for message in flowFeed.messages(events, model, joined: joined) {
            let frame = message.frame
            for socket in clients
            where (socket.session as? FlowClient)?.session.channels.contains(message.channel) ?? false {
                dropCount += 1
                // A slow consumer loses messages and hears nothing of it.
                if socket.pendingBytes > options.flowBacklogBytesMax
                    || (moods.contains(.silentDrop) && dropCount % 3 == 0)
                {
                    counters.dropped += 1
                    continue
                }
                deliver(frame, to: socket)
                odd(moods, socket)
            }
        }
    }

    private func odd(_ moods: MoodSet, _ socket: SimulatedSocket) {
        guard !moods.isEmpty else { return }
        oddFrames += 1
        if moods.contains(.malformedElements), oddFrames % 11 == 0 {
            deliver(Array(#"["price:SPY",{"close":{},"time":"soon","vol":[]}]"#.utf8), to: socket)
        }
        if moods.contains(.unknownEvents), oddFrames % 13 == 0 {
            deliver(Array(#"["mystery",{"a":1}]"#.utf8), to: socket)
        }
        if moods.contains(.hugeFrames), oddFrames % 500 == 1 {
            let pad = [UInt8](repeating: UInt8(ascii: "x"), count: Self.hugeBytes)
            deliver(Array(#"["custom_alerts",{"pad":""#.utf8) + pad + Array(#""}]"#.utf8), to: socket)
        }
    }

    // MARK: The bridge

    /// Hands events to the bridge's clients; without any, only their clocks go on.
    func distributeBridge(_ events: [ModelEvent]) {
        let moods = moods(of: .bridge)
        guard let model, !moods.contains(.silence) else { return }
        let moment = moment
        for socket in ordered {
            guard let client = socket.session as? BridgeClient, socket.isOpen, socket.closingSince == nil else {
                continue
            }
            let isBehind = socket.pendingBytes > 1 << 20
            act(client.session.pump(events, model, at: moment, isBehind: isBehind), on: socket)
            overload(client, socket, moment.wallNanos)
            guard !moods.isEmpty else { continue }
            oddFrames += 1
            if moods.contains(.unknownEvents), oddFrames % 97 == 0 {
                act(client.session.oddity("zz", moment), on: socket)
            }
            if moods.contains(.malformedElements), oddFrames % 101 == 0 {
                act(client.session.oddity("q", moment), on: socket)
            }
        }
    }

    private func overload(_ client: BridgeClient, _ socket: SimulatedSocket, _ now: Int64) {
        guard socket.pendingBytes > 4 << 20 else {
            client.behindSince = nil
            return
        }
        let since = client.behindSince ?? now
        client.behindSince = since
        if now - since > 5_000_000_000 { socket.close(1_013, "overload") }
    }
}

extension BridgeSession {
    /// An event in sequence that nobody can read: a kind or a key that doesn't exist.
    mutating func oddity(_ kind: String, _ moment: Moment) -> [Action] {
        guard hasGreeted else { return [] }
        begin(kind, moment) { out, object in
            object.key("k", to: &out)
            out.add("5")
            object.key("b", to: &out)
            out.add("{}")
        }
        return flush()
    }
}
