public import MarketData
public import Primitives

/// How the NBBO is sampled (`nbbo.sampleMs`, `nbbo.staleMs`).
@frozen
public struct NBBOSampling: Hashable, Sendable, BitwiseCopyable {
    /// Distance of the grid's instants in receive time, at least 1.
    public let sampleNanos: Int64
    /// A quote older than this at a grid instant isn't sampled.
    public let staleNanos: Int64
    /// Whole grid steps in `staleNanos`, and what is left: they save a division a quote.
    @usableFromInline let staleSteps: Int64
    @usableFromInline let staleRest: Int64

    /// States grid and staleness.
    @inlinable
    public init(sampleNanos: Int64 = 250_000_000, staleNanos: Int64) {
        precondition(sampleNanos > 0 && staleNanos >= 0, "sampling out of range: \(sampleNanos), \(staleNanos)")
        self.sampleNanos = sampleNanos
        self.staleNanos = staleNanos
        (staleSteps, staleRest) = staleNanos.quotientAndRemainder(dividingBy: sampleNanos)
    }

    /// The last grid instant at or before `instant`.
    @inlinable
    func grid(_ instant: Instant) -> Int64 { instant.nanos / sampleNanos }

    /// The last grid instant at which a quote received at `received`, in grid step `grid`, isn't stale.
    @inlinable
    func freshGrid(_ received: Instant, grid: Int64) -> Int64 {
        grid &+ staleSteps &+ (received.nanos &- grid &* sampleNanos &+ staleRest >= sampleNanos ? 1 : 0)
    }

    /// Equities: 250 ms, stale after 2 s.
    @inlinable
    public static var equity: NBBOSampling { NBBOSampling(staleNanos: 2_000_000_000) }
    /// Options: 250 ms, stale after 15 s.
    @inlinable
    public static var option: NBBOSampling { NBBOSampling(staleNanos: 15_000_000_000) }
}

/// Mean and spread of a window of sampled spread fractions (analytics.md 1).
@frozen
public struct SpreadStatistics: Hashable, Sendable {
    /// How many samples the window has.
    public var samples: Int
    /// Mean of (ask − bid) / mid.
    public var mean: Double
    /// Population standard deviation.
    public var deviation: Double
    /// max(0, 1 − deviation / mean); 1 where all are equal; nil under 8 samples.
    public var stability: Double?

    /// Computes from a ring's content, in any order of its elements.
    static func of(_ count: Int, _ sample: (Int) -> Float) -> SpreadStatistics? {
        guard count > 0 else { return nil }
        var sum = 0.0
        var isConstant = true
        let first = sample(0)
        for index in 0..<count {
            let value = sample(index)
            sum += Double(value)
            if value != first { isConstant = false }
        }
        let mean = isConstant ? Double(first) : sum / Double(count)
        var squares = 0.0
        if !isConstant {
            for index in 0..<count {
                let distance = Double(sample(index)) - mean
                squares += distance * distance
            }
        }
        let deviation = (squares / Double(count)).squareRoot()
        // Usable quotes only: the mean is zero only where all samples are, and then they are equal.
        let stability = isConstant ? 1 : max(0, 1 - deviation / mean)
        return SpreadStatistics(
            samples: count,
            mean: mean,
            deviation: deviation,
            stability: count >= NBBOSampler.leastSamples ? stability : nil
        )
    }
}

/// Samples the spread fraction of the last usable quote on a grid of receive time, lazily.
///
/// At a quote or a read one sample is added for each grid instant passed, so a silent contract costs nothing. Grid
/// instants are kept modulo 2³² (34 years at 250 ms) to fit the budget of an option contract. 192 bytes; one thread.
@frozen
public struct NBBOSampler: Sendable, BitwiseCopyable {
    /// Samples in the window: 10 s at 250 ms.
    public static let window = 40
    /// Fewer samples give no stability.
    public static let leastSamples = 8

    @usableFromInline var ring = InlineArray<40, Float>(repeating: 0)
    /// Spread fraction of the last usable quote.
    @usableFromInline var standing: Float = 0
    /// The last grid instant that was looked at.
    @usableFromInline var lastGrid: UInt32 = 0
    /// The last grid instant at which the standing quote isn't stale.
    @usableFromInline var freshGrid: UInt32 = 0
    @usableFromInline var head: UInt8 = 0
    @usableFromInline var filled: UInt8 = 0
    @usableFromInline var hasStanding = false
    /// Quotes in RTH with ask = bid.
    public private(set) var lockedQuotes: UInt32 = 0
    /// Quotes in RTH with ask < bid.
    public private(set) var crossedQuotes: UInt32 = 0
    /// Quotes in RTH with one side or none.
    public private(set) var oneSidedQuotes: UInt32 = 0
    /// Grid instants in RTH that gave no sample because the last usable quote was too old.
    public var staleInstants: UInt32 = 0

    /// Before the first quote.
    public init() {}

    /// Takes a quote received at `received`; the grid instants passed until then belong to the quote before it.
    ///
    /// - Returns: the value sampled and how often, also beyond `window`, for a longer ring.
    @inlinable
    public mutating func quoted(
        _ quote: Quote,
        in session: SessionKind,
        of day: TradingDay,
        received: Instant,
        _ sampling: NBBOSampling
    ) -> (value: Float, count: Int) {
        let grid = sampling.grid(received)
        let added = advance(toGrid: grid, of: day, sampling)
        if quote.isUsable {
            let (bid, ask) = (Double(quote.bid.micros), Double(quote.ask.micros))
            standing = Float(2 * (ask - bid) / (ask + bid))
            if !hasStanding { lastGrid = UInt32(truncatingIfNeeded: grid) }
            hasStanding = true
            freshGrid = UInt32(truncatingIfNeeded: sampling.freshGrid(received, grid: grid))
            if session == .rth, quote.bid == quote.ask { countUnusual(quote) }
        } else if session == .rth {
            countUnusual(quote)
        }
        return added
    }

    /// Adds the samples of the grid instants passed up to and including `received`.
    @inlinable
    @discardableResult
    public mutating func advance(
        to received: Instant,
        of day: TradingDay,
        _ sampling: NBBOSampling
    ) -> (value: Float, count: Int) {
        advance(toGrid: sampling.grid(received), of: day, sampling)
    }

    @inlinable
    mutating func advance(
        toGrid grid: Int64,
        of day: TradingDay,
        _ sampling: NBBOSampling
    ) -> (value: Float, count: Int) {
        guard hasStanding else { return (0, 0) }
        let passed = Int32(bitPattern: UInt32(truncatingIfNeeded: grid) &- lastGrid)
        if passed <= 0 { return (0, 0) }
        return (standing, addSamples(to: grid, passed: passed, of: day, sampling))
    }

    @usableFromInline
    mutating func addSamples(
        to now: Int64,
        passed: Int32,
        of day: TradingDay,
        _ sampling: NBBOSampling
    ) -> Int {
        let last = now - Int64(passed)
        let fresh = last + Int64(Int32(bitPattern: freshGrid &- lastGrid))
        lastGrid = UInt32(truncatingIfNeeded: now)
        // RTH includes its start and excludes its end.
        let low = max(last + 1, (day.open.nanos &- 1) / sampling.sampleNanos + 1)
        let high = min(now, (day.close.nanos &- 1) / sampling.sampleNanos)
        guard high >= low, day.date != 0 else { return 0 }
        let count = Int(max(0, min(high, fresh) - low + 1))
        let stale = high - low + 1 - Int64(count)
        staleInstants = UInt32(clamping: Int64(staleInstants) + stale)
        for _ in 0..<min(count, Self.window) {
            ring[Int(head)] = standing
            head = head + 1 == UInt8(Self.window) ? 0 : head + 1
            if filled < UInt8(Self.window) { filled += 1 }
        }
        return count
    }

    @usableFromInline
    mutating func countUnusual(_ quote: Quote) {
        if !quote.isTwoSided {
            oneSidedQuotes &+= 1
        } else if quote.ask < quote.bid {
            crossedQuotes &+= 1
        } else {
            lockedQuotes &+= 1
        }
    }

    /// Statistics of the window as it stands after the last `advance`; nil without a sample.
    public var statistics: SpreadStatistics? {
        SpreadStatistics.of(Int(filled)) { ring[$0] }
    }
}

/// A longer window of the same samples (5 minutes), for underlyings and watched contracts.
///
/// Grows to 1,200 samples, 4 bytes each. One thread.
public struct SpreadRing: Sendable {
    /// Samples in the window: 5 minutes at 250 ms.
    public static let window = 1_200
    private var ring: [Float] = []
    private var head = 0

    /// Without samples.
    public init() {}

    /// Adds one value `count` times.
    public mutating func add(_ value: Float, count: Int) {
        for _ in 0..<min(count, Self.window) {
            if ring.count < Self.window {
                if ring.isEmpty { ring.reserveCapacity(Self.window) }
                ring.append(value)
            } else {
                ring[head] = value
                head = head + 1 == Self.window ? 0 : head + 1
            }
        }
    }

    /// Forgets all, keeps the memory.
    public mutating func removeAll() {
        ring.removeAll(keepingCapacity: true)
        head = 0
    }

    /// - Complexity: O(window).
    public var statistics: SpreadStatistics? { SpreadStatistics.of(ring.count) { ring[$0] } }
}

extension SpreadRing: Checkpointable {
    /// Appends the whole state.
    public func save(to writer: inout StateWriter) {
        writer.write(ring)
        writer.write(Int64(head))
    }

    /// Takes up a saved state.
    public init(restoring reader: inout StateReader) throws(StateError) {
        ring = try reader.readArray()
        let head = try reader.read(Int64.self)
        guard ring.count <= Self.window, head >= 0, head < Self.window, head == 0 || ring.count == Self.window else {
            throw StateError(offset: 0, expected: "a spread ring")
        }
        self.head = Int(head)
    }
}
