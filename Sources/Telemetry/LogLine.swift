package import Primitives

/// How log lines are written.
package enum LogFormat: String, Sendable, CaseIterable {
    /// `ts=… level=info event=feed_up feed=…`
    case logfmt
    /// One JSON object a line.
    case json
}

/// One line of the log: fixed keys `ts`, `level`, `event` first, then the fields by name.
package struct LogLine: Sendable, Equatable {
    package var time: Instant
    package var level: String
    package var event: String
    package var fields: [(key: String, value: String)]

    package init(time: Instant, level: String, event: String, fields: [(key: String, value: String)]) {
        self.time = time
        self.level = level
        self.event = event
        self.fields = fields
    }

    package static func == (a: LogLine, b: LogLine) -> Bool {
        a.time == b.time && a.level == b.level && a.event == b.event
            && a.fields.elementsEqual(b.fields) { $0.key == $1.key && $0.value == $1.value }
    }

    /// The longest line written; what is beyond is cut and marked, so that one event can't flood the log.
    package static let lengthLimit = 16_384

    /// The line as bytes, ended by LF, without any secret that `redactor` knows.
    ///
    /// Secrets are taken out before escaping (an escaped secret no longer looks like one) and once more from the
    /// finished line (a secret may stretch over the seam of two fields).
    package func bytes(_ format: LogFormat, redactor: SecretRedactor) -> [UInt8] {
        var pairs = [("ts", Timestamp.text(time)), ("level", level), ("event", redactor.redact(event))]
        for (key, value) in fields {
            let reserved = key == "ts" || key == "level" || key == "event"
            let value = Self.cut(redactor.redact(value), to: Self.lengthLimit / 4)
            pairs.append((reserved ? "\(key)_" : redactor.redact(key), value))
        }
        var text: String
        switch format {
        case .logfmt:
            text = pairs.map { "\(Self.logfmtKey($0.0))=\(Self.logfmtValue($0.1))" }.joined(separator: " ")
        case .json:
            text = "{\(pairs.map { "\(Self.quoted($0.0)):\(Self.quoted($0.1))" }.joined(separator: ","))}"
        }
        text = redactor.redact(text)
        if text.utf8.count > Self.lengthLimit {
            let head = LogLine(
                time: time,
                level: level,
                event: event,
                fields: [("truncated", "\(fields.count) fields")]
            )
            return head.bytes(format, redactor: redactor)
        }
        return Array(text.utf8) + [UInt8(ascii: "\n")]
    }

    private static func cut(_ text: String, to limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        return String(decoding: text.utf8.prefix(limit), as: UTF8.self) + "…"
    }

    private static func logfmtKey(_ key: String) -> String {
        String(key.unicodeScalars.map { $0.value <= 32 || $0 == "=" || $0 == "\"" ? "_" : Character($0) })
    }

    private static func logfmtValue(_ value: String) -> String {
        let plain = value.unicodeScalars.allSatisfy { scalar in
            scalar.value > 32 && scalar.value != 127 && scalar != "=" && scalar != "\"" && scalar != "\\"
        }
        return plain && !value.isEmpty ? value : quoted(value)
    }

    /// A JSON string; logfmt quotes by the same rules.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            // Line separators end a line for some readers; other control characters drive terminals.
            case _
            where scalar.value < 32 || (127...159).contains(scalar.value) || scalar == "\u{2028}"
                || scalar == "\u{2029}":
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// RFC 3339 in UTC with microseconds: `2026-11-21T08:04:00.123456Z`.
package enum Timestamp {
    package static func text(_ time: Instant) -> String {
        let (seconds, nanos) = floored(time.nanos, 1_000_000_000)
        let (days, second) = floored(seconds, 86_400)
        let (year, month, day) = date(days)
        let clock = "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))"
        let micros = String(nanos / 1000)
        let fraction = String(repeating: "0", count: 6 - micros.count) + micros
        return "\(year)-\(two(month))-\(two(day))T\(clock).\(fraction)Z"
    }

    /// Year, month and day of a count of days since 1970-01-01, proleptic Gregorian.
    ///
    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    private static func date(_ days: Int64) -> (Int64, Int64, Int64) {
        let shifted = days + 719_468
        let (era, dayOfEra) = floored(shifted, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func floored(_ value: Int64, _ divisor: Int64) -> (Int64, Int64) {
        let remainder = value % divisor
        return remainder < 0 ? (value / divisor - 1, remainder + divisor) : (value / divisor, remainder)
    }

    private static func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : String(value) }
}
