import Telemetry
import Testing

@Suite struct MetricsRegistryTests {
    private func lines(_ registry: MetricsRegistry) -> [String] {
        String(decoding: registry.exposition(), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test func showsSeriesByNameAndLabel() {
        let registry = MetricsRegistry()
        registry.counter("feed_events_total", help: "Events.", labels: [MetricLabel("feed", "b")]).add(3)
        registry.counter("feed_events_total", help: "Events.", labels: [MetricLabel("feed", "a")]).add()
        registry.gauge("feed_lag_seconds", unit: .nanoseconds, help: "Lag.").set(1_500_000)
        registry.observe("queue_ratio", unit: .ratioMicros, help: "Fill.") { 250_000 }
        #expect(
            lines(registry) == [
                "# HELP striketape_feed_events_total Events.",
                "# TYPE striketape_feed_events_total counter",
                "striketape_feed_events_total{feed=\"a\"} 1",
                "striketape_feed_events_total{feed=\"b\"} 3",
                "# HELP striketape_feed_lag_seconds Lag.",
                "# TYPE striketape_feed_lag_seconds gauge",
                "striketape_feed_lag_seconds 0.0015",
                "# HELP striketape_queue_ratio Fill.",
                "# TYPE striketape_queue_ratio gauge",
                "striketape_queue_ratio 0.25",
                "# HELP striketape_telemetry_series_refused_total Series not shown because the registry was full.",
                "# TYPE striketape_telemetry_series_refused_total counter",
                "striketape_telemetry_series_refused_total 0",
            ]
        )
    }

    @Test func showsHistogramsCumulativelyInSeconds() {
        let registry = MetricsRegistry()
        let histogram = registry.histogram("hit_seconds", help: "Tick to hit.")
        histogram.record(1024)
        histogram.record(1025)
        histogram.record(200_000_000_000)
        let shown = lines(registry)
        #expect(shown.contains("striketape_hit_seconds_bucket{le=\"1.024e-06\"} 1"))
        #expect(shown.contains("striketape_hit_seconds_bucket{le=\"2.048e-06\"} 2"))
        #expect(shown.contains("striketape_hit_seconds_bucket{le=\"68.719476736\"} 2"))
        #expect(shown.contains("striketape_hit_seconds_bucket{le=\"+Inf\"} 3"))
        #expect(shown.contains("striketape_hit_seconds_count 3"))
        #expect(shown.contains("striketape_hit_seconds_sum 200.000002049"))
    }

    @Test func escapesWhatWouldBreakALine() {
        let registry = MetricsRegistry()
        _ = registry.gauge("odd", help: "Back\\slash\nand feed.", labels: [MetricLabel("x", "a\"b\\c\nd")])
        #expect(lines(registry).contains("striketape_odd{x=\"a\\\"b\\\\c\\nd\"} 0"))
        #expect(lines(registry).contains("# HELP striketape_odd Back\\\\slash\\nand feed."))
    }

    @Test func givesTheSameObjectForTheSameSeries() {
        let registry = MetricsRegistry()
        let labels = [MetricLabel("a", "1"), MetricLabel("b", "2")]
        let first = registry.counter("x_total", help: "X.", labels: labels)
        #expect(registry.counter("x_total", help: "X.", labels: labels.reversed()) === first)
        #expect(registry.counter("x_total", help: "X.", labels: [MetricLabel("a", "2")]) !== first)
    }

    @Test func aSecondObserverReplacesTheFirst() {
        let registry = MetricsRegistry()
        registry.observe("depth", help: "Depth.") { 1 }
        registry.observe("depth", help: "Depth.") { 2 }
        #expect(lines(registry).contains("striketape_depth 2"))
        registry.observe("frames_total", help: "Frames.") { 3 }
        #expect(lines(registry).contains("# TYPE striketape_frames_total counter"))
    }

    @Test func countsSeriesBeyondItsLimit() {
        let registry = MetricsRegistry(seriesLimit: 2)
        _ = registry.counter("first_total", help: "A.")
        registry.counter("second_total", help: "B.").add(5)
        #expect(!lines(registry).contains { $0.contains("striketape_second_total") })
        #expect(lines(registry).contains("striketape_telemetry_series_refused_total 1"))
    }
}
