public import Primitives

/// The bytes of a symbol, at most 32, packed for a comparison of four words.
///
/// Bytes behind the end are zero. `count` tells a text that ends in zero bytes from a shorter one.
@frozen
public struct SymbolText: Hashable, Sendable {
    /// Bytes 0 to 7.
    public var first: UInt64
    /// Bytes 8 to 15.
    public var second: UInt64
    /// Bytes 16 to 23.
    public var third: UInt64
    /// Bytes 24 to 31.
    public var fourth: UInt64
    /// Bytes in the text.
    public var count: UInt32

    /// The longest symbol: `Instrument` refuses more.
    public static let limit = 32

    /// Takes words that are already packed, the first byte in the lowest.
    @inlinable
    public init(_ first: UInt64, _ second: UInt64 = 0, _ third: UInt64 = 0, _ fourth: UInt64 = 0, count: Int) {
        self.first = first
        self.second = second
        self.third = third
        self.fourth = fourth
        self.count = UInt32(truncatingIfNeeded: count)
    }

    /// Packs bytes; nil where there are more than fit.
    public init?(_ text: UnsafeRawBufferPointer) {
        guard text.count <= Self.limit else { return nil }
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: text) }
        self.init(
            words.0.littleEndian,
            words.1.littleEndian,
            words.2.littleEndian,
            words.3.littleEndian,
            count: text.count
        )
    }

    /// Compares all words; spelled out so that it is inlined where the decoder looks symbols up.
    @inlinable
    public static func == (a: SymbolText, b: SymbolText) -> Bool {
        (a.first ^ b.first) | (a.second ^ b.second) | (a.third ^ b.third) | (a.fourth ^ b.fourth)
            | UInt64(a.count ^ b.count) == 0
    }

    /// A mix of all words whose low bits are good for a table.
    @inlinable
    public var hash: UInt64 {
        // The words of a contract differ in a few digits each: turned by different amounts these don't cancel out.
        let mixed = first ^ (second << 21 | second >> 43) ^ (third << 42 | third >> 22) ^ fourth
        return (mixed &* 0x9E37_79B9_7F4A_7C15) >> 32
    }

    /// The text, as it came.
    public var string: String {
        var words = (first.littleEndian, second.littleEndian, third.littleEndian, fourth.littleEndian)
        return withUnsafeBytes(of: &words) { String(decoding: $0.prefix(Int(count)), as: UTF8.self) }
    }
}

/// Interns symbols at decode: bytes in, a dense id out.
///
/// Owned by the feed loop thread (in a replay, by the reader). Ids are given in order of first sight, so the same tape
/// gives the same ids. Bounded: above `limit` a new symbol is refused and counted.
public struct SymbolTable: ~Copyable, Sendable {
    /// One place of the table; the text is in it, so that a look-up touches one cache line or two.
    @usableFromInline
    struct Slot: Sendable {
        @usableFromInline var text: SymbolText
        /// id + 1, 0 is free.
        @usableFromInline var mark: UInt32

        @usableFromInline
        init(text: SymbolText, mark: UInt32) {
            self.text = text
            self.mark = mark
        }
    }

    /// Symbols that were refused because the table was full.
    public private(set) var refusedCount = 0
    private var instruments: [Instrument] = []
    private let limit: Int
    /// Open addressing; always a power of two, at most half full.
    @usableFromInline var slots: [Slot]

    /// Makes one from its parts.
    public init(limit: Int = 200_000) {
        self.limit = limit
        slots = Self.free(1024)
    }

    /// How many symbols are known; ids are `0..<count`.
    public var count: Int { instruments.count }

    /// The id of the symbol with this text, made if new.
    ///
    /// - Returns: nil where the text isn't a symbol, or the table is full.
    /// - Complexity: O(length); no allocation for a known symbol.
    public mutating func intern(_ text: UnsafeRawBufferPointer) -> SymbolID? {
        guard let text = SymbolText(text) else { return nil }
        return intern(text)
    }

    /// The id of the symbol with this text, made if new.
    public mutating func intern(_ text: String) -> SymbolID? {
        var text = text
        return text.withUTF8 { intern(UnsafeRawBufferPointer($0)) }
    }

    /// The id of the symbol with this text, made if new.
    @inlinable
    public mutating func intern(_ text: SymbolText) -> SymbolID? {
        if let known = find(text) { return known }
        return insert(text)
    }

    /// What the symbol's text says.
    ///
    /// - Precondition: `id` was made by this table.
    public func instrument(_ id: SymbolID) -> Instrument { instruments[Int(id.index)] }

    /// The id of a symbol that is known already.
    @inlinable
    @inline(__always)
    public func find(_ text: SymbolText) -> SymbolID? {
        let mask = slots.count &- 1
        var index = Int(truncatingIfNeeded: text.hash) & mask
        while slots[index].mark != 0 {
            if slots[index].text == text { return SymbolID(index: slots[index].mark &- 1) }
            index = (index &+ 1) & mask
        }
        return nil
    }

    @usableFromInline
    mutating func insert(_ text: SymbolText) -> SymbolID? {
        guard let instrument = Instrument(text.string) else { return nil }
        guard count < limit else {
            refusedCount += 1
            return nil
        }
        instruments.append(instrument)
        if count * 2 > slots.count { grow() }
        place(Slot(text: text, mark: UInt32(count)))
        return SymbolID(index: UInt32(count - 1))
    }

    private mutating func place(_ slot: Slot) {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: slot.text.hash) & mask
        while slots[index].mark != 0 { index = (index + 1) & mask }
        slots[index] = slot
    }

    private mutating func grow() {
        let old = slots
        slots = Self.free(old.count * 2)
        for slot in old where slot.mark != 0 { place(slot) }
    }

    private static func free(_ count: Int) -> [Slot] {
        Array(repeating: Slot(text: SymbolText(0, count: 0), mark: 0), count: count)
    }
}
