internal import Glibc
internal import Network
internal import Primitives
internal import Wire

/// Many subscribers of a gateway on one loop, which only count and check what they hear.
final class FanoutSwarm: @unchecked Sendable {
    // Unchecked: everything but the constants is touched on the loop only.
    let loop = EventLoop(name: "subscribers")
    private let options: WebSocketClientOptions
    private let frames: [String]
    private var members: [Member] = []
    fileprivate(set) var tally = FanoutTally()
    /// Connections that failed or ended, and why the last one did.
    private var losses: (count: Int64, last: String) = (0, "")

    init(url: WebSocketURL, channels: [String], key: String?) {
        var options = WebSocketClientOptions(url: url)
        options.subprotocol = "striketape.v1"
        self.options = options
        var frames: [String] = []
        if let key { frames.append(JSONLine.object { $0.operation("auth", "token", .string(key), &$1) }) }
        let names = JSONValue.array(channels.map { .string($0) })
        frames.append(JSONLine.object { $0.operation("subscribe", "channels", names, &$1) })
        self.frames = frames
        loop.start()
    }

    /// Connects and subscribes one more.
    func add() throws {
        try loop.sync { [self] in
            let member = Member(self)
            members.append(member)
            member.client = WebSocketClient(loop: loop, options: options, handler: member)
            member.client?.connect()
        }
    }

    /// What was heard, and how many connections were lost with the last one's cause.
    func look() throws -> (tally: FanoutTally, losses: Int64, cause: String) {
        try loop.sync { [self] in Seen(tally: tally, losses: losses) }.parts
    }

    private struct Seen: Sendable {
        var tally: FanoutTally
        var losses: (count: Int64, last: String)

        var parts: (tally: FanoutTally, losses: Int64, cause: String) { (tally, losses.count, losses.last) }
    }

    /// Forgets what was heard so far; places stay.
    func forget() throws { try loop.sync { [self] in tally = FanoutTally() } }

    /// Closes every connection and ends the loop.
    func stop() {
        try? loop.sync { [self] in
            for member in members { member.client?.close() }
            members = []
        }
        loop.stop()
        loop.join()
    }

    /// One subscriber.
    private final class Member: WebSocketClientHandler {
        unowned let swarm: FanoutSwarm
        var client: WebSocketClient?
        private var reader = FanoutReader()

        init(_ swarm: FanoutSwarm) { self.swarm = swarm }

        func connected(_ client: WebSocketClient) {
            for frame in swarm.frames { client.send(frame) }
        }

        func text(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) {
            reader.read(message, now: SystemClock.wall().nanos, into: &swarm.tally)
        }

        func binary(_ message: UnsafeRawBufferPointer, on client: WebSocketClient) { swarm.tally.errors += 1 }

        func closed(_ client: WebSocketClient, code: UInt16, reason: String) {
            swarm.losses = (swarm.losses.count + 1, "\(code) \(reason)")
        }

        func failed(_ client: WebSocketClient, _ description: String) {
            swarm.losses = (swarm.losses.count + 1, description)
        }
    }
}

extension JSONObject {
    fileprivate mutating func operation(_ name: String, _ key: StaticString, _ value: JSONValue, _ out: inout [UInt8]) {
        field("id", Int64(1), to: &out)
        field("op", name, to: &out)
        self.key("\(key)", to: &out)
        JSONText.append(value, to: &out)
    }
}
