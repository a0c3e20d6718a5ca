internal import MarketData
internal import Primitives

/// What the model knows of one stock.
struct StockState: Sendable {
    /// The efficient price in dollars, and the one at the start.
    var mid: Double
    let initial: Double
    let yearVolatility: Double
    let weight: Double
    let beta: Double
    /// Own noise of a square-root second.
    let noise: Double
    /// The spread of quiet hours, in ticks.
    let baseSpread: Double
    var spread: Int64 = 1
    var lastNanos: Int64 = 0
    var marketSeen = 0.0
    /// Excess of volatility after jumps; fades.
    var heat = 0.0
    var sign: Int8 = 1
    var quote: ModelQuote?
    var lastTrade: ModelTrade?
    var quoteSequence: Int64 = 0
    var tradeSequence: Int64 = 0
    var tradeID: Int64 = 50_000_000
    /// Halted until then; 0 not halted.
    var haltedUntil: Int64 = 0

    static let tickMicros: Int64 = 10_000
    /// Prices and yearly volatilities of the names that people know.
    static let known: [String: (price: Double, volatility: Double)] = [
        "SPY": (672, 0.15), "QQQ": (605, 0.2), "IWM": (240, 0.23), "AAPL": (271, 0.28), "NVDA": (182, 0.45),
        "TSLA": (402, 0.6), "AMD": (215, 0.55), "MSFT": (478, 0.25), "META": (594, 0.35), "AMZN": (221, 0.33),
    ]

    init(name: String, weight: Double, random: inout ModelRandom) {
        let drawn = (20 + 380 * random.uniform() * random.uniform(), 0.25 + 0.45 * random.uniform())
        let (price, volatility) = Self.known[name] ?? drawn
        mid = price * (0.98 + 0.04 * random.uniform())
        initial = mid
        yearVolatility = volatility
        self.weight = weight
        beta = volatility / 0.13 * 0.7
        noise = MarketModel.perSecond(volatility) * 0.7
        baseSpread = max(1, price * volatility / 90 * (ModelInstruments.daily.contains(name) ? 0.7 : 1.6))
    }

    /// Shares of activity, falling with rank, sum 1.
    static func weights(_ count: Int) -> [Double] {
        let raw = (0..<count).map { 1 / (Double($0) + 1.5) }
        let sum = raw.reduce(0, +)
        return raw.map { $0 / sum }
    }

    /// Shares of a round lot (in force since November 2025).
    var lot: Int64 { mid <= 250 ? 100 : mid <= 1_000 ? 40 : 10 }
}

/// What the model knows of one option contract.
struct ContractState: Sendable {
    var quote: ModelQuote?
    var lastTrade: ModelTrade?
    var quoteSequence: Int64 = 0
    var tradeSequence: Int64 = 0
    /// Contracts traded today: all, at the ask, at the bid, between, as part of a spread.
    var volume: Int64 = 0
    var askVolume: Int64 = 0
    var bidVolume: Int64 = 0
    var midVolume: Int64 = 0
    var multiVolume: Int64 = 0
}
