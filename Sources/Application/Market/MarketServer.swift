internal import Journal
internal import Logging
internal import MarketData
internal import Network
internal import Primitives
internal import Simulation

/// What a simulated market plays.
package struct MarketOptions: Sendable {
    /// Recorded tapes; a seeded walk where empty.
    package var tapeFiles: [String] = []
    package var seed: UInt64 = 1
    /// How many stocks the walk has.
    package var symbolCount = 5
    /// The walk's events a market second.
    package var rate = 200.0
    /// Market seconds a second; nil: as fast as the sockets take it.
    package var speed: Double? = 1
    package var host = "127.0.0.1"
    package var port = 8_702
    /// The key that clients must show; any where nil.
    package var key: String?

    package init() {}

    /// The walk's names: those of well-known funds and stocks, then numbered ones.
    package var symbols: [String] {
        let known = ["SPY", "QQQ", "IWM", "AAPL", "NVDA", "TSLA", "AMD", "MSFT", "META", "AMZN"]
        return (0..<symbolCount).map { $0 < known.count ? known[$0] : "SIM\($0)" }
    }
}

/// The simulated provider on its own loop (`striketape simulate`).
package final class MarketServer: @unchecked Sendable {
    // Owner of the unchecked state: `loop`, but for `port`, which is set before `start` returns.
    private let options: MarketOptions
    private let loop = EventLoop(name: "market")
    private var server: WebServer?
    private var provider: SimulatedProvider?
    private let ended: @Sendable () -> Void
    package private(set) var port = 0

    /// A closed market; `ended` is called once, when the source has ended and everything was sent.
    package init(_ options: MarketOptions, ended: @escaping @Sendable () -> Void = {}) {
        self.options = options
        self.ended = ended
    }

    /// Listens.
    ///
    /// - Throws: `NetworkError` where the port is taken.
    package func start() throws {
        loop.start()
        port = try loop.sync { [self] in
            let provider = SimulatedProvider(
                loop: loop,
                options: ProviderOptions(key: options.key, speed: options.speed),
                source: source
            )
            provider.finished = ended
            var web = WebServerOptions()
            web.host = options.host
            web.port = options.port
            web.subprotocols = []
            let server = WebServer(loop: loop, options: web, handler: provider)
            try server.listen()
            self.provider = provider
            self.server = server
            return server.port
        }
    }

    package func stop() {
        loop.execute { [self] in server?.stop() }
        loop.stop()
        loop.join()
    }

    /// What was sent so far.
    package var counters: (frames: Int, bytes: Int, cutClients: Int) {
        let counters = try? loop.sync { [self] in provider?.counters }
        return (counters?.frames ?? 0, counters?.bytes ?? 0, counters?.cutClients ?? 0)
    }

    private var source: any FrameSource {
        if !options.tapeFiles.isEmpty { return TapeSource(options.tapeFiles) }
        let start = Self.walkStart(before: SystemClock.wall())
        let walk = MarketWalk(seed: options.seed, symbols: options.symbols, rate: options.rate, start: start)
        return WalkSource(walk: walk, start: start)
    }

    /// Ten in the morning of the last trading day, so that a walk at any hour is one in regular trading hours.
    static func walkStart(before now: Instant) -> Instant {
        let calendar = SessionCalendar()
        var date = NewYork.local(now).date
        while true {
            if let day = calendar.tradingDay(on: date), day.open < now {
                return day.open.advanced(byNanos: 1_800_000_000_000)
            }
            date = date.adding(days: -1)
        }
    }
}
