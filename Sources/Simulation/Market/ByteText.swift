internal import Primitives

// Writing of messages as bytes: keys are static text, so that an event costs no allocation but the buffer's growth.
extension [UInt8] {
    mutating func add(_ text: StaticString) {
        text.withUTF8Buffer { append(contentsOf: $0) }
    }

    mutating func add(_ text: String) { append(contentsOf: text.utf8) }

    mutating func add(_ value: some BinaryInteger) { DecimalText.append(Int64(value), to: &self) }

    mutating func add(_ price: Price) { DecimalText.append(micros: price.micros, to: &self) }

    /// A decimal, rounded to so many places, without trailing zeros.
    mutating func add(_ value: Double, places: Int) {
        guard value.isFinite, abs(value) < 1e12 else {
            append(UInt8(ascii: "0"))
            return
        }
        var scale = 1.0
        for _ in 0..<Swift.min(places, 6) { scale *= 10 }
        DecimalText.append(micros: Int64((value * scale).rounded() * (1e6 / scale)), to: &self)
    }

    /// A decimal with exactly so many places, as the vendors' number texts have.
    mutating func add(_ value: Double, fixed places: Int) {
        var unit: UInt64 = 1
        for _ in 0..<places { unit *= 10 }
        let scaled = (abs(value) * Double(unit)).rounded()
        guard scaled < 9e18 else {
            append(UInt8(ascii: "0"))
            return
        }
        let magnitude = UInt64(scaled)
        if value < 0, magnitude > 0 { append(UInt8(ascii: "-")) }
        DecimalText.appendDigits(magnitude / unit, to: &self)
        guard places > 0 else { return }
        append(UInt8(ascii: "."))
        var rest = magnitude % unit
        while unit > 1 {
            unit /= 10
            append(UInt8(ascii: "0") + UInt8(rest / unit))
            rest %= unit
        }
    }

    /// A size with at least one decimal and at most six, as `ds` has it.
    mutating func addDecimalSize(_ size: Size) {
        DecimalText.append(micros: size.micros, to: &self)
        if size.micros % 1_000_000 == 0 { add(".0") }
    }
}
