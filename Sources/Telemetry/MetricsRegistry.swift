internal import Primitives

/// All metrics of the process: register once at start, record anywhere, show at `/metrics`.
///
/// Registering takes a lock and allocates; recording into what it returns does neither. Asking twice for the same name
/// and labels returns the same object. A name that breaks Prometheus' conventions, or is asked for with another kind
/// or unit, is a mistake in the program and traps at start. Any thread.
package final class MetricsRegistry: Sendable {
    /// The most series kept; further ones still work but aren't shown, and are counted in
    /// `striketape_telemetry_series_refused_total`.
    package let seriesLimit: Int

    private let state = Lock(State())
    private let refused = Counter()

    package init(seriesLimit: Int = 10_000) {
        self.seriesLimit = seriesLimit
        adopt(
            .counter(refused),
            name: "telemetry_series_refused_total",
            unit: .count,
            help: "Series not shown because the registry was full.",
            labels: []
        )
    }

    /// The counter `name` (without prefix, ending in `_total`).
    package func counter(
        _ name: String,
        unit: MetricUnit = .count,
        help: String,
        labels: [MetricLabel] = []
    ) -> Counter {
        let instrument = adopt(.counter(Counter()), name: name, unit: unit, help: help, labels: labels)
        guard case .counter(let counter) = instrument else { preconditionFailure("metric \(name) is no counter") }
        return counter
    }

    /// The gauge `name` (without prefix).
    package func gauge(
        _ name: String,
        unit: MetricUnit = .count,
        help: String,
        labels: [MetricLabel] = []
    ) -> Gauge {
        let instrument = adopt(.gauge(Gauge()), name: name, unit: unit, help: help, labels: labels)
        guard case .gauge(let gauge) = instrument else { preconditionFailure("metric \(name) is no gauge") }
        return gauge
    }

    /// The histogram `name` (without prefix).
    package func histogram(
        _ name: String,
        unit: MetricUnit = .nanoseconds,
        help: String,
        labels: [MetricLabel] = []
    ) -> Histogram {
        let instrument = adopt(.histogram(Histogram()), name: name, unit: unit, help: help, labels: labels)
        guard case .histogram(let histogram) = instrument else { preconditionFailure("metric \(name) is no histogram") }
        return histogram
    }

    /// A gauge or counter whose value is asked for at each exposition; `read` must not block.
    ///
    /// For parts that count for themselves. A name that ends in `_total` makes a counter. A second registration of the same series replaces the first: the part that it read may have been restarted.
    package func observe(
        _ name: String,
        unit: MetricUnit = .count,
        help: String,
        labels: [MetricLabel] = [],
        read: @escaping @Sendable () -> Int64
    ) {
        let kind: MetricKind = name.hasSuffix("_total") ? .counter : .gauge
        adopt(.observed(kind, read), name: name, unit: unit, help: help, labels: labels)
    }

    /// Everything in Prometheus' text format, version 0.0.4.
    package func exposition() -> [UInt8] {
        // The lock is held only to copy the list: observed gauges may take locks of their own.
        let families = state.withLock { Array($0.families.values) }
        return Exposition.text(families)
    }

    @discardableResult
    private func adopt(
        _ instrument: Instrument,
        name: String,
        unit: MetricUnit,
        help: String,
        labels: [MetricLabel]
    ) -> Instrument {
        let problems = MetricName.problems(name, kind: instrument.kind, unit: unit, help: help)
        precondition(problems.isEmpty, "metric \(name) \(problems.joined(separator: "; "))")
        for label in labels { precondition(MetricName.isLabel(label.name), "metric \(name): bad label \(label.name)") }
        let labels = labels.sorted()
        let limit = seriesLimit
        let refused = refused
        return state.withLock { state -> Instrument in
            let fresh = MetricFamily(name: name, kind: instrument.kind, unit: unit, help: help)
            var family = state.families[name] ?? fresh
            precondition(
                family.kind == fresh.kind && family.unit == unit && family.help == help,
                "metric \(name) is registered twice with another kind, unit or help text"
            )
            let known = family.series[labels]
            if let known, !instrument.isObserved { return known }
            if known == nil {
                guard state.seriesCount < limit else {
                    refused.add()
                    return instrument
                }
                state.seriesCount += 1
            }
            family.series[labels] = instrument
            state.families[name] = family
            return instrument
        }
    }

    private struct State: Sendable {
        var families: [String: MetricFamily] = [:]
        var seriesCount = 0
    }
}

/// What a series records with.
enum Instrument: Sendable {
    case counter(Counter)
    case gauge(Gauge)
    case observed(MetricKind, @Sendable () -> Int64)
    case histogram(Histogram)

    var kind: MetricKind {
        switch self {
        case .counter: .counter
        case .gauge: .gauge
        case .observed(let kind, _): kind
        case .histogram: .histogram
        }
    }

    var isObserved: Bool {
        if case .observed = self { true } else { false }
    }
}

/// All series of one name.
struct MetricFamily: Sendable {
    let name: String
    let kind: MetricKind
    let unit: MetricUnit
    let help: String
    var series: [[MetricLabel]: Instrument] = [:]
}
