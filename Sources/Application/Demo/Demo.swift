internal import Bus
internal import Foundation
internal import Gateway
internal import Logging
internal import Network
internal import Primitives
internal import Wire

/// Everything in one process: simulated market, engine, gateway, a few plans, and the hits in the terminal
/// (`striketape demo`).
package final class Demo: @unchecked Sendable {
    // Owner of the unchecked state: the thread that calls `start` and `stop`.
    private let market: MarketServer
    private let options: MarketOptions
    private var configuration: Configuration
    private let log: LogSetup
    private let say: @Sendable (String) -> Void
    private var run: LiveRun?
    private var tail: WebSocketTail?
    private let loop = EventLoop(name: "demo")
    private let ownDirectory: String?

    /// A demo that stands still.
    ///
    /// Of `configuration` the feed and the clock are replaced by the simulated ones. With `keepsState` the state stays in
    /// `state.dir`; otherwise it is in a directory that goes with the demo. `say` writes a line for the user.
    package init(
        _ configuration: Configuration,
        market options: MarketOptions,
        symbols: [String],
        log: LogSetup,
        keepsState: Bool,
        say: @escaping @Sendable (String) -> Void
    ) throws {
        self.options = options
        self.log = log
        self.say = say
        self.configuration = configuration
        market = MarketServer(options, ended: { say("The market has closed: the tape has ended.") })
        if keepsState {
            ownDirectory = nil
        } else {
            let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
                "striketape-demo-\(ProcessInfo.processInfo.processIdentifier)"
            )
            ownDirectory = directory.path
            self.configuration.state.dir = directory.path
        }
        self.configuration.engine.clock = .exchange
        self.configuration.polygon.symbols = symbols
        self.configuration.polygon.markets = [.stocks]
        self.configuration.polygon.apiKey = Secret("demo")
    }

    /// Starts all parts; returns when the page can be opened.
    ///
    /// - Throws: what of a part can't be had, and where.
    package func start() throws {
        try market.start()
        connect(to: "127.0.0.1:\(market.port)")
        let run = LiveRun(configuration, roles: .all, tapeFiles: [], log: log)
        try run.start()
        self.run = run
        guard let port = run.gatewayPort else { throw RunError("the gateway doesn't listen") }
        say(
            "Market    ws://127.0.0.1:\(market.port)/stocks  (simulated: \(configuration.polygon.symbols.joined(separator: ", ")))"
        )
        say("Page      http://127.0.0.1:\(port)/")
        say("Ctrl-C ends everything.")
        try follow(port: port)
        let plans = DemoPlans(port: port, symbols: configuration.polygon.symbols, say: say)
        Thread.detachNewThread { plans.create() }
    }

    /// Points every feed at the simulated market: all three providers where it is a model, the first alone for a tape.
    private func connect(to place: String) {
        configuration.polygon.url = ServiceURL("ws://\(place)")
        guard options.tapeFiles.isEmpty else { return }
        configuration.polygon.markets = [.stocks, .options]
        configuration.polygon.restURL = ServiceURL("http://\(place)")
        configuration.uw.url = ServiceURL("ws://\(place)/socket")
        configuration.uw.restURL = ServiceURL("http://\(place)")
        configuration.uw.token = Secret("demo-token")
        configuration.ib.url = ServiceURL("ws://\(place)/ib/v1")
    }

    /// Ends every part; a directory of its own goes too.
    package func stop() async {
        tail?.stop()
        loop.stop()
        loop.join()
        await run?.stop()
        market.stop()
        if let ownDirectory { try? FileManager.default.removeItem(atPath: ownDirectory) }
    }

    /// Shows the hits as any subscriber hears them.
    private func follow(port: Int) throws {
        loop.start()
        let say = say
        let tail = WebSocketTail(
            loop: loop,
            url: try WebSocketURL("ws://127.0.0.1:\(port)/ws"),
            channels: ["plans"],
            heard: { event in
                guard case .message(let header, let bytes) = event, header.type == .hit else { return }
                if let line = HitLine(bytes: Array(bytes[header.payload])) { say(line.text) }
            },
            ended: { say("The hits can't be followed any more: \($0)") }
        )
        self.tail = tail
        tail.start()
    }
}

/// A hit in one line of a terminal.
package struct HitLine {
    package let text: String

    /// Reads a hit's payload; nil where it isn't one.
    package init?(bytes: [UInt8]) {
        guard let hit = try? JSONParser.parse(bytes), let plan = hit["plan"]?.string, let kind = hit["kind"]?.string,
            let nanos = hit["t"]?.integer
        else { return nil }
        var price = "–"
        if case .number(let text) = hit["price"] { price = text }
        var time: [UInt8] = []
        InstantText.append(Instant(nanos: nanos), to: &time)
        let target = hit["k"]?.integer.map { " \($0)" } ?? ""
        let rule = hit["why"]?["rule"]?.string ?? ""
        text =
            "\(String(decoding: time, as: UTF8.self))  \(kind.uppercased())\(target)  \(plan)  at \(price)  (\(rule))"
    }
}
