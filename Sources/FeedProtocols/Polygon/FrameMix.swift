internal import Primitives

/// Frames made up from a seed in the documented form: what `bench` decodes when it is given no file.
///
/// 80 % Q, 15 % T, 5 % AM over some hundred symbols, 1 to 64 events a frame, prices with 2 to 4 decimals, 0 to 3
/// conditions, `ds` on half of the trades. Same seed, same bytes.
package struct FrameMix: Sendable {
    private struct Stock: Sendable {
        var name: [UInt8]
        /// Ten-thousandths of a dollar.
        var price: Int64
        var tradeCount: Int64
        var quoteCount: Int64
        var volume: Int64
    }

    private var random: SeededGenerator
    private var stocks: [Stock] = []
    /// Milliseconds; starts at 14:30 UTC of 24 November 2025.
    private var millis: Int64 = 1_763_994_600_000

    private static let conditions: [Int64] = [14, 41, 37, 12, 2, 10]

    /// Most events of a frame.
    package static let frameEventsMax: UInt64 = 64

    package init(seed: UInt64 = 1, symbols: Int = 500) {
        random = SeededGenerator(seed: seed)
        for index in 0..<max(1, symbols) {
            stocks.append(
                Stock(
                    name: Self.name(index),
                    price: 50_000 + Int64(random.next() % 9_000_000),
                    tradeCount: Int64(random.next() % 4_000_000),
                    quoteCount: Int64(random.next() % 60_000_000),
                    volume: Int64(random.next() % 9_000_000)
                )
            )
        }
    }

    /// A ticker of one to four letters; each index has its own.
    private static func name(_ index: Int) -> [UInt8] {
        var rest = index
        var name: [UInt8] = []
        repeat {
            name.append(UInt8(ascii: "A") + UInt8(rest % 26))
            rest = rest / 26 - 1
        } while rest >= 0
        return name
    }

    /// Appends one frame to `out` and says how many events it has.
    package mutating func appendFrame(to out: inout [UInt8]) -> Int {
        let count = 1 + Int(random.next() % Self.frameEventsMax)
        millis += Int64(random.next() % 4)
        out.append(UInt8(ascii: "["))
        for index in 0..<count {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            let stock = Int(random.next() % UInt64(stocks.count))
            stocks[stock].price = max(10_000, stocks[stock].price + Int64(random.next() % 201) - 100)
            switch random.next() % 100 {
            case 0..<80: appendQuote(stock, to: &out)
            case 80..<95: appendTrade(stock, to: &out)
            default: appendBar(stock, to: &out)
            }
        }
        out.append(UInt8(ascii: "]"))
        return count
    }

    private mutating func appendQuote(_ index: Int, to out: inout [UInt8]) {
        let stock = stocks[index]
        stocks[index].quoteCount += 1 + Int64(random.next() % 3)
        out.append(contentsOf: #"{"ev":"Q","sym":""#.utf8)
        out.append(contentsOf: stock.name)
        out.append(contentsOf: #"","bx":"#.utf8)
        DecimalText.append(below(21) + 1, to: &out)
        out.append(contentsOf: #","bp":"#.utf8)
        appendPrice(stock.price, to: &out)
        out.append(contentsOf: #","bs":"#.utf8)
        DecimalText.append(100 * (below(30) + 1), to: &out)
        out.append(contentsOf: #","ax":"#.utf8)
        DecimalText.append(below(21) + 1, to: &out)
        out.append(contentsOf: #","ap":"#.utf8)
        appendPrice(stock.price + 100, to: &out)
        out.append(contentsOf: #","as":"#.utf8)
        DecimalText.append(100 * (below(30) + 1), to: &out)
        out.append(contentsOf: below(8) == 0 ? #","c":1,"i":[604],"t":"#.utf8 : #","c":0,"t":"#.utf8)
        appendTail(sequence: stocks[index].quoteCount, to: &out)
        out.append(contentsOf: #","z":"#.utf8)
        DecimalText.append(below(3) + 1, to: &out)
        out.append(UInt8(ascii: "}"))
    }

    private mutating func appendTrade(_ index: Int, to out: inout [UInt8]) {
        let stock = stocks[index]
        stocks[index].tradeCount += 1 + Int64(random.next() % 3)
        let size = below(10) == 0 ? below(5_000) + 1 : below(300) + 1
        stocks[index].volume += size
        out.append(contentsOf: #"{"ev":"T","sym":""#.utf8)
        out.append(contentsOf: stock.name)
        out.append(contentsOf: #"","x":"#.utf8)
        DecimalText.append(below(21) + 1, to: &out)
        out.append(contentsOf: #","i":""#.utf8)
        DecimalText.append(stocks[index].tradeCount, to: &out)
        out.append(contentsOf: #"","z":"#.utf8)
        DecimalText.append(below(3) + 1, to: &out)
        out.append(contentsOf: #","p":"#.utf8)
        appendPrice(stock.price, to: &out)
        out.append(contentsOf: #","s":"#.utf8)
        DecimalText.append(size, to: &out)
        if below(2) == 0 {
            out.append(contentsOf: #","ds":""#.utf8)
            DecimalText.append(size, to: &out)
            out.append(contentsOf: below(4) == 0 ? #".375""#.utf8 : #".0""#.utf8)
        }
        appendConditions(to: &out)
        out.append(contentsOf: #","t":"#.utf8)
        appendTail(sequence: stocks[index].tradeCount, to: &out)
        out.append(UInt8(ascii: "}"))
    }

    private mutating func appendBar(_ index: Int, to out: inout [UInt8]) {
        let stock = stocks[index]
        let start = millis - millis % 60_000
        out.append(contentsOf: #"{"ev":"AM","sym":""#.utf8)
        out.append(contentsOf: stock.name)
        out.append(contentsOf: #"","v":"#.utf8)
        DecimalText.append(below(90_000) + 1, to: &out)
        out.append(contentsOf: #","av":"#.utf8)
        DecimalText.append(stock.volume, to: &out)
        let prices: [(String, Int64)] = [
            (#","op":"#, stock.price - 500), (#","vw":"#, stock.price + 3), (#","o":"#, stock.price),
            (#","c":"#, stock.price + 50), (#","h":"#, stock.price + 200), (#","l":"#, stock.price - 100),
            (#","a":"#, stock.price - 7),
        ]
        for (key, price) in prices {
            out.append(contentsOf: key.utf8)
            appendPrice(max(100, price), to: &out)
        }
        out.append(contentsOf: #","z":"#.utf8)
        DecimalText.append(below(400) + 1, to: &out)
        out.append(contentsOf: #","s":"#.utf8)
        DecimalText.append(start, to: &out)
        out.append(contentsOf: #","e":"#.utf8)
        DecimalText.append(start + 60_000, to: &out)
        out.append(UInt8(ascii: "}"))
    }

    private mutating func appendConditions(to out: inout [UInt8]) {
        let count = below(4)
        guard count > 0 else { return }
        out.append(contentsOf: #","c":["#.utf8)
        for index in 0..<count {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            DecimalText.append(Self.conditions[Int(below(6))], to: &out)
        }
        out.append(UInt8(ascii: "]"))
    }

    private func appendTail(sequence: Int64, to out: inout [UInt8]) {
        DecimalText.append(millis, to: &out)
        out.append(contentsOf: #","q":"#.utf8)
        DecimalText.append(sequence, to: &out)
    }

    /// Writes ten-thousandths of a dollar with two, three or four decimals, as often each.
    private mutating func appendPrice(_ price: Int64, to out: inout [UInt8]) {
        let decimals = 2 + below(3)
        let step: Int64 = decimals == 2 ? 100 : decimals == 3 ? 10 : 1
        DecimalText.append(price / 10_000, to: &out)
        out.append(UInt8(ascii: "."))
        var fraction = price % 10_000 / step
        var unit = 1_000 / step
        while unit > 0 {
            out.append(UInt8(ascii: "0") + UInt8(fraction / unit))
            fraction %= unit
            unit /= 10
        }
    }

    private mutating func below(_ bound: Int64) -> Int64 { Int64(random.next() % UInt64(bound)) }
}
