package import Primitives

/// A seeded random walk of a few stocks, as the provider would send it: quotes, trades and minute bars.
///
/// Pure. /// Same seed and start, same frames. Time is an input: `frame(at:)` gives what happened since the call before.
package struct MarketWalk: Sendable {
    private struct Stock: Sendable {
        var name: String
        /// Cents.
        var mid: Int64
        var spread: Int64
        var sequence: Int64 = 0
        var bar = Minute()
        var dayVolume: Int64 = 0
    }

    private struct Minute: Sendable {
        var open: Int64 = 0
        var high: Int64 = 0
        var low: Int64 = 0
        var close: Int64 = 0
        var volume: Int64 = 0

        mutating func add(_ price: Int64, _ shares: Int64) {
            volume += shares
            // Odd lots count for volume only.
            guard shares >= 100 else { return }
            if high == 0 { (open, high, low) = (price, price, price) }
            high = max(high, price)
            low = min(low, price)
            close = price
        }
    }

    private var random: SeededGenerator
    private var stocks: [Stock]
    private var minute: Int64
    private var millis: Int64
    /// Events an average second brings, all stocks together.
    private let rate: Double
    private var owed = 0.0

    /// - Parameters:
    ///   - seed: same seed, same frames.
    ///   - symbols: the stocks' names.
    ///   - rate: events a second.
    ///   - start: when the walk begins.
    package init(seed: UInt64, symbols: [String], rate: Double, start: Instant) {
        random = SeededGenerator(seed: seed)
        self.rate = rate
        millis = start.nanos / 1_000_000
        minute = millis / 60_000
        var generator = random
        stocks = symbols.map { name in
            Stock(
                name: name,
                mid: Int64.random(in: 4_000...60_000, using: &generator),
                spread: Int64.random(in: 1...4, using: &generator)
            )
        }
        random = generator
    }

    /// The price at which a stock stands, for plans around it; nil for a name the walk doesn't have.
    package func price(of symbol: String) -> Price? {
        stocks.first { $0.name == symbol }.map { Price(micros: $0.mid * 10_000) }
    }

    /// The frame of everything since the last call; nil where nothing happened.
    package mutating func frame(at instant: Instant) -> String? {
        let now = instant.nanos / 1_000_000
        guard now > millis, !stocks.isEmpty else { return nil }
        owed += Double(now - millis) / 1_000 * rate
        millis = now
        var objects: [String] = []
        if now / 60_000 != minute { objects += closeMinute(now / 60_000) }
        while owed >= 1 {
            owed -= 1
            let index = Int.random(in: 0..<stocks.count, using: &random)
            objects.append(Int.random(in: 0..<5, using: &random) == 0 ? trade(index) : quote(index))
        }
        return objects.isEmpty ? nil : "[" + objects.joined(separator: ",") + "]"
    }

    private mutating func quote(_ index: Int) -> String {
        // A step of at most two cents with a faint pull upwards or down by turns: long enough swings to hit plans.
        let drift = (millis / 90_000) % 2 == 0 ? 1 : -1
        let step = Int64.random(in: -20...20, using: &random) + Int64(drift)
        if abs(step) > 14 { stocks[index].mid = max(100, stocks[index].mid + (step > 0 ? 1 : -1)) }
        stocks[index].sequence += 1
        let stock = stocks[index]
        let bid = stock.mid - stock.spread / 2
        let sizes = (Int64.random(in: 1...40, using: &random) * 100, Int64.random(in: 1...40, using: &random) * 100)
        return
            #"{"ev":"Q","sym":"\#(stock.name)","bx":11,"bp":\#(dollars(bid)),"bs":\#(sizes.0),"ax":12,"ap":\#(dollars(bid + stock.spread)),"as":\#(sizes.1),"c":0,"t":\#(millis),"q":\#(stock.sequence),"z":2}"#
    }

    private mutating func trade(_ index: Int) -> String {
        stocks[index].sequence += 1
        let stock = stocks[index]
        let bid = stock.mid - stock.spread / 2
        let price = Bool.random(using: &random) ? bid : bid + stock.spread
        let shares = Int64.random(in: 1...9, using: &random) * 50
        stocks[index].dayVolume += shares
        stocks[index].bar.add(price, shares)
        let odd = shares < 100 ? ",\"c\":[37]" : ""
        return
            #"{"ev":"T","sym":"\#(stock.name)","x":4,"i":"\#(stock.sequence)","z":2,"p":\#(dollars(price)),"s":\#(shares)\#(odd),"t":\#(millis),"q":\#(stock.sequence)}"#
    }

    private mutating func closeMinute(_ next: Int64) -> [String] {
        let start = minute * 60_000
        minute = next
        var bars: [String] = []
        for index in stocks.indices where stocks[index].bar.high > 0 {
            let bar = stocks[index].bar
            bars.append(
                #"{"ev":"AM","sym":"\#(stocks[index].name)","v":\#(bar.volume),"av":\#(stocks[index].dayVolume),"o":\#(dollars(bar.open)),"c":\#(dollars(bar.close)),"h":\#(dollars(bar.high)),"l":\#(dollars(bar.low)),"s":\#(start),"e":\#(start + 60_000)}"#
            )
            stocks[index].bar = Minute()
        }
        return bars
    }

    private func dollars(_ cents: Int64) -> String {
        let rest = cents % 100
        return "\(cents / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}
