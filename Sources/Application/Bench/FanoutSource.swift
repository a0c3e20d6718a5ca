internal import Bus
internal import Gateway
internal import MarketData
internal import Network
internal import Primitives
internal import Wire

/// A gateway over the bus in memory, and what publishes to it: prices of made-up symbols, and plans that are hit.
///
/// Stands where the engine stands; its messages are stamped with the wall clock as they leave.
final class FanoutSource: Sendable {
    /// What a beat publishes to each symbol: a tick with ten fields, as big as the engine's.
    private static let payload =
        #""bid":145.09,"ask":145.11,"bidSize":300,"askSize":200,"spread":0.02,"vwap":144.871204,"volume":18231400,"#
        + #""open":143.2,"high":146.02,"low":142.88}"#

    private struct State {
        var n: Ordinal = 0
        var beats: Int64 = 0
        var offsets: [Channel: Int64] = [:]
        var sequences: [Int: Int64] = [:]
        var revisions: [Channel: Int64] = [:]
    }

    let loop = EventLoop(name: "gateway")
    let gateway: Gateway
    private let bus = MemoryBus()
    private let state = Lock(State())
    private let symbols: [Channel]
    private let plans: [Channel]
    private let pump = EventLoop(name: "pump")
    let port: Int

    /// Starts the gateway on a free port, for as many connections from one address as the benchmark has.
    init(_ options: FanoutOptions) throws {
        loop.start()
        var configuration = GatewayConfiguration()
        configuration.port = 0
        configuration.adminPort = nil
        configuration.messagesPerSecond = 1_000_000
        configuration.connectionsPerMinute = 1_000_000
        configuration.limits.connections = max(10_000, options.connections)
        gateway = Gateway(configuration: configuration, bus: bus, loop: loop)
        symbols = (0..<options.symbols).map { Channel(.symbol, "S\($0)") }
        plans = (0..<options.plans).map { Channel(.plan, "p_\($0)") }
        try gateway.start()
        port = try gateway.ports().public
        bus.start(engine: nil, subscriber: gateway)
        for (number, plan) in plans.enumerated() { publish(plan, .snapshot, .state, Self.plan(number, hits: [])) }
        for symbol in symbols { publish(symbol, .tick, .conflatable, #"{"last":145.1,"# + Self.payload) }
    }

    /// The gateway's channels.
    var channels: [String] { (symbols + plans).map(\.name) }

    /// CPU time of the gateway's loop, in nanoseconds.
    func gatewayNanos() throws -> Int64 { try loop.sync { Stopwatch.threadNanos } }

    /// Publishes a message a symbol at each beat, and once a second a hit a plan.
    func begin(beatsPerSecond: Int) {
        pump.start()
        pump.execute { [self] in
            pump.schedule(after: 0, repeating: 1_000_000_000 / Int64(beatsPerSecond)) { [self] in
                beat(perSecond: Int64(beatsPerSecond))
            }
        }
    }

    private func beat(perSecond: Int64) {
        let beat = state.withLock { state in
            state.beats += 1
            return state.beats
        }
        for symbol in symbols {
            publish(symbol, .tick, .conflatable, #"{"last":\#(14_000 + beat % 1_000)e-2,"# + Self.payload)
        }
        guard beat % perSecond == 0 else { return }
        for (number, plan) in plans.enumerated() {
            // The plan's whole value follows its message, as the engine's does.
            let note =
                #"{"plan":"\#(plan.key)","version":1,"i":\#(beat / perSecond),"kind":"note","price":145.1,"t":"1"}"#
            publish(plan, .hit, .durable, note)
            publish(plan, .snapshot, .state, Self.plan(number, hits: [note]))
        }
    }

    private static func plan(_ number: Int, hits: [String]) -> String {
        """
        {"plan":{"id":"p_\(number)","version":1,"owner":"local","symbol":"S0","contract":null,"triggerOn":"underlying",\
        "side":"long","style":"intraday","trigger":"last","entry":{"type":"touch","price":140},"stop":{"price":139},\
        "targets":[{"price":160,"fraction":1}],"rationale":null},"state":"live","stop":139,"filled":0,\
        "hits":[\(hits.joined(separator: ","))],"blind":false,"derived":{}}
        """
    }

    private func publish(_ channel: Channel, _ type: MessageType, _ outputClass: OutputClass, _ payload: String) {
        bus.release([state.withLock { Self.envelope(channel, type, outputClass, payload, &$0) }])
    }

    private static func envelope(
        _ channel: Channel,
        _ type: MessageType,
        _ outputClass: OutputClass,
        _ payload: String,
        _ state: inout State
    ) -> Envelope {
        state.n += 1
        var sequence: Int64 = 0
        var position = Envelope.Position.snapshot(offset: state.offsets[channel, default: 0])
        if outputClass == .durable {
            sequence = state.sequences[channel.partition, default: 0] + 1
            state.sequences[channel.partition] = sequence
            state.offsets[channel, default: 0] += 1
            position = .durable(offset: state.offsets[channel, default: 0])
        } else if outputClass == .conflatable {
            state.revisions[channel, default: 0] += 1
            let base = state.offsets[channel, default: 0]
            position = .conflatable(base: base, run: "bench", revision: state.revisions[channel, default: 0])
        }
        var bytes: [UInt8] = []
        Envelope.encode(
            channel: Array(channel.name.utf8),
            epoch: "bench",
            position: position,
            n: state.n,
            type: type,
            time: SystemClock.wall(),
            payload: Array(payload.utf8),
            into: &bytes
        )
        return Envelope(
            channel: channel,
            type: type,
            outputClass: outputClass,
            offset: state.offsets[channel, default: 0],
            partitionSequence: sequence,
            n: state.n,
            index: 0,
            bytes: bytes
        )
    }

    /// Ends everything.
    func stop() {
        pump.stop()
        pump.join()
        gateway.stop()
        loop.stop()
        loop.join()
    }
}
