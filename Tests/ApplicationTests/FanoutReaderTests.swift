import Application
import Primitives
import Testing
import Wire

/// The subscribers of `bench fanout` must see every hole and double, or its zeros say nothing.
@Suite struct FanoutReaderTests {
    private func envelope(
        _ channel: String,
        _ position: Envelope.Position,
        _ type: MessageType = .tick,
        time: Int64 = 1_000_000
    ) -> String {
        var out: [UInt8] = []
        Envelope.encode(
            channel: Array(channel.utf8),
            epoch: "e1",
            position: position,
            n: 7,
            type: type,
            time: Instant(nanos: time),
            payload: Array(#"{"note":"a \"op\":\"gap\" and {\"ch\":\"x"}"#.utf8),
            into: &out
        )
        return String(decoding: out, as: UTF8.self)
    }

    private func read(_ frames: [[String]], now: Int64 = 4_000_000) -> FanoutTally {
        var reader = FanoutReader()
        var tally = FanoutTally()
        for frame in frames {
            let text = Array("[\(frame.joined(separator: ","))]".utf8)
            text.withUnsafeBytes { reader.read($0, now: now, into: &tally) }
        }
        return tally
    }

    private func conflatable(_ revision: Int64, run: String = "r") -> String {
        envelope("symbol:A", .conflatable(base: 0, run: run, revision: revision))
    }

    @Test func aWholeStreamHasNoHoleAndNoDouble() {
        let tally = read([
            [#"{"id":1,"op":"subscribed","channels":[{"ch":"symbol:A","ep":"e1","off":0,"recovered":false}]}"#],
            [envelope("symbol:A", .snapshot(offset: 0), .snapshot), conflatable(4)],
            [conflatable(5), envelope("symbol:A", .conflatable(base: 0, run: "r", revision: 5), .bar)],
            [
                envelope("plan:p", .snapshot(offset: 3), .snapshot), envelope("plan:p", .durable(offset: 4), .hit),
                envelope("plan:p", .durable(offset: 5), .hit), conflatable(6), conflatable(1, run: "s"),
            ],
        ])
        #expect(tally.frames == 4 && tally.snapshots == 2 && tally.deliveries == 9)
        #expect(tally.gaps == 0 && tally.doubles == 0 && tally.merged == 0 && tally.errors == 0)
        #expect(tally.latency.count == 7 && tally.latency.foreign == 0)
    }

    @Test func holesDoublesAndAnswersAreCounted() {
        let durable = { (offset: Int64) in envelope("plan:p", .durable(offset: offset), .hit) }
        let tally = read([
            [envelope("plan:p", .snapshot(offset: 3), .snapshot), durable(5)], [durable(5), durable(4), durable(6)],
            [conflatable(2), conflatable(2), conflatable(9)],
            [#"{"op":"gap","ch":"plan:p","from":6,"to":7,"reason":"bus_lost"}"#],
            [#"{"id":1,"op":"error","code":"unknown_channel","message":"no","ch":"x"}"#],
        ])
        #expect(tally.gaps == 3 && tally.doubles == 3 && tally.merged == 6 && tally.errors == 1)
    }

    @Test func cutAndForeignFramesAreSurvived() {
        let whole = envelope("symbol:A", .conflatable(base: 0, run: "r", revision: 1))
        for count in 0..<whole.utf8.count {
            #expect(read([[String(whole.prefix(count))]]).deliveries <= 1)
        }
        #expect(read([[envelope("plan:p", .durable(offset: 1), .hit, time: 9_000_000)]]).latency.foreign == 1)
    }

    @Test func sharesAreUpperEndsOfBuckets() {
        var histogram = LatencyHistogram()
        #expect(histogram.milliseconds(atShare: 0.5) == nil)
        for micros in 1...1_000 { histogram.add(nanos: Int64(micros) * 1_000) }
        for (share, exact) in [(0.5, 0.5), (0.99, 0.99), (1, 1.0), (0.001, 0.001)] {
            let found = histogram.milliseconds(atShare: share) ?? 0
            #expect(found >= exact && found <= exact * 1.0626 + 0.001, "\(share): \(found)")
        }
        histogram.add(nanos: 3_599_999_999_000)
        histogram.add(nanos: 3_600_000_000_000)
        histogram.add(nanos: -1)
        #expect(histogram.count == 1_001 && histogram.foreign == 2)
    }
}
