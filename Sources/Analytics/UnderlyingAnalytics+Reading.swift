public import MarketData
public import Primitives

/// What one timer of an underlying did.
@frozen
public struct FiredTimer: Hashable, Sendable {
    /// When it was due: what it is stamped with.
    public var boundary: Instant
    /// Start of the minute bar that became complete.
    public var minuteStart: Instant?
    /// Number since the open of the five-minute bar that became complete; the ATR may have changed.
    public var five: Int?
    /// A halt is suspected from now on.
    public var isHaltSuspected = false
}

// Timers, reads and checkpoints.
extension UnderlyingAnalytics {
    /// The earliest timer; `distantFuture` while nothing is due.
    @inlinable
    public var nextBoundary: Instant { min(bars.nextBoundary, state.halt.boundary) }

    /// Fires the earliest timer.
    ///
    /// - Precondition: one is set.
    public mutating func fireNextBoundary() -> FiredTimer {
        let boundary = nextBoundary
        precondition(boundary != .distantFuture, "no timer is set")
        var fired = FiredTimer(boundary: boundary)
        if bars.nextBoundary == boundary {
            let completed = bars.fireNextBoundary()
            fired.minuteStart = completed.minute.map { bars.start(of: $0) }
            fired.five = completed.five
        }
        fired.isHaltSuspected = state.halt.advance(to: boundary)
        return fired
    }

    /// Fires everything due up to and including `instant`, and samples up to it.
    public mutating func advance(to instant: Instant) {
        while nextBoundary <= instant, nextBoundary != .distantFuture { _ = fireNextBoundary() }
        bars.advance(to: instant)
        sampleSpread(to: instant)
    }

    /// Adds the spread samples due up to and including `received`, before a read of `sampler` or `longWindow`.
    public mutating func sampleSpread(to received: Instant) {
        let (value, count) = state.sampler.advance(to: received, of: state.day, settings.sampling)
        if count > 0, settings.keepsLongWindow { longWindow.add(value, count: count) }
    }

    /// The trading day at hand; `.none` before the first event.
    public var day: TradingDay { state.day }
    /// Regular trading hours, trades and what bars say of the time before them.
    public var session: SessionStats { state.barPart.stats.followed(by: state.session) }
    /// Session VWAP with its deviation.
    public var vwap: SessionVWAP { state.barPart.vwap.merged(with: state.vwap) }

    /// What VWAP and session statistics were made of.
    public var vwapSource: VWAPSource {
        if state.barPart.vwap.weight > 0 { return .bars }
        return state.vwap.weight > 0 ? .trades : .none
    }

    /// 0.1·ATR(14) in micros rounded half up, once a bar; 0 while unknown (rule `retest`).
    @inlinable
    public var tenthATRMicros: Int64 { bars.atr.tenthMicros }

    /// Last trade of class *last*, in any session.
    @inlinable
    public var lastTrade: Trade? { state.lastTrade }
    /// Last quote of any quality, for display.
    @inlinable
    public var quote: Quote? { state.quote }
    /// Last index level.
    @inlinable
    public var value: PublishedValue? { state.value }

    /// Spread samples of the last 10 s, as of the last `advance` or quote.
    public var sampler: NBBOSampler { state.sampler }
    /// The time-weighted spread up to `instant`.
    public func spread(at instant: Instant) -> TimeWeightedSpread {
        var spread = state.spread
        spread.advance(to: instant, of: state.day)
        return spread
    }

    /// Pinned at a limit band with a one-sided quote.
    @inlinable
    public var isHaltSuspected: Bool { state.halt.isSuspected }
    /// Events of an earlier day, or of closed time.
    public var strayEvents: UInt64 { state.strayEvents }
    /// Trades at a price of zero or less: counted in volume only.
    public var unpricedTrades: UInt64 { state.unpricedTrades }

    /// The state as it stands at `instant`, all timers up to and including it fired; leaves this value as it is.
    public func checkpoint(at instant: Instant) -> SymbolCheckpoint {
        var copy = self
        copy.advance(to: instant)
        let spread = copy.spread(at: instant)
        let session = copy.session
        let vwap = copy.vwap
        return SymbolCheckpoint(
            date: copy.state.day.date,
            instant: instant,
            cumVolume: session.volume,
            vwap: vwap.value,
            sigma: vwap.sigma,
            source: copy.vwapSource,
            atr14: copy.bars.atr.value,
            open: session.open,
            high: session.high,
            low: session.low,
            last: session.last,
            trades: session.trades,
            quotes: session.quotes,
            twas: spread.mean,
            lockedShare: spread.lockedShare,
            crossedShare: spread.crossedShare,
            rvol: nil,
            rvolMinute: nil,
            rvSession: copy.bars.realisedVolatility(),
            rv30: copy.bars.realisedVolatility(last: 30)
        )
    }
}

extension UnderlyingAnalytics: Checkpointable {
    /// Appends the whole state.
    public func save(to writer: inout StateWriter) {
        writer.write(kind.rawValue)
        writer.write(settings)
        writer.write(state)
        bars.save(to: &writer)
        longWindow.save(to: &writer)
    }

    /// Takes up a saved state.
    public init(restoring reader: inout StateReader) throws(StateError) {
        guard let kind = InstrumentKind(rawValue: try reader.read()) else {
            throw StateError(offset: 0, expected: "an instrument kind")
        }
        self.kind = kind
        settings = try reader.read()
        state = try reader.read()
        bars = try MinuteBars(restoring: &reader)
        longWindow = try SpreadRing(restoring: &reader)
    }
}
