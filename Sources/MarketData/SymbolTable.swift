package import Primitives

/// Interns symbols at decode: bytes in, a dense id out.
///
/// Owned by the feed loop thread (in a replay, by the reader). Ids are given in order of first sight, so the same tape
/// gives the same ids. Bounded: above `limit` a new symbol is refused and counted.
package struct SymbolTable: ~Copyable, Sendable {
    /// Symbols that were refused because the table was full.
    package private(set) var refusedCount = 0
    private var instruments: [Instrument] = []
    private let limit: Int
    /// Open addressing: id + 1, 0 is free.
    ///
    /// Always a power of two, at most half full.
    @usableFromInline var slots: [UInt32]
    /// Texts end to end; `ends[i]` is where id i's text stops.
    @usableFromInline var texts: [UInt8] = []
    @usableFromInline var ends: [UInt32] = []
    @usableFromInline var hashes: [UInt64] = []

    package init(limit: Int = 200_000) {
        self.limit = limit
        slots = Array(repeating: 0, count: 1024)
    }

    /// How many symbols are known; ids are `0..<count`.
    @inlinable
    package var count: Int { ends.count }

    /// The id of the symbol with this text, made if new.
    ///
    /// - Returns: nil where the text isn't a symbol, or the table is full.
    /// - Complexity: O(length); no allocation for a known symbol.
    @inlinable
    package mutating func intern(_ text: UnsafeRawBufferPointer) -> SymbolID? {
        let hash = Self.hash(text)
        if let known = find(text, hash: hash) { return known }
        return insert(text, hash: hash)
    }

    /// The id of the symbol with this text, made if new.
    package mutating func intern(_ text: String) -> SymbolID? {
        var text = text
        return text.withUTF8 { intern(UnsafeRawBufferPointer($0)) }
    }

    /// What the symbol's text says.
    ///
    /// - Precondition: `id` was made by this table.
    package func instrument(_ id: SymbolID) -> Instrument { instruments[Int(id.index)] }

    @inlinable
    static func hash(_ text: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ UInt64(truncatingIfNeeded: text.count)
        var offset = 0
        while offset + 8 <= text.count {
            hash = (hash ^ text.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 29
            offset += 8
        }
        var tail: UInt64 = 0
        while offset < text.count {
            tail = (tail << 8) | UInt64(text[offset])
            offset += 1
        }
        hash = (hash ^ tail) &* 0x9E37_79B9_7F4A_7C15
        return hash ^ (hash >> 32)
    }

    @inlinable
    func find(_ text: UnsafeRawBufferPointer, hash: UInt64) -> SymbolID? {
        let mask = slots.count &- 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 {
            let id = Int(slots[slot]) &- 1
            if hashes[id] == hash, isText(id, text) { return SymbolID(index: UInt32(id)) }
            slot = (slot &+ 1) & mask
        }
        return nil
    }

    @inlinable
    func isText(_ id: Int, _ text: UnsafeRawBufferPointer) -> Bool {
        let start = id == 0 ? 0 : Int(ends[id &- 1])
        guard Int(ends[id]) &- start == text.count else { return false }
        var offset = 0
        while offset < text.count {
            if texts[start &+ offset] != text[offset] { return false }
            offset &+= 1
        }
        return true
    }

    @usableFromInline
    mutating func insert(_ text: UnsafeRawBufferPointer, hash: UInt64) -> SymbolID? {
        guard let instrument = Instrument(String(decoding: text, as: UTF8.self)) else { return nil }
        guard count < limit else {
            refusedCount += 1
            return nil
        }
        let id = count
        texts.append(contentsOf: text)
        ends.append(UInt32(texts.count))
        hashes.append(hash)
        instruments.append(instrument)
        if count * 2 > slots.count { grow() }
        place(id)
        return SymbolID(index: UInt32(id))
    }

    private mutating func place(_ id: Int) {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hashes[id]) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = UInt32(id + 1)
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 2)
        for id in 0..<(count - 1) { place(id) }
    }
}
