package import Primitives

/// Gives inputs their ordinals and receive times, and says when a clock input is due.
///
/// Pure. A clock input is due when receive time reaches or crosses a line of the 50 ms grid, before the input that crossed it;
/// a jump over several lines makes one, stamped with the last line crossed (architecture.md 4). Feed thread only.
package struct Numbering: Sendable {
    /// Distance of the grid's lines.
    package static let gridNanos: Int64 = 50_000_000

    /// The ordinal that the next input gets.
    package private(set) var next: Ordinal
    /// Receive time of the last input; `distantPast` before the first.
    package private(set) var received: Instant
    /// False where the tape brings its own clock lines.
    package var makesClocks: Bool

    package init(next: Ordinal = 1, received: Instant = .distantPast, makesClocks: Bool = true) {
        self.next = next
        self.received = received
        self.makesClocks = makesClocks
    }

    /// Moves receive time to `instant`, never back.
    ///
    /// - Returns: the line to stamp a clock input with, if one is due before whatever came at `instant`.
    package mutating func advance(to instant: Instant) -> Instant? {
        guard instant > received else { return nil }
        let previous = received
        received = instant
        guard makesClocks, previous != .distantPast else { return nil }
        let line = Self.line(atOrBefore: instant)
        return line > previous ? line : nil
    }

    /// Takes the next ordinal.
    package mutating func take() -> Ordinal {
        defer { next += 1 }
        return next
    }

    /// Goes on at an ordinal that the tape gives; never back.
    package mutating func resume(at ordinal: Ordinal) { next = max(next, ordinal) }

    /// The last grid line not after `instant`.
    package static func line(atOrBefore instant: Instant) -> Instant {
        let remainder = instant.nanos % gridNanos
        return Instant(nanos: instant.nanos - (remainder < 0 ? remainder + gridNanos : remainder))
    }
}
