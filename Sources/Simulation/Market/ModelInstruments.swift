package import MarketData
package import Primitives

/// What the model is made of.
package struct ModelOptions: Sendable {
    package var seed: UInt64
    package var symbols: [String]
    /// Events an average second of regular trading brings, all instruments together.
    package var rate: Double
    package var start: Instant
    /// Whether indices and option chains exist.
    package var hasIndices = true
    package var hasOptions = true
    /// Strikes on either side of the money.
    package var strikesEachSide = 8
    /// Share of prints that are reported late, with conditions that say so.
    package var lateShare = 0.0

    package init(seed: UInt64, symbols: [String], rate: Double, start: Instant) {
        (self.seed, self.symbols, self.rate, self.start) = (seed, symbols, rate, start)
    }
}

/// One instrument of the model.
package struct ModelInstrument: Equatable, Sendable {
    package enum Kind: Equatable, Sendable { case stock, index, option }

    package var kind: Kind
    /// As the vendor writes it: `SPY`, `I:SPX`, `O:SPY251219C00650000`.
    package var ticker: String
    /// The bytes of `ticker`, for the encoders.
    package var bytes: [UInt8]
    /// A contract's or index's stock or index; itself otherwise.
    package var underlying: Int32
    package var strike: Price = .zero
    package var isCall = false
    package var expiry: Int32 = 0
    /// When it ends: 16:00 in New York.
    package var expires: Instant = .distantFuture
    package var openInterest: Int32 = 0

    package init(kind: Kind, ticker: String, underlying: Int32) {
        (self.kind, self.ticker, self.underlying) = (kind, ticker, underlying)
        bytes = Array(ticker.utf8)
    }

    /// An option's symbol without the vendor's prefix.
    package var occ: String { kind == .option ? String(ticker.dropFirst(2)) : ticker }

    /// `2025-12-19`.
    package var expiryText: String { CivilDate(expiry).text }
}

extension CivilDate {
    /// `2025-12-19`.
    package var text: String {
        let (year, month, day) = components
        return "\(year)-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)"
    }

    /// Reads `2025-12-19`; nil for anything else.
    package init?(text: String) {
        let parts = text.split(separator: "-").compactMap { Int32($0) }
        guard parts.count == 3, (1971...2199).contains(parts[0]), (1...12).contains(parts[1]),
            (1...31).contains(parts[2])
        else { return nil }
        self.init(year: parts[0], month: parts[1], day: parts[2])
        guard components == (parts[0], parts[1], parts[2]) else { return nil }
    }
}

/// The instruments of a model: stocks first, then indices, then the chains, each contract by its place.
package struct ModelInstruments: Sendable {
    package private(set) var all: [ModelInstrument] = []
    package private(set) var byTicker: [String: Int32] = [:]
    package private(set) var stockCount = 0
    package private(set) var indices: [Int32] = []
    package private(set) var chains: [Chain] = []

    /// The contracts of one underlying, expiry by expiry, strikes upwards, call before put.
    package struct Chain: Sendable {
        package var underlying: Int32
        package var expiries: [Int32]
        package var strikes: [Price]
        package var first: Int32

        package func contract(expiry: Int, strike: Int, isCall: Bool) -> Int32 {
            first + Int32((expiry * strikes.count + strike) * 2 + (isCall ? 0 : 1))
        }
        package var count: Int { expiries.count * strikes.count * 2 }
    }

    /// Names of funds whose options expire every day, and the index that each follows.
    static let daily: Set<String> = ["SPY", "QQQ", "IWM"]
    static let followed = [("SPY", "SPX", 10.031), ("QQQ", "NDX", 41.27)]

    init(_ options: ModelOptions, prices: [Double], random: inout ModelRandom) {
        for symbol in options.symbols {
            append(ModelInstrument(kind: .stock, ticker: symbol, underlying: Int32(all.count)))
        }
        stockCount = all.count
        var quoted: [(Int32, String, Double, Bool)] = options.symbols.enumerated().map {
            (Int32($0.offset), $0.element, prices[$0.offset], Self.daily.contains($0.element))
        }
        if options.hasIndices {
            for (fund, index, ratio) in Self.followed {
                guard let base = byTicker[fund] else { continue }
                quoted.append((Int32(all.count), index == "SPX" ? "SPXW" : "NDXP", prices[Int(base)] * ratio, true))
                indices.append(Int32(all.count))
                append(ModelInstrument(kind: .index, ticker: "I:" + index, underlying: base))
            }
        }
        guard options.hasOptions else { return }
        // Chains of the first stocks only: a contract costs memory, and far names have no audience.
        for (underlying, root, price, isDaily) in quoted
        where Int(underlying) < min(stockCount, 20) || Int(underlying) >= stockCount {
            addChain(options, underlying, root, price, isDaily, &random)
        }
    }

    private mutating func append(_ instrument: ModelInstrument) {
        byTicker[instrument.ticker] = Int32(all.count)
        all.append(instrument)
    }

    private mutating func addChain(
        _ options: ModelOptions,
        _ underlying: Int32,
        _ root: String,
        _ price: Double,
        _ isDaily: Bool,
        _ random: inout ModelRandom
    ) {
        let step = Self.strikeStep(price, isDaily: isDaily)
        let middle = (price / step).rounded()
        let strikes = (-options.strikesEachSide...options.strikesEachSide).compactMap { offset -> Price? in
            let strike = (middle + Double(offset)) * step
            return strike > 0 ? Price(micros: Int64((strike * 1_000).rounded()) * 1_000) : nil
        }
        let expiries = Self.expiries(after: options.start, isDaily: isDaily)
        chains.append(Chain(underlying: underlying, expiries: expiries, strikes: strikes, first: Int32(all.count)))
        for expiry in expiries {
            for strike in strikes {
                for isCall in [true, false] {
                    var contract = ModelInstrument(
                        kind: .option,
                        ticker: Self.ticker(root, expiry, isCall, strike),
                        underlying: underlying
                    )
                    (contract.strike, contract.isCall, contract.expiry) = (strike, isCall, expiry)
                    contract.expires = NewYork.instant(CivilDate(expiry), hour: 16, minute: 0)
                    contract.openInterest = Int32(random.geometric(mean: 3_000))
                    append(contract)
                }
            }
        }
    }

    static func strikeStep(_ price: Double, isDaily: Bool) -> Double {
        switch price {
        case ..<25: 0.5
        case ..<200: isDaily ? 1 : 2.5
        case ..<1_000: isDaily ? 1 : 5
        case ..<10_000: 5
        default: 25
        }
    }

    /// Today's expiry where there is one, and the Friday that follows (a week later where that is today).
    static func expiries(after start: Instant, isDaily: Bool) -> [Int32] {
        let today = NewYork.local(start).date
        var friday = today.adding(days: (5 - today.weekday + 7) % 7)
        if friday == today, isDaily { friday = today.adding(days: 7) }
        // A Friday without trading moves its expiry to the day before.
        let calendar = SessionCalendar()
        if calendar.tradingDay(on: friday) == nil { friday = friday.adding(days: -1) }
        if friday == today { return [today.yyyymmdd] }
        let second = isDaily ? today.yyyymmdd : friday.adding(days: 7).yyyymmdd
        return [second, friday.yyyymmdd].sorted()
    }

    /// Root, date as yymmdd, right, strike in thousandths with eight digits.
    static func ticker(_ root: String, _ expiry: Int32, _ isCall: Bool, _ strike: Price) -> String {
        let thousandths = String(strike.micros / 1_000)
        return "O:\(root)\(expiry % 1_000_000)\(isCall ? "C" : "P")"
            + String(repeating: "0", count: max(0, 8 - thousandths.count)) + thousandths
    }
}
