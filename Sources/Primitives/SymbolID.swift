/// An interned symbol: a small dense index into the `SymbolTable` that made it, stable for the life of a run.
@frozen
public struct SymbolID: Hashable, Comparable, Sendable {
    /// The index.
    public var index: UInt32

    /// Makes one from its parts.
    @inlinable
    public init(index: UInt32) { self.index = index }

    /// Compares.
    @inlinable
    public static func < (a: SymbolID, b: SymbolID) -> Bool { a.index < b.index }
}
