package import MarketData
package import Primitives

/// Decodes the frames of every feed: a decoder each, chosen by the source.
///
/// The engine's only word of who speaks how. Feed loop thread only.
package struct FrameDecoder: ~Copyable {
    private var markets = PolygonDecoder()
    private var flow = UnusualWhalesDecoder()
    private var bridge = BridgeDecoder()

    package init() {}

    /// Decodes one whole text frame: appends its events and statuses to `batch`, interns new symbols.
    ///
    /// The bytes are only read during the call. `received` stands in for a time that the flow provider doesn't give.
    @inline(__always)
    package mutating func decode(
        _ frame: UnsafeRawBufferPointer,
        of source: FeedSource,
        received: Instant? = nil,
        symbols: inout SymbolTable,
        into batch: inout DecodedBatch
    ) {
        switch source {
        case .stocks, .options, .indices: markets.decode(frame, symbols: &symbols, into: &batch)
        case .flow: flow.decode(frame, symbols: &symbols, into: &batch, received: received)
        case .bridge:
            bridge.decode(frame, symbols: &symbols, into: &batch)
            // They are for the connection's machine, which reads the frame itself.
            if !bridge.notices.isEmpty { _ = bridge.takeNotices() }
        }
    }

    /// What all of them met.
    package var figures: DecoderFigures {
        var figures = DecoderFigures()
        let (markets, flow, bridge) = (markets.counters, flow.counters, bridge.counters)
        figures.malformedByFeed = [
            .stocks: markets.malformed + markets.brokenFrames + markets.oversizedFrames,
            .flow: flow.malformed + flow.brokenFrames + flow.oversizedFrames,
            .bridge: bridge.malformed + bridge.brokenFrames + bridge.oversizedFrames,
        ]
        figures.unknown = markets.unknown + flow.unknown + bridge.unknown
        figures.events =
            EventKind.allCases.filter { $0 != .status }.map { ($0.code, markets.events($0)) }
            + UnusualWhalesChannelKind.allCases.map { ("uw.\($0.name)", flow.taken($0)) }
            + BridgeKind.allCases.filter(\.isData).map { ("ib.\($0.code)", bridge.events($0)) }
        figures.malformedByReason = MalformedReason.allCases.map {
            ("\($0)", markets.malformed($0) + flow.malformed($0) + bridge.malformed($0))
        }
        return figures
    }

    // MARK: Checkpoints

    /// Appends what later frames rest on: the bridge sends changes, all others whole events.
    package borrowing func save(to writer: inout StateWriter) { bridge.save(to: &writer) }

    /// Takes up a saved state.
    package mutating func restore(
        from reader: inout StateReader,
        symbols: inout SymbolTable
    ) throws(StateError) {
        try bridge.restore(from: &reader, symbols: &symbols)
    }
}

/// What the decoders of all feeds met since the start.
package struct DecoderFigures: Sendable {
    /// Events and frames that could not be read; the provider's markets together under `stocks`.
    package var malformedByFeed: [FeedSource: UInt64] = [:]
    /// The same events by why, frames that were broken as a whole not among them.
    package var malformedByReason: [(reason: String, count: UInt64)] = []
    /// Events of a kind nobody knows.
    package var unknown: UInt64 = 0
    /// Events taken by their name on the wire, those of the flow feed and the bridge with its name before.
    package var events: [(kind: String, count: UInt64)] = []

    package init() {}

    package var malformed: UInt64 { malformedByFeed.values.reduce(0, +) }
}
