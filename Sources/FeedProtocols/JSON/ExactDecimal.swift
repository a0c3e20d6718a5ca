/// A decimal number as it was written, up to eighteen significant digits; further ones are cut.
///
/// For quantities that no fixed scale holds (exposures in trillions, greeks in ten-thousandths).
package struct ExactDecimal: Hashable, Sendable, CustomStringConvertible {
    /// The digits, without zeros at the end.
    package let significand: Int64
    /// What power of ten they are multiplied with; 0 for zero.
    package let exponent: Int

    /// `significand × 10^exponent`, brought to the one form with which equal numbers are equal.
    package init(_ significand: Int64, exponent: Int = 0) {
        var digits = significand
        var power = exponent
        while digits != 0, digits % 10 == 0 {
            digits /= 10
            power += 1
        }
        self.significand = digits
        self.exponent = digits == 0 ? 0 : power
    }

    init(_ token: DecimalToken) {
        let isLong = token.digits > 999_999_999_999_999_999
        let digits = Int64(isLong ? token.digits / 10 : token.digits)
        self.init(token.isNegative ? -digits : digits, exponent: isLong ? token.exponent + 1 : token.exponent)
    }

    /// For statistics.
    package var double: Double { Double("\(significand)e\(exponent)") ?? .nan }

    package var description: String { exponent == 0 ? "\(significand)" : "\(significand)e\(exponent)" }
}
