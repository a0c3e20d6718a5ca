internal import MarketData

/// A place in the decoder's own padded copy of a frame.
///
/// Every loop of the fast path stops at a zero byte, and at least 64 of these follow the frame, so an eight-byte load
/// at or shortly behind a place within the frame stays within the buffer.
typealias Place = UnsafeRawPointer

/// The eight-bytes-at-a-time readers of the fast path.
///
/// Each takes what it knows (plain digits, short texts) and answers false for all else, whereupon the whole event goes
/// to the general path, which alone decides what is malformed. So nothing here may take what the general path refuses.
/// The formulas are the usual SWAR ones: a byte test sets the byte's high bit, and the lowest set bit is exact.
enum FastScan {
    @inline(__always)
    static func load(_ place: Place, _ offset: Int = 0) -> UInt64 {
        UInt64(littleEndian: place.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    @inline(__always)
    static func byte(_ place: Place, _ offset: Int = 0) -> UInt8 {
        place.load(fromByteOffset: offset, as: UInt8.self)
    }

    /// Passes `,"a":` if it stands here.
    @inline(__always)
    static func pass(_ a: Unicode.Scalar, _ place: inout Place) -> Bool {
        let pattern = 0x222C | UInt64(FastKey.one(a)) << 16 | 0x3A22 << 24
        guard load(place) & 0xFF_FFFF_FFFF == pattern else { return false }
        place += 5
        return true
    }

    /// Passes `,"ab":` if it stands here.
    @inline(__always)
    static func pass(_ a: Unicode.Scalar, _ b: Unicode.Scalar, _ place: inout Place) -> Bool {
        let pattern = 0x222C | UInt64(FastKey.two(a, b)) << 16 | 0x3A22 << 32
        guard load(place) & 0xFFFF_FFFF_FFFF == pattern else { return false }
        place += 6
        return true
    }

    /// High bit set at the lowest byte of `word ^ zeros` that isn't a digit; what stands above it is noise.
    ///
    /// Digits don't carry into the next byte; of others a sum or the byte itself has the high bit.
    @inline(__always)
    static func nonDigits(_ x: UInt64) -> UInt64 {
        ((x &+ 0x7676_7676_7676_7676) | x) & 0x8080_8080_8080_8080
    }

    static var zeros: UInt64 {
        @inline(__always) get { 0x3030_3030_3030_3030 }
    }

    /// The number that eight digit values make, the most significant in the lowest byte.
    @inline(__always)
    static func eightDigits(_ digits: UInt64) -> UInt64 {
        let pairs = (digits &* 10) &+ (digits >> 8)
        let high = (pairs & 0x0000_00FF_0000_00FF) &* 0x000F_4240_0000_0064
        let low = ((pairs >> 16) & 0x0000_00FF_0000_00FF) &* 0x0000_2710_0000_0001
        return (high &+ low) >> 32
    }

    /// The number that the last `bits / 8` digit values make, from the lowest byte up; `bits` lies within 8...56.
    @inline(__always)
    static func number(_ digits: UInt64, bits: UInt64) -> UInt64 {
        guard bits <= 32 else { return eightDigits(digits &<< (64 &- bits)) }
        // Nearly always: four digits take half the work.
        return fourDigits((digits &<< (32 &- bits)) & 0xFFFF_FFFF)
    }

    @inline(__always)
    static func fourDigits(_ digits: UInt64) -> UInt64 {
        let pairs = ((digits &* 10) &+ (digits >> 8)) & 0x00FF_00FF
        return ((pairs &* 0x0064_0001) >> 16) & 0xFFFF
    }

    /// High bit set where a byte of `word` equals `byte`; exact at the lowest.
    @inline(__always)
    static func equal(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        let x = word ^ (UInt64(byte) &* 0x0101_0101_0101_0101)
        return (x &- 0x0101_0101_0101_0101) & ~x & 0x8080_8080_8080_8080
    }

    /// High bit set where a byte ends or troubles a text: quote, backslash, control, not ASCII; exact at the lowest.
    @inline(__always)
    static func textStops(_ word: UInt64) -> UInt64 {
        let controls = (word &- 0x2020_2020_2020_2020) & ~word
        return equal(word, UInt8(ascii: "\"")) | equal(word, UInt8(ascii: "\\"))
            | ((controls | word) & 0x8080_8080_8080_8080)
    }

    /// A non-negative decimal of at most 7 digits before the point and 6 behind it, in micros.
    @inline(__always)
    static func micros(_ place: inout Place, _ value: inout Int64) -> Bool {
        let digits = load(place) ^ zeros
        let stops = nonDigits(digits)
        guard stops != 0 else { return longMicros(&place, &value) }
        let bits = UInt64(truncatingIfNeeded: stops.trailingZeroBitCount &- 7)
        // No digit, or a leading zero that JSON forbids.
        guard bits != 0, digits & 0xFF != 0 || bits == 8 else { return false }
        let whole = number(digits, bits: bits)
        guard (digits &>> bits) & 0xFF == UInt64(UInt8(ascii: ".") ^ 0x30) else {
            place += Int(truncatingIfNeeded: bits >> 3)
            value = Int64(truncatingIfNeeded: whole &* 1_000_000)
            return true
        }
        // Where the number ends is looked for in both words at once, so that the next field waits for one load and not
        // for two. No byte up to the second stop carries into its neighbour, so the second lowest bit is exact too.
        let later = stops & (stops &- 1)
        let nextStops = nonDigits(load(place, 8) ^ zeros)
        guard later | nextStops != 0 else { return false }
        let beyond = later == 0 ? nextStops.trailingZeroBitCount : 0
        let end = UInt64(truncatingIfNeeded: later.trailingZeroBitCount &- 7 &+ beyond)
        let tailBits = end &- bits &- 8
        guard tailBits != 0, tailBits <= 48 else { return false }
        let tail = load(place, 1 &+ Int(truncatingIfNeeded: bits >> 3)) ^ zeros
        let kept = tail & ((1 &<< tailBits) &- 1)
        let fraction = tailBits <= 32 ? fourDigits(kept) &* 100 : eightDigits(kept << 16)
        place += Int(truncatingIfNeeded: end >> 3)
        value = Int64(truncatingIfNeeded: whole &* 1_000_000 &+ fraction)
        return true
    }

    /// A decimal within quotes, in micros.
    @inline(__always)
    static func quotedMicros(_ place: inout Place, _ value: inout Int64) -> Bool {
        guard byte(place) == UInt8(ascii: "\"") else { return false }
        place += 1
        guard micros(&place, &value), byte(place) == UInt8(ascii: "\"") else { return false }
        place += 1
        return true
    }

    /// The rest of `micros`: eight to twelve digits before the point, none behind it (a day's volume).
    @inline(never)
    private static func longMicros(_ place: inout Place, _ value: inout Int64) -> Bool {
        var whole: Int64 = 0
        guard integer(&place, &whole), whole < 1_000_000_000_000, byte(place) != UInt8(ascii: ".") else { return false }
        value = whole * 1_000_000
        return true
    }

    /// A non-negative integer of at most 7 digits.
    @inline(__always)
    static func small(_ place: inout Place, _ value: inout Int64) -> Bool {
        let digits = load(place) ^ zeros
        let stops = nonDigits(digits)
        guard stops != 0 else { return false }
        let bits = UInt64(truncatingIfNeeded: stops.trailingZeroBitCount &- 7)
        guard bits != 0, digits & 0xFF != 0 || bits == 8 else { return false }
        value = Int64(truncatingIfNeeded: number(digits, bits: bits))
        place += Int(truncatingIfNeeded: bits >> 3)
        return true
    }

    /// A non-negative integer of at most 16 digits.
    @inline(__always)
    static func integer(_ place: inout Place, _ value: inout Int64) -> Bool {
        let digits = load(place) ^ zeros
        let stops = nonDigits(digits)
        if stops != 0 { return small(&place, &value) }
        guard digits & 0xFF != 0 else { return false }
        let tail = load(place, 8) ^ zeros
        let tailStops = nonDigits(tail)
        guard tailStops != 0 else { return false }
        let bits = UInt64(truncatingIfNeeded: tailStops.trailingZeroBitCount &- 7)
        let high = eightDigits(digits)
        // A shift by 64 would be a shift by 0: no further digit is a case of its own.
        let low = bits == 0 ? 0 : eightDigits(tail &<< (64 &- bits))
        place += 8 &+ Int(truncatingIfNeeded: bits >> 3)
        value = Int64(truncatingIfNeeded: high &* powersOfTen(bits >> 3) &+ low)
        return true
    }

    @inline(__always)
    private static func powersOfTen(_ exponent: UInt64) -> UInt64 {
        // 10^0...10^7 without a table: two selects, no load.
        var power: UInt64 = exponent & 1 != 0 ? 10 : 1
        if exponent & 2 != 0 { power &*= 100 }
        if exponent & 4 != 0 { power &*= 10_000 }
        return power
    }

    /// A time of exactly 13 digits (milliseconds until the year 2286), in nanoseconds; all other forms are general.
    ///
    /// The fixed length is a guess that always holds, so the next field doesn't wait for a count of digits.
    @inline(__always)
    static func time(_ place: inout Place, _ nanos: inout Int64) -> Bool {
        let head = load(place) ^ zeros
        let tail = load(place, 8) ^ zeros
        guard nonDigits(head) == 0, nonDigits(tail) & 0x0000_FFFF_FFFF_FFFF == 0x0000_8000_0000_0000 else {
            return false
        }
        guard head & 0xFF != 0 else { return false }
        let millis = eightDigits(head) &* 100_000 &+ eightDigits(tail << 24)
        nanos = Int64(truncatingIfNeeded: millis &* 1_000_000)
        place += 13
        return true
    }

    /// A symbol within quotes.
    @inline(__always)
    static func quotedSymbol(_ place: inout Place, _ text: inout SymbolText) -> Bool {
        guard byte(place) == UInt8(ascii: "\"") else { return false }
        place += 1
        return symbol(&place, &text)
    }

    /// A symbol and the quote behind it; what is in it, the symbol table judges.
    @inline(__always)
    static func symbol(_ place: inout Place, _ text: inout SymbolText) -> Bool {
        let first = load(place)
        let stops = equal(first, UInt8(ascii: "\""))
        guard stops != 0 else { return longSymbol(&place, &text) }
        let bits = UInt64(truncatingIfNeeded: stops.trailingZeroBitCount &- 7)
        text = SymbolText(first & ((1 &<< bits) &- 1), count: Int(truncatingIfNeeded: bits >> 3))
        place += Int(truncatingIfNeeded: bits >> 3) &+ 1
        return true
    }

    /// A symbol of 8 bytes or more: an option contract.
    @inline(never)
    private static func longSymbol(_ place: inout Place, _ text: inout SymbolText) -> Bool {
        let second = load(place, 8)
        let third = load(place, 16)
        let secondStops = equal(second, UInt8(ascii: "\""))
        let thirdStops = equal(third, UInt8(ascii: "\""))
        if secondStops != 0 {
            let bits = UInt64(truncatingIfNeeded: secondStops.trailingZeroBitCount &- 7)
            let length = 8 &+ Int(truncatingIfNeeded: bits >> 3)
            text = SymbolText(load(place), second & ((1 &<< bits) &- 1), count: length)
            place += length &+ 1
            return true
        }
        guard thirdStops != 0 else { return false }
        let bits = UInt64(truncatingIfNeeded: thirdStops.trailingZeroBitCount &- 7)
        let length = 16 &+ Int(truncatingIfNeeded: bits >> 3)
        text = SymbolText(load(place), second, third & ((1 &<< bits) &- 1), count: length)
        place += length &+ 1
        return true
    }

    /// FNV-1a of a plain text within quotes.
    @inline(__always)
    static func quotedHash(_ place: inout Place, _ value: inout UInt64) -> Bool {
        guard byte(place) == UInt8(ascii: "\"") else { return false }
        place += 1
        var hash = FNV.offset
        while true {
            let next = byte(place)
            place += 1
            if next == UInt8(ascii: "\"") {
                value = hash
                return true
            }
            guard next >= 0x20, next < 0x80, next != UInt8(ascii: "\\") else { return false }
            hash = FNV.mixed(hash, next)
        }
    }

    /// An array of small integers, packed; `place` is at its bracket before and behind its other bracket after.
    @inline(__always)
    static func conditions(_ place: inout Place, _ conditions: inout Conditions) -> Bool {
        guard byte(place) == UInt8(ascii: "[") else { return false }
        conditions = Conditions()
        place += 1
        if byte(place) == UInt8(ascii: "]") {
            place += 1
            return true
        }
        while true {
            var id: Int64 = 0
            guard small(&place, &id), conditions.insert(id) else { return false }
            let next = byte(place)
            place += 1
            if next == UInt8(ascii: "]") { return true }
            guard next == UInt8(ascii: ",") else { return false }
        }
    }

    /// Passes a value that isn't kept: a plain number, text, `true`, `false`, or an array of small integers.
    @inline(never)
    static func skip(_ place: inout Place) -> Bool {
        var ignored: Int64 = 0
        switch byte(place) {
        case UInt8(ascii: "\""):
            place += 1
            while true {
                let stops = textStops(load(place))
                if stops == 0 {
                    place += 8
                    continue
                }
                place += stops.trailingZeroBitCount >> 3
                guard byte(place) == UInt8(ascii: "\"") else { return false }
                place += 1
                return true
            }
        case UInt8(ascii: "["):
            place += 1
            while true {
                guard small(&place, &ignored) else { return false }
                let next = byte(place)
                place += 1
                if next == UInt8(ascii: "]") { return true }
                guard next == UInt8(ascii: ",") else { return false }
            }
        case UInt8(ascii: "t"):
            guard load(place) & 0xFFFF_FFFF == 0x6575_7274 else { return false }
            place += 4
            return true
        case UInt8(ascii: "f"):
            guard load(place, 1) & 0xFFFF_FFFF == 0x6573_6C61 else { return false }
            place += 5
            return true
        default:
            let start = place
            if micros(&place, &ignored) { return true }
            place = start
            return integer(&place, &ignored)
        }
    }
}

/// FNV-1a, 64 bit.
enum FNV {
    static var offset: UInt64 {
        @inline(__always) get { 0xCBF2_9CE4_8422_2325 }
    }

    @inline(__always)
    static func mixed(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
}
