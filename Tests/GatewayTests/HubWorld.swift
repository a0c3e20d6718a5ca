import Bus
import Gateway
import Primitives
import Testing
import Wire

/// A bus and its truth, in the test's hands: what is published, delivered, lost and read, each when the test says so.
struct HubWorld: ~Copyable {
    struct Truth {
        var state: HotState
        /// Every durable message ever, by offset, of the present epoch.
        var durable: [Int64: [UInt8]] = [:]
        /// The plan's whole value is published after its hit: not yet, where true.
        var owesState = false
    }

    var hub: Hub
    var now: Int64 = 0
    var truths: [Channel: Truth] = [:]
    /// Channels that the bus delivers.
    var subscribed: Set<Channel> = []
    /// What the hub asked and the bus hasn't answered.
    var joins: [Channel] = []
    var reads: [Channel] = []
    var n: Int64 = 0
    var run = "r1"
    var epochs = 0

    init(limits: HubLimits = HubLimits(), symbols: Set<String>? = nil) {
        hub = Hub(limits: limits, run: "g1", symbols: symbols)
    }

    /// Takes the hub's wishes; answers them all if `answering`.
    mutating func work(answering: Bool = true) {
        while true {
            let requests = hub.takeBusRequests()
            joins += requests.join
            reads += requests.read
            for channel in requests.leave { subscribed.remove(channel) }
            guard answering, !joins.isEmpty || !reads.isEmpty else { return }
            while !joins.isEmpty || !reads.isEmpty { answerOne() }
            hub.settle(now: now)
        }
    }

    mutating func answerOne(at place: Int = 0) {
        let channel: Channel
        if place < joins.count {
            channel = joins.remove(at: place)
            subscribed.insert(channel)
        } else if place - joins.count < reads.count {
            channel = reads.remove(at: place - joins.count)
        } else {
            return
        }
        hub.joined(channel, truths[channel]?.state, now: now)
    }

    /// Answers until nothing is asked, with time going on.
    mutating func settleAll() {
        for _ in 0..<200 {
            work(answering: false)
            while !joins.isEmpty || !reads.isEmpty { answerOne() }
            hub.settle(now: now)
            now += 50_000_000
            hub.tick(now: now)
        }
    }

    // MARK: Publishing

    private mutating func open(_ channel: Channel) {
        guard truths[channel] == nil else { return }
        let state = HotState(
            channel: channel,
            epoch: "e0",
            offset: 0,
            run: "",
            revision: 0,
            n: 0,
            time: 0,
            parts: [:]
        )
        truths[channel] = Truth(state: state)
    }

    mutating func conflatable(_ channel: Channel, _ type: MessageType, _ fields: [(String, String)], lost: Bool = false)
    {
        open(channel)
        n += 1
        guard var truth = truths[channel] else { return }
        if truth.state.run != run {
            truth.state.run = run
            truth.state.revision = 0
        }
        truth.state.revision += 1
        note(type, fields, &truth)
        truths[channel] = truth
        let position = Envelope.Position.conflatable(
            base: truth.state.offset,
            run: run,
            revision: truth.state.revision
        )
        deliver(channel, type, fields, position, lost: lost)
    }

    mutating func durable(_ channel: Channel, _ type: MessageType, _ fields: [(String, String)], lost: Bool = false) {
        open(channel)
        n += 1
        guard var truth = truths[channel] else { return }
        truth.state.offset += 1
        note(type, fields, &truth)
        let bytes = encode(channel, type, fields, .durable(offset: truth.state.offset))
        truth.durable[truth.state.offset] = bytes
        truth.owesState = channel.kind == .plan
        truths[channel] = truth
        deliver(channel, type, fields, .durable(offset: truth.state.offset), lost: lost)
    }

    /// The engine's whole value of a plan.
    mutating func planState(_ channel: Channel, owner: String, state: String, hits: Int) {
        open(channel)
        let id = channel.key
        let plan = """
            {"id":"\(id)","version":1,"owner":"\(owner)","symbol":"SPY","contract":null,"triggerOn":"underlying",\
            "side":"long","trigger":"last","entry":{"type":"touch","price":100},"stop":{"price":99},\
            "targets":[{"price":102,"fraction":1}]}
            """
        let entries = (0..<hits).map { #"{"version":1,"i":\#($0 + 1),"kind":"note","price":null}"# }
        truths[channel]?.owesState = false
        truths[channel]?.state.parts = [
            "snapshot": [
                "plan": Array(plan.utf8), "state": Array("\"\(state)\"".utf8), "stop": Array("99".utf8),
                "filled": Array("0".utf8), "hits": Array("[\(entries.joined(separator: ","))]".utf8),
                "blind": Array("false".utf8),
            ]
        ]
    }

    private func note(_ type: MessageType, _ fields: [(String, String)], _ truth: inout Truth) {
        if truth.state.channel.kind == .health {
            noteHealth(type, fields, &truth)
        } else {
            for (name, text) in fields { truth.state.parts[type.name, default: [:]][name] = Array(text.utf8) }
        }
        truth.state.n = n
        truth.state.time = n
    }

    /// The bus keeps each feed's last message whole, and nothing of the gap ledger.
    private func noteHealth(_ type: MessageType, _ fields: [(String, String)], _ truth: inout Truth) {
        guard type == .health, let feed = fields.first(where: { $0.0 == "feed" })?.1 else { return }
        let payload = "{" + fields.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
        truth.state.parts[type.name, default: [:]][String(feed.dropFirst().dropLast())] = Array(payload.utf8)
    }

    private func encode(
        _ channel: Channel,
        _ type: MessageType,
        _ fields: [(String, String)],
        _ position: Envelope.Position
    ) -> [UInt8] {
        let payload = "{" + fields.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
        var bytes: [UInt8] = []
        Envelope.encode(
            channel: Array(channel.name.utf8),
            epoch: truths[channel]?.state.epoch ?? "",
            position: position,
            n: n,
            type: type,
            time: Instant(nanos: n),
            payload: Array(payload.utf8),
            into: &bytes
        )
        return bytes
    }

    private mutating func deliver(
        _ channel: Channel,
        _ type: MessageType,
        _ fields: [(String, String)],
        _ position: Envelope.Position,
        lost: Bool
    ) {
        guard subscribed.contains(channel), !lost else { return }
        let bytes = encode(channel, type, fields, position)
        guard let header = EnvelopeHeader(bytes) else { preconditionFailure("the test wrote a bad envelope") }
        hub.received(ReceivedMessage(channel: channel, header: header, bytes: bytes), now: now)
    }

    /// The log of a channel is lost: a new epoch, offsets from 0.
    mutating func newEpoch(_ channel: Channel) {
        epochs += 1
        truths[channel]?.state.epoch = "e\(epochs)"
        truths[channel]?.state.offset = 0
        truths[channel]?.state.run = ""
        truths[channel]?.state.revision = 0
        truths[channel]?.durable = [:]
    }

    // MARK: Subscribers

    mutating func connect(_ user: String = "local") throws -> TestClient {
        let id = hub.connected(user: user)
        return TestClient(id: try #require(id))
    }

    mutating func subscribe(_ client: borrowing TestClient, _ channels: [ChannelRequest]) {
        hub.requested(.subscribe(id: .number("1"), channels), by: client.id, now: now)
    }

    /// Reads one frame.
    mutating func flush(_ client: inout TestClient) throws {
        hub.settle(now: now)
        var out: [UInt8] = []
        let result = hub.flush(client.id, now: now, wall: Instant(nanos: 1), into: &out)
        if case .nothing = result {
            #expect(out.isEmpty)
            return
        }
        for message in try ServerFrame.parse(out) { client.take(message) }
    }
}

/// A subscriber that keeps state as a client does, and refuses holes and doubles.
struct TestClient {
    let id: ConnectionID
    var offsets: [Channel: Int64] = [:]
    var epochs: [Channel: String] = [:]
    /// Channel → `type.field` → text.
    var fields: [Channel: [String: String]] = [:]
    var durable: [Channel: [Int64]] = [:]
    var gaps: [String] = []
    var errors: [String] = []
    var subscribed: [String] = []
    var log: [String] = []

    init(id: ConnectionID) { self.id = id }

    mutating func take(_ message: ServerMessage) {
        switch message {
        case .control(let operation, let body): control(operation, body)
        case .envelope(let header, let bytes):
            log.append("\(header.channel) \(header.type.name) \(header.offset ?? -1)")
            if header.type == .snapshot {
                snapshot(header, bytes)
            } else if let offset = header.offset {
                let known = offsets[header.channel, default: -1]
                let epoch = epochs[header.channel, default: ""]
                let continues = offset == known + 1 && (epoch == header.epoch || epoch.isEmpty)
                #expect(continues || isFresh.remove(header.channel) != nil, "\(log.suffix(12))")
                epochs[header.channel] = header.epoch
                offsets[header.channel] = offset
                durable[header.channel, default: []].append(offset)
            } else {
                let base = header.base ?? -1
                #expect(base <= offsets[header.channel, default: -1], "rests on a message unseen: \(log.suffix(12))")
                for member in JSONMembers.split(bytes[header.payload]) ?? [] {
                    let name = "\(header.type.name).\(member.key)"
                    fields[header.channel, default: [:]][name] = String(decoding: member.value, as: UTF8.self)
                }
            }
        }
    }

    private mutating func snapshot(_ header: EnvelopeHeader, _ bytes: [UInt8]) {
        let channel = header.channel
        if let known = offsets[channel], epochs[channel] == header.epoch, !isFresh.contains(channel) {
            #expect(header.offset == known, "a snapshot jumps over messages: \(log.suffix(12))")
        }
        isFresh.remove(channel)
        offsets[channel] = header.offset
        epochs[channel] = header.epoch
        fields[channel] = [:]
        for part in JSONMembers.split(bytes[header.payload]) ?? [] {
            let type = part.key == "derived" ? "delta" : part.key
            guard let members = JSONMembers.split(part.value), channel.kind != .plan || type == "delta" else {
                fields[channel, default: [:]]["snapshot.\(part.key)"] = String(decoding: part.value, as: UTF8.self)
                continue
            }
            for member in members {
                fields[channel, default: [:]]["\(type).\(member.key)"] = String(decoding: member.value, as: UTF8.self)
            }
        }
    }

    /// Channels whose next message may stand anywhere: just subscribed, or their log began anew.
    var isFresh: Set<Channel> = []

    private mutating func control(_ operation: String, _ body: JSONValue) {
        switch operation {
        case "error": errors.append("\(body["code"]?.string ?? "") \(body["ch"]?.string ?? "")")
        case "gap":
            let name = body["ch"]?.string ?? ""
            gaps.append("\(name) \(body["from"]?.integer ?? -1)–\(body["to"]?.integer ?? -1)")
            guard let channel = Channel(name) else { return }
            if let to = body["to"]?.integer {
                let continues = body["from"]?.integer == offsets[channel, default: -1] + 1
                #expect(continues || isFresh.contains(channel), "\(log.suffix(12))")
                offsets[channel] = to
            } else {
                offsets[channel] = nil
                isFresh.insert(channel)
            }
            log.append("gap \(gaps.last ?? "")")
        case "subscribed":
            for channel in body["channels"]?.array ?? [] {
                let name = channel["ch"]?.string ?? ""
                subscribed.append(name)
                if let channel = Channel(name) { isFresh.insert(channel) }
            }
        default: break
        }
    }
}
