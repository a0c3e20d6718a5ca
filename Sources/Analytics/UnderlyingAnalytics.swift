public import MarketData
public import Primitives

/// How an underlying is analysed.
@frozen
public struct AnalyticsSettings: Hashable, Sendable, BitwiseCopyable {
    /// Grid and staleness of spread samples.
    public var sampling: NBBOSampling
    /// Keep the 5-minute window of spread samples as well.
    public var keepsLongWindow: Bool

    /// States both.
    @inlinable
    public init(sampling: NBBOSampling = .equity, keepsLongWindow: Bool = true) {
        self.sampling = sampling
        self.keepsLongWindow = keepsLongWindow
    }
}

/// Everything that is computed for one equity or index underlying but flow and plans.
///
/// Events come in arrival order with the session window of their exchange time; before each, the owner fires the timers
/// due (`nextBoundary`, `fireNextBoundary`), so that receive time never runs past a bar that is still open. A new
/// trading day begins with its first event. A value: a read at another instant is done on a copy. One thread.
public struct UnderlyingAnalytics: Sendable {
    /// How it is analysed, for its life.
    public let settings: AnalyticsSettings
    /// Equity or index.
    public let kind: InstrumentKind
    /// The day's bars and their ATR.
    public var bars = MinuteBars()
    /// Spread samples of the last 5 minutes.
    public var longWindow = SpreadRing()
    @usableFromInline var state = State()

    /// The part of fixed size: saved whole.
    @usableFromInline
    struct State: Sendable, BitwiseCopyable {
        @usableFromInline var day = TradingDay.none
        @usableFromInline var session = SessionStats()
        @usableFromInline var vwap = SessionVWAP()
        @usableFromInline var sampler = NBBOSampler()
        @usableFromInline var spread = TimeWeightedSpread()
        @usableFromInline var halt = HaltDetector()
        @usableFromInline var barPart = BarPart()
        /// Minute of the earliest RTH trade: from there on bars aren't needed for VWAP and session statistics.
        @usableFromInline var firstTradeMinute = Int.max
        @usableFromInline var lastTrade: Trade?
        @usableFromInline var quote: Quote?
        @usableFromInline var value: PublishedValue?
        @usableFromInline var strayEvents: UInt64 = 0
        @usableFromInline var unpricedTrades: UInt64 = 0

        @usableFromInline init() {}
    }

    /// What the provider's bars say of the stretch before the first trade of ours.
    @usableFromInline
    struct BarPart: Sendable, BitwiseCopyable {
        @usableFromInline var stats = SessionStats()
        @usableFromInline var vwap = SessionVWAP()
        /// Last minute taken, −1 for none.
        @usableFromInline var lastMinute = -1

        @usableFromInline init() {}

        mutating func add(_ bar: MinuteBar, minute: Int) {
            stats.add(bar)
            let typical = Double(bar.high.micros &+ bar.low.micros &+ bar.close.micros) / 3e6
            vwap.add(price: typical, size: bar.volume.shares)
            lastMinute = minute
        }
    }

    /// Before the first event.
    public init(kind: InstrumentKind, settings: AnalyticsSettings = AnalyticsSettings()) {
        self.kind = kind
        self.settings = settings
    }

    /// Starts a trading day: what belongs to a session begins anew, the last trade and quote stay for display.
    public mutating func sessionStarted(_ day: TradingDay) {
        bars.start(day)
        longWindow.removeAll()
        let old = state
        state = State()
        state.day = day
        (state.lastTrade, state.quote, state.value) = (old.lastTrade, old.quote, old.value)
        (state.strayEvents, state.unpricedTrades) = (old.strayEvents, old.unpricedTrades)
    }

    /// Takes a trade, cancels excepted.
    ///
    /// - Returns: the start of a minute bar that was complete and changed, to be said again.
    @inlinable
    @discardableResult
    public mutating func traded(
        _ trade: Trade,
        as tradeClass: TradeClass,
        in window: SessionWindow,
        received: Instant
    ) -> Instant? {
        guard enter(window, received) else {
            if window.kind == .closed, tradeClass.contains(.last) { state.lastTrade = trade }
            return nil
        }
        var tradeClass = tradeClass
        if trade.price.micros <= 0 {
            state.unpricedTrades &+= 1
            tradeClass.formIntersection(.counted)
        }
        if tradeClass.contains(.last) {
            state.lastTrade = trade
            if state.halt.hasBands { state.halt.traded(trade.price, received: received) }
        }
        if window.kind == .rth {
            state.session.traded(trade.price, trade.size, as: tradeClass)
            if tradeClass.contains(.eligible) {
                state.vwap.add(price: trade.price.dollars, size: trade.size.shares)
            }
            noteFirst(trade.time)
        }
        guard let minute = bars.traded(trade.price, trade.size, as: tradeClass, at: trade.time) else { return nil }
        return bars.start(of: minute)
    }

    /// Takes a quote of any quality.
    ///
    /// Inlined by force: a quote handed over through memory is read before its parts have been stored (16 ns).
    @inlinable
    @inline(__always)
    public mutating func quoted(_ quote: Quote, in window: SessionWindow, received: Instant) {
        guard enter(window, received) else {
            if window.kind == .closed { state.quote = quote }
            return
        }
        if window.kind == .rth { state.session.quotes &+= 1 }
        let (value, count) = state.sampler.quoted(
            quote,
            in: window.kind,
            of: state.day,
            received: received,
            settings.sampling
        )
        if count > 0, settings.keepsLongWindow { longWindow.add(value, count: count) }
        state.spread.quoted(quote, of: state.day)
        state.quote = quote
        if state.halt.hasBands { state.halt.quoted(quote, received: received) }
    }

    /// Takes an index level.
    ///
    /// - Returns: as `traded`.
    @inlinable
    @discardableResult
    public mutating func valued(
        _ value: PublishedValue,
        in window: SessionWindow,
        received: Instant
    ) -> Instant? {
        guard value.value.micros > 0, enter(window, received) else { return nil }
        state.value = value
        if window.kind == .rth {
            state.session.extend(high: value.value, low: value.value)
            if state.session.openPrice == .zero { state.session.openPrice = value.value }
            state.session.lastPrice = value.value
            noteFirst(value.time)
        }
        guard let minute = bars.valued(value.value, at: value.time) else { return nil }
        return bars.start(of: minute)
    }

    /// Takes limit-up/limit-down bands.
    public mutating func banded(_ bands: PriceBands, in window: SessionWindow, received: Instant) {
        guard enter(window, received) else { return }
        state.halt.banded(bands, received: received)
    }

    /// Takes a provider's minute bar, in the window of its start; bars of another length do nothing.
    ///
    /// - Returns: as `traded`.
    @discardableResult
    public mutating func barred(_ bar: Bar, in window: SessionWindow, received: Instant) -> Instant? {
        guard bar.seconds == 60, enter(window, received) else { return nil }
        let changed = bars.replace(with: bar)
        if window.kind == .rth, let minute = bars.index(of: bar.start), minute < state.firstTradeMinute {
            if minute > state.barPart.lastMinute {
                state.barPart.add(bars.bars[minute], minute: minute)
            } else {
                rebuildBarPart()
            }
        }
        guard let changed else { return nil }
        return bars.start(of: changed)
    }

    /// Whether an event of this window counts for the day at hand; starts the day if it is a new one.
    @inlinable
    mutating func enter(_ window: SessionWindow, _ received: Instant) -> Bool {
        bars.reached(received)
        if window.day.date == state.day.date { return true }
        return enterOther(window, received)
    }

    @usableFromInline
    mutating func enterOther(_ window: SessionWindow, _ received: Instant) -> Bool {
        // Closed time already counts for the next day, but doesn't end the one before.
        guard window.day.date > state.day.date, window.kind != .closed else {
            state.strayEvents &+= 1
            return false
        }
        sessionStarted(window.day)
        bars.reached(received)
        return true
    }

    @inlinable
    mutating func noteFirst(_ time: Instant) {
        if state.firstTradeMinute != .max, time >= bars.start(of: state.firstTradeMinute) { return }
        noteFirstSlowly(time)
    }

    @usableFromInline
    mutating func noteFirstSlowly(_ time: Instant) {
        guard let minute = bars.index(of: time) else { return }
        state.firstTradeMinute = minute
        if state.barPart.lastMinute >= minute { rebuildBarPart() }
    }

    private mutating func rebuildBarPart() {
        state.barPart = BarPart()
        let regular = bars.regularMinutes
        let end = min(regular.upperBound, state.firstTradeMinute, bars.bars.count)
        for minute in regular.lowerBound..<max(regular.lowerBound, end) where bars.bars[minute].isProviders {
            state.barPart.add(bars.bars[minute], minute: minute)
        }
    }
}
