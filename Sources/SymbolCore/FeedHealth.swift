package import MarketData
package import Primitives
package import Wire

/// A feed's new state, as the cores and the subscribers of `health` hear it.
package struct FeedChange: Sendable, Equatable {
    /// As the tape names it; `bus` for the bus.
    package var name: String
    /// The feed; nil for what isn't one (the bus).
    package var source: FeedSource?
    package var state: FeedState
    package var cause: String
    /// How far the newest event was behind at that moment; nil where it isn't known.
    package var lagMillis: Int64?
    /// The same state again is an input like any other, but nobody is told.
    package var isNews = true

    package init(name: String, source: FeedSource?, state: FeedState, cause: String) {
        self.name = name
        self.source = source
        self.state = state
        self.cause = cause
    }
}

/// An entry of the gap ledger that isn't a change of state: what was odd, how often, and between which receive times.
package struct LedgerEntry: Sendable, Equatable {
    package enum Kind: String, Sendable {
        /// The same trade or quote again, dropped.
        case duplicate
        /// An older sequence that wasn't seen before, used.
        case regression
        /// The feed was late by more than `feed.lagMaxMs`.
        case lag
        /// The feed was away; `from` and `to` are the exchange times of the events on both sides.
        case gap
    }

    /// The input that it is said with.
    package var n: Ordinal
    package var name: String
    package var kind: Kind
    /// Events; for a lag the worst in milliseconds, for a gap 0: how many were missed nobody knows.
    package var count: Int64
    package var from: Instant
    package var to: Instant

    package init(n: Ordinal, name: String, kind: Kind, count: Int64, from: Instant, to: Instant) {
        self.n = n
        self.name = name
        self.kind = kind
        self.count = count
        self.from = from
        self.to = to
    }
}

/// Which feeds are away, and which are late or half silent.
package struct FeedsState: Sendable, Hashable, BitwiseCopyable {
    package private(set) var down = FeedSet()
    package private(set) var degraded = FeedSet()
    /// Every feed that was told of: those that are configured.
    package private(set) var known = FeedSet()

    package init() {}

    package mutating func changed(_ source: FeedSource, to state: FeedState) {
        known.insert(source)
        down.remove(source)
        degraded.remove(source)
        switch state {
        case .up: break
        case .degraded: degraded.insert(source)
        case .down: down.insert(source)
        }
    }
}

/// The feeds' states and the gap ledger as subscribers of `health` hear them: durable messages.
package enum FeedHealth {
    /// Behind everything that the cores say of the same input; the commit log holds it as a signed number.
    private static let firstIndex = OutputIndex(Int32.max) << 32

    /// Says a feed's new state.
    package static func append(_ change: FeedChange, at input: Input, into out: inout OutputBatch) {
        append(.health, n: input.n, index: firstIndex, time: input.received, into: &out) { object, bytes in
            object.field("feed", change.name, to: &bytes)
            object.field("state", change.state.rawValue, to: &bytes)
            object.field("lagMs", change.lagMillis, to: &bytes)
            object.field("since", input.received as Instant?, to: &bytes)
            object.field("reason", change.cause.isEmpty ? nil : change.cause, to: &bytes)
        }
    }

    /// Says entries of the gap ledger, those of one input behind each other.
    package static func append(_ entries: [LedgerEntry], into out: inout OutputBatch) {
        for (place, entry) in entries.enumerated() {
            let index = firstIndex + 1 + OutputIndex(place)
            append(.gap, n: entry.n, index: index, time: entry.to, into: &out) { object, bytes in
                object.field("feed", entry.name, to: &bytes)
                object.field("kind", entry.kind.rawValue, to: &bytes)
                object.field("count", entry.count as Int64?, to: &bytes)
                object.field("from", entry.from as Instant?, to: &bytes)
                object.field("to", entry.to as Instant?, to: &bytes)
            }
        }
    }

    private static func append(
        _ type: MessageType,
        n: Ordinal,
        index: OutputIndex,
        time: Instant,
        into out: inout OutputBatch,
        fields: (inout JSONObject, inout [UInt8]) -> Void
    ) {
        out.append(
            n: n,
            index: index,
            type: type,
            outputClass: .durable,
            time: time,
            channel: { $0.append(contentsOf: Channel.Kind.health.rawValue.utf8) },
            payload: { bytes in
                var object = JSONObject(&bytes)
                fields(&object, &bytes)
                object.end(&bytes)
            }
        )
    }
}
