/// The keys that some kind of event has a meaning for; one slot each in a `FieldTable`.
///
/// What a key means depends on the event's kind (feeds.md 1.9, traps 6 and 7), so slots are named by the key alone.
enum FieldKey: Int, CaseIterable {
    case ev, sym, T, status, message
    case x, i, z, p, s, ds, c, t, q, trfi
    case bx, ax, bp, ap, bs, `as`
    case v, av, dv, dav, vw, o, h, l
    case at, a, b, val, fmv

    static let byText: [UInt64: FieldKey] = Dictionary(
        uniqueKeysWithValues: allCases.map { (pack("\($0)".utf8), $0) }
    )

    /// Eight bytes at most, the first in the lowest; longer texts give nil.
    static func pack(_ text: some Collection<UInt8>) -> UInt64 {
        text.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// Where a field's value stands, and what it is.
struct FieldValue {
    enum Kind: UInt8 {
        case absent, number, text, escapedText, array, other
    }

    var kind = Kind.absent
    /// Within the frame; a text's without its quotes.
    var start = 0
    var end = 0
}

/// The values of one object by key, the last of equal keys; reused from object to object.
struct FieldTable {
    private var values = InlineArray<34, FieldValue>(repeating: FieldValue())

    subscript(key: FieldKey) -> FieldValue {
        get { values[key.rawValue] }
        set { values[key.rawValue] = newValue }
    }

    mutating func removeAll() {
        for index in values.indices { values[index].kind = .absent }
    }
}
