/// A price in USD (index points for an index), exact to 10⁻⁶: comparisons that trigger plans are integer comparisons.
@frozen
public struct Price: Hashable, Comparable, Sendable {
    /// Millionths of a dollar.
    public var micros: Int64

    /// Takes millionths.
    @inlinable
    public init(micros: Int64) { self.micros = micros }

    /// One dollar in micros.
    @inlinable
    public static var scale: Int64 { 1_000_000 }

    /// Nothing.
    @inlinable
    public static var zero: Price { Price(micros: 0) }

    /// Compares.
    @inlinable
    public static func < (a: Price, b: Price) -> Bool { a.micros < b.micros }

    /// Adds; wraps on overflow.
    @inlinable
    public static func + (a: Price, b: Price) -> Price { Price(micros: a.micros &+ b.micros) }

    /// Subtracts; wraps on overflow.
    @inlinable
    public static func - (a: Price, b: Price) -> Price { Price(micros: a.micros &- b.micros) }

    /// Dollars, for statistics only; never compared for equality.
    @inlinable
    public var dollars: Double { Double(micros) / 1e6 }
}

/// A size in shares (contracts for options), exact to 10⁻⁶, as fractional prints carry since 2026.
@frozen
public struct Size: Hashable, Comparable, Sendable {
    /// Millionths of a share.
    public var micros: Int64

    /// Takes millionths.
    @inlinable
    public init(micros: Int64) { self.micros = micros }

    /// Takes whole shares.
    @inlinable
    public init(shares: Int64) { micros = shares &* 1_000_000 }

    /// Nothing.
    @inlinable
    public static var zero: Size { Size(micros: 0) }

    /// Compares.
    @inlinable
    public static func < (a: Size, b: Size) -> Bool { a.micros < b.micros }

    /// Adds; wraps on overflow.
    @inlinable
    public static func + (a: Size, b: Size) -> Size { Size(micros: a.micros &+ b.micros) }

    /// Subtracts; wraps on overflow.
    @inlinable
    public static func - (a: Size, b: Size) -> Size { Size(micros: a.micros &- b.micros) }

    /// Shares, for statistics only.
    @inlinable
    public var shares: Double { Double(micros) / 1e6 }
}

/// A point in time: nanoseconds since the Unix epoch, UTC.
@frozen
public struct Instant: Hashable, Comparable, Sendable {
    /// Nanoseconds since the Unix epoch.
    public var nanos: Int64

    /// Takes nanoseconds since the epoch.
    @inlinable
    public init(nanos: Int64) { self.nanos = nanos }

    /// Takes milliseconds since the epoch.
    @inlinable
    public init(millis: Int64) { nanos = millis &* 1_000_000 }

    /// The epoch itself.
    @inlinable
    public static var zero: Instant { Instant(nanos: 0) }
    /// Later than every real instant: "never due".
    @inlinable
    public static var distantFuture: Instant { Instant(nanos: .max) }
    /// Earlier than every real instant.
    @inlinable
    public static var distantPast: Instant { Instant(nanos: .min) }

    /// Compares.
    @inlinable
    public static func < (a: Instant, b: Instant) -> Bool { a.nanos < b.nanos }

    /// The instant `nanos` nanoseconds later, clamped to the representable range.
    @inlinable
    public func advanced(byNanos delta: Int64) -> Instant {
        let (sum, overflow) = nanos.addingReportingOverflow(delta)
        return Instant(nanos: overflow ? (delta > 0 ? .max : .min) : sum)
    }

    /// Nanoseconds from `earlier` to this instant, clamped to the representable range.
    @inlinable
    public func nanos(since earlier: Instant) -> Int64 {
        let (difference, overflow) = nanos.subtractingReportingOverflow(earlier.nanos)
        return overflow ? (nanos > earlier.nanos ? .max : .min) : difference
    }
}

/// The number of an accepted input, from 1, without holes within one run's tape.
public typealias Ordinal = Int64
