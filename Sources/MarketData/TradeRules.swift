/// What a trade may update (analytics.md 3).
@frozen
public struct TradeClass: OptionSet, Hashable, Sendable, BitwiseCopyable {
    /// One bit a measure.
    public var rawValue: UInt8

    /// The class with these bits.
    @inlinable
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Counts in volume.
    @inlinable
    public static var counted: TradeClass { TradeClass(rawValue: 1) }
    /// May set high and low, and enters VWAP.
    @inlinable
    public static var eligible: TradeClass { TradeClass(rawValue: 2) }
    /// Sets open, close and last, and triggers plans.
    @inlinable
    public static var last: TradeClass { TradeClass(rawValue: 4) }
    /// Not a trade but the cancelling of an earlier one: subtract.
    @inlinable
    public static var cancel: TradeClass { TradeClass(rawValue: 8) }

    /// A regular trade.
    @inlinable
    public static var all: TradeClass { TradeClass(rawValue: 7) }

    /// Updates nothing.
    @inlinable
    public static var none: TradeClass { TradeClass(rawValue: 0) }
}

/// Which trade conditions forbid what: a table by condition id, AND-combined, since a trade with several conditions
/// updates a measure only if all of them allow it (feeds.md 1.6, the SIP reading).
///
/// The built-in tables are the fallback; fetched rules replace entries with `set`. An unknown condition changes nothing.
public struct TradeRules: Hashable, Sendable {
    /// By kind (equity, option) and id: what is blocked, low nibble in RTH, high nibble outside; bit 3 marks a cancel.
    @usableFromInline var blocked: [UInt8]

    /// The fallback tables.
    public init() {
        blocked = Array(repeating: 0, count: 512)
        for id: UInt8 in [15, 16, 38] { set(.equity, id, blocks: .all) }
        for id: UInt8 in [2, 7, 12, 13, 20, 21, 29, 37, 52, 53] { set(.equity, id, blocks: [.eligible, .last]) }
        for id: UInt8 in [5, 10, 22, 32, 33] { set(.equity, id, blocks: .last) }
        // Every print outside RTH carries 12 (extended hours): there it says nothing about the price.
        set(.equity, 12, blocks: [.eligible, .last], outsideRTH: [])
        for id: UInt8 in [202, 204, 206, 246, 247, 248] { set(.option, id, blocks: [.eligible, .last]) }
        for id: UInt8 in [201, 203, 205, 207] { set(.option, id, blocks: [.counted, .eligible, .last, .cancel]) }
    }

    /// The whole table, for a checkpoint.
    public var table: [UInt8] { blocked }

    /// A table that a checkpoint holds; nil where it isn't one.
    public init?(table: [UInt8]) {
        guard table.count == 512 else { return nil }
        blocked = table
    }

    /// Replaces what a condition blocks.
    ///
    /// `outsideRTH` says where that differs; `cancel` among the blocked marks the trade as a cancel instead. An index has no conditions: setting one does nothing.
    public mutating func set(
        _ kind: InstrumentKind,
        _ id: UInt8,
        blocks: TradeClass,
        outsideRTH: TradeClass? = nil
    ) {
        guard kind != .index else { return }
        let outside = outsideRTH ?? blocks
        blocked[Self.index(kind, id)] = (blocks.rawValue & 15) | (outside.rawValue & 15) << 4
    }

    /// What a trade with these conditions may update, in this session.
    @inlinable
    public func classify(_ conditions: Conditions, _ kind: InstrumentKind, in session: SessionKind) -> TradeClass {
        if conditions.isEmpty || kind == .index { return .all }
        var mask: UInt8 = 0
        var rest = conditions.packed
        while rest != 0 {
            mask |= blocked[Self.index(kind, UInt8(truncatingIfNeeded: rest))]
            rest >>= 8
        }
        if session != .rth { mask >>= 4 }
        // The measures that stay, and the cancel mark as it is.
        return TradeClass(rawValue: (~mask & 7) | (mask & 8))
    }

    @inlinable
    static func index(_ kind: InstrumentKind, _ id: UInt8) -> Int { (kind == .option ? 256 : 0) &+ Int(id) }
}
