internal import Foundation
internal import Journal
internal import Logging
internal import MarketData
internal import Network
internal import Primitives
internal import Simulation

/// What a simulated market plays.
package struct MarketOptions: Sendable {
    /// Recorded tapes; a seeded model where empty.
    package var tapeFiles: [String] = []
    package var seed: UInt64 = 1
    /// How many stocks the model has.
    package var symbolCount = 5
    /// The model's events a market second, on the day's average.
    package var rate = 200.0
    /// Market seconds a second; nil: as fast as the sockets take it.
    package var speed: Double? = 1
    package var host = "127.0.0.1"
    package var port = 8_702
    /// The key that clients must show; any where nil.
    package var key: String?
    /// Names of the providers that speak.
    package var providers = MarketOptions.providerNames
    /// A file of JSON lines that says when which mood holds.
    package var scenarioFile: String?
    /// Moods that hold from the start, `NAME` for every provider that has it or `PROVIDER:NAME`.
    package var moods: [String] = []
    /// New York time at which the model begins, in minutes since midnight.
    package var startMinute = 600
    /// Connections that must have subscribed before the market begins.
    package var startConnections = 1

    package init() {}

    /// What `--providers` takes.
    package static var providerNames: [String] { SimulatedKind.allCases.map(\.rawValue) }

    /// What `--mood` takes.
    package static var moodNames: [String] { Mood.allCases.map(\.rawValue) }

    /// The model's names: those of well-known funds and stocks, then numbered ones.
    package var symbols: [String] {
        let known = ["SPY", "QQQ", "IWM", "AAPL", "NVDA", "TSLA", "AMD", "MSFT", "META", "AMZN"]
        return (0..<symbolCount).map { $0 < known.count ? known[$0] : "SIM\($0)" }
    }
}

/// The simulated market on its own loop (`striketape simulate`).
package final class MarketServer: @unchecked Sendable {
    // Owner of the unchecked state: `loop`, but for `port`, which is set before `start` returns.
    private let options: MarketOptions
    private let loop = EventLoop(name: "market")
    private var market: SimulatedMarket?
    private let ended: @Sendable () -> Void
    package private(set) var port = 0

    /// A closed market; `ended` is called once, when the day or the tape has ended and everything was sent.
    package init(_ options: MarketOptions, ended: @escaping @Sendable () -> Void = {}) {
        self.options = options
        self.ended = ended
    }

    /// Listens.
    ///
    /// - Throws: `SimulationError` where the port is taken, `ScenarioErrors` or `RunError` where options don't fit.
    package func start() throws {
        let simulation = try simulationOptions()
        let moods = try Self.steps(options.moods, providers: simulation.providers)
        loop.start()
        port = try loop.sync { [self] in
            let market = SimulatedMarket(loop: loop, options: simulation, feed: feed)
            market.finished = ended
            for mood in moods { market.begin(mood) }
            let port = try market.listen(host: options.host, port: options.port)
            self.market = market
            return port
        }
    }

    package func stop() {
        loop.execute { [self] in market?.stop() }
        loop.stop()
        loop.join()
    }

    /// What was sent so far.
    package var counters: (frames: Int, bytes: Int, cutClients: Int) {
        let counters = try? loop.sync { [self] in market?.counters }
        return (counters?.frames ?? 0, counters?.bytes ?? 0, counters?.cutClients ?? 0)
    }

    private func simulationOptions() throws -> SimulationOptions {
        var simulation = SimulationOptions(key: options.key, speed: options.speed)
        simulation.providers = try options.providers.map { name in
            guard let kind = SimulatedKind(rawValue: name) else {
                throw RunError(
                    "--providers: expected some of \(MarketOptions.providerNames.joined(separator: ",")), found \(name)"
                )
            }
            return kind
        }
        simulation.startConnections = options.startConnections
        if let file = options.scenarioFile {
            guard let data = FileManager.default.contents(atPath: file) else {
                throw RunError("--scenario: \(file) can't be read")
            }
            simulation.scenario = try Scenario(
                text: String(decoding: data, as: UTF8.self),
                providers: simulation.providers
            )
        }
        return simulation
    }

    /// The moods of `--mood`, as steps that begin at once and don't end.
    static func steps(_ names: [String], providers: [SimulatedKind]) throws -> [ScenarioStep] {
        try names.flatMap { name -> [ScenarioStep] in
            let parts = name.split(separator: ":", maxSplits: 1).map(String.init)
            let kinds = parts.count == 2 ? providers.filter { $0.rawValue == parts[0] } : providers
            guard let mood = parts.last.flatMap(Mood.init(rawValue:)), kinds.contains(where: mood.suits) else {
                throw RunError(
                    "--mood: expected NAME or PROVIDER:NAME, one of \(MarketOptions.moodNames.joined(separator: ", ")); found \(name)"
                )
            }
            return kinds.filter(mood.suits).map { ScenarioStep(at: 0, provider: $0, mood: mood) }
        }
    }

    private var feed: SimulatedFeed {
        if !options.tapeFiles.isEmpty { return .frames(TapeSource(options.tapeFiles)) }
        let start = Self.start(before: SystemClock.wall(), minute: options.startMinute)
        return .model(ModelOptions(seed: options.seed, symbols: options.symbols, rate: options.rate, start: start))
    }

    /// A time of the last trading day that has opened, so that a model at any hour is one in regular trading hours.
    static func start(before now: Instant, minute: Int) -> Instant {
        let calendar = SessionCalendar()
        var date = NewYork.local(now).date
        while true {
            if let day = calendar.tradingDay(on: date), day.open < now {
                return NewYork.instant(date, seconds: Int64(minute) * 60)
            }
            date = date.adding(days: -1)
        }
    }
}
