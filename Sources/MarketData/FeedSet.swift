/// A set of feeds in a byte.
@frozen
public struct FeedSet: Hashable, Sendable, BitwiseCopyable {
    /// One bit a feed, by its raw value.
    public var bits: UInt8

    /// The set of these bits.
    @inlinable
    public init(bits: UInt8 = 0) { self.bits = bits }

    /// Whether a feed is in it.
    @inlinable
    public func contains(_ source: FeedSource) -> Bool { bits & Self.bit(source) != 0 }

    /// Adds a feed.
    @inlinable
    public mutating func insert(_ source: FeedSource) { bits |= Self.bit(source) }

    /// Takes a feed out.
    @inlinable
    public mutating func remove(_ source: FeedSource) { bits &= ~Self.bit(source) }

    @inlinable
    static func bit(_ source: FeedSource) -> UInt8 { 1 << source.rawValue }
}

extension FeedSource {
    /// Which of two feeds that bring the same symbol is believed: the lower (analytics.md 2, feeds.md 8 rule 2).
    ///
    /// The market's own feed, then the bridge (a few snapshots a second), then the flow feed (prints alone).
    @inlinable
    public var rank: UInt8 {
        switch self {
        case .stocks, .options, .indices: 0
        case .bridge: 1
        case .flow: 2
        }
    }
}
