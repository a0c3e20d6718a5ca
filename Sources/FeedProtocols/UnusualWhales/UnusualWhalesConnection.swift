package import MarketData
package import Primitives

/// The life of the one connection to the flow provider (feeds.md 3.1, 3.4).
///
/// Pure: every event brings the time (and randomness where a delay is drawn) and returns what to do. The shell performs
/// the actions in order, then arms one timer for `deadline`. Each dial has a number, which the socket's events carry, so
/// a late word of a socket that was given up changes nothing. It reads raw frames itself: an acknowledgement and a
/// channel's name are all it needs.
///
/// A channel that fell silent is joined anew once; then the whole connection is made anew, but only if that channel
/// ever brought something, and once until it does again: one dead channel must not take the others down every minute.
package struct UnusualWhalesConnection: ~Copyable {
    /// What the shell has to do.
    package enum Action: Hashable, Sendable {
        /// Open a socket at the token's path; its events carry this number.
        case connect(attempt: Int)
        /// Send a text frame.
        case send(String)
        /// Send a ping.
        case ping
        /// Close the socket without waiting for the peer's reply.
        case close(code: UInt16)
        /// Tell the engine how the feed is doing.
        case report(FeedState, cause: String)
        /// This channel brings nothing on this socket.
        case refused(UnusualWhalesChannel, cause: String)
        /// Frames after this time of receipt may be missing.
        case gapOpened(after: Instant)
        /// Frames between these times of receipt are missing: for the backfill of alerts.
        case gapClosed(after: Instant, before: Instant)
        /// A person should look.
        case alert(String)
    }

    /// Limits in nanoseconds; the defaults are feeds.md 3.4's.
    package struct Limits: Sendable {
        package var dial: Int64 = 10_000_000_000
        package var acknowledgement: Int64 = 10_000_000_000
        package var ping: Int64 = 20_000_000_000
        /// Unanswered pings that end a connection.
        package var pongsMissed = 2
        /// Most joins and leaves within any second.
        package var framesPerSecond = 20
        package var backoffMin: Int64 = 5_000_000_000
        package var backoffMax: Int64 = 60_000_000_000
        package var survival: Int64 = 10_000_000_000
        /// Names whose options trade every minute of regular hours: only their silence means something.
        package var liquid: Set<String> = ["SPY", "QQQ", "SPX", "SPXW", "IWM", "NVDA", "TSLA", "AAPL"]

        package init() {}

        /// How long a channel may be silent in regular hours; nil where silence says nothing.
        func silence(_ channel: UnusualWhalesChannel) -> Int64? {
            switch channel.kind {
            case .gex, .price: 30_000_000_000
            // Bursts: the provider's own sample waits as long.
            case .gexStrike, .gexStrikeExpiry: 90_000_000_000
            case .optionTrades: channel.ticker.map { liquid.contains($0) } ?? true ? 60_000_000_000 : nil
            case .flowAlerts: 120_000_000_000
            case .tradingHalts, .news, .marketTide, .netFlow, .intervalFlow, .customAlerts, .contractScreener,
                .periscope, .litTrades, .offLitTrades:
                nil
            }
        }
    }

    /// Where the connection is; for health pages and tests.
    package enum Phase: String, Sendable {
        case idle, dialling, joining, live, waiting, halted, stopped
    }

    enum State {
        case idle
        case dialling(until: Instant)
        case open(Session)
        case waiting(until: Instant)
        case halted
        case stopped
    }

    var state = State.idle
    let limits: Limits
    let token: UnusualWhalesToken
    /// Number of the current or last dial.
    package internal(set) var attempt = 0
    /// Dials that failed since one survived.
    package internal(set) var failureCount = 0
    /// Frames of channels that weren't joined.
    package internal(set) var strayCount: UInt64 = 0
    var desired: Set<UnusualWhalesChannel> = []
    /// Channels that brought something since their silence last cost a connection.
    var proven: Set<UnusualWhalesChannel> = []
    var reported: FeedState?
    /// When the last frame with data came, and whether a gap stands open behind it.
    var lastData: Instant?
    var isGapOpen = false
    /// The latest time seen: inputs never go back.
    var clock = Instant.distantPast

    package init(token: UnusualWhalesToken, limits: Limits = Limits()) {
        self.token = token
        self.limits = limits
    }

    /// Where it is.
    package var phase: Phase {
        switch state {
        case .idle: .idle
        case .dialling: .dialling
        case .open(let session): session.isLive ? .live : .joining
        case .waiting: .waiting
        case .halted: .halted
        case .stopped: .stopped
        }
    }

    /// When `timerFired` is due next; never in idle, halted and stopped.
    package var deadline: Instant {
        switch state {
        case .idle, .halted, .stopped: .distantFuture
        case .dialling(let until), .waiting(let until): until
        case .open(let session): session.deadline(limits)
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
        return dial(now)
    }

    /// Ends for good.
    package mutating func stopped(now: Instant) -> [Action] {
        _ = advance(now)
        if case .stopped = state { return [] }
        var actions: [Action] = hasSocket ? [.close(code: 1000)] : []
        actions += openGap() + report(.down, "stopped")
        state = .stopped
        return actions
    }

    /// What is wanted changed: join what is new, leave what is gone.
    package mutating func channelsChanged(to desired: Set<UnusualWhalesChannel>, now: Instant) -> [Action] {
        let now = advance(now)
        self.desired = desired
        proven.formIntersection(desired)
        guard case .open(var session) = state else { return [] }
        state = .idle
        session.want(desired, now: now)
        let frames = session.flush(now, limits)
        state = .open(session)
        return frames.map { .send($0) } + becomeLiveIfComplete() + reportHealth()
    }

    // MARK: Socket

    /// The upgrade is done.
    package mutating func connected(attempt: Int, now: Instant) -> [Action] {
        let now = advance(now)
        guard attempt == self.attempt, case .dialling = state else { return [] }
        var session = Session(connected: now)
        session.want(desired, now: now)
        let frames = session.flush(now, limits)
        state = .open(session)
        return frames.map { .send($0) } + becomeLiveIfComplete()
    }

    /// The server answered the upgrade with another status: a bad token or plan halts, all else is tried again.
    package mutating func upgradeRefused(attempt: Int, status: Int, now: Instant, random: UInt64) -> [Action] {
        let now = advance(now)
        guard attempt == self.attempt, case .dialling = state else { return [] }
        let cause = "the upgrade was refused with HTTP \(status)"
        guard status == 401 || status == 403 else { return fail(cause, isClosed: true, now: now, random: random) }
        state = .halted
        return [.alert(cause)] + report(.down, cause)
    }

    /// The socket failed to open, or was closed; `words` are the code, reason or error for people.
    package mutating func closed(attempt: Int, words: String, now: Instant, random: UInt64) -> [Action] {
        let now = advance(now)
        guard attempt == self.attempt, hasSocket else { return [] }
        return fail(words, isClosed: true, now: now, random: random)
    }

    /// Anything at all arrived, a pong too.
    package mutating func received(attempt: Int, now: Instant) {
        _ = advance(now)
        guard attempt == self.attempt, case .open(var session) = state else { return }
        state = .idle
        session.missedPongs = 0
        state = .open(session)
    }

    /// The timer of `deadline` fired.
    ///
    /// `isRegular` says whether these are regular trading hours, when silence means trouble; `random` is any 64 bits,
    /// for the jitter of a delay.
    package mutating func timerFired(now: Instant, isRegular: Bool, random: UInt64) -> [Action] {
        let now = advance(now)
        var actions: [Action] = []
        if case .open(var session) = state {
            // Whether the market is open is heard at every firing, due or not.
            state = .idle
            session.heardRegular(isRegular, now: now)
            state = .open(session)
            actions += reportHealth()
        }
        guard now >= deadline else { return actions }
        switch state {
        case .idle, .halted, .stopped: return actions
        case .waiting: return dial(now)
        case .dialling: return fail("no connection in time", isClosed: false, now: now, random: random)
        case .open: return actions + openTimer(now: now, random: random)
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
        case .dialling, .open: true
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
        return [.report(feed, cause: token.redacted(cause))]
    }

    /// From the last frame on something may be missing, until the first one after it.
    mutating func openGap() -> [Action] {
        guard !isGapOpen, let lastData, case .open = state else { return [] }
        isGapOpen = true
        return [.gapOpened(after: lastData)]
    }

    /// Gives a socket up (or hears that it is gone) and waits before the next.
    mutating func fail(_ words: String, isClosed: Bool, now: Instant, random: UInt64) -> [Action] {
        var actions: [Action] = openGap()
        if case .open(let session) = state, session.acknowledgedCount > 0,
            now.nanos(since: session.connected) >= limits.survival
        {
            failureCount = 0
        }
        let delay = min(limits.backoffMax, limits.backoffMin << Int64(min(failureCount, 8)))
        let jitter = Int64(random % UInt64(delay / 10 + 1))
        state = .waiting(until: now.advanced(byNanos: delay + jitter))
        failureCount += 1
        if !isClosed { actions.append(.close(code: 1000)) }
        return actions + report(.down, words)
    }
}
