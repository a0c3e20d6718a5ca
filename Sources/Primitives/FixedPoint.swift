/// A price in USD (index points for an index), exact to 10⁻⁶: comparisons that trigger plans are integer comparisons.
@frozen
package struct Price: Hashable, Comparable, Sendable {
    /// Millionths of a dollar.
    package var micros: Int64

    @inlinable
    package init(micros: Int64) { self.micros = micros }

    /// One dollar in micros.
    @inlinable
    package static var scale: Int64 { 1_000_000 }

    @inlinable
    package static var zero: Price { Price(micros: 0) }

    @inlinable
    package static func < (a: Price, b: Price) -> Bool { a.micros < b.micros }

    @inlinable
    package static func + (a: Price, b: Price) -> Price { Price(micros: a.micros &+ b.micros) }

    @inlinable
    package static func - (a: Price, b: Price) -> Price { Price(micros: a.micros &- b.micros) }

    /// Dollars, for statistics only; never compared for equality.
    @inlinable
    package var dollars: Double { Double(micros) / 1e6 }
}

/// A size in shares (contracts for options), exact to 10⁻⁶, as fractional prints carry since 2026.
@frozen
package struct Size: Hashable, Comparable, Sendable {
    /// Millionths of a share.
    package var micros: Int64

    @inlinable
    package init(micros: Int64) { self.micros = micros }

    @inlinable
    package init(shares: Int64) { micros = shares &* 1_000_000 }

    @inlinable
    package static var zero: Size { Size(micros: 0) }

    @inlinable
    package static func < (a: Size, b: Size) -> Bool { a.micros < b.micros }

    @inlinable
    package static func + (a: Size, b: Size) -> Size { Size(micros: a.micros &+ b.micros) }

    @inlinable
    package static func - (a: Size, b: Size) -> Size { Size(micros: a.micros &- b.micros) }

    /// Shares, for statistics only.
    @inlinable
    package var shares: Double { Double(micros) / 1e6 }
}

/// A point in time: nanoseconds since the Unix epoch, UTC.
@frozen
package struct Instant: Hashable, Comparable, Sendable {
    package var nanos: Int64

    @inlinable
    package init(nanos: Int64) { self.nanos = nanos }

    @inlinable
    package init(millis: Int64) { nanos = millis &* 1_000_000 }

    @inlinable
    package static var zero: Instant { Instant(nanos: 0) }
    /// Later than every real instant: "never due".
    @inlinable
    package static var distantFuture: Instant { Instant(nanos: .max) }
    /// Earlier than every real instant.
    @inlinable
    package static var distantPast: Instant { Instant(nanos: .min) }

    @inlinable
    package static func < (a: Instant, b: Instant) -> Bool { a.nanos < b.nanos }

    /// The instant `nanos` nanoseconds later, clamped to the representable range.
    @inlinable
    package func advanced(byNanos delta: Int64) -> Instant {
        let (sum, overflow) = nanos.addingReportingOverflow(delta)
        return Instant(nanos: overflow ? (delta > 0 ? .max : .min) : sum)
    }

    /// Nanoseconds from `earlier` to this instant, clamped to the representable range.
    @inlinable
    package func nanos(since earlier: Instant) -> Int64 {
        let (difference, overflow) = nanos.subtractingReportingOverflow(earlier.nanos)
        return overflow ? (nanos > earlier.nanos ? .max : .min) : difference
    }
}

/// The number of an accepted input, from 1, without holes within one run's tape.
package typealias Ordinal = Int64
