internal import MarketData
internal import Primitives

/// A key of at most four letters, packed, the first in the lowest byte.
enum FastKey {
    @inline(__always)
    static func one(_ a: Unicode.Scalar) -> UInt32 { UInt32(UInt8(ascii: a)) }

    @inline(__always)
    static func two(_ a: Unicode.Scalar, _ b: Unicode.Scalar) -> UInt32 { one(a) | one(b) << 8 }

    @inline(__always)
    static func three(_ a: Unicode.Scalar, _ b: Unicode.Scalar, _ c: Unicode.Scalar) -> UInt32 {
        two(a, b) | one(c) << 16
    }

    @inline(__always)
    static func four(_ a: Unicode.Scalar, _ b: Unicode.Scalar, _ c: Unicode.Scalar, _ d: Unicode.Scalar) -> UInt32 {
        three(a, b, c) | one(d) << 24
    }

    static var ev: UInt32 { @inline(__always) get { two("e", "v") } }
    static var sym: UInt32 { @inline(__always) get { three("s", "y", "m") } }
}

/// The fields of one kind of event while an object is read.
protocol FastFields {
    /// Reads the value of `key`; false sends the event to the general path.
    mutating func take(_ key: UInt32, _ place: inout Place) -> Bool

    /// Tries the documented keys in the documented order; what doesn't stand there is left for the loop.
    mutating func takeDocumented(_ place: inout Place) -> Bool
}

extension FastFields {
    /// Reads the object's fields, whatever their order.
    ///
    /// `place` is behind the `ev`'s letters before, and behind the closing brace after.
    @inline(__always)
    mutating func takeAll(_ place: inout Place) -> Bool {
        guard FastScan.byte(place) == UInt8(ascii: "\"") else { return false }
        place += 1
        // ,"sym":
        if FastScan.load(place) & 0xFF_FFFF_FFFF_FFFF == 0x3A_226D_7973_222C {
            place += 7
            guard take(FastKey.sym, &place) else { return false }
        }
        guard takeDocumented(&place) else { return false }
        while true {
            let word = FastScan.load(place)
            guard word & 0xFFFF == 0x222C else {
                guard word & 0xFF == UInt64(UInt8(ascii: "}")) else { return false }
                place += 1
                return true
            }
            let key: UInt32
            if (word >> 24) & 0xFFFF == 0x3A22 {
                key = UInt32(truncatingIfNeeded: (word >> 16) & 0xFF)
                place += 5
            } else if (word >> 32) & 0xFFFF == 0x3A22 {
                key = UInt32(truncatingIfNeeded: (word >> 16) & 0xFFFF)
                place += 6
            } else if (word >> 40) & 0xFFFF == 0x3A22 {
                key = UInt32(truncatingIfNeeded: (word >> 16) & 0xFF_FFFF)
                place += 7
            } else if word >> 48 == 0x3A22 {
                key = UInt32(truncatingIfNeeded: word >> 16)
                place += 8
            } else {
                return false
            }
            guard take(key, &place) else { return false }
        }
    }

    /// Passes a key of no use; a second `ev` is for the general path.
    @inline(never)
    func pass(_ key: UInt32, _ place: inout Place) -> Bool {
        // A key with a quote, an escape or a byte beyond ASCII in it was cut wrong or needs decoding.
        FastScan.textStops(UInt64(key) | 0x6161_6161_0000_0000 | Self.filler(key)) == 0 && key != FastKey.ev
            && FastScan.skip(&place)
    }

    /// Letters where the key has no byte, so that the missing ones don't count as controls.
    @inline(__always)
    private static func filler(_ key: UInt32) -> UInt64 {
        if key < 0x100 { return 0x6161_6100 }
        if key < 0x1_0000 { return 0x6161_0000 }
        return key < 0x100_0000 ? 0x6100_0000 : 0
    }
}

/// The fields of a quote.
struct FastQuote: FastFields {
    var symbol = SymbolText(0, count: 0)
    var bidExchange: Int64 = 0
    var askExchange: Int64 = 0
    var bid: Int64 = 0
    var ask: Int64 = 0
    var bidSize: Int64 = 0
    var askSize: Int64 = 0
    var condition: Int64 = 0
    var tape: Int64 = 0
    var nanos: Int64 = 0
    var sequence: Int64 = 0

    @inline(__always)
    mutating func take(_ key: UInt32, _ place: inout Place) -> Bool {
        switch key {
        case FastKey.two("b", "x"): FastScan.small(&place, &bidExchange)
        case FastKey.two("b", "p"): FastScan.micros(&place, &bid)
        case FastKey.two("b", "s"): FastScan.micros(&place, &bidSize)
        case FastKey.two("a", "x"): FastScan.small(&place, &askExchange)
        case FastKey.two("a", "p"): FastScan.micros(&place, &ask)
        case FastKey.two("a", "s"): FastScan.micros(&place, &askSize)
        case FastKey.one("c"): FastScan.small(&place, &condition)
        case FastKey.one("t"): FastScan.time(&place, &nanos)
        case FastKey.one("q"): FastScan.integer(&place, &sequence)
        case FastKey.one("z"): FastScan.small(&place, &tape)
        case FastKey.sym: FastScan.quotedSymbol(&place, &symbol)
        default: pass(key, &place)
        }
    }

    @inline(__always)
    mutating func takeDocumented(_ place: inout Place) -> Bool {
        if FastScan.pass("b", "x", &place), !FastScan.small(&place, &bidExchange) { return false }
        if FastScan.pass("b", "p", &place), !FastScan.micros(&place, &bid) { return false }
        if FastScan.pass("b", "s", &place), !FastScan.micros(&place, &bidSize) { return false }
        if FastScan.pass("a", "x", &place), !FastScan.small(&place, &askExchange) { return false }
        if FastScan.pass("a", "p", &place), !FastScan.micros(&place, &ask) { return false }
        if FastScan.pass("a", "s", &place), !FastScan.micros(&place, &askSize) { return false }
        if FastScan.pass("c", &place), !FastScan.small(&place, &condition) { return false }
        if FastScan.pass("i", &place), !FastScan.skip(&place) { return false }
        if FastScan.pass("t", &place), !FastScan.time(&place, &nanos) { return false }
        if FastScan.pass("q", &place), !FastScan.integer(&place, &sequence) { return false }
        if FastScan.pass("z", &place), !FastScan.small(&place, &tape) { return false }
        return true
    }

    @inline(never)
    mutating func read(_ place: inout Place) -> Bool { takeAll(&place) }

    /// Appends the event; false where the general path has to say why not.
    @inline(never)
    func append(_ symbols: borrowing SymbolTable, _ batch: inout DecodedBatch) -> Bool {
        guard let symbol = symbols.find(symbol) else { return false }
        guard nanos > 0, (bidExchange | askExchange | condition) <= 0xFFFF, tape <= 0xFF else { return false }
        batch.append(
            .quote(
                Quote(
                    symbol: symbol,
                    bidExchange: UInt16(truncatingIfNeeded: bidExchange),
                    askExchange: UInt16(truncatingIfNeeded: askExchange),
                    time: Instant(nanos: nanos),
                    sequence: sequence,
                    bid: Price(micros: bid),
                    ask: Price(micros: ask),
                    bidSize: Size(micros: bid == 0 ? 0 : bidSize),
                    askSize: Size(micros: ask == 0 ? 0 : askSize),
                    condition: UInt16(truncatingIfNeeded: condition),
                    tape: UInt8(truncatingIfNeeded: tape)
                )
            )
        )
        return true
    }
}

/// The fields of a trade.
struct FastTrade: FastFields {
    var symbol = SymbolText(0, count: 0)
    var exchange: Int64 = 0
    var tape: Int64 = 0
    var facility: Int64 = 0
    var price: Int64 = 0
    /// Negative while absent.
    var size: Int64 = -1
    /// Negative while absent; wins over `size`.
    var exactSize: Int64 = -1
    var conditions = Conditions()
    var idHash: UInt64 = 0
    var nanos: Int64 = 0
    var sequence: Int64 = 0

    @inline(__always)
    mutating func take(_ key: UInt32, _ place: inout Place) -> Bool {
        switch key {
        case FastKey.one("x"): FastScan.small(&place, &exchange)
        case FastKey.one("i"): FastScan.quotedHash(&place, &idHash)
        case FastKey.one("z"): FastScan.small(&place, &tape)
        case FastKey.one("p"): FastScan.micros(&place, &price)
        case FastKey.one("s"): FastScan.micros(&place, &size)
        case FastKey.two("d", "s"): FastScan.quotedMicros(&place, &exactSize)
        case FastKey.one("c"): FastScan.conditions(&place, &conditions)
        case FastKey.one("t"): FastScan.time(&place, &nanos)
        case FastKey.one("q"): FastScan.integer(&place, &sequence)
        case FastKey.four("t", "r", "f", "i"): FastScan.small(&place, &facility)
        case FastKey.sym: FastScan.quotedSymbol(&place, &symbol)
        default: pass(key, &place)
        }
    }

    @inline(__always)
    mutating func takeDocumented(_ place: inout Place) -> Bool {
        if FastScan.pass("x", &place), !FastScan.small(&place, &exchange) { return false }
        if FastScan.pass("i", &place), !FastScan.quotedHash(&place, &idHash) { return false }
        if FastScan.pass("z", &place), !FastScan.small(&place, &tape) { return false }
        if FastScan.pass("p", &place), !FastScan.micros(&place, &price) { return false }
        if FastScan.pass("s", &place), !FastScan.micros(&place, &size) { return false }
        if FastScan.pass("d", "s", &place), !FastScan.quotedMicros(&place, &exactSize) { return false }
        if FastScan.pass("c", &place), !FastScan.conditions(&place, &conditions) { return false }
        if FastScan.pass("t", &place), !FastScan.time(&place, &nanos) { return false }
        if FastScan.pass("q", &place), !FastScan.integer(&place, &sequence) { return false }
        return true
    }

    @inline(never)
    mutating func read(_ place: inout Place) -> Bool { takeAll(&place) }

    /// Appends the event; false where the general path has to say why not.
    @inline(never)
    func append(_ symbols: borrowing SymbolTable, _ batch: inout DecodedBatch) -> Bool {
        guard let symbol = symbols.find(symbol) else { return false }
        let size = exactSize >= 0 ? exactSize : size
        guard nanos > 0, price > 0, size >= 0, exchange <= 0xFFFF, (tape | facility) <= 0xFF else { return false }
        batch.append(
            .trade(
                Trade(
                    symbol: symbol,
                    exchange: UInt16(truncatingIfNeeded: exchange),
                    tape: UInt8(truncatingIfNeeded: tape),
                    facility: UInt8(truncatingIfNeeded: facility),
                    time: Instant(nanos: nanos),
                    sequence: sequence,
                    price: Price(micros: price),
                    size: Size(micros: size),
                    conditions: conditions,
                    idHash: idHash
                )
            )
        )
        return true
    }
}

/// The fields of a second or minute bar.
struct FastBar: FastFields {
    var symbol = SymbolText(0, count: 0)
    /// 1 or 60, from the `ev`.
    var seconds: UInt16 = 0
    var open: Int64 = 0
    var high: Int64 = 0
    var low: Int64 = 0
    var close: Int64 = 0
    var vwap: Int64 = 0
    var volume: Int64 = 0
    var exactVolume: Int64 = -1
    var dayVolume: Int64 = 0
    var exactDayVolume: Int64 = -1
    var nanos: Int64 = 0

    @inline(__always)
    mutating func take(_ key: UInt32, _ place: inout Place) -> Bool {
        switch key {
        case FastKey.one("v"): FastScan.micros(&place, &volume)
        case FastKey.two("d", "v"): FastScan.quotedMicros(&place, &exactVolume)
        case FastKey.two("a", "v"): FastScan.micros(&place, &dayVolume)
        case FastKey.three("d", "a", "v"): FastScan.quotedMicros(&place, &exactDayVolume)
        case FastKey.two("v", "w"): FastScan.micros(&place, &vwap)
        case FastKey.one("o"): FastScan.micros(&place, &open)
        case FastKey.one("c"): FastScan.micros(&place, &close)
        case FastKey.one("h"): FastScan.micros(&place, &high)
        case FastKey.one("l"): FastScan.micros(&place, &low)
        case FastKey.one("s"): FastScan.time(&place, &nanos)
        case FastKey.sym: FastScan.quotedSymbol(&place, &symbol)
        default: pass(key, &place)
        }
    }

    /// Bars are a twentieth of the traffic: the loop does.
    @inline(__always)
    mutating func takeDocumented(_ place: inout Place) -> Bool { true }

    @inline(never)
    mutating func read(_ place: inout Place) -> Bool { takeAll(&place) }

    /// Appends the event; false where the general path has to say why not.
    @inline(never)
    func append(_ symbols: borrowing SymbolTable, _ batch: inout DecodedBatch) -> Bool {
        guard let symbol = symbols.find(symbol) else { return false }
        guard nanos > 0, open > 0, high > 0, low > 0, close > 0 else { return false }
        batch.append(
            .bar(
                Bar(
                    symbol: symbol,
                    seconds: seconds,
                    start: Instant(nanos: nanos),
                    open: Price(micros: open),
                    high: Price(micros: high),
                    low: Price(micros: low),
                    close: Price(micros: close),
                    volume: Size(micros: exactVolume >= 0 ? exactVolume : volume),
                    vwap: Price(micros: vwap),
                    dayVolume: Size(micros: exactDayVolume >= 0 ? exactDayVolume : dayVolume)
                )
            )
        )
        return true
    }
}
