internal import MarketData
internal import Primitives

/// Tells subscribers of `health` how the disk is doing: what is found out on other threads becomes an input.
///
/// Any thread.
final class HealthTeller: Sendable {
    private struct Box {
        var states: [String: FeedState] = [:]
        var target: (@Sendable (String, FeedState, String) -> Void)?
    }

    private let box = Lock(Box())

    /// Where it goes from now on; what was told before goes at once.
    ///
    /// Nothing but trouble is worth telling again.
    func connect(_ target: @escaping @Sendable (String, FeedState, String) -> Void) {
        let waiting = box.withLock { box in
            box.target = target
            return box.states.filter { $0.value != .up }
        }
        for (name, state) in waiting { target(name, state, "since the start") }
    }

    /// Tells a state.
    ///
    /// - Returns: false where that is the state already; then nothing is told.
    @discardableResult
    func tell(_ name: String, _ state: FeedState, _ cause: String) -> Bool {
        let (isNew, target) = box.withLock { box in
            let isNew = box.states[name, default: .up] != state
            box.states[name] = state
            return (isNew, box.target)
        }
        if isNew { target?(name, state, cause) }
        return isNew
    }
}
