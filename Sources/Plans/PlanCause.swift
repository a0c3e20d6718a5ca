package import MarketData
package import Primitives

/// A bar that a gap is repaired from: prices of class *last* between two instants (analytics.md 5, rule 8).
@frozen
package struct RepairBar: Hashable, Sendable, BitwiseCopyable {
    /// Start of the window, its end excluded.
    package var start: Instant
    package var seconds: Int32
    /// The session that `start` lies in.
    package var session: SessionKind
    package var open: Price
    package var high: Price
    package var low: Price
    package var close: Price
    /// 0.1·ATR as it stood then (`TriggerRules.retestBand`).
    package var band: Price

    @inlinable
    package init(
        start: Instant,
        seconds: Int32,
        session: SessionKind,
        open: Price,
        high: Price,
        low: Price,
        close: Price,
        band: Price = .zero
    ) {
        self.start = start
        self.seconds = seconds
        self.session = session
        self.open = open
        self.high = high
        self.low = low
        self.close = close
        self.band = band
    }

    /// The first instant behind it.
    package var end: Instant { start.advanced(byNanos: Int64(seconds) * 1_000_000_000) }

    /// Prices that can be, in an order that can be.
    var isFit: Bool {
        seconds > 0 && low.micros > 0 && high.micros <= TriggerRules.priceLimit.micros && low <= open && low <= close
            && open <= high && close <= high
    }
}

/// An event that was kept while its instrument had a gap to be repaired, with what it will be stepped with.
@frozen
package struct HeldEvent: Hashable, Sendable, BitwiseCopyable {
    package var event: MarketEvent
    /// The last usable quote of the instrument when it came: for a hit's *why*.
    package var nbbo: Quote?
    package var session: TradingSession
    package var received: Instant
    package var band: Price

    @inlinable
    package init(event: MarketEvent, nbbo: Quote?, session: TradingSession, received: Instant, band: Price) {
        self.event = event
        self.nbbo = nbbo
        self.session = session
        self.received = received
        self.band = band
    }
}

/// What caused the outcomes that follow it in a list, where that isn't the input at hand.
@frozen
package enum PlanCause: Hashable, Sendable {
    /// The input at hand again.
    case input
    /// An event of before, kept through a gap.
    case held(HeldEvent)
    /// A timer of before, kept through a gap: the receive time at which it was due.
    case timer(Instant)
    /// A bar that a gap was repaired from.
    case bar(RepairBar)
}

/// Why an instrument isn't seen.
@frozen
package enum BlindReason: String, CaseIterable, Sendable {
    case sourceDown = "source_down"
    case silence
    case lag
    /// Its events couldn't be taken in fast enough.
    case overload

    var status: StatusReason {
        switch self {
        case .sourceDown: .sourceDown
        case .silence: .silence
        case .lag: .lag
        case .overload: .overload
        }
    }
}

/// Whether a plan's prices are seen.
@frozen
package enum PlanBlindness: Hashable, Sendable {
    case sees
    case blind
    /// It sees, but nobody will tell what happened in this interval (the last one, where there were several).
    case gap(from: Instant, to: Instant)
}

/// A trade that its venue took back.
@frozen
package struct TradeBust: Hashable, Sendable {
    package var symbol: SymbolID
    package var exchange: UInt16
    /// 0 where the bust names none, as `idHash`.
    package var sequence: Int64
    package var idHash: UInt64
    package var price: Price
    package var size: Size
    /// Exchange time of the trade; `distantPast` where the bust doesn't say.
    package var time: Instant
    /// Receive time of the bust.
    package var received: Instant

    @inlinable
    package init(
        symbol: SymbolID,
        exchange: UInt16 = 0,
        sequence: Int64 = 0,
        idHash: UInt64 = 0,
        price: Price,
        size: Size,
        time: Instant,
        received: Instant
    ) {
        self.symbol = symbol
        self.exchange = exchange
        self.sequence = sequence
        self.idHash = idHash
        self.price = price
        self.size = size
        self.time = time
        self.received = received
    }

    /// Whether the trade is the one: by its id, else by its sequence, else by price, size and time.
    func names(_ trade: Trade) -> Bool {
        guard trade.symbol == symbol else { return false }
        if idHash != 0, trade.idHash != 0 { return trade.idHash == idHash && trade.exchange == exchange }
        if sequence != 0, trade.sequence != 0 { return trade.sequence == sequence }
        return trade.price == price && trade.size == size && (time == .distantPast || trade.time == time)
    }
}

/// A hit whose trade was busted; the plan's state is not rolled back.
@frozen
package struct PlanVoid: Hashable, Sendable {
    /// The hit as it was said, but `isVoided`.
    package var hit: PlanHit
    package var bust: TradeBust

    package init(hit: PlanHit, bust: TradeBust) {
        self.hit = hit
        self.bust = bust
    }
}

/// What a price is multiplied with by a split or a dividend: 1/2 where one share becomes two.
@frozen
package struct PriceRatio: Hashable, Sendable {
    package let numerator: Int64
    package let denominator: Int64

    /// Nil where one of the two isn't above 0.
    package init?(_ numerator: Int64, over denominator: Int64) {
        guard numerator > 0, denominator > 0 else { return nil }
        self.numerator = numerator
        self.denominator = denominator
    }

    /// The value times the ratio, exact and then rounded half up (its magnitude); nil where that doesn't fit.
    func scale(_ micros: Int64) -> Int64? {
        let product = micros.magnitude.multipliedFullWidth(by: numerator.magnitude)
        guard product.high < denominator.magnitude else { return nil }
        let (quotient, remainder) = denominator.magnitude.dividingFullWidth(product)
        let rounded = quotient + (remainder >= denominator.magnitude - remainder ? 1 : 0)
        guard rounded <= UInt64(TriggerRules.priceLimit.micros) else { return nil }
        return micros < 0 ? -Int64(rounded) : Int64(rounded)
    }
}
