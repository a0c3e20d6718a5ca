package import MarketData
package import Primitives
package import SymbolCore

/// What is known of the feeds: state, lag, last event, and what of their oddities isn't said yet.
///
/// Pure. Everything comes from numbered inputs, so a replay knows the same. Feed thread only.
package struct FeedLedger: Sendable {
    /// Odd events are added up this long before they are said, so that a feed gone mad doesn't fill the log.
    package static let entryNanos: Int64 = 10_000_000_000
    /// A feed that brought nothing for so long isn't delivering: the silence of one of its symbols tells nothing.
    package static let deliveringNanos: Int64 = 1_000_000_000
    /// A late feed is believed again after so long without lateness (analytics.md 5).
    package static let healthNanos: Int64 = 2_000_000_000
    /// Names at most: the feeds, the bus, and what a foreign tape brings.
    package static let nameLimit = 64

    private struct Lateness: BitwiseCopyable {
        var since: Instant
        var worst: Int64
    }

    private struct Feed: BitwiseCopyable {
        var lastReceived = Instant.distantPast
        /// Exchange time of the newest event.
        var newest = Instant.distantPast
        var lagNanos: Int64?
        /// The worst lag since the excursion began, and when it began; nil while in time.
        var late: Lateness?
        var lastLate = Instant.distantPast
        var duplicates: Int64 = 0
        var regressions: Int64 = 0
        var oddSince: Instant?
        /// Exchange time of the last event before it went down.
        var lostAfter: Instant?
    }

    private var watched = Array(repeating: Feed(), count: FeedSource.allCases.count)
    private var states: [String: FeedState] = [:]
    private let lagMaxNanos: Int64
    private var hasOdd = false
    /// To be said with the next input.
    private var pending: [LedgerEntry] = []

    /// - Parameter lagMaxNanos: `feed.lagMaxMs`; 0 watches no lag (delayed feeds, an exchange's clock).
    package init(lagMaxNanos: Int64) { self.lagMaxNanos = lagMaxNanos }

    /// Which feeds are away or late by now, for a core that begins.
    package var feeds: FeedsState {
        var now = FeedsState()
        for source in FeedSource.allCases {
            if let state = states[source.tapeName] { now.changed(source, to: state) }
        }
        return now
    }

    /// Takes a told state.
    package mutating func changed(_ name: String, to state: FeedState, cause: String) -> FeedChange {
        var change = FeedChange(name: name, source: FeedSource(tapeName: name), state: state, cause: cause)
        change.isNews = states[name] != state
        if states[name] != nil || states.count < Self.nameLimit { states[name] = state }
        guard let source = change.source else { return change }
        let place = Int(source.rawValue)
        change.lagMillis = watched[place].lagNanos.map { $0 / 1_000_000 }
        switch state {
        case .down:
            if change.isNews, watched[place].newest != .distantPast { watched[place].lostAfter = watched[place].newest }
            endLateness(place)
        case .up: endLateness(place)
        case .degraded: break
        }
        return change
    }

    private mutating func endLateness(_ place: Int) {
        guard let late = watched[place].late, let source = FeedSource(rawValue: UInt8(place)) else { return }
        watched[place].late = nil
        pending.append(
            LedgerEntry(
                n: 0,
                name: source.tapeName,
                kind: .lag,
                count: late.worst / 1_000_000,
                from: late.since,
                to: watched[place].lastLate
            )
        )
    }

    /// Takes a frame's news: its newest exchange time, nil for a frame without events that have one.
    ///
    /// - Returns: the state that the frame's lateness makes, where it changes; the caller makes an input of it.
    package mutating func delivered(
        _ source: FeedSource,
        newest: Instant?,
        received: Instant
    ) -> (state: FeedState, cause: String)? {
        let place = Int(source.rawValue)
        watched[place].lastReceived = received
        guard let newest else { return nil }
        if let after = watched[place].lostAfter {
            watched[place].lostAfter = nil
            pending.append(
                LedgerEntry(n: 0, name: source.tapeName, kind: .gap, count: 0, from: after, to: max(after, newest))
            )
        }
        watched[place].newest = max(watched[place].newest, newest)
        guard lagMaxNanos > 0 else { return nil }
        let lag = received.nanos(since: newest)
        watched[place].lagNanos = lag
        if lag > lagMaxNanos {
            watched[place].lastLate = received
            if let late = watched[place].late {
                watched[place].late?.worst = max(late.worst, lag)
                return nil
            }
            watched[place].late = Lateness(since: received, worst: lag)
            guard states[source.tapeName] != .down else { return nil }
            return (.degraded, "events are \(lag / 1_000_000) ms late")
        }
        return nil
    }

    /// Counts an event dropped or out of order.
    package mutating func odd(_ kind: LedgerEntry.Kind, of source: FeedSource, received: Instant) {
        let place = Int(source.rawValue)
        if kind == .duplicate { watched[place].duplicates += 1 } else { watched[place].regressions += 1 }
        if watched[place].oddSince == nil { watched[place].oddSince = received }
        hasOdd = true
    }

    /// Which feeds delivered within the last second before a clock input.
    package func delivering(at line: Instant) -> FeedSet {
        var set = FeedSet()
        for source in FeedSource.allCases {
            let last = watched[Int(source.rawValue)].lastReceived
            if last != .distantPast, line.nanos(since: last) <= Self.deliveringNanos { set.insert(source) }
        }
        return set
    }

    /// Feeds that were late and are in time again, at a clock input; the caller makes inputs of them.
    package mutating func recovered(at line: Instant) -> [(source: FeedSource, cause: String)] {
        var found: [(FeedSource, String)] = []
        for source in FeedSource.allCases {
            let place = Int(source.rawValue)
            guard let late = watched[place].late, line.nanos(since: watched[place].lastLate) >= Self.healthNanos,
                watched[place].lastReceived > watched[place].lastLate, states[source.tapeName] == .degraded
            else { continue }
            found.append((source, "in time again, at worst \(late.worst / 1_000_000) ms late"))
        }
        return found
    }

    /// The entries that are to be said with input `n`.
    package mutating func entries(at received: Instant, n: Ordinal) -> [LedgerEntry] {
        guard hasOdd || !pending.isEmpty else { return [] }
        collectOdd(at: received)
        defer { pending.removeAll() }
        return pending.map {
            var entry = $0
            entry.n = n
            return entry
        }
    }

    private mutating func collectOdd(at line: Instant) {
        hasOdd = false
        for source in FeedSource.allCases {
            let place = Int(source.rawValue)
            guard let since = watched[place].oddSince else { continue }
            guard line.nanos(since: since) >= Self.entryNanos else {
                hasOdd = true
                continue
            }
            for (kind, count) in [
                (LedgerEntry.Kind.duplicate, watched[place].duplicates), (.regression, watched[place].regressions),
            ] where count > 0 {
                pending.append(
                    LedgerEntry(n: 0, name: source.tapeName, kind: kind, count: count, from: since, to: line)
                )
            }
            (watched[place].duplicates, watched[place].regressions, watched[place].oddSince) = (0, 0, nil)
        }
    }

    // MARK: Checkpoints

    /// Appends everything; an entry waits for no longer than the next clock input, and is then on its way.
    func save(to writer: inout StateWriter) {
        writer.write(watched)
        writer.write(Int64(states.count))
        for (name, state) in states.sorted(by: { $0.key < $1.key }) {
            writer.write(name)
            writer.write(state.rawValue)
        }
        writer.write(hasOdd)
    }

    /// Takes up a saved state.
    mutating func restore(from reader: inout StateReader) throws(StateError) {
        let saved = try reader.readArray(of: Feed.self)
        guard saved.count == watched.count else { throw StateError(offset: 0, expected: "the feeds") }
        watched = saved
        let count = try reader.read(Int64.self)
        guard count >= 0, count <= Self.nameLimit else { throw StateError(offset: 0, expected: "states of feeds") }
        for _ in 0..<count {
            let name = try reader.readString()
            guard let state = FeedState(rawValue: try reader.readString()) else {
                throw StateError(offset: 0, expected: "a feed's state")
            }
            states[name] = state
        }
        hasOdd = try reader.read()
    }
}
