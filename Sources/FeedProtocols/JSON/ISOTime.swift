internal import MarketData
package import Primitives

/// Times and dates as ISO 8601 writes them: what providers send beside milliseconds.
package enum ISOTime {
    /// Reads `2025-06-11T21:40:56.123Z`, also with a blank for the `T`, or a distance to UTC for the `Z`.
    ///
    /// A fraction keeps nine digits. A leap second is read as the second before.
    /// - Returns: nil where the text is anything else: without a zone nobody knows which time was meant.
    package static func instant(_ text: UnsafeRawBufferPointer) -> Instant? {
        guard text.count >= 20, let date = date(UnsafeRawBufferPointer(rebasing: text[..<10])),
            text[10] | 0x20 == UInt8(ascii: "t") || text[10] == UInt8(ascii: " "),
            text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
            let hour = number(text, 11, 2), hour < 24, let minute = number(text, 14, 2), minute < 60,
            let second = number(text, 17, 2), second <= 60
        else { return nil }
        var index = 19
        var nanos: Int64 = 0
        if text[index] == UInt8(ascii: ".") {
            index += 1
            var unit: Int64 = 100_000_000
            let start = index
            while index < text.count, let digit = digit(text[index]) {
                nanos += digit * unit
                unit /= 10
                index += 1
            }
            guard index > start else { return nil }
        }
        guard let zone = zoneSeconds(text, at: index) else { return nil }
        let seconds =
            Int64(date.daysSinceEpoch) * 86_400 + hour * 3_600 + minute * 60 + min(second, 59) - zone
        return Instant(nanos: seconds * 1_000_000_000 + nanos)
    }

    /// Reads `2025-12-19`; nil where the text is anything else, or the day doesn't exist, or lies outside 1971…2199.
    static func date(_ text: UnsafeRawBufferPointer) -> CivilDate? {
        guard text.count == 10, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            let year = number(text, 0, 4), let month = number(text, 5, 2), let day = number(text, 8, 2),
            (1971...2199).contains(year), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        let date = CivilDate(year: Int32(year), month: Int32(month), day: Int32(day))
        return date.components.day == Int32(day) ? date : nil
    }

    /// Writes an instant as UTC to a millisecond, `2025-11-25T16:00:00.412Z`.
    package static func text(_ instant: Instant) -> String {
        let millis = instant.nanos >= 0 ? instant.nanos / 1_000_000 : (instant.nanos - 999_999) / 1_000_000
        let day = millis >= 0 ? millis / 86_400_000 : (millis - 86_399_999) / 86_400_000
        let rest = millis - day * 86_400_000
        let (year, month, date) = CivilDate(daysSinceEpoch: Int32(day)).components
        func padded(_ value: Int64, _ places: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, places - digits.count)) + digits
        }
        let clock = [rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60].map { padded($0, 2) }
        return "\(padded(Int64(year), 4))-\(padded(Int64(month), 2))-\(padded(Int64(date), 2))"
            + "T\(clock.joined(separator: ":")).\(padded(rest % 1_000, 3))Z"
    }

    private static func digit(_ byte: UInt8) -> Int64? {
        let value = byte &- UInt8(ascii: "0")
        return value < 10 ? Int64(value) : nil
    }

    private static func number(_ text: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> Int64? {
        guard start + count <= text.count else { return nil }
        var value: Int64 = 0
        for byte in text[start..<(start + count)] {
            guard let digit = digit(byte) else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    private static func zoneSeconds(_ text: UnsafeRawBufferPointer, at index: Int) -> Int64? {
        guard index < text.count else { return nil }
        if text[index] | 0x20 == UInt8(ascii: "z") { return index + 1 == text.count ? 0 : nil }
        let isAhead = text[index] == UInt8(ascii: "+")
        guard isAhead || text[index] == UInt8(ascii: "-"), index + 6 == text.count,
            text[index + 3] == UInt8(ascii: ":"), let hours = number(text, index + 1, 2), hours < 24,
            let minutes = number(text, index + 4, 2), minutes < 60
        else { return nil }
        return (isAhead ? 1 : -1) * (hours * 3_600 + minutes * 60)
    }
}
