package import MarketData
package import Primitives

/// What one object of a documented channel says; most of it becomes no market event.
package enum UnusualWhalesRecord: Hashable, Sendable {
    case optionTrade(UWOptionTrade)
    case flowAlert(UWFlowAlert)
    case price(UWPrice)
    case news(UWNews)
    case exposure(UWExposure)
    case strikeExposure(UWStrikeExposure)
    case equityPrint(UWPrint)
    case halt(UWHalt)
}

/// One print of an option contract, `option_trades`.
package struct UWOptionTrade: Hashable, Sendable {
    /// The trade's uuid: the duplicate key.
    package var id: String?
    package var underlying: String?
    /// Without `O:`.
    package var contract: String
    package var executedAt: Instant
    /// When the provider processed it, some tens of milliseconds later.
    package var createdAt: Instant?
    package var price: Price
    /// Contracts.
    package var size: Size
    /// Price × size × 100.
    package var premium: ExactDecimal?
    package var bid: ExactDecimal?
    package var ask: ExactDecimal?
    package var smoothedBid: ExactDecimal?
    package var smoothedAsk: ExactDecimal?
    package var underlyingPrice: ExactDecimal?
    package var strike: ExactDecimal?
    package var theoretical: ExactDecimal?
    package var expiry: CivilDate?
    package var isCall: Bool?
    /// A fraction: 0.59 is 59 %.
    package var impliedVolatility: ExactDecimal?
    package var delta: ExactDecimal?
    package var gamma: ExactDecimal?
    package var theta: ExactDecimal?
    package var vega: ExactDecimal?
    package var rho: ExactDecimal?
    package var openInterest: Int64?
    package var totals: UWVolumes
    /// The provider's opinions on the side; not to be scored without an own NBBO (feeds.md 3.3, trap 12).
    package var tags: [String]
    package var reportFlags: [String]
    /// OPRA's code in small letters.
    package var tradeCode: String?
    package var exchange: String?
}

/// A contract's running totals of the day, in contracts.
package struct UWVolumes: Hashable, Sendable {
    package var all: Int64?
    package var ask: Int64?
    package var bid: Int64?
    package var mid: Int64?
    package var noSide: Int64?
    package var multiLeg: Int64?
    package var stockTied: Int64?
}

/// Several prints that the provider saw as one intention, `flow-alerts`.
package struct UWFlowAlert: Hashable, Sendable {
    package var id: String?
    package var rule: String?
    package var ticker: String?
    /// Without `O:`.
    package var contract: String
    package var executedAt: Instant
    package var startedAt: Instant?
    package var endedAt: Instant?
    package var price: Price
    package var bid: Price?
    package var ask: Price?
    package var underlyingPrice: Price?
    package var size: Int64
    package var totalPremium: Price
    package var askPremium: Price
    package var bidPremium: Price
    package var openInterest: Int64?
    /// 0 in all samples: not to be trusted.
    package var volumeToInterest: ExactDecimal?
    package var tradeCount: Int64?
    package var flags: FlowAlert.Flags
    package var totals: UWVolumes
    package var tradeCodes: [String]
    package var exchanges: [String]
}

/// The last price of a ticker, `price:T`.
package struct UWPrice: Hashable, Sendable {
    package var ticker: String?
    package var close: Price
    package var time: Instant
    /// Probably the day's volume so far.
    package var volume: Int64?
}

/// A headline, `news`.
package struct UWNews: Hashable, Sendable {
    package var headline: String
    package var time: Instant
    package var source: String?
    package var tickers: [String]
    package var isTrumpPost: Bool
}

/// Dealers' exposures of a ticker, `gex:T`, each per one percent of move; nil where the provider left it empty.
package struct UWExposure: Hashable, Sendable {
    /// One measure of the four greeks.
    package struct Greeks: Hashable, Sendable {
        package var gamma: ExactDecimal?
        package var delta: ExactDecimal?
        package var charm: ExactDecimal?
        package var vanna: ExactDecimal?
    }

    package var ticker: String
    package var time: Instant
    package var price: ExactDecimal?
    /// By open interest.
    package var interest: Greeks
    /// By volume.
    package var volume: Greeks
    /// By volume with its direction; without delta.
    package var directed: Greeks
}

/// The same of one strike, `gex_strike:T`, or of one strike and expiry, `gex_strike_expiry:T`.
package struct UWStrikeExposure: Hashable, Sendable {
    /// One measure of one right.
    package struct Greeks: Hashable, Sendable {
        package var gamma: ExactDecimal?
        package var charm: ExactDecimal?
        package var vanna: ExactDecimal?
    }

    /// Calls or puts.
    package struct Side: Hashable, Sendable {
        package var interest: Greeks
        package var volume: Greeks
        package var askVolume: Greeks
        package var bidVolume: Greeks
    }

    package var ticker: String
    package var time: Instant
    package var price: ExactDecimal?
    package var strike: ExactDecimal
    package var expiry: CivilDate?
    package var calls: Side
    package var puts: Side
}

/// An equity print, `lit_trades` and `off_lit_trades`; it has no id.
package struct UWPrint: Hashable, Sendable {
    package var symbol: String
    package var isOffExchange: Bool
    package var executedAt: Instant
    package var price: Price
    package var size: Size
    /// The day's volume so far.
    package var volume: Int64?
    package var bid: Price?
    package var ask: Price?
    package var bidSize: Int64?
    package var askSize: Int64?
    package var settlement: String?
    package var tradeCode: String?
    package var extendedHoursCode: String?
    package var saleConditions: String?

    /// Neither an extended-hours nor a contingent print: the others say nothing about the price (feeds.md 3.1).
    package var isRegular: Bool {
        if extendedHoursCode == "extended_hours_trade" { return false }
        return saleConditions?.firstRange(of: "contingent_trade") == nil
    }
}

/// A halt or its end, `trading_halts`; the channel isn't documented.
package struct UWHalt: Hashable, Sendable {
    package var symbol: String
    package var state: String
    package var isHalted: Bool
    package var reason: String?
    /// nil where the frame gives none.
    package var time: Instant?
}
