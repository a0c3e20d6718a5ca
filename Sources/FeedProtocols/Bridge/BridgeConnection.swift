package import MarketData
package import Primitives

/// The life of the connection to the broker's bridge (feeds.md 4.3).
///
/// Pure: every event brings the time (and randomness where a delay is drawn) and returns what to do. The shell performs
/// the actions in order, then arms one timer for `deadline`. Each dial has a number, which the socket's events carry, so
/// a late word of a socket that was given up changes nothing. It reads raw frames itself, for the sequence, the
/// bridge's own words and which instruments are fresh.
package struct BridgeConnection: ~Copyable {
    /// What the shell has to do.
    package enum Action: Hashable, Sendable {
        /// Open a socket; its events carry this number.
        case connect(attempt: Int)
        /// Send a text frame.
        case send(String)
        /// Close the socket without waiting for the peer's reply.
        case close(code: UInt16)
        /// Tell the engine how the feed is doing.
        case report(FeedState, cause: String)
        /// This instrument brings nothing: the bridge refused it, or didn't answer.
        case refused(BridgeKey, cause: String)
        /// The account's lines don't reach for these; the whole list, empty when all is served again.
        case unserved([BridgeShortfall])
        /// What is known of these may be wrong or old; told again for each new connection and subscription.
        case stale([BridgeKey])
        /// These are as the broker has them again.
        case fresh([BridgeKey])
        /// Frames after this time of receipt may be missing.
        case gapOpened(after: Instant)
        /// Frames between these times of receipt are missing.
        case gapClosed(after: Instant, before: Instant)
        /// A person should look.
        case alert(String)
    }

    /// Limits in nanoseconds; the defaults are feeds.md 4.3's.
    package struct Limits: Sendable {
        package var dial: Int64 = 10_000_000_000
        package var hello: Int64 = 3_000_000_000
        /// Until every instrument of a `set` has its answer: the bridge asks for forty a second.
        package var acknowledgement: Int64 = 30_000_000_000
        package var stale: Int64 = 3_000_000_000
        package var silence: Int64 = 10_000_000_000
        /// Until a snapshot that should come by itself is asked for.
        package var snapshot: Int64 = 5_000_000_000
        package var backoffMin: Int64 = 1_000_000_000
        package var backoffMax: Int64 = 15_000_000_000
        package var survival: Int64 = 10_000_000_000
        /// Market data lines and depth books, where the bridge says nothing less.
        package var lines = 100
        package var books = 3

        package init() {}
    }

    /// Where the connection is; for health pages and tests.
    package enum Phase: String, Sendable {
        case idle, dialling, hello, subscribing, live, waiting, halted, stopped
    }

    enum State {
        case idle
        case dialling(until: Instant)
        case hello(since: Instant)
        case open(Session)
        case waiting(until: Instant)
        case halted
        case stopped
    }

    var state = State.idle
    let limits: Limits
    /// Number of the current or last dial.
    package internal(set) var attempt = 0
    /// Dials that failed since one survived.
    package internal(set) var failureCount = 0
    var desired: [BridgeSubscription] = []
    var shortfalls: [BridgeShortfall] = []
    var epoch: String?
    /// Of all sets and snapshots, so that a late answer is told from a new one.
    var requestCount = 0
    var reported: FeedState?
    /// When the last frame with data came, and whether a gap stands open behind it.
    var lastData: Instant?
    var isGapOpen = false
    /// The latest time seen: inputs never go back.
    var clock = Instant.distantPast
    var reader: BridgeReader
    var elements: [BridgeElement] = []

    package init(limits: Limits = Limits(), frameLimit: Int = 1 << 20) {
        self.limits = limits
        reader = BridgeReader(frameLimit: frameLimit)
    }

    /// Where it is.
    package var phase: Phase {
        switch state {
        case .idle: .idle
        case .dialling: .dialling
        case .hello: .hello
        case .open(let session): session.pending.isEmpty ? .live : .subscribing
        case .waiting: .waiting
        case .halted: .halted
        case .stopped: .stopped
        }
    }

    /// Whether the broker is there behind the bridge: a live connection to a bridge without one brings nothing.
    package var hasBroker: Bool { phase == .live && reported != .down }

    /// When `timerFired` is due next; never in idle, halted and stopped.
    package var deadline: Instant {
        switch state {
        case .idle, .halted, .stopped: .distantFuture
        case .dialling(let until), .waiting(let until): until
        case .hello(let since): since.advanced(byNanos: limits.hello)
        case .open(let session): session.deadline(limits)
        }
    }

    /// The instruments whose data isn't sure, as told by `stale` and `fresh`; all of the served while it isn't open.
    package var staleKeys: [BridgeKey] {
        guard case .open(let session) = state else { return desired.map(\.key).sorted() }
        return session.told.sorted()
    }

    // MARK: Operator

    /// Begins.
    package mutating func started(now: Instant) -> [Action] {
        guard case .idle = state else { return [] }
        return dial(advance(now))
    }

    /// New configuration was loaded: the one way out of a halt.
    package mutating func reloaded(now: Instant) -> [Action] {
        let now = advance(now)
        guard case .halted = state else { return [] }
        failureCount = 0
        return dial(now)
    }

    /// Ends for good.
    package mutating func stopped(now: Instant) -> [Action] {
        _ = advance(now)
        if case .stopped = state { return [] }
        var actions: [Action] = hasSocket ? [.close(code: 1000)] : []
        actions += lost() + report(.down, "stopped")
        state = .stopped
        return actions
    }

    // MARK: Socket

    /// The upgrade is done: the first word is ours.
    package mutating func connected(attempt: Int, now: Instant) -> [Action] {
        let now = advance(now)
        guard attempt == self.attempt, case .dialling = state else { return [] }
        state = .hello(since: now)
        return [.send(BridgeFrames.hello(resume: epoch))]
    }

    /// The server answered the upgrade with another status: a refused token halts, all else is tried again.
    package mutating func upgradeRefused(attempt: Int, status: Int, now: Instant, random: UInt64) -> [Action] {
        let now = advance(now)
        guard attempt == self.attempt, case .dialling = state else { return [] }
        let cause = "the upgrade was refused with HTTP \(status)"
        return status == 401 || status == 403
            ? halt(cause, code: nil) : fail(cause, code: nil, now: now, random: random)
    }

    /// The socket failed to open, or was closed with a code where there was one.
    package mutating func closed(
        attempt: Int,
        code: UInt16?,
        words: String,
        now: Instant,
        random: UInt64
    ) -> [Action] {
        let now = advance(now)
        guard attempt == self.attempt, hasSocket else { return [] }
        switch code {
        case 4000: return halt("the bridge speaks another version: \(words)", code: nil)
        case 4003: return halt("the bridge refused the token: \(words)", code: nil)
        case 1012: return fail("the bridge restarts: \(words)", code: nil, now: now, random: random)
        default: return fail(words, code: nil, now: now, random: random)
        }
    }

    /// The timer of `deadline` fired; `random` is any 64 bits, for the jitter of a delay.
    package mutating func timerFired(now: Instant, random: UInt64) -> [Action] {
        let now = advance(now)
        guard now >= deadline else { return [] }
        switch state {
        case .idle, .halted, .stopped: return []
        case .waiting: return dial(now)
        case .dialling: return fail("no connection in time", code: 1000, now: now, random: random)
        case .hello: return fail("no hello in time", code: 4002, now: now, random: random)
        case .open: return openTimer(now: now, random: random)
        }
    }

    // MARK: Shared

    /// Time never goes back.
    mutating func advance(_ now: Instant) -> Instant {
        clock = max(clock, now)
        return clock
    }

    /// A socket is open or being opened.
    var hasSocket: Bool {
        switch state {
        case .dialling, .hello, .open: true
        case .idle, .waiting, .halted, .stopped: false
        }
    }

    mutating func dial(_ now: Instant) -> [Action] {
        attempt += 1
        state = .dialling(until: now.advanced(byNanos: limits.dial))
        return [.connect(attempt: attempt)]
    }

    mutating func report(_ feed: FeedState, _ cause: String) -> [Action] {
        guard reported != feed else { return [] }
        reported = feed
        return [.report(feed, cause: cause)]
    }

    /// What a lost session means for its data.
    mutating func lost() -> [Action] {
        guard case .open(let session) = state else { return [] }
        var actions: [Action] = []
        if !isGapOpen, let lastData {
            isGapOpen = true
            actions.append(.gapOpened(after: lastData))
        }
        let sure = session.served.keys.filter { !session.told.contains($0) }.sorted()
        if !sure.isEmpty { actions.append(.stale(sure)) }
        return actions
    }

    /// The token or the version is refused: trying again would change nothing.
    mutating func halt(_ cause: String, code: UInt16?) -> [Action] {
        var actions: [Action] = lost()
        state = .halted
        if let code { actions.append(.close(code: code)) }
        actions.append(.alert(cause))
        return actions + report(.down, cause)
    }

    /// Gives a socket up and waits before the next; `code` is nil where the socket is gone already.
    mutating func fail(_ cause: String, code: UInt16?, now: Instant, random: UInt64) -> [Action] {
        var actions: [Action] = lost()
        if case .open(let session) = state, now.nanos(since: session.opened) >= limits.survival { failureCount = 0 }
        let delay = min(limits.backoffMax, limits.backoffMin << Int64(min(failureCount, 8)))
        let spread = delay / 5
        let jittered = delay - spread + Int64(random % UInt64(2 * spread + 1))
        state = .waiting(until: now.advanced(byNanos: jittered))
        failureCount += 1
        if let code { actions.append(.close(code: code)) }
        return actions + report(.down, cause)
    }
}
