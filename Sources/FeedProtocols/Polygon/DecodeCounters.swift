/// The channels that the decoder knows, by their `ev`.
package enum EventKind: UInt8, CaseIterable, Sendable {
    case trade, quote, secondBar, minuteBar, priceBands, imbalance, indexValue, fairValue, status
    /// An element whose kind can't be told: no `ev`, or not an object.
    case none

    /// The kind of an `ev`; nil where nobody knows it.
    init?(_ code: UnsafeRawBufferPointer) {
        switch FieldKey.pack(code.prefix(8)) {
        case 0x54: self = .trade
        case 0x51: self = .quote
        case 0x41: self = .secondBar
        case 0x4D41: self = .minuteBar
        case 0x444C_554C: self = .priceBands
        case 0x49_4F4E: self = .imbalance
        case 0x56: self = .indexValue
        case 0x56_4D46: self = .fairValue
        case 0x7375_7461_7473: self = .status
        default: return nil
        }
        // A zero byte in the text packs like none.
        guard code.count == self.code.utf8.count else { return nil }
    }

    /// The name on the wire.
    package var code: String {
        switch self {
        case .trade: "T"
        case .quote: "Q"
        case .secondBar: "A"
        case .minuteBar: "AM"
        case .priceBands: "LULD"
        case .imbalance: "NOI"
        case .indexValue: "V"
        case .fairValue: "FMV"
        case .status: "status"
        case .none: "?"
        }
    }
}

/// Why an event was not taken.
package enum MalformedReason: UInt8, CaseIterable, Error, Sendable {
    /// Not JSON, or not an object, or nested deeper than 32.
    case syntax
    /// A field that the kind can't do without is absent or null.
    case missing
    /// A field is of another JSON type, or a text that should be a number isn't one.
    case type
    /// A number outside what the field can hold: negative, too large, a trade at no price.
    case range
    /// A price, size or id with digits that can't be kept exactly.
    case inexact
    /// The text is no symbol.
    case symbol
    /// The symbol table is full.
    case symbolLimit
    /// More conditions than can be kept.
    case conditions
}

/// What the decoder met since it was made.
///
/// Counts only grow.
package struct DecodeCounters: Sendable {
    /// Frames given.
    package var frames: UInt64 = 0
    /// Frames whose array was broken: what stood before the break was taken.
    package var brokenFrames: UInt64 = 0
    /// Frames above the decoder's limit, not looked at.
    package var oversizedFrames: UInt64 = 0
    /// Objects with an `ev` nobody knows.
    package var unknown: UInt64 = 0
    /// Events that took the general path although well formed: a measure of how far the wire has moved from its documentation.
    package var general: UInt64 = 0
    private var taken = InlineArray<10, UInt64>(repeating: 0)
    private var refused = InlineArray<10, UInt64>(repeating: 0)
    private var reasons = InlineArray<8, UInt64>(repeating: 0)

    package init() {}

    /// Events (or statuses) taken of a kind.
    package func events(_ kind: EventKind) -> UInt64 { taken[Int(kind.rawValue)] }

    /// Malformed events of a kind.
    package func malformed(_ kind: EventKind) -> UInt64 { refused[Int(kind.rawValue)] }

    /// Malformed events for a reason.
    package func malformed(_ reason: MalformedReason) -> UInt64 { reasons[Int(reason.rawValue)] }

    /// All market events taken, statuses not among them.
    package var events: UInt64 {
        EventKind.allCases.reduce(0) { $0 + ($1 == .status ? 0 : events($1)) }
    }

    /// Statuses taken.
    package var statuses: UInt64 { events(.status) }

    /// All malformed events.
    package var malformed: UInt64 { MalformedReason.allCases.reduce(0) { $0 + malformed($1) } }

    @inline(__always)
    mutating func count(_ kind: EventKind) { taken[Int(kind.rawValue)] &+= 1 }

    mutating func count(_ kind: EventKind, _ reason: MalformedReason) {
        refused[Int(kind.rawValue)] &+= 1
        reasons[Int(reason.rawValue)] &+= 1
    }
}
