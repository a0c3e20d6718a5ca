internal import MarketData
package import Primitives

/// Second and minute bars of every instrument, built from the model's own prints: what the socket tells and REST answers.
package struct ModelBars: Sendable {
    /// What one instrument has of the day.
    package struct Day: Sendable {
        package var volume: Size = .zero
        package var turnover = 0.0
        package var priced = 0.0
        package var open: Price = .zero
        package var high: Price = .zero
        package var low: Price = .zero
        package var close: Price = .zero
        package var trades = 0
        package var vwap: Double { priced > 0 ? turnover / priced : close.dollars }

        /// Adds what a print may change.
        mutating func add(_ price: Price, _ size: Size, _ allowed: TradeClass) {
            if allowed.contains(.counted) {
                volume = volume + size
                trades += 1
            }
            guard allowed.contains(.eligible) else { return }
            turnover += price.dollars * size.shares
            priced += size.shares
            if high.micros == 0 { (high, low, close) = (price, price, price) }
            high = max(high, price)
            low = min(low, price)
            if allowed.contains(.last) { close = price }
        }
    }

    /// Second bars kept for one instrument; older ones are dropped, as only short gaps are repaired from them.
    static let secondsMax = 7_200

    private var seconds: [[ModelBar]]
    private var minutes: [[ModelBar]]
    package private(set) var days: [Day]
    /// Bars that changed since they were last told, by length of the bar: start and instruments.
    private var open: [Int32: [Int64: Set<Int32>]] = [1: [:], 60: [:]]
    /// Told again because a late print changed them.
    package private(set) var revisions = 0

    /// A store for so many instruments, the day's earlier part given as minute bars.
    init(instruments: Int) {
        seconds = Array(repeating: [], count: instruments)
        minutes = Array(repeating: [], count: instruments)
        days = Array(repeating: Day(), count: instruments)
    }

    /// The day's minutes before the model began; they are never told, only answered.
    mutating func seed(_ bars: [ModelBar], of symbol: Int32, open: Price) {
        minutes[Int(symbol)] = bars
        var day = Day()
        for bar in bars where bar.hasPrice {
            day.volume = day.volume + bar.volume
            day.turnover += bar.turnover
            day.priced += bar.priced
            day.trades += Int(bar.trades)
            day.high = day.high.micros == 0 ? bar.high : max(day.high, bar.high)
            day.low = day.low.micros == 0 ? bar.low : min(day.low, bar.low)
            day.close = bar.close
        }
        day.open = open
        days[Int(symbol)] = day
    }

    /// Takes a print into its second, its minute and its day.
    mutating func add(_ trade: ModelTrade, _ allowed: TradeClass, isRegular: Bool) {
        let index = Int(trade.symbol)
        days[index].add(trade.price, trade.size, allowed)
        if isRegular, days[index].open.micros == 0, allowed.contains(.last) { days[index].open = trade.price }
        add(trade.symbol, trade.price, trade.size, trade.time, allowed)
    }

    /// Takes an index's value, which has no volume.
    mutating func add(_ value: ModelIndexValue, isRegular: Bool) {
        let index = Int(value.symbol)
        days[index].add(value.value, .zero, .all)
        if isRegular, days[index].open.micros == 0 { days[index].open = value.value }
        add(value.symbol, value.value, .zero, value.time, .all)
    }

    private mutating func add(_ symbol: Int32, _ price: Price, _ size: Size, _ time: Instant, _ allowed: TradeClass) {
        let index = Int(symbol)
        let second = time.nanos / 1_000_000_000 * 1_000_000_000
        let minute = time.nanos / 60_000_000_000 * 60_000_000_000
        if Self.add(symbol, 1, second, price, size, allowed, &seconds[index]) {
            open[1]?[second, default: []].insert(symbol)
        }
        if seconds[index].count > 2 * Self.secondsMax { seconds[index].removeFirst(Self.secondsMax) }
        if Self.add(symbol, 60, minute, price, size, allowed, &minutes[index]) {
            open[60]?[minute, default: []].insert(symbol)
        }
    }

    /// Adds to the bar that begins at `start`.
    ///
    /// - Returns: whether it is new or was complete: it must be told.
    private static func add(
        _ symbol: Int32,
        _ length: Int32,
        _ start: Int64,
        _ price: Price,
        _ size: Size,
        _ allowed: TradeClass,
        _ bars: inout [ModelBar]
    ) -> Bool {
        if let last = bars.last, last.start.nanos == start {
            bars[bars.count - 1].add(price, size, allowed)
            return false
        }
        var bar = ModelBar(symbol: symbol, seconds: length, start: Instant(nanos: start))
        guard let last = bars.last, last.start.nanos > start else {
            bar.add(price, size, allowed)
            bars.append(bar)
            return true
        }
        let place = position(of: start, in: bars)
        if place < bars.count, bars[place].start.nanos == start {
            bars[place].add(price, size, allowed)
        } else {
            bar.add(price, size, allowed)
            bars.insert(bar, at: place)
        }
        return true
    }

    /// The first bar that begins at `start` or later.
    private static func position(of start: Int64, in bars: [ModelBar]) -> Int {
        var (low, high) = (0, bars.count)
        while low < high {
            let middle = (low + high) / 2
            if bars[middle].start.nanos < start { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The bars of one length that are to be told now: those that ended `delaySeconds` ago or earlier.
    mutating func due(_ length: Int32, at now: Instant, delaySeconds: Int64) -> [ModelBar] {
        let latest = now.nanos - (Int64(length) + delaySeconds) * 1_000_000_000
        guard let waiting = open[length] else { return [] }
        var out: [ModelBar] = []
        for start in waiting.keys.sorted() where start <= latest {
            for symbol in (waiting[start] ?? []).sorted() {
                let bars = length == 1 ? seconds[Int(symbol)] : minutes[Int(symbol)]
                let place = Self.position(of: start, in: bars)
                guard place < bars.count, bars[place].start.nanos == start, bars[place].hasPrice else { continue }
                var bar = bars[place]
                let day = days[Int(symbol)]
                (bar.dayVolume, bar.dayVWAP, bar.dayOpen) = (day.volume, day.vwap, day.open)
                if start + 2 * (Int64(length) + delaySeconds) * 1_000_000_000 < now.nanos { revisions += 1 }
                out.append(bar)
            }
            open[length]?[start] = nil
        }
        return out
    }

    /// The bars of one length that begin in `from..<to`, a minute only where it has ended at `now`.
    package func bars(of symbol: Int32, seconds length: Int32, from: Instant, to: Instant, now: Instant) -> [ModelBar] {
        let bars = length == 1 ? seconds[Int(symbol)] : minutes[Int(symbol)]
        var found: [ModelBar] = []
        var place = Self.position(of: from.nanos, in: bars)
        while place < bars.count, bars[place].start < to {
            if bars[place].hasPrice, bars[place].end <= now { found.append(bars[place]) }
            place += 1
        }
        return found
    }
}
