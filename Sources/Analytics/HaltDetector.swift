public import MarketData
public import Primitives

/// Suspects a halt where the last price stands pinned at a limit-up/limit-down band with a one-sided quote for 15 s.
///
/// No feed tells of all halts (analytics.md 5); this one is said as `suspected`. By receive time; one thread.
@frozen
public struct HaltDetector: Hashable, Sendable, BitwiseCopyable {
    /// How long the price must stand pinned.
    public static let patienceNanos: Int64 = 15_000_000_000

    @usableFromInline var upper = Price.zero
    @usableFromInline var lower = Price.zero
    private var last = Price.zero
    private var isOneSided = false
    /// Suspected, until a two-sided quote, a price off the band or other bands.
    public private(set) var isSuspected = false
    /// When it becomes suspected unless something changes; never while there is nothing to wait for.
    public private(set) var boundary = Instant.distantFuture

    /// Before any bands.
    public init() {}

    /// Whether bands are known; without them nothing else needs telling.
    @inlinable
    public var hasBands: Bool { upper != .zero || lower != .zero }

    /// Takes new bands; an absent one is zero.
    public mutating func banded(_ bands: PriceBands, received: Instant) {
        (upper, lower) = (bands.upper, bands.lower)
        review(received)
    }

    /// Takes a trade of class *last*.
    public mutating func traded(_ price: Price, received: Instant) {
        last = price
        review(received)
    }

    /// Takes a quote of any quality.
    public mutating func quoted(_ quote: Quote, received: Instant) {
        isOneSided = (quote.bid.micros > 0) != (quote.ask.micros > 0)
        review(received)
    }

    /// Fires the timer if it is due.
    ///
    /// - Returns: whether a halt is suspected from now on.
    public mutating func advance(to instant: Instant) -> Bool {
        guard instant >= boundary else { return false }
        boundary = .distantFuture
        isSuspected = true
        return true
    }

    private mutating func review(_ received: Instant) {
        let isAtBand = (upper != .zero && last >= upper) || (lower != .zero && last != .zero && last <= lower)
        guard isAtBand, isOneSided else {
            boundary = .distantFuture
            isSuspected = false
            return
        }
        if !isSuspected, boundary == .distantFuture { boundary = received.advanced(byNanos: Self.patienceNanos) }
    }
}
