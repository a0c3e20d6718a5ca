internal import MarketData
package import Primitives

/// Instants as users write them: ISO 8601 in UTC, `2013-10-08T13:30:00Z`, with up to nine decimals of a second.
package enum InstantText {
    /// Reads `YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM)`.
    ///
    /// - Returns: nil where the text has another form, or a date or time that doesn't exist.
    package static func parse(_ text: String) -> Instant? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            bytes[10] == UInt8(ascii: "T"), bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
            let year = number(bytes[0..<4]), let month = number(bytes[5..<7]), let day = number(bytes[8..<10]),
            let hour = number(bytes[11..<13]), let minute = number(bytes[14..<16]), let second = number(bytes[17..<19]),
            (1970...2200).contains(year), hour < 24, minute < 60, second < 60
        else { return nil }
        let date = CivilDate(year: Int32(year), month: Int32(month), day: Int32(day))
        guard date.components == (Int32(year), Int32(month), Int32(day)) else { return nil }
        guard let (nanos, zone) = fractionAndZone(bytes[19...]) else { return nil }
        let seconds = Int64(date.daysSinceEpoch) * 86_400 + hour * 3_600 + minute * 60 + second - zone
        return Instant(nanos: seconds * 1_000_000_000 + nanos)
    }

    /// Appends the instant, with as many decimals as it needs.
    package static func append(_ instant: Instant, to out: inout [UInt8]) {
        let day = instant.nanos >= 0 ? instant.nanos / nanosPerDay : (instant.nanos - nanosPerDay + 1) / nanosPerDay
        let nanos = instant.nanos - day * nanosPerDay
        let (year, month, dayOfMonth) = CivilDate(daysSinceEpoch: Int32(clamping: day)).components
        let seconds = nanos / 1_000_000_000
        append(Int64(year), digits: 4, to: &out)
        for (mark, value) in [
            ("-", Int64(month)), ("-", Int64(dayOfMonth)), ("T", seconds / 3_600), (":", seconds / 60 % 60),
            (":", seconds % 60),
        ] {
            out.append(contentsOf: mark.utf8)
            append(value, digits: 2, to: &out)
        }
        var fraction = nanos % 1_000_000_000
        if fraction != 0 {
            out.append(UInt8(ascii: "."))
            var unit: Int64 = 100_000_000
            while fraction != 0 {
                out.append(UInt8(ascii: "0") + UInt8(fraction / unit))
                fraction %= unit
                unit /= 10
            }
        }
        out.append(UInt8(ascii: "Z"))
    }

    private static let nanosPerDay: Int64 = 86_400_000_000_000

    private static func fractionAndZone(_ rest: ArraySlice<UInt8>) -> (nanos: Int64, zone: Int64)? {
        var rest = rest
        var nanos: Int64 = 0
        if rest.first == UInt8(ascii: ".") {
            let digits = rest.dropFirst().prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard (1...9).contains(digits.count), let value = number(digits) else { return nil }
            nanos = value
            for _ in digits.count..<9 { nanos *= 10 }
            rest = rest.dropFirst(1 + digits.count)
        }
        if rest.elementsEqual("Z".utf8) { return (nanos, 0) }
        guard rest.count == 6, let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else {
            return nil
        }
        let start = rest.startIndex
        guard rest[start + 3] == UInt8(ascii: ":"), let hours = number(rest[(start + 1)..<(start + 3)]),
            let minutes = number(rest[(start + 4)...]), hours < 24, minutes < 60
        else { return nil }
        let seconds = hours * 3_600 + minutes * 60
        return (nanos, sign == UInt8(ascii: "-") ? -seconds : seconds)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        var value: Int64 = 0
        for byte in digits {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        return value
    }

    private static func append(_ value: Int64, digits: Int, to out: inout [UInt8]) {
        var text: [UInt8] = []
        var rest = value
        for _ in 0..<digits {
            text.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        }
        out.append(contentsOf: text.reversed())
    }
}
