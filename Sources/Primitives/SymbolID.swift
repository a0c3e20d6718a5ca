/// An interned symbol: a small dense index into the `SymbolTable` that made it, stable for the life of a run.
@frozen
package struct SymbolID: Hashable, Comparable, Sendable {
    package var index: UInt32

    @inlinable
    package init(index: UInt32) { self.index = index }

    @inlinable
    package static func < (a: SymbolID, b: SymbolID) -> Bool { a.index < b.index }
}
