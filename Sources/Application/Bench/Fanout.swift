internal import Glibc
internal import Network
internal import Primitives

/// How `striketape bench fanout` measures.
package struct FanoutOptions: Sendable {
    package var connections = 500
    /// Channels of the gateway in the process; each connection subscribes to all.
    package var symbols = 8
    package var plans = 4
    /// Messages a second of each symbol.
    package var beatsPerSecond = 20
    package var seconds = 5
    /// A running gateway's `/ws` instead, with its channels and, for its CPU time, its process.
    package var url: String?
    package var channels: [String] = []
    package var process: Int32?
    package var key: Secret?

    package init() {}

    /// What is wrong, each with what is allowed.
    package var problems: [String] {
        var found: [String] = []
        if !(1...8_000).contains(connections) { found.append("connections: 1 to 8000, found \(connections)") }
        if !(1...400).contains(symbols) { found.append("symbols: 1 to 400, found \(symbols)") }
        if !(0...100).contains(plans) { found.append("plans: 0 to 100, found \(plans)") }
        if !(1...1_000).contains(beatsPerSecond) { found.append("rate: 1 to 1000, found \(beatsPerSecond)") }
        if !(1...3_600).contains(seconds) { found.append("seconds: 1 to 3600, found \(seconds)") }
        if url != nil, channels.isEmpty { found.append("channels: needed with a running gateway") }
        return found
    }
}

/// One gateway, many subscribers, and what a delivery costs.
///
/// The subscribers are in this process and cost CPU time too, so on a busy machine the latency is also theirs; the CPU
/// time is the gateway's alone.
package enum Fanout {
    /// From the first connection to the last snapshot.
    private static let readyNanos: Int64 = 60_000_000_000

    /// Measures once.
    ///
    /// - Throws: `ReplayError` that says what is wrong with the options, or why not everyone could subscribe.
    package static func run(_ options: FanoutOptions) throws -> BenchFigure {
        guard options.problems.isEmpty else { throw ReplayError(options.problems.joined(separator: "; ")) }
        if let url = options.url {
            return try measure(options, url: url, channels: options.channels) { try processNanos(options.process) }
        }
        let source = try FanoutSource(options)
        defer { source.stop() }
        source.begin(beatsPerSecond: options.beatsPerSecond)
        let url = "ws://127.0.0.1:\(source.port)/ws"
        return try measure(options, url: url, channels: source.channels) { try source.gatewayNanos() }
    }

    private static func measure(
        _ options: FanoutOptions,
        url: String,
        channels: [String],
        gatewayNanos: () throws -> Int64?
    ) throws -> BenchFigure {
        let swarm = FanoutSwarm(url: try WebSocketURL(url), channels: channels, key: options.key?.reveal())
        defer { swarm.stop() }
        try gather(swarm, options, channels: channels.count)
        // Snapshots and what came while the others connected are over.
        usleep(1_000_000)
        try swarm.forget()
        let nanos = try gatewayNanos()
        let watch = Stopwatch()
        usleep(useconds_t(options.seconds) * 1_000_000)
        let (tally, losses, cause) = try swarm.look()
        let seconds = watch.seconds
        guard losses == 0 else { throw ReplayError("\(losses) connections were lost, the last one: \(cause)") }
        var cpuSeconds = 0.0
        if let nanos, let after = try gatewayNanos() { cpuSeconds = Double(after - nanos) / 1e9 }
        return figure(tally, options, channels: channels.count, seconds: seconds, cpuSeconds: cpuSeconds)
    }

    /// Connects everyone, at a pace that a gateway's limits of one address allow, and waits for all snapshots.
    private static func gather(_ swarm: FanoutSwarm, _ options: FanoutOptions, channels: Int) throws {
        let pause: useconds_t = options.url == nil ? 500 : 15_000
        for _ in 0..<options.connections {
            try swarm.add()
            usleep(pause)
        }
        let wanted = Int64(options.connections * channels)
        let deadline = SystemClock.monotonicNanos() + readyNanos
        while true {
            let (tally, losses, cause) = try swarm.look()
            guard losses == 0 else { throw ReplayError("\(losses) connections were lost, the last one: \(cause)") }
            guard tally.errors == 0 else { throw ReplayError("the gateway refused a channel of \(options.channels)") }
            if tally.snapshots >= wanted { return }
            guard SystemClock.monotonicNanos() < deadline else {
                throw ReplayError(
                    "\(tally.snapshots) of \(wanted) snapshots came within \(readyNanos / 1_000_000_000) s"
                )
            }
            usleep(10_000)
        }
    }

    private static func figure(
        _ tally: FanoutTally,
        _ options: FanoutOptions,
        channels: Int,
        seconds: Double,
        cpuSeconds: Double
    ) -> BenchFigure {
        var figure = BenchFigure(
            name: "fanout",
            events: tally.deliveries,
            seconds: seconds,
            cpuSeconds: cpuSeconds
        )
        let deliveries = Double(max(1, tally.deliveries))
        figure.extras = [
            ("connections", Double(options.connections)), ("channels", Double(channels)),
            ("deliveriesPerSecond", (Double(tally.deliveries) / seconds).rounded()),
            ("framesPerSecond", (Double(tally.frames) / seconds).rounded()),
            ("cpuSecondsPerMillionDeliveries", cpuSeconds / deliveries * 1e6),
            ("bytesPerDelivery", (Double(tally.bytes) / deliveries).rounded()),
        ]
        // Stamps of a simulated or replayed market are not this clock's.
        if tally.latency.foreign == 0, let half = tally.latency.milliseconds(atShare: 0.5),
            let most = tally.latency.milliseconds(atShare: 0.99), let all = tally.latency.milliseconds(atShare: 1)
        {
            figure.extras += [("latencyMsP50", half), ("latencyMsP99", most), ("latencyMsMax", all)]
        }
        figure.extras += [
            ("merged", Double(tally.merged)), ("gaps", Double(tally.gaps)), ("doubles", Double(tally.doubles)),
            ("errors", Double(tally.errors)),
        ]
        return figure
    }

    /// User and system time of another process, from `/proc`; nil where none is asked for.
    private static func processNanos(_ process: Int32?) throws -> Int64? {
        guard let process else { return nil }
        let path = "/proc/\(process)/stat"
        // Behind the name, which may have anything in it but ends with the last parenthesis.
        guard case .success(let text) = ConfigurationFiles.read(path), let end = text.lastIndex(of: ")") else {
            throw ReplayError("\(path): no such process")
        }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Int64(fields[11]), let system = Int64(fields[12]) else {
            throw ReplayError("\(path): expected user and system time as fields 14 and 15")
        }
        return (user + system) * 1_000_000_000 / Int64(sysconf(Int32(_SC_CLK_TCK)))
    }
}
