import Testing

/// `#expect(found == wanted)` where `found` comes from a mutating call, which the macro can't take.
func expect<Value: Equatable>(
    _ found: Value,
    _ wanted: Value,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(found == wanted, sourceLocation: sourceLocation)
}
