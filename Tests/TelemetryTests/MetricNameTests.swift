import Telemetry
import Testing

@Suite struct MetricNameTests {
    @Test(arguments: [
        ("feed_events_total", MetricKind.counter, MetricUnit.count),
        ("tape_written_bytes_total", .counter, .bytes),
        ("shard_busy_seconds_total", .counter, .nanoseconds),
        ("feed_lag_seconds", .gauge, .nanoseconds),
        ("plan_hit_seconds", .histogram, .nanoseconds),
        ("shard_load_ratio", .gauge, .ratioMicros),
    ])
    func acceptsConventionalNames(name: String, kind: MetricKind, unit: MetricUnit) {
        #expect(MetricName.problems(name, kind: kind, unit: unit, help: "Help.") == [])
    }

    @Test(arguments: [
        ("feed_events", MetricKind.counter, MetricUnit.count, "Help.", "_total"),
        ("feed_events_total", .gauge, .count, "Help.", "_total"),
        ("feedEvents_total", .counter, .count, "Help.", "snake case"),
        ("_events_total", .counter, .count, "Help.", "snake case"),
        ("feed_lag", .gauge, .nanoseconds, "Help.", "_seconds"),
        ("feed_lag_ms", .gauge, .count, "Help.", "abbreviated unit ms"),
        ("feed_lag_seconds", .gauge, .nanoseconds, "", "help"),
        ("queue_count", .gauge, .count, "Help.", "reserved _count"),
        ("queue_gauge_events", .gauge, .count, "Help.", "kind gauge"),
    ])
    func refusesOthers(name: String, kind: MetricKind, unit: MetricUnit, help: String, says: String) {
        let problems = MetricName.problems(name, kind: kind, unit: unit, help: help)
        #expect(problems.contains { $0.contains(says) }, "\(problems)")
    }
}
