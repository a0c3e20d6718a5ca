internal import Glibc

/// What subscribers of a fan-out heard.
package struct FanoutTally: Sendable {
    /// Messages of channels, snapshots too.
    package var deliveries: Int64 = 0
    package var snapshots: Int64 = 0
    package var frames: Int64 = 0
    package var bytes: Int64 = 0
    /// Holes in durable offsets, and gaps that the gateway told.
    package var gaps: Int64 = 0
    /// Durable offsets and revisions that didn't grow.
    package var doubles: Int64 = 0
    /// Conflatable messages merged into later ones: numbers left out in a channel's revisions, but for a plan's.
    package var merged: Int64 = 0
    /// `error` answers.
    package var errors: Int64 = 0
    /// From the envelope's `t` to the client's read.
    package var latency = LatencyHistogram()

    package init() {}
}

/// Reads a subscriber's frames by looking for the envelopes' heads alone, and checks that nothing is missing or double.
///
/// It is much cheaper than the gateway that it measures: some 200 ns a message. One per connection; pure.
package struct FanoutReader: Sendable {
    private struct Place: Sendable {
        var offset: Int64 = 0
        var run: UInt64 = 0
        var revision: Int64 = 0
        /// The last revision of each message type, by the name's hash.
        var types: [(type: UInt64, revision: Int64)] = []
    }

    private var places: [UInt64: Place] = [:]

    package init() {}

    /// Takes a frame; `now` is the wall clock's nanoseconds.
    package mutating func read(_ frame: UnsafeRawBufferPointer, now: Int64, into tally: inout FanoutTally) {
        tally.frames += 1
        tally.bytes += Int64(frame.count)
        var rest = frame[...]
        // In a text the quotes behind a brace would be escaped, so what matches is an object's beginning.
        while let brace = Self.brace(in: rest) {
            rest = frame[(brace + 1)...]
            var scan = FanoutScanner(rest: rest)
            if scan.skip(#""ch":""#) {
                take(&scan, now: now, into: &tally)
            } else if scan.skip(#""op":""#) || scan.skipID() {
                if scan.skip("gap\"") { tally.gaps += 1 } else if scan.skip("error\"") { tally.errors += 1 }
            }
        }
    }

    private static func brace(in rest: Slice<UnsafeRawBufferPointer>) -> Int? {
        guard let base = rest.base.baseAddress, !rest.isEmpty else { return nil }
        let start = base + rest.startIndex
        guard let found = memchr(start, Int32(UInt8(ascii: "{")), rest.count) else { return nil }
        return UnsafeRawPointer(found) - base
    }

    private mutating func take(_ scan: inout FanoutScanner, now: Int64, into tally: inout FanoutTally) {
        // A channel named in an answer has no epoch behind it.
        guard let channel = scan.textHash(), scan.skip(#","ep":""#), scan.textHash() != nil else { return }
        var place = places[channel] ?? Place()
        if scan.skip(#","off":"#) {
            guard let offset = scan.integer(), let (type, time) = scan.typeAndTime() else { return }
            tally.deliveries += 1
            if type == FanoutScanner.snapshotHash {
                tally.snapshots += 1
                place = Place(offset: offset)
            } else {
                if offset <= place.offset { tally.doubles += 1 }
                if offset > place.offset + 1 { tally.gaps += 1 }
                place.offset = offset
                tally.latency.add(nanos: now - time)
            }
        } else if scan.skip(#","base":"#) {
            guard scan.integer() != nil, scan.skip(#","run":""#), let run = scan.textHash(), scan.skip(#","rev":"#),
                let revision = scan.integer(), let (type, time) = scan.typeAndTime()
            else { return }
            tally.deliveries += 1
            tally.latency.add(nanos: now - time)
            follow(&place, run: run, type: type, revision: revision, &tally)
        } else {
            return
        }
        places[channel] = place
    }

    private func follow(
        _ place: inout Place,
        run: UInt64,
        type: UInt64,
        revision: Int64,
        _ tally: inout FanoutTally
    ) {
        if place.run != run { place = Place(offset: place.offset, run: run) }
        // The gateway's own derived fields are numbered by its changes of the plan, not one by one.
        if type != FanoutScanner.deltaHash, place.revision > 0, revision > place.revision + 1 {
            tally.merged += revision - place.revision - 1
        }
        place.revision = max(place.revision, revision)
        guard let index = place.types.firstIndex(where: { $0.type == type }) else {
            place.types.append((type, revision))
            return
        }
        if revision <= place.types[index].revision { tally.doubles += 1 }
        place.types[index].revision = revision
    }
}

/// Steps through an envelope's head, field by field in the order of `Envelope.encode`.
private struct FanoutScanner {
    static let snapshotHash = hash("snapshot".utf8)
    static let deltaHash = hash("delta".utf8)

    var rest: Slice<UnsafeRawBufferPointer>

    /// FNV-1a: names are short, and a collision of two of a few channels would show as a gap.
    static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash
    }

    mutating func skip(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { expected in
            guard rest.starts(with: expected) else { return false }
            rest = rest.dropFirst(expected.count)
            return true
        }
    }

    /// The hash of the text up to its closing quote, which is passed.
    mutating func textHash() -> UInt64? {
        guard let end = rest.firstIndex(of: UInt8(ascii: "\"")) else { return nil }
        defer { rest = rest[(end + 1)...] }
        return Self.hash(rest[..<end])
    }

    /// `"id":…,"op":"`: the beginning of an answer, not of a plan.
    mutating func skipID() -> Bool {
        guard skip(#""id":"#) else { return false }
        if skip("\"") {
            guard textHash() != nil else { return false }
        } else {
            rest = rest.drop { $0 != UInt8(ascii: ",") }
        }
        return skip(#","op":""#)
    }

    mutating func integer() -> Int64? {
        var value: Int64 = 0
        var count = 0
        // Eighteen digits can't overflow; times have nineteen, which are below the limit until the year 2262.
        while let byte = rest.first, (48...57).contains(byte), count < 19 {
            value = value &* 10 &+ Int64(byte - 48)
            rest = rest.dropFirst()
            count += 1
        }
        return count > 0 ? value : nil
    }

    /// `,"n":"…","type":"…","t":"…"`.
    mutating func typeAndTime() -> (type: UInt64, time: Int64)? {
        guard skip(#","n":""#), textHash() != nil, skip(#","type":""#), let type = textHash(), skip(#","t":""#),
            let time = integer()
        else { return nil }
        return (type, time)
    }
}

/// Latencies in buckets of at most 1/16 of their value, from a microsecond to an hour.
package struct LatencyHistogram: Sendable {
    private var buckets = [Int64](repeating: 0, count: 16 * 34)
    package private(set) var count: Int64 = 0
    /// Times that lie ahead of the clock, or further back than an hour: the stamps are another clock's.
    package private(set) var foreign: Int64 = 0

    package init() {}

    /// Notes a latency.
    package mutating func add(nanos: Int64) {
        let micros = nanos / 1_000
        guard nanos >= 0, micros < 3_600_000_000 else {
            foreign += 1
            return
        }
        count += 1
        buckets[Self.bucket(micros)] += 1
    }

    private static func bucket(_ micros: Int64) -> Int {
        if micros < 16 { return Int(micros) }
        let exponent = 63 - micros.leadingZeroBitCount
        return (exponent - 3) * 16 + Int((micros >> (exponent - 4)) & 15)
    }

    /// The upper end of the bucket in which the share lies, in milliseconds; nil where nothing was noted.
    package func milliseconds(atShare share: Double) -> Double? {
        guard count > 0 else { return nil }
        let wanted = max(1, Int64((Double(count) * share).rounded(.up)))
        var seen: Int64 = 0
        for (index, amount) in buckets.enumerated() {
            seen += amount
            guard seen >= wanted else { continue }
            return Double(Self.upperEnd(index)) / 1_000
        }
        return nil
    }

    private static func upperEnd(_ bucket: Int) -> Int64 {
        if bucket < 16 { return Int64(bucket) + 1 }
        let exponent = bucket / 16 + 3
        return (Int64(16 + bucket % 16) + 1) << (exponent - 4)
    }
}
