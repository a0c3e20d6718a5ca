/// Exact text of numbers, appended to a byte buffer: what the wire and the tape write.
///
/// No locale, no rounding of fixed-point values, no allocation beyond the buffer's own growth.
public enum DecimalText {
    /// Appends `value` in base ten.
    @inlinable
    public static func append(_ value: Int64, to out: inout [UInt8]) {
        if value < 0 { out.append(UInt8(ascii: "-")) }
        appendDigits(value.magnitude, to: &out)
    }

    /// Appends micros as a decimal without trailing zeros: 145_100_000 → `145.1`, 0 → `0`.
    @inlinable
    public static func append(micros: Int64, to out: inout [UInt8]) {
        if micros < 0 { out.append(UInt8(ascii: "-")) }
        let magnitude = micros.magnitude
        appendDigits(magnitude / 1_000_000, to: &out)
        var fraction = magnitude % 1_000_000
        guard fraction != 0 else { return }
        out.append(UInt8(ascii: "."))
        var unit: UInt64 = 100_000
        while fraction != 0 {
            out.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: fraction / unit))
            fraction %= unit
            unit /= 10
        }
    }

    /// Appends a price, exact.
    @inlinable
    public static func append(_ price: Price, to out: inout [UInt8]) { append(micros: price.micros, to: &out) }

    /// Appends a size, exact.
    @inlinable
    public static func append(_ size: Size, to out: inout [UInt8]) { append(micros: size.micros, to: &out) }

    /// Appends a statistic in its shortest form that reads back equal, or `null` where it isn't finite.
    public static func append(_ value: Double, to out: inout [UInt8]) {
        guard value.isFinite else {
            out.append(contentsOf: Array("null".utf8))
            return
        }
        out.append(contentsOf: value.description.utf8)
    }

    /// Appends a magnitude in base ten, without a sign.
    public static func appendDigits(_ value: UInt64, to out: inout [UInt8]) {
        if value < 10 {
            out.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value))
            return
        }
        let start = out.count
        var rest = value
        while rest > 0 {
            out.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        }
        out[start...].reverse()
    }

    /// Reads a plain or exponent decimal exactly into micros.
    ///
    /// - Returns: nil where `text` isn't a JSON number, lies outside Int64 micros, or has digits beyond 10⁻⁶ that
    ///   aren't zero (an exact value can't be kept).
    public static func micros(_ text: some Sequence<UInt8>) -> Int64? {
        var digits: UInt64 = 0
        var exponent = 0
        var sawDigit = false
        var seenPoint = false
        var negative = false
        var iterator = text.makeIterator()
        var next = iterator.next()
        if next == UInt8(ascii: "-") {
            negative = true
            next = iterator.next()
        }
        while let byte = next {
            if byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
                sawDigit = true
                let (times, over) = digits.multipliedReportingOverflow(by: 10)
                let (sum, over2) = times.addingReportingOverflow(UInt64(byte &- UInt8(ascii: "0")))
                // Beyond 64 bits only further zeros behind the point can be dropped without loss.
                if over || over2 {
                    guard seenPoint, byte == UInt8(ascii: "0") else { return nil }
                } else {
                    digits = sum
                    if seenPoint { exponent -= 1 }
                }
            } else if byte == UInt8(ascii: "."), !seenPoint, sawDigit {
                seenPoint = true
            } else if byte | 0x20 == UInt8(ascii: "e"), sawDigit {
                guard let power = exponentValue(&iterator) else { return nil }
                exponent += power
                next = nil
                break
            } else {
                return nil
            }
            next = iterator.next()
        }
        guard sawDigit else { return nil }
        return scaled(digits, exponent: exponent + 6, negative: negative)
    }

    private static func exponentValue(_ iterator: inout some IteratorProtocol<UInt8>) -> Int? {
        var value = 0
        var sawDigit = false
        var negative = false
        var next = iterator.next()
        if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") {
            negative = next == UInt8(ascii: "-")
            next = iterator.next()
        }
        while let byte = next {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            sawDigit = true
            value = min(value * 10 + Int(byte - UInt8(ascii: "0")), 10_000)
            next = iterator.next()
        }
        guard sawDigit else { return nil }
        return negative ? -value : value
    }

    private static func scaled(_ digits: UInt64, exponent: Int, negative: Bool) -> Int64? {
        var value = digits
        var power = exponent
        while power > 0, value != 0 {
            let (times, over) = value.multipliedReportingOverflow(by: 10)
            guard !over else { return nil }
            value = times
            power -= 1
        }
        while power < 0, value != 0 {
            guard value % 10 == 0 else { return nil }
            value /= 10
            power += 1
        }
        guard value <= UInt64(Int64.max) else { return nil }
        return negative ? -Int64(value) : Int64(value)
    }
}
