public import Primitives

/// A calendar with the last two windows at hand: O(1) an event, also while events from both sides of an edge mix.
///
/// Owned by one core; not shared.
public struct SessionClock: Sendable {
    /// What it falls back to.
    public let calendar: SessionCalendar
    /// The window last asked for.
    public internal(set) var current: SessionWindow
    @usableFromInline var other: SessionWindow

    /// A clock with nothing at hand yet.
    public init(_ calendar: SessionCalendar) {
        self.calendar = calendar
        current = SessionWindow(start: .zero, end: .zero, kind: .closed, day: .none)
        other = current
    }

    /// The window that contains `instant`.
    @inlinable
    @inline(__always)
    public mutating func window(at instant: Instant) -> SessionWindow {
        if current.contains(instant) { return current }
        return turn(to: instant)
    }

    /// The session at `instant`.
    @inlinable
    public mutating func session(at instant: Instant) -> SessionKind { window(at: instant).kind }

    @usableFromInline
    mutating func turn(to instant: Instant) -> SessionWindow {
        swap(&current, &other)
        if !current.contains(instant) { current = calendar.window(at: instant) }
        return current
    }
}
