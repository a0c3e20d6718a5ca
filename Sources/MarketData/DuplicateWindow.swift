public import Primitives

/// Tells whether a trade or quote was among the last 4,096 of its symbol and kind (analytics.md 5, feeds.md 8 rule 3).
///
/// Starts empty and grows with what was seen (8 bytes a key without tag, 12 with). The usual case, a sequence above all in the window, costs
/// one comparison and one append. A sequence that starts anew each day heals once the window has turned over. One thread.
public struct DuplicateWindow: Sendable {
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

    @usableFromInline var sequences: [Int64] = []
    /// By position as `sequences`; empty while every tag was 0.
    @usableFromInline var tags: [UInt32] = []
    /// Where the next key goes once the ring is full: the oldest.
    @usableFromInline var next = 0
    /// The greatest sequence in the window.
    @usableFromInline var maximum = Int64.min

    /// Remembers nothing.
    public init() {}

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
        if sequences.count < Self.capacity {
            sequences.append(sequence)
            if tag != 0 || !tags.isEmpty { append(tag: tag) }
        } else {
            let evicted = sequences[next]
            sequences[next] = sequence
            if tag != 0 || !tags.isEmpty { replace(tag: tag) }
            next = (next &+ 1) & (Self.capacity &- 1)
            if evicted == maximum, sequence < maximum { maximum = sequences.max() ?? .min }
        }
        if sequence > maximum { maximum = sequence }
    }

    @inlinable
    mutating func append(tag: UInt32) {
        while tags.count < sequences.count &- 1 { tags.append(0) }
        tags.append(tag)
    }

    @inlinable
    mutating func replace(tag: UInt32) {
        while tags.count < Self.capacity { tags.append(0) }
        tags[next] = tag
    }

    @usableFromInline
    mutating func admitOlder(_ sequence: Int64, _ tag: UInt32) -> Verdict {
        if sequence == 0 { return .new }
        if isRemembered(sequence, tag) { return .duplicate }
        remember(sequence, tag)
        return .newButOlder
    }

    private func isRemembered(_ sequence: Int64, _ tag: UInt32) -> Bool {
        var index = sequences.count - 1
        while index >= 0 {
            if sequences[index] == sequence, tags.isEmpty ? tag == 0 : tags[index] == tag { return true }
            index -= 1
        }
        return false
    }
}

extension DuplicateWindow: Checkpointable {
    /// Appends the whole state.
    public func save(to writer: inout StateWriter) {
        writer.write(sequences)
        writer.write(tags)
        writer.write(Int64(next))
    }

    /// Takes up a saved state.
    public init(restoring reader: inout StateReader) throws(StateError) {
        sequences = try reader.readArray()
        tags = try reader.readArray()
        let next = try reader.read(Int64.self)
        guard tags.isEmpty || sequences.count == tags.count, sequences.count <= Self.capacity, next >= 0, next < Self.capacity,
            next == 0 || sequences.count == Self.capacity
        else { throw StateError(offset: 0, expected: "a duplicate window") }
        self.next = Int(next)
        maximum = sequences.max() ?? .min
    }
}
