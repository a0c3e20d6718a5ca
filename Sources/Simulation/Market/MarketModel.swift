internal import Glibc
package import MarketData
package import Primitives

/// A seeded market: stocks, indices that follow funds, option chains priced from them, bars and alerts from its own prints.
///
/// Pure. Same options, same events, however the time is cut into calls of `advance`. Prices follow a common factor with
/// drift regimes and jumps, and each stock's own noise; activity, volatility and spreads follow the shapes of a trading
/// day (`MarketCurves`). It begins at `options.start` and ends with the evening session of that day; what lies before
/// is answered by `ModelHistory`.
package struct MarketModel: Sendable {
    package let instruments: ModelInstruments
    package let history: ModelHistory
    package let day: TradingDay
    package var options: ModelOptions
    /// The time up to which everything is brought forth.
    package private(set) var now: Instant
    package private(set) var hasEnded = false
    package internal(set) var bars: ModelBars
    /// Alerts not yet dropped; `alertsDropped` came before them.
    package internal(set) var alerts: [FlowAlert] = []
    package internal(set) var alertsDropped = 0
    /// Events of each kind so far.
    package internal(set) var quotes = 0
    package internal(set) var trades = 0

    var random: ModelRandom
    var stocks: [StockState]
    var contracts: [ContractState]
    var clock: SessionClock
    var session = SessionKind.rth
    let rules = TradeRules()
    /// Volatility of this part of the day against the mean.
    var volatility = 1.0
    /// The common factor: the sum of its log returns.
    var market = 0.0
    var drift = 0.0
    var driftUntil: Int64 = 0
    var clusters: [Int32: FlowCluster] = [:]
    var burst: (contract: Int32, left: Int, side: Int8)?
    /// Prints that are reported late: release time and print.
    var late: [(release: Int64, trade: ModelTrade)] = []
    var haltRequests: [(symbol: Int32, nanos: Int64)] = []
    var rateFactor = 1.0

    private var grid: Int64
    private var arrival: Int64
    private var gap = 1e9
    /// 4,096 places, each a stock: drawing one costs one look.
    private let lottery: [Int32]
    let chainLottery: [Int32]

    static let gridNanos: Int64 = 100_000_000
    static let alertsMax = 5_000

    /// A model that stands at its start.
    package init(_ options: ModelOptions) {
        self.options = options
        let calendar = SessionCalendar()
        day = calendar.tradingDay(at: options.start)
        clock = SessionClock(calendar)
        now = options.start
        var random = ModelRandom(options.seed, 0x5EED)
        let weights = StockState.weights(options.symbols.count)
        stocks = options.symbols.enumerated().map { index, name in
            StockState(name: name, weight: weights[index], random: &random)
        }
        instruments = ModelInstruments(options, prices: stocks.map(\.mid), random: &random)
        contracts = Array(repeating: ContractState(), count: instruments.all.count)
        bars = ModelBars(instruments: instruments.all.count)
        history = ModelHistory(seed: options.seed, start: options.start)
        lottery = Self.lottery(weights)
        chainLottery =
            instruments.chains.isEmpty
            ? [] : Self.lottery(StockState.weights(instruments.chains.count))
        grid = options.start.nanos / Self.gridNanos * Self.gridNanos
        arrival = grid
        self.random = random
        for index in stocks.indices { seedDay(Int32(index)) }
        for index in instruments.indices { seedDay(index) }
    }

    private static func lottery(_ weights: [Double]) -> [Int32] {
        guard !weights.isEmpty else { return [] }
        var places: [Int32] = []
        for (index, weight) in weights.enumerated() {
            let count = max(1, Int((weight * 4_096).rounded()))
            places += Array(repeating: Int32(index), count: count)
        }
        // Exactly 4,096 places: the first, heaviest, takes what is left or gives what is too much.
        while places.count < 4_096 { places.append(0) }
        return Array(places.suffix(4_096))
    }

    private mutating func seedDay(_ symbol: Int32) {
        guard let subject = subject(symbol) else { return }
        let earlier = history.minutes(of: subject, on: NewYork.local(options.start).date)
        let opening = earlier.first { $0.start >= day.open }?.open ?? .zero
        bars.seed(earlier, of: symbol, open: opening)
    }

    /// What the past of a stock or an index depends on; nil for a contract.
    package func subject(_ symbol: Int32) -> ModelHistory.Subject? {
        let instrument = instruments.all[Int(symbol)]
        switch instrument.kind {
        case .option: return nil
        case .stock, .index:
            let stock = stocks[Int(instrument.underlying)]
            let isStock = instrument.kind == .stock
            return ModelHistory.Subject(
                index: symbol,
                price: stock.initial * (isStock ? 1 : indexRatio(symbol)),
                volatility: stock.yearVolatility,
                dayVolume: isStock
                    ? options.rate * MarketCurves.sessionSeconds * stockShare * 0.2 * stock.weight * 130 : 0
            )
        }
    }

    /// The share of events that stocks have; the rest is the chains'.
    var stockShare: Double { instruments.chains.isEmpty ? 1 : 0.72 }

    /// Draws a stock by weight.
    mutating func drawStock() -> Int { Int(lottery[Int(truncatingIfNeeded: random.next() & 4_095)]) }

    // MARK: Time

    /// Brings forth everything up to `target`, in order of release.
    package mutating func advance(to target: Instant, into out: inout [ModelEvent]) {
        while !hasEnded {
            if arrival < grid {
                guard arrival <= target.nanos else { break }
                now = Instant(nanos: arrival)
                step(&out)
                arrival += max(1, Int64(random.exponential() * gap))
            } else {
                guard grid <= target.nanos else { break }
                now = Instant(nanos: grid)
                turn(&out)
                grid += Self.gridNanos
                arrival = gap.isFinite ? now.nanos + Int64(random.exponential() * gap) : .max
            }
        }
        now = max(now, target)
    }

    private mutating func step(_ out: inout [ModelEvent]) {
        if random.uniform() < stockShare {
            let index = drawStock()
            if random.next() & 15 < 3 { trade(index, &out) } else { quote(index, &out) }
        } else {
            optionEvent(&out)
        }
    }

    /// Ten times a second: the common factor, what belongs to whole seconds, the edges of sessions.
    private mutating func turn(_ out: inout [ModelEvent]) {
        let window = clock.window(at: now)
        if now >= day.postClose {
            hasEnded = true
            return
        }
        if window.kind != session || grid == options.start.nanos { enter(window.kind, &out) }
        let position = Double(now.nanos(since: day.open)) / Double(day.close.nanos(since: day.open))
        let isRegular = session == .rth
        let activity = isRegular ? MarketCurves.activity(position) : session == .closed ? 0 : 0.04
        volatility = isRegular ? MarketCurves.volatility(position) : 0.35
        let rate = options.rate * activity * rateFactor
        gap = rate > 0 ? 1e9 / rate : .infinity
        moveMarket()
        if grid % 1_000_000_000 == 0 { second(isRegular, &out) }
    }

    private mutating func moveMarket() {
        if now.nanos >= driftUntil {
            driftUntil = now.nanos + Int64(random.exponential() * 90e9)
            drift = random.gaussian() * 0.9 * Self.perSecond(0.13) / sqrt(60)
        }
        market += (random.gaussian() * Self.perSecond(0.13) * sqrt(0.1) + drift * 0.1) * volatility
        // About four jumps a day.
        guard random.chance(4 / (MarketCurves.sessionSeconds * 10)) else { return }
        market += (random.gaussian() > 0 ? 1 : -1) * Self.perSecond(0.13) * (8 + 12 * random.uniform())
        for index in stocks.indices { stocks[index].heat += 2 }
    }

    /// A year's volatility as that of a second of trading.
    static func perSecond(_ year: Double) -> Double { year / sqrt(MarketCurves.yearSeconds) }

    private mutating func second(_ isRegular: Bool, _ out: inout [ModelEvent]) {
        for index in stocks.indices { stocks[index].heat *= 0.98 }
        releaseLate(&out)
        indexValues(isRegular, &out)
        for bar in bars.due(60, at: now, delaySeconds: 0) { out.append(.bar(bar)) }
        for bar in bars.due(1, at: now, delaySeconds: 1) { out.append(.bar(bar)) }
        serveHalts(&out)
        if isRegular, grid % 30_000_000_000 == 0 { for index in stocks.indices { band(index, &out) } }
        if grid % 10_000_000_000 == 0 { dropOldClusters() }
    }

    private mutating func enter(_ kind: SessionKind, _ out: inout [ModelEvent]) {
        let previous = session
        session = kind
        guard now > options.start else { return }
        for index in stocks.indices {
            if previous == .pre, kind == .rth { auction(index, isOpening: true, &out) }
            if previous == .rth, kind == .post { auction(index, isOpening: false, &out) }
        }
    }

    // MARK: Reading

    /// The value of a stock or an index now, in dollars.
    package func spot(_ symbol: Int32) -> Double {
        let instrument = instruments.all[Int(symbol)]
        let mid = stocks[Int(instrument.underlying)].mid
        return instrument.kind == .index ? mid * indexRatio(symbol) : mid
    }

    func indexRatio(_ symbol: Int32) -> Double {
        let ticker = instruments.all[Int(symbol)].ticker.dropFirst(2)
        return ModelInstruments.followed.first { $0.1 == ticker }?.2 ?? 1
    }

    /// The last NBBO of a stock or a contract; nil before the first.
    package func quote(of symbol: Int32) -> ModelQuote? {
        let quote: ModelQuote? =
            switch instruments.all[Int(symbol)].kind {
            case .stock: stocks[Int(symbol)].quote
            case .option: contracts[Int(symbol)].quote
            case .index: nil
            }
        return quote
    }

    /// The last print of a stock or a contract; nil before the first.
    package func lastTrade(of symbol: Int32) -> ModelTrade? {
        switch instruments.all[Int(symbol)].kind {
        case .stock: stocks[Int(symbol)].lastTrade
        case .option: contracts[Int(symbol)].lastTrade
        case .index: nil
        }
    }

    /// Asks for a halt of a stock, that begins within a second.
    package mutating func requestHalt(_ symbol: Int32, nanos: Int64) {
        guard Int(symbol) < instruments.stockCount else { return }
        haltRequests.append((symbol, nanos))
    }

    /// Multiplies the rate from the next tenth of a second on.
    package mutating func setRateFactor(_ factor: Double) { rateFactor = factor }
}
