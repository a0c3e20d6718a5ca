/// What a metric measures; decides the ending of its name and the scale it is shown in.
package enum MetricUnit: Sendable, CaseIterable {
    /// Whole numbers of things.
    case count
    case bytes
    /// Recorded in nanoseconds, shown in seconds.
    case nanoseconds
    /// Recorded in millionths, shown as a fraction of 1.
    case ratioMicros

    /// The ending that Prometheus' naming rules ask for.
    package var suffix: String {
        switch self {
        case .count: ""
        case .bytes: "_bytes"
        case .nanoseconds: "_seconds"
        case .ratioMicros: "_ratio"
        }
    }

    /// A recorded value as it is shown.
    package func text(_ value: Int64) -> String {
        switch self {
        case .count, .bytes: String(value)
        case .nanoseconds: Self.scaled(value, by: 1e9)
        case .ratioMicros: Self.scaled(value, by: 1e6)
        }
    }

    private static func scaled(_ value: Int64, by scale: Double) -> String { String(Double(value) / scale) }
}

/// How a metric behaves over time.
package enum MetricKind: String, Sendable, CaseIterable {
    case counter
    case gauge
    case histogram
}

/// The rules that a metric's name keeps: Prometheus' naming conventions, as `promtool check metrics` lints them.
package enum MetricName {
    /// What every exposed name starts with.
    package static let prefix = "striketape_"

    /// Everything wrong with a name (given without prefix), one sentence each.
    package static func problems(_ name: String, kind: MetricKind, unit: MetricUnit, help: String) -> [String] {
        var problems: [String] = []
        if !isSnakeCase(name) { problems.append("is not lower snake case") }
        if help.isEmpty { problems.append("has no help text") }
        let base: Substring
        if kind == .counter {
            if !name.hasSuffix("_total") { problems.append("is a counter without _total") }
            base = name.hasSuffix("_total") ? name.dropLast("_total".count) : name[...]
        } else {
            if name.hasSuffix("_total") { problems.append("ends in _total but is no counter") }
            base = name[...]
        }
        if !base.hasSuffix(unit.suffix) { problems.append("lacks its unit \(unit.suffix)") }
        for reserved in ["_count", "_sum", "_bucket"] where name.hasSuffix(reserved) {
            problems.append("ends in the reserved \(reserved)")
        }
        let words = base.split(separator: "_").map(String.init)
        for word in words where abbreviatedUnits.contains(word) {
            problems.append("has the abbreviated unit \(word)")
        }
        for word in words where MetricKind(rawValue: word) != nil {
            problems.append("names its kind \(word)")
        }
        return problems
    }

    /// Whether a label's name is one that may be exposed.
    package static func isLabel(_ name: String) -> Bool {
        isSnakeCase(name) && name != "le" && name != "quantile"
    }

    private static let abbreviatedUnits: Set<String> = [
        "s", "ms", "us", "ns", "sec", "m", "h", "b", "kb", "mb", "gb", "tb", "millis", "micros", "nanos",
    ]

    private static func isSnakeCase(_ name: String) -> Bool {
        guard let first = name.utf8.first, first >= UInt8(ascii: "a"), first <= UInt8(ascii: "z") else { return false }
        return name.utf8.allSatisfy { byte in
            (byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z"))
                || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")) || byte == UInt8(ascii: "_")
        }
    }
}

/// One label of a series: a name and a value from a small closed set.
///
/// Never a user, a plan or a text from outside: each value costs a series.
package struct MetricLabel: Hashable, Sendable, Comparable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    package static func < (a: MetricLabel, b: MetricLabel) -> Bool { (a.name, a.value) < (b.name, b.value) }
}
