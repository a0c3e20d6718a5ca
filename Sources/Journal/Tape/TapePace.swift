internal import MarketData
internal import Primitives

/// Says when the open segment of a tape ends: with New York's day, or at a size.
///
/// Pure; time is that of the lines. Inputs before 1971 (by the exchange's clock, before the first event) belong to no day.
struct TapePace {
    /// Bytes at which a segment ends.
    let segmentBytes: Int64
    /// Bytes of the segment that the kernel has.
    var fileBytes: Int64 = 0
    /// Receive time of the last line.
    private(set) var lastTime = Instant.zero
    /// Where the day of the segment ends.
    private var dayEnd = Instant.distantFuture
    /// The segment has no input yet.
    private var isFresh = true
    /// A new segment couldn't be begun: it isn't tried again before so many bytes.
    private var blockedUntil: Int64 = 0

    init(segmentBytes: Int64) { self.segmentBytes = segmentBytes }

    /// Takes up a segment that is gone on with.
    ///
    /// `first` is the time of a line in it, nil where it has none; `last` that of its last one: where the next segment
    /// begins before a further line came, its own first line may not be older.
    mutating func resume(_ first: Instant?, last: Instant?) {
        guard let first else { return }
        note(first)
        if let last { lastTime = max(lastTime, last) }
    }

    /// Whether a line belongs in a new segment, with so many bytes waiting to be written before it.
    func isDue(_ head: TapeInputs.Head, behind waiting: Int) -> Bool {
        guard !isFresh, head.kind != TapeInputs.Head.Kind.meta.rawValue else { return false }
        let bytes = fileBytes + Int64(waiting)
        guard bytes >= blockedUntil else { return false }
        return head.time >= dayEnd.nanos || bytes >= segmentBytes
    }

    mutating func note(_ head: TapeInputs.Head) {
        lastTime = max(lastTime, Instant(nanos: head.time))
        guard head.kind != TapeInputs.Head.Kind.meta.rawValue else { return }
        note(Instant(nanos: head.time))
    }

    private mutating func note(_ time: Instant) {
        isFresh = false
        lastTime = max(lastTime, time)
        guard dayEnd == .distantFuture, time.nanos >= Self.firstDay else { return }
        dayEnd = NewYork.instant(NewYork.local(time).date.adding(days: 1), seconds: 0)
    }

    /// 1971-01-01 in UTC, with room for New York's offset.
    private static let firstDay: Int64 = 31_622_400_000_000_000

    /// Begins a new segment.
    mutating func rotated() {
        (fileBytes, isFresh, dayEnd, blockedUntil) = (0, true, .distantFuture, 0)
    }

    /// Goes on with the old segment for another MiB.
    mutating func postpone() { blockedUntil = fileBytes + 1 << 20 }
}
