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
    init()

    /// Reads the value of `key`; false sends the event to the general path.
    ///
    /// Called with a constant key where the documented order holds, so the switch over keys folds away there.
    mutating func take(_ key: UInt32, _ place: inout Place) -> Bool

    /// Tries the documented keys in the documented order; what doesn't stand there is left for the loop.
    mutating func takeDocumented(_ place: inout Place) -> Bool

    var symbol: SymbolText { get set }
}

extension FastFields {
    /// Takes the field if the key at `place` is this one of one letter; false only where its value is not plain.
    @inline(__always)
    mutating func expect(_ a: Unicode.Scalar, _ place: inout Place) -> Bool {
        let key = FastKey.one(a)
        // ,"a":
        let pattern = 0x222C | UInt64(key) << 16 | 0x3A22 << 24
        guard FastScan.load(place) & 0xFF_FFFF_FFFF == pattern else { return true }
        place += 5
        return take(key, &place)
    }

    /// Takes the field if the key at `place` is this one of two letters; false only where its value is not plain.
    @inline(__always)
    mutating func expect(_ a: Unicode.Scalar, _ b: Unicode.Scalar, _ place: inout Place) -> Bool {
        let key = FastKey.two(a, b)
        // ,"ab":
        let pattern = 0x222C | UInt64(key) << 16 | 0x3A22 << 32
        guard FastScan.load(place) & 0xFFFF_FFFF_FFFF == pattern else { return true }
        place += 6
        return take(key, &place)
    }

    /// Reads what is left of the object, whatever its order; `place` is behind the closing brace after.
    @inline(__always)
    mutating func takeRest(_ place: inout Place) -> Bool {
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

    /// Any key that every kind treats alike: the symbol is kept, a second `ev` is for the general path, others pass.
    @inline(__always)
    mutating func takeOther(_ key: UInt32, _ place: inout Place) -> Bool {
        // A key with a quote, an escape or a byte beyond ASCII in it was cut wrong or needs decoding.
        guard FastScan.textStops(UInt64(key) | 0x6161_6161_0000_0000 | Self.filler(key)) == 0 else { return false }
        if key == FastKey.sym {
            guard FastScan.byte(place) == UInt8(ascii: "\"") else { return false }
            place += 1
            return FastScan.symbol(&place, &symbol)
        }
        return key != FastKey.ev && FastScan.skip(&place)
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
        default: takeOther(key, &place)
        }
    }

    @inline(__always)
    mutating func takeDocumented(_ place: inout Place) -> Bool {
        guard expect("b", "x", &place), expect("b", "p", &place), expect("b", "s", &place),
            expect("a", "x", &place), expect("a", "p", &place), expect("a", "s", &place),
            expect("c", &place), expect("i", &place), expect("t", &place), expect("q", &place), expect("z", &place)
        else { return false }
        return true
    }

    /// The event; nil where the general path has to say why not.
    @inline(__always)
    func event(_ symbol: SymbolID) -> MarketEvent? {
        guard nanos > 0, (bidExchange | askExchange | condition) <= 0xFFFF, tape <= 0xFF else { return nil }
        return .quote(
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
        case FastKey.one("i"): takeIdentifier(&place)
        case FastKey.one("z"): FastScan.small(&place, &tape)
        case FastKey.one("p"): FastScan.micros(&place, &price)
        case FastKey.one("s"): FastScan.micros(&place, &size)
        case FastKey.two("d", "s"): takeExactSize(&place)
        case FastKey.one("c"): FastScan.conditions(&place, &conditions)
        case FastKey.one("t"): FastScan.time(&place, &nanos)
        case FastKey.one("q"): FastScan.integer(&place, &sequence)
        case FastKey.four("t", "r", "f", "i"): FastScan.small(&place, &facility)
        default: takeOther(key, &place)
        }
    }

    @inline(__always)
    private mutating func takeIdentifier(_ place: inout Place) -> Bool {
        guard FastScan.byte(place) == UInt8(ascii: "\"") else { return false }
        place += 1
        return FastScan.textHash(&place, &idHash)
    }

    @inline(__always)
    private mutating func takeExactSize(_ place: inout Place) -> Bool {
        FastScan.quotedMicros(&place, &exactSize)
    }

    @inline(__always)
    mutating func takeDocumented(_ place: inout Place) -> Bool {
        guard expect("x", &place), expect("i", &place), expect("z", &place), expect("p", &place), expect("s", &place),
            expect("d", "s", &place), expect("c", &place), expect("t", &place), expect("q", &place)
        else { return false }
        return true
    }

    /// The event; nil where the general path has to say why not.
    @inline(__always)
    func event(_ symbol: SymbolID) -> MarketEvent? {
        let size = exactSize >= 0 ? exactSize : size
        guard nanos > 0, price > 0, size >= 0, exchange <= 0xFFFF, (tape | facility) <= 0xFF else { return nil }
        return .trade(
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
    }
}

/// The fields of a second or minute bar.
struct FastBar: FastFields {
    var symbol = SymbolText(0, count: 0)
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
        default: takeOther(key, &place)
        }
    }

    @inline(__always)
    mutating func takeDocumented(_ place: inout Place) -> Bool {
        // Bars are a twentieth of the traffic: the loop does.
        true
    }

    /// The event; nil where the general path has to say why not.
    @inline(__always)
    func event(_ symbol: SymbolID, seconds: UInt16) -> MarketEvent? {
        guard nanos > 0, open > 0, high > 0, low > 0, close > 0 else { return nil }
        return .bar(
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
    }
}
