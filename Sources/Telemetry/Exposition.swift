/// Prometheus' text format: families by name, series by labels, so two expositions compare line by line.
///
/// Source: https://prometheus.io/docs/instrumenting/exposition_formats/
enum Exposition {
    static func text(_ families: [MetricFamily]) -> [UInt8] {
        var out: [UInt8] = []
        for family in families.sorted(by: { $0.name < $1.name }) {
            let name = MetricName.prefix + family.name
            out.append(contentsOf: "# HELP \(name) \(escaped(family.help, quotes: false))\n".utf8)
            out.append(contentsOf: "# TYPE \(name) \(family.kind.rawValue)\n".utf8)
            let series = family.series.sorted { $0.key.lexicographicallyPrecedes($1.key) }
            for (labels, instrument) in series {
                append(instrument, name: name, unit: family.unit, labels: labels, to: &out)
            }
        }
        return out
    }

    private static func append(
        _ instrument: Instrument,
        name: String,
        unit: MetricUnit,
        labels: [MetricLabel],
        to out: inout [UInt8]
    ) {
        switch instrument {
        case .counter(let counter):
            let value = Int64(truncatingIfNeeded: counter.value & UInt64(Int64.max))
            out.append(contentsOf: "\(name)\(text(labels)) \(unit.text(value))\n".utf8)
        case .gauge(let gauge):
            out.append(contentsOf: "\(name)\(text(labels)) \(unit.text(gauge.value))\n".utf8)
        case .observed(_, let read):
            out.append(contentsOf: "\(name)\(text(labels)) \(unit.text(read()))\n".utf8)
        case .histogram(let histogram):
            append(histogram.snapshot(), name: name, unit: unit, labels: labels, to: &out)
        }
    }

    private static func append(
        _ snapshot: HistogramSnapshot,
        name: String,
        unit: MetricUnit,
        labels: [MetricLabel],
        to out: inout [UInt8]
    ) {
        for exponent in exponents(unit) {
            let bound = unit.text(1 << Int64(exponent))
            let count = snapshot.count(upToPowerOfTwo: exponent)
            out.append(contentsOf: "\(name)_bucket\(text(labels, bound: bound)) \(count)\n".utf8)
        }
        let count = snapshot.count
        out.append(contentsOf: "\(name)_bucket\(text(labels, bound: "+Inf")) \(count)\n".utf8)
        let sum = Int64(truncatingIfNeeded: snapshot.sum & UInt64(Int64.max))
        out.append(contentsOf: "\(name)_sum\(text(labels)) \(unit.text(sum))\n".utf8)
        out.append(contentsOf: "\(name)_count\(text(labels)) \(count)\n".utf8)
    }

    /// The powers of two shown as bounds: time from 1 µs to 69 s, else 1 to 16 Mi.
    private static func exponents(_ unit: MetricUnit) -> StrideThrough<Int> {
        unit == .nanoseconds ? stride(from: 10, through: 36, by: 1) : stride(from: 0, through: 24, by: 2)
    }

    private static func text(_ labels: [MetricLabel], bound: String? = nil) -> String {
        var parts = labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }
        if let bound { parts.append("le=\"\(bound)\"") }
        return parts.isEmpty ? "" : "{\(parts.joined(separator: ","))}"
    }

    static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
