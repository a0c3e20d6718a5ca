/// A JSON number read exactly: `digits × 10^exponent`, with the sign apart.
///
/// Keeps the first nineteen significant digits, which Int64 micros can't exceed; `isCut` says that others than zeros
/// followed.
struct DecimalToken: Equatable {
    var digits: UInt64 = 0
    var exponent = 0
    var isNegative = false
    var isCut = false

    /// Above this no exponent changes an answer; it keeps the sums small.
    private static let exponentLimit = 100_000

    /// Reads a whole text; nil where it isn't a number as JSON writes one.
    init?(_ text: UnsafeRawBufferPointer) {
        var index = 0
        func next() -> UInt8 { index < text.count ? text[index] : 0 }
        func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

        if next() == UInt8(ascii: "-") {
            isNegative = true
            index += 1
        }
        guard isDigit(next()) else { return nil }
        if next() == UInt8(ascii: "0") {
            index += 1
        } else {
            while isDigit(next()) {
                append(next())
                index += 1
            }
        }
        if next() == UInt8(ascii: ".") {
            index += 1
            guard isDigit(next()) else { return nil }
            while isDigit(next()) {
                append(next())
                exponent -= 1
                index += 1
            }
        }
        if next() | 0x20 == UInt8(ascii: "e") {
            index += 1
            let isDown = next() == UInt8(ascii: "-")
            if isDown || next() == UInt8(ascii: "+") { index += 1 }
            guard isDigit(next()) else { return nil }
            var power = 0
            while isDigit(next()) {
                power = min(power * 10 + Int(next() - UInt8(ascii: "0")), Self.exponentLimit)
                index += 1
            }
            exponent += isDown ? -power : power
        }
        guard index == text.count else { return nil }
    }

    private mutating func append(_ byte: UInt8) {
        let digit = UInt64(byte - UInt8(ascii: "0"))
        if digits < 1_000_000_000_000_000_000 {
            digits = digits * 10 + digit
        } else {
            exponent += 1
            if digit != 0 { isCut = true }
        }
    }

    /// What becomes of digits that the scale has no place for.
    enum Rounding {
        /// They make the number unusable, unless they are zeros.
        case refused
        /// To the nearest, a half to the even neighbour: for what is computed anyway (a VWAP), not for what was paid.
        case halfEven
    }

    /// The number in units of 10^-`places`.
    func scaled(places: Int, rounding: Rounding) -> Result<Int64, MalformedValue> {
        guard digits != 0 else { return .success(0) }
        var value = digits
        var power = exponent + places
        while power > 0 {
            let (times, over) = value.multipliedReportingOverflow(by: 10)
            guard !over else { return .failure(.range) }
            value = times
            power -= 1
        }
        if power < 0 || isCut {
            guard let rounded = Self.shifted(value, down: -power, isCut: isCut, rounding) else {
                return .failure(.inexact)
            }
            value = rounded
        }
        guard value <= UInt64(Int64.max) else { return .failure(.range) }
        return .success(isNegative ? -Int64(value) : Int64(value))
    }

    /// `value / 10^down`; nil where that isn't exact and has to be.
    private static func shifted(_ value: UInt64, down: Int, isCut: Bool, _ rounding: Rounding) -> UInt64? {
        var kept = value
        var last: UInt64 = 0
        var hasLower = isCut
        // After 21 steps nothing is left of a UInt64 but the fact that something was there.
        for _ in 0..<min(down, 21) {
            if last != 0 { hasLower = true }
            last = kept % 10
            kept /= 10
        }
        if last == 0, !hasLower { return kept }
        guard rounding == .halfEven else { return nil }
        let isUp = last > 5 || last == 5 && (hasLower || kept & 1 == 1)
        return isUp ? kept + 1 : kept
    }
}

/// Why a number can't be used.
enum MalformedValue: Error {
    case range
    case inexact

    var reason: MalformedReason { self == .range ? .range : .inexact }
}
