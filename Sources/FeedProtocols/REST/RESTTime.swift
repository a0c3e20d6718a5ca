package import MarketData
package import Primitives

/// Times as REST answers write them, by arithmetic: no zone file, no locale.
package enum RESTTime {
    /// A count since the epoch in whichever unit its magnitude says: ns, µs, ms, else s (feeds.md 1.5).
    ///
    /// - Returns: nil where it lies outside what nanoseconds hold.
    package static func instant(count: Int64) -> Instant? {
        let scale: Int64 =
            switch count {
            case 100_000_000_000_000_000...: 1
            case 100_000_000_000_000...: 1_000
            case 100_000_000_000...: 1_000_000
            default: 1_000_000_000
            }
        let (nanos, isOver) = count.multipliedReportingOverflow(by: scale)
        return isOver ? nil : Instant(nanos: nanos)
    }

    /// Reads `YYYY-MM-DD`.
    ///
    /// - Returns: nil where it is anything else, or a day that doesn't exist.
    package static func date(_ text: some StringProtocol) -> CivilDate? {
        let bytes = Array(text.utf8)
        guard bytes.count == 10, bytes[4] == dash, bytes[7] == dash,
            let year = number(bytes[0..<4]), let month = number(bytes[5..<7]), let day = number(bytes[8..<10])
        else { return nil }
        return date(year, month, day)
    }

    /// Reads RFC 3339: `2025-11-25T08:37:37-05:00`, `2025-11-28T18:00:00.000Z`.
    ///
    /// The offset is heeded, digits behind nanoseconds are dropped; a leap second counts as the next second's start.
    package static func instant(_ text: some StringProtocol) -> Instant? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.count <= 40, bytes[10] | 0x20 == UInt8(ascii: "t"),
            let day = date(String(decoding: bytes[0..<10], as: UTF8.self)),
            let seconds = clock(bytes[11..<19])
        else { return nil }
        var index = 19
        var nanos: Int64 = 0
        if bytes[index] == UInt8(ascii: ".") {
            index += 1
            let start = index
            var place: Int64 = 100_000_000
            while index < bytes.count, let digit = number(bytes[index...index]) {
                nanos += digit * place
                place /= 10
                index += 1
            }
            guard index > start else { return nil }
        }
        guard let offset = offset(bytes[index...]) else { return nil }
        let total = Int64(day.daysSinceEpoch) * 86_400 + seconds - offset
        let (scaled, isOver) = total.multipliedReportingOverflow(by: 1_000_000_000)
        return isOver ? nil : Instant(nanos: scaled).advanced(byNanos: nanos)
    }

    /// What a `Retry-After` says, in nanoseconds from `now`: whole seconds, or a date as HTTP writes it (RFC 9110, 5.6.7).
    ///
    /// - Returns: nil where it says nothing that can be used; never negative.
    package static func retryAfter(_ text: String, now: Instant) -> Int64? {
        let bytes = Array(text.utf8)
        if let seconds = number(bytes[...]), bytes.count <= 9 { return seconds * 1_000_000_000 }
        // Sun, 06 Nov 1994 08:49:37 GMT
        guard bytes.count == 29, text.hasSuffix(" GMT"), let day = number(bytes[5..<7]),
            let month = months.firstIndex(of: String(decoding: bytes[8..<11], as: UTF8.self)),
            let year = number(bytes[12..<16]), let seconds = clock(bytes[17..<25]),
            let date = date(year, Int64(month) + 1, day)
        else { return nil }
        let instant = Instant(nanos: (Int64(date.daysSinceEpoch) * 86_400 + seconds) &* 1_000_000_000)
        return max(0, instant.nanos(since: now))
    }

    private static let dash = UInt8(ascii: "-")
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// 1971 to 2199, what the calendar can place.
    private static func date(_ year: Int64, _ month: Int64, _ day: Int64) -> CivilDate? {
        guard (1971...2199).contains(year), (1...12).contains(month), (1...31).contains(day) else { return nil }
        let date = CivilDate(year: Int32(year), month: Int32(month), day: Int32(day))
        // A day that the month doesn't have ran on into the next.
        return date.components.month == Int32(month) ? date : nil
    }

    /// `HH:MM:SS` in seconds.
    private static func clock(_ bytes: ArraySlice<UInt8>) -> Int64? {
        let first = bytes.startIndex
        guard bytes.count == 8, bytes[first + 2] == UInt8(ascii: ":"), bytes[first + 5] == UInt8(ascii: ":"),
            let hour = number(bytes[first..<(first + 2)]), let minute = number(bytes[(first + 3)..<(first + 5)]),
            let second = number(bytes[(first + 6)..<(first + 8)]), hour < 24, minute < 60, second <= 60
        else { return nil }
        return hour * 3_600 + minute * 60 + second
    }

    /// `Z`, `+HH:MM` or `-HH:MM`, in seconds.
    private static func offset(_ bytes: ArraySlice<UInt8>) -> Int64? {
        guard let sign = bytes.first else { return nil }
        if sign | 0x20 == UInt8(ascii: "z") { return bytes.count == 1 ? 0 : nil }
        let first = bytes.startIndex
        guard bytes.count == 6, sign == UInt8(ascii: "+") || sign == dash, bytes[first + 3] == UInt8(ascii: ":"),
            let hours = number(bytes[(first + 1)..<(first + 3)]),
            let minutes = number(bytes[(first + 4)..<(first + 6)]), hours < 24, minutes < 60
        else { return nil }
        let seconds = hours * 3_600 + minutes * 60
        return sign == dash ? -seconds : seconds
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard !digits.isEmpty, digits.count <= 18 else { return nil }
        var value: Int64 = 0
        for byte in digits {
            guard byte &- UInt8(ascii: "0") < 10 else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        return value
    }
}
