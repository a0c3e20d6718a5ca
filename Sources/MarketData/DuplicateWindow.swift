public import Primitives

/// Tells whether a trade or quote was among the last 4,096 of its symbol and kind (analytics.md 5, feeds.md 8 rule 3).
///
/// Starts empty and grows with what was seen (8 bytes a key without tag, 12 with). The usual case, a sequence above all in
/// the window, costs one comparison and one store: there are thousands of windows, each visited cold, so the keys lie in
/// plain memory without a header to look at. A sequence that starts anew each day heals once the window has turned over.
/// One thread.
public struct DuplicateWindow: ~Copyable, @unchecked Sendable {
    // Owner of the unchecked state: this value alone has the memory, and frees it.

    /// What a key is.
    @frozen
    public enum Verdict: UInt8, Sendable {
        /// Above all that is remembered, or without a sequence.
        case new
        /// Not remembered, but not above all either: used, and counted by the caller.
        case newButOlder
        /// Among the remembered: drop and count.
        case duplicate
    }

    /// How many keys are remembered.
    @inlinable
    public static var capacity: Int { 4_096 }

    /// `room` places, the first `count` of them in use.
    @usableFromInline var sequences: UnsafeMutablePointer<Int64>?
    /// By position as `sequences`; nil while every tag was 0.
    @usableFromInline var tags: UnsafeMutablePointer<UInt32>?
    /// The greatest sequence in the window.
    @usableFromInline var maximum = Int64.min
    // Sixteen bits each: the two windows of a symbol share a cache line.
    @usableFromInline var count: Int16 = 0
    @usableFromInline var room: Int16 = 0
    /// Where the next key goes once the ring is full: the oldest.
    @usableFromInline var next: Int16 = 0

    /// Remembers nothing.
    @inlinable
    public init() {}

    deinit {
        sequences?.deallocate()
        tags?.deallocate()
    }

    /// Remembers a key and tells what it is.
    ///
    /// `tag` is what makes the key unique beside the sequence (exchange, trade id), folded to 32 bits by `tag(…)`. A
    /// sequence of 0 means that the feed gives none: never a duplicate, never remembered.
    /// - Complexity: O(1) for a growing sequence, else O(window).
    @inlinable
    public mutating func admit(sequence: Int64, tag: UInt32 = 0) -> Verdict {
        if sequence > maximum, sequence != 0 {
            remember(sequence, tag)
            return .new
        }
        return admitOlder(sequence, tag)
    }

    /// Folds exchange and id hash into a tag.
    @inlinable
    public static func tag(exchange: UInt16, idHash: UInt64) -> UInt32 {
        let mixed = (idHash ^ UInt64(exchange) &* 0x9E37_79B9_7F4A_7C15) &* 0xFF51_AFD7_ED55_8CCD
        return UInt32(truncatingIfNeeded: mixed >> 32)
    }

    @inlinable
    mutating func remember(_ sequence: Int64, _ tag: UInt32) {
        guard count < Int16(truncatingIfNeeded: Self.capacity) else {
            replaceOldest(sequence, tag)
            return
        }
        if count == room { grow() }
        let place = Int(count)
        sequences.unsafelyUnwrapped[place] = sequence
        if tag != 0 || tags != nil { set(tag: tag, at: place) }
        count &+= 1
        if sequence > maximum { maximum = sequence }
    }

    @usableFromInline
    mutating func replaceOldest(_ sequence: Int64, _ tag: UInt32) {
        let sequences = sequences.unsafelyUnwrapped
        let place = Int(next)
        let evicted = sequences[place]
        sequences[place] = sequence
        if tag != 0 || tags != nil { set(tag: tag, at: place) }
        next = (next &+ 1) & Int16(truncatingIfNeeded: Self.capacity &- 1)
        if evicted == maximum, sequence < maximum {
            maximum = UnsafeBufferPointer(start: sequences, count: Int(count)).max() ?? .min
        }
        if sequence > maximum { maximum = sequence }
    }

    @inlinable
    mutating func set(tag: UInt32, at place: Int) {
        if tags == nil { makeTags() }
        tags.unsafelyUnwrapped[place] = tag
    }

    @usableFromInline
    mutating func makeTags() {
        let made = UnsafeMutablePointer<UInt32>.allocate(capacity: Int(room))
        // Those of the keys before; the key at hand sets its own.
        made.initialize(repeating: 0, count: Int(count))
        tags = made
    }

    /// Makes room: for a symbol that trades much at once for all, since only pages that are written take memory.
    @usableFromInline
    mutating func grow() {
        let larger: Int16 = room == 0 ? 16 : room < 256 ? room &* 4 : Int16(Self.capacity)
        sequences = Self.moved(sequences, count, to: larger)
        if tags != nil { tags = Self.moved(tags, count, to: larger) }
        room = larger
    }

    private static func moved<Key: FixedWidthInteger>(
        _ old: UnsafeMutablePointer<Key>?,
        _ count: Int16,
        to larger: Int16
    ) -> UnsafeMutablePointer<Key> {
        let new = UnsafeMutablePointer<Key>.allocate(capacity: Int(larger))
        if let old {
            new.moveInitialize(from: old, count: Int(count))
            old.deallocate()
        }
        return new
    }

    @usableFromInline
    mutating func admitOlder(_ sequence: Int64, _ tag: UInt32) -> Verdict {
        if sequence == 0 { return .new }
        if isRemembered(sequence, tag) { return .duplicate }
        remember(sequence, tag)
        return .newButOlder
    }

    private func isRemembered(_ sequence: Int64, _ tag: UInt32) -> Bool {
        guard let sequences else { return false }
        var place = Int(count) - 1
        while place >= 0 {
            if sequences[place] == sequence, (tags?[place] ?? 0) == tag { return true }
            place -= 1
        }
        return false
    }
}

// Checkpoints.
extension DuplicateWindow {
    /// Appends the whole state.
    public func save(to writer: inout StateWriter) {
        let count = Int(count)
        writer.write(Array(UnsafeBufferPointer(start: sequences, count: sequences == nil ? 0 : count)))
        writer.write(Array(UnsafeBufferPointer(start: tags, count: tags == nil ? 0 : count)))
        writer.write(Int64(next))
    }

    /// Takes up a saved state.
    public init(restoring reader: inout StateReader) throws(StateError) {
        let sequences: [Int64] = try reader.readArray()
        let tags: [UInt32] = try reader.readArray()
        let next = try reader.read(Int64.self)
        guard tags.isEmpty || sequences.count == tags.count, sequences.count <= Self.capacity, next >= 0,
            next < Self.capacity, next == 0 || sequences.count == Self.capacity
        else { throw StateError(offset: 0, expected: "a duplicate window") }
        self.init()
        for (place, sequence) in sequences.enumerated() { remember(sequence, tags.isEmpty ? 0 : tags[place]) }
        self.next = Int16(next)
    }
}

/// The windows of all symbols: one for trades and one for quotes of each.
///
/// Grows with the greatest symbol id seen. One thread.
public struct DuplicateWindows: ~Copyable, @unchecked Sendable {
    // Owner of the unchecked state: this value alone has the memory, and frees it.
    @usableFromInline var windows: UnsafeMutablePointer<DuplicateWindow>
    @usableFromInline var count = 0

    /// Remembers nothing.
    public init() { windows = .allocate(capacity: 0) }

    deinit {
        windows.deinitialize(count: count)
        windows.deallocate()
    }

    /// Remembers a trade or quote and tells what it is; every other event is new.
    @inlinable
    public mutating func admit(_ event: MarketEvent) -> DuplicateWindow.Verdict {
        switch event {
        case .trade(let trade):
            let tag = DuplicateWindow.tag(exchange: trade.exchange, idHash: trade.idHash)
            return window(trade.symbol, kind: 0).pointee.admit(sequence: trade.sequence, tag: tag)
        case .quote(let quote):
            return window(quote.symbol, kind: 1).pointee.admit(sequence: quote.sequence)
        default: return .new
        }
    }

    /// The same by the id alone, for a feed without sequences: an event without one is new.
    public mutating func admit(byID event: MarketEvent) -> DuplicateWindow.Verdict {
        let (symbol, id, kind): (SymbolID, UInt64, Int)
        switch event {
        case .trade(let trade): (symbol, id, kind) = (trade.symbol, trade.idHash, 0)
        case .flowAlert(let alert): (symbol, id, kind) = (alert.symbol, alert.idHash, 1)
        default: return .new
        }
        guard id != 0 else { return .new }
        // Ids have no order: one that is smaller than the last isn't older.
        let verdict = window(symbol, kind: kind).pointee.admit(sequence: Int64(bitPattern: id | 1))
        return verdict == .duplicate ? .duplicate : .new
    }

    @inlinable
    mutating func window(_ symbol: SymbolID, kind: Int) -> UnsafeMutablePointer<DuplicateWindow> {
        let index = Int(symbol.index) &* 2 &+ kind
        if index >= count { grow(to: index + 1) }
        return windows + index
    }

    @usableFromInline
    mutating func grow(to least: Int) {
        let larger = max(least, count * 2, 256)
        let moved = UnsafeMutablePointer<DuplicateWindow>.allocate(capacity: larger)
        moved.moveInitialize(from: windows, count: count)
        windows.deallocate()
        for index in count..<larger { (moved + index).initialize(to: DuplicateWindow()) }
        (windows, count) = (moved, larger)
    }
}

// Checkpoints.
extension DuplicateWindows {
    /// Appends every window that remembers something.
    public borrowing func save(to writer: inout StateWriter) {
        writer.write(Int64((0..<count).count { windows[$0].count > 0 }))
        for index in 0..<count where windows[index].count > 0 {
            writer.write(Int64(index))
            windows[index].save(to: &writer)
        }
    }

    /// Takes up a saved state.
    ///
    /// - Throws: `StateError` where a window is none, or of a symbol beyond `symbolCount`.
    public init(restoring reader: inout StateReader, symbolCount: Int) throws(StateError) {
        self.init()
        let saved = try reader.read(Int64.self)
        for _ in 0..<max(0, saved) {
            let index = try reader.read(Int64.self)
            guard index >= 0, index < Int64(symbolCount) * 2 else {
                throw StateError(offset: 0, expected: "a window of a known symbol")
            }
            let window = try DuplicateWindow(restoring: &reader)
            if Int(index) >= count { grow(to: Int(index) + 1) }
            windows[Int(index)] = window
        }
    }
}
