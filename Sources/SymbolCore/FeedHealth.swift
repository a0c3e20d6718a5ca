package import MarketData
internal import Primitives
package import Wire

/// The feeds' states as subscribers of `health` hear them: one durable message a change.
///
/// Pure.
package struct FeedHealth: Sendable {
    private var states: [String: FeedState] = [:]

    package init() {}

    /// Takes a feed's new state; the same state again says nothing.
    package mutating func apply(
        _ input: Input,
        feed: String,
        state: FeedState,
        cause: String,
        into out: inout OutputBatch
    ) {
        guard states[feed] != state else { return }
        states[feed] = state
        out.append(
            n: input.n,
            index: 0,
            type: .health,
            outputClass: .durable,
            time: input.received,
            channel: { $0.append(contentsOf: Channel.Kind.health.rawValue.utf8) },
            payload: { bytes in
                var object = JSONObject(&bytes)
                object.field("feed", feed, to: &bytes)
                object.field("state", state.rawValue, to: &bytes)
                object.field("lagMs", Int64?.none, to: &bytes)
                object.field("since", input.received as Instant?, to: &bytes)
                object.field("reason", cause.isEmpty ? nil : cause, to: &bytes)
                object.end(&bytes)
            }
        )
    }
}
