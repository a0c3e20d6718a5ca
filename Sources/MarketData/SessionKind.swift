/// Which part of the trading day an instant lies in (analytics.md 6).
///
/// Raw values are stored in checkpoints: only add.
package enum SessionKind: UInt8, CaseIterable, Sendable {
    case overnight
    case pre
    case rth
    case post
    case closed
}

/// A set of session kinds, as a plan's `sessions` names them.
@frozen
package struct SessionSet: OptionSet, Hashable, Sendable {
    package var rawValue: UInt8

    @inlinable
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The set of one kind.
    @inlinable
    package init(_ kind: SessionKind) { rawValue = 1 << kind.rawValue }

    package static let overnight = SessionSet(.overnight)
    package static let pre = SessionSet(.pre)
    package static let rth = SessionSet(.rth)
    package static let post = SessionSet(.post)
    package static let closed = SessionSet(.closed)

    @inlinable
    package func contains(_ kind: SessionKind) -> Bool { rawValue & (1 << kind.rawValue) != 0 }
}
