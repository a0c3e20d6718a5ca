public import MarketData
public import Primitives

/// One minute: high and low of eligible trades, open and close of *last* trades, volume of counted ones.
@frozen
public struct MinuteBar: Hashable, Sendable, BitwiseCopyable {
    /// Zero where no trade of that class came; so for all prices.
    public var open = Price.zero
    /// Highest eligible trade.
    public var high = Price.zero
    /// Lowest eligible trade.
    public var low = Price.zero
    /// Last *last* trade.
    public var close = Price.zero
    /// Sum of counted sizes.
    public var volume = Size.zero
    /// What our own trades sum to, doubled; plus 1 where the provider's bar stands.
    @usableFromInline var packedOwnVolume: Int64 = 0

    /// Nothing came.
    public init() {}

    /// Whether the provider's bar replaced ours.
    @inlinable
    public var isProviders: Bool { packedOwnVolume & 1 != 0 }

    /// Nothing that counts came.
    @inlinable
    public var isEmpty: Bool { high == .zero && close == .zero && volume == .zero && packedOwnVolume == 0 }

    /// Has what a true range or a return needs.
    @inlinable
    public var isWhole: Bool { high != .zero && low != .zero && close != .zero }

    /// Adds a trade.
    ///
    /// A trade that comes after the provider's bar for its minute widens high and low, which does nothing where that bar
    /// included it; it changes close and volume only once our own trades sum to more than that bar's volume, because then
    /// the bar can't have included it. So nothing is counted twice.
    @inlinable
    mutating func traded(_ price: Price, _ size: Size, as tradeClass: TradeClass) {
        var mayReplace = !isProviders
        if tradeClass.contains(.counted) {
            packedOwnVolume &+= size.micros &<< 1
            let own = Size(micros: packedOwnVolume >> 1)
            if own > volume { mayReplace = true }
            if mayReplace { volume = own }
        }
        if tradeClass.contains(.eligible) {
            if price > high { high = price }
            if price < low || low == .zero { low = price }
        }
        if tradeClass.contains(.last) {
            if open == .zero { open = price }
            if mayReplace { close = price }
        }
    }

    /// Takes an index level: sets all prices, has no volume.
    @inlinable
    mutating func valued(_ price: Price) {
        if price > high { high = price }
        if price < low || low == .zero { low = price }
        if open == .zero { open = price }
        close = price
    }

    /// Puts the provider's bar in place of what is there.
    ///
    /// - Returns: whether prices or whole shares of volume differ from what stood.
    mutating func replace(with bar: Bar) -> Bool {
        let volumeGap = (bar.volume.micros &- volume.micros).magnitude
        let differs =
            open != bar.open || high != bar.high || low != bar.low || close != bar.close || volumeGap >= 1_000_000
        (open, high, low, close, volume) = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        packedOwnVolume |= 1
        return differs
    }

    /// Adds the next minute to a longer bar.
    mutating func append(_ later: MinuteBar) {
        if later.high != .zero {
            if later.high > high { high = later.high }
            if later.low < low || low == .zero { low = later.low }
        }
        if open == .zero { open = later.open }
        if later.close != .zero { close = later.close }
        volume = volume + later.volume
    }
}

/// What one boundary completed.
@frozen
public struct CompletedBars: Hashable, Sendable {
    /// When it was due.
    public var boundary: Instant
    /// Index of the minute bar that became complete, nil if none.
    public var minute: Int?
    /// Index of the five-minute RTH bar that became complete, nil if none.
    public var five: Int?

    /// States what a boundary completed.
    public init(boundary: Instant, minute: Int? = nil, five: Int? = nil) {
        self.boundary = boundary
        self.minute = minute
        self.five = five
    }
}

/// A day's minute bars from 04:00 on, its five-minute RTH bars, and their ATR.
///
/// Exchange time places an event in its bar; a bar is complete once the clock (receive time) has reached its end. An
/// event for a complete bar changes it, and what was computed from it. 48 bytes a minute, at most 960. One thread.
public struct MinuteBars: Sendable {
    /// Minutes from 04:00 to 20:00.
    @inlinable
    public static var limit: Int { 960 }
    @inlinable static var minuteNanos: Int64 { 60_000_000_000 }
    /// Minutes in a bar of the ATR.
    public static let fiveMinutes = 5

    /// By minute since 04:00, up to the last that has anything.
    public var bars: [MinuteBar] = []
    @usableFromInline var head = Head()

    /// What isn't the bars themselves: saved whole.
    @usableFromInline
    struct Head: Sendable, BitwiseCopyable {
        @usableFromInline var day = TradingDay.none
        /// Up to where time has come.
        @usableFromInline var clock = Instant.distantPast
        @usableFromInline var nextBoundary = Instant.distantFuture
        @usableFromInline var atr = WilderATR()
        /// Five-minute windows since the open that the ATR has seen.
        @usableFromInline var fivesSeen: Int32 = 0
        /// Earliest incomplete minute with anything, −1 for none.
        @usableFromInline var pendingMinute: Int32 = -1
        /// Earliest five-minute window with anything that the ATR hasn't seen, −1 for none.
        @usableFromInline var pendingFive: Int32 = -1
        @usableFromInline var counts = Counts()

        @usableFromInline init() {}
    }

    /// What didn't go the plain way.
    @frozen
    public struct Counts: Hashable, Sendable, BitwiseCopyable {
        /// Trades for a bar that was complete already.
        public var lateTrades: UInt32 = 0
        /// The provider's bars that differed from ours.
        public var differingBars: UInt32 = 0
        /// The provider's bars that replaced one of the provider's.
        public var resentBars: UInt32 = 0
        /// Events outside the day's 04:00 to 20:00 (17:00), or outside the day.
        public var unplaced: UInt32 = 0

        /// All plain.
        @inlinable
        public init() {}
    }

    /// Before any day.
    public init() {}

    /// What didn't go the plain way, since the start.
    public var counts: Counts { head.counts }
    /// ATR(14) of the complete five-minute RTH bars.
    @inlinable
    public var atr: WilderATR { head.atr }
    /// When the next bar becomes complete; `distantFuture` while none is forming.
    @inlinable
    public var nextBoundary: Instant { head.nextBoundary }

    /// Starts a day with no bars; keeps the memory.
    public mutating func start(_ day: TradingDay) {
        bars.removeAll(keepingCapacity: true)
        let counts = head.counts
        head = Head()
        head.day = day
        head.counts = counts
    }

    /// The minute of `time` since 04:00, nil outside the day.
    @inlinable
    public func index(of time: Instant) -> Int? {
        guard time >= head.day.preOpen, time < head.day.postClose else { return nil }
        let index = Int((time.nanos &- head.day.preOpen.nanos) / Self.minuteNanos)
        return index < Self.limit ? index : nil
    }

    /// Start of a minute.
    @inlinable
    public func start(of minute: Int) -> Instant {
        head.day.preOpen.advanced(byNanos: Int64(minute) &* Self.minuteNanos)
    }

    /// Close of the latest minute that has one; nil before the day's first.
    ///
    /// - Complexity: O(minutes without one at the end).
    public var lastClose: Price? { bars.last { $0.close != .zero }?.close }

    /// The bar of a minute, nil where nothing came.
    public func bar(_ minute: Int) -> MinuteBar? {
        minute >= 0 && minute < bars.count && !bars[minute].isEmpty ? bars[minute] : nil
    }

    /// The minute indices of regular trading hours.
    public var regularMinutes: Range<Int> {
        guard head.day.date != 0 else { return 0..<0 }
        let open = Int((head.day.open.nanos &- head.day.preOpen.nanos) / Self.minuteNanos)
        return open..<(open + Int((head.day.close.nanos &- head.day.open.nanos) / Self.minuteNanos))
    }

    /// The five-minute bar `window` since the open, as far as it has come; nil where nothing came.
    public func fiveMinuteBar(_ window: Int) -> MinuteBar? {
        let regular = regularMinutes
        guard window >= 0, window < (regular.count + Self.fiveMinutes - 1) / Self.fiveMinutes else { return nil }
        let first = regular.lowerBound + window * Self.fiveMinutes
        var whole = MinuteBar()
        for minute in first..<min(first + Self.fiveMinutes, regular.upperBound, max(first, bars.count)) {
            whole.append(bars[minute])
        }
        return whole.isEmpty ? nil : whole
    }

    /// Adds a trade, whatever its class.
    ///
    /// - Returns: the minute if it was complete already, so that its bar has to be said again; else nil.
    @inlinable
    public mutating func traded(
        _ price: Price,
        _ size: Size,
        as tradeClass: TradeClass,
        at time: Instant
    ) -> Int? {
        guard let minute = index(of: time) else {
            head.counts.unplaced &+= 1
            return nil
        }
        if minute == head.pendingMinute {
            bars[minute].traded(price, size, as: tradeClass)
            return nil
        }
        reach(minute)
        let before = bars[minute]
        bars[minute].traded(price, size, as: tradeClass)
        return changed(minute, from: before, isTrade: true)
    }

    /// Adds an index level; returns as `traded` does.
    @inlinable
    public mutating func valued(_ price: Price, at time: Instant) -> Int? {
        guard let minute = index(of: time) else {
            head.counts.unplaced &+= 1
            return nil
        }
        if minute == head.pendingMinute {
            bars[minute].valued(price)
            return nil
        }
        reach(minute)
        let before = bars[minute]
        bars[minute].valued(price)
        return changed(minute, from: before, isTrade: true)
    }

    /// Puts the provider's minute bar in place; returns as `traded` does.
    public mutating func replace(with bar: Bar) -> Int? {
        guard let minute = index(of: bar.start) else {
            head.counts.unplaced &+= 1
            return nil
        }
        reach(minute)
        let before = bars[minute]
        let differs = bars[minute].replace(with: bar)
        if before.isProviders {
            head.counts.resentBars &+= 1
        } else if differs, !before.isEmpty {
            head.counts.differingBars &+= 1
        }
        return changed(minute, from: before, isTrade: false)
    }

    @usableFromInline
    mutating func reach(_ minute: Int) {
        if bars.capacity == 0 { bars.reserveCapacity(Self.limit) }
        while bars.count <= minute { bars.append(MinuteBar()) }
    }

    /// Settles what follows from a changed bar.
    @usableFromInline
    mutating func changed(_ minute: Int, from before: MinuteBar, isTrade: Bool) -> Int? {
        var after = bars[minute]
        after.packedOwnVolume = before.packedOwnVolume
        let isChanged = after != before
        let isComplete = start(of: minute + 1) <= head.clock
        if isComplete {
            if isTrade { head.counts.lateTrades &+= 1 }
        } else if head.pendingMinute < 0 || minute < head.pendingMinute, !bars[minute].isEmpty {
            head.pendingMinute = Int32(minute)
        }
        settleFive(minute, isChanged: isChanged)
        schedule()
        return isComplete && isChanged ? minute : nil
    }
}
