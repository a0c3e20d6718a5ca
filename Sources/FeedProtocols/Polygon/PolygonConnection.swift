package import MarketData
package import Primitives

/// The life of one connection to one market of the provider (feeds.md 1.10).
///
/// Pure: every event brings the time (and randomness where a delay is drawn) and returns what to do. The shell performs
/// the actions in order, then arms one timer for `deadline`. Each dial has a number, which the socket's events carry, so
/// a late word of a socket that was given up changes nothing, and a latched cause is that socket's only.
package struct PolygonConnection: ~Copyable {
    /// What the shell has to do.
    package enum Action: Hashable, Sendable {
        /// Open a socket; its events carry this number.
        case connect(attempt: Int)
        /// Send a text frame; it may hold the key, so it is never logged.
        case send(OutgoingText)
        /// Send a ping.
        case ping
        /// Close the socket without waiting for the peer's reply.
        case close(code: UInt16)
        /// Tell the engine how the feed is doing.
        case report(FeedState, cause: String)
        /// This pair brings nothing on this socket: no acknowledgement came, twice.
        case refused(PolygonSubscription, cause: String)
        /// Events after this exchange time may be missing.
        case gapOpened(after: Instant)
        /// Events between these exchange times are missing: for the gap filler.
        case gapClosed(after: Instant, before: Instant)
        /// A person should look.
        case alert(String)
    }

    /// A text frame whose description hides its content.
    package struct OutgoingText: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
        package let text: String
        package var description: String { "frame of \(text.utf8.count) bytes" }
        package var debugDescription: String { description }
    }

    /// Limits in nanoseconds; the defaults are feeds.md 1.10's.
    package struct Limits: Sendable {
        package var dial: Int64 = 10_000_000_000
        package var helloNudge: Int64 = 5_000_000_000
        package var hello: Int64 = 10_000_000_000
        package var auth: Int64 = 10_000_000_000
        package var acknowledgement: Int64 = 5_000_000_000
        package var ping: Int64 = 25_000_000_000
        package var silence: Int64 = 30_000_000_000
        package var stale: Int64 = 10_000_000_000
        package var dataSilence: Int64 = 60_000_000_000
        package var backoffMin: Int64 = 1_000_000_000
        package var backoffMax: Int64 = 30_000_000_000
        package var survival: Int64 = 10_000_000_000
        package var cool: Int64 = 60_000_000_000
        package var coolMax: Int64 = 300_000_000_000

        package init() {}
    }

    /// Where the connection is; for health pages and tests.
    package enum Phase: String, Sendable {
        case idle, dialling, hello, authenticating, subscribing, live, waiting, cooling, halted, stopped
    }

    enum State {
        case idle
        case dialling(until: Instant)
        case hello(Session, authSent: Bool)
        case authenticating(Session, since: Instant)
        /// `isLive` once all first acknowledgements came or were given up.
        case open(Session, isLive: Bool)
        case waiting(until: Instant, isCooling: Bool)
        case halted
        case stopped
    }

    var state = State.idle
    let limits: Limits
    let key: PolygonKey
    /// Number of the current or last dial.
    package internal(set) var attempt = 0
    /// Dials that failed since one survived.
    package internal(set) var failureCount = 0
    /// Times in a row that the account's cap was hit.
    package internal(set) var coolCount = 0
    /// Statuses nobody knows, each reported once; bounded.
    var strangeStatuses: Set<String> = []
    var desired: Set<PolygonSubscription> = []
    var reported: FeedState?
    /// Exchange time of the last event, and whether a gap stands open behind it.
    var lastEvent: Instant?
    var isGapOpen = false
    /// The latest time seen: inputs never go back.
    var clock = Instant.distantPast

    package init(key: PolygonKey, limits: Limits = Limits()) {
        self.key = key
        self.limits = limits
    }

    /// Where it is.
    package var phase: Phase {
        switch state {
        case .idle: .idle
        case .dialling: .dialling
        case .hello: .hello
        case .authenticating: .authenticating
        case .open(_, let isLive): isLive ? .live : .subscribing
        case .waiting(_, let isCooling): isCooling ? .cooling : .waiting
        case .halted: .halted
        case .stopped: .stopped
        }
    }

    /// When `timerFired` is due next; never in idle, halted and stopped.
    package var deadline: Instant {
        switch state {
        case .idle, .halted, .stopped: .distantFuture
        case .dialling(let until), .waiting(let until, _): until
        case .hello(let session, let authSent):
            session.connected.advanced(byNanos: authSent ? limits.hello : limits.helloNudge)
        case .authenticating(_, let since): since.advanced(byNanos: limits.auth)
        case .open(let session, _): session.deadline(limits)
        }
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
        coolCount = 0
        return dial(now)
    }

    /// Ends for good, giving the slot back at once.
    package mutating func stopped(now: Instant) -> [Action] {
        _ = advance(now)
        if case .stopped = state { return [] }
        var actions: [Action] = hasSocket ? [.close(code: 1000)] : []
        actions += openGap() + report(.down, "stopped")
        state = .stopped
        return actions
    }

    // MARK: Socket

    /// The upgrade is done.
    package mutating func connected(attempt: Int, now: Instant) -> [Action] {
        let now = advance(now)
        guard attempt == self.attempt, case .dialling = state else { return [] }
        state = .hello(Session(connected: now), authSent: false)
        return []
    }

    /// The socket failed to open, or was closed; `words` are the code, reason or error for people.
    package mutating func closed(attempt: Int, words: String, now: Instant, random: UInt64) -> [Action] {
        let now = advance(now)
        guard attempt == self.attempt, hasSocket else { return [] }
        return fail(words, isClosed: true, now: now, random: random)
    }

    /// Anything at all arrived, a pong too.
    package mutating func received(attempt: Int, now: Instant) {
        let now = advance(now)
        guard attempt == self.attempt else { return }
        withSession { $0.lastInbound = now }
    }

    /// A frame with market events arrived: their first and last exchange time.
    package mutating func dataReceived(attempt: Int, first: Instant, last: Instant, now: Instant) -> [Action] {
        let now = advance(now)
        guard attempt == self.attempt, case .open(var session, let isLive) = state else { return [] }
        session.lastInbound = now
        session.lastData = now
        let wasStale = session.isStale
        session.isStale = false
        state = .open(session, isLive: isLive)
        var actions: [Action] = []
        if isGapOpen, let after = lastEvent {
            isGapOpen = false
            actions.append(.gapClosed(after: after, before: max(after, first)))
        }
        lastEvent = max(lastEvent ?? last, last)
        if wasStale, isLive { actions += report(.up, "data again") }
        return actions
    }

    /// The timer of `deadline` fired.
    ///
    /// `isRegular` says whether these are regular trading hours, when silence of all symbols means trouble; `random` is
    /// any 64 bits, for the jitter of a delay.
    package mutating func timerFired(now: Instant, isRegular: Bool, random: UInt64) -> [Action] {
        let now = advance(now)
        // Whether the market is open is heard at every firing, due or not.
        withSession { $0.heardRegular(isRegular, now: now) }
        guard now >= deadline else { return [] }
        switch state {
        case .idle, .halted, .stopped: return []
        case .waiting: return dial(now)
        case .dialling: return fail("no connection in time", isClosed: false, now: now, random: random)
        case .hello(let session, authSent: false):
            state = .hello(session, authSent: true)
            return [authFrame()]
        case .hello: return fail("no greeting in time", isClosed: false, now: now, random: random)
        case .authenticating: return fail("no answer to auth in time", isClosed: false, now: now, random: random)
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
        case .dialling, .hello, .authenticating, .open: true
        case .idle, .waiting, .halted, .stopped: false
        }
    }

    mutating func dial(_ now: Instant) -> [Action] {
        attempt += 1
        state = .dialling(until: now.advanced(byNanos: limits.dial))
        return [.connect(attempt: attempt)]
    }

    func authFrame() -> Action { .send(OutgoingText(text: PolygonFrames.auth(key))) }

    mutating func report(_ feed: FeedState, _ cause: String) -> [Action] {
        guard reported != feed else { return [] }
        reported = feed
        return [.report(feed, cause: key.redacted(cause))]
    }

    /// From the last event on something may be missing, until the first one after it.
    mutating func openGap() -> [Action] {
        guard !isGapOpen, let lastEvent, case .open = state else { return [] }
        isGapOpen = true
        return [.gapOpened(after: lastEvent)]
    }

    /// Changes the session where there is one; in place, so that no table of it is copied.
    mutating func withSession(_ body: (inout Session) -> Void) {
        switch state {
        case .hello(var session, let authSent):
            state = .idle
            body(&session)
            state = .hello(session, authSent: authSent)
        case .authenticating(var session, let since):
            state = .idle
            body(&session)
            state = .authenticating(session, since: since)
        case .open(var session, let isLive):
            state = .idle
            body(&session)
            state = .open(session, isLive: isLive)
        case .idle, .dialling, .waiting, .halted, .stopped: break
        }
    }
}
