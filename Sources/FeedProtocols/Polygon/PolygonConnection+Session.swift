internal import MarketData
package import Primitives

extension PolygonConnection {
    /// What is known of one socket since its upgrade; it ends with it.
    struct Session {
        /// A pair that was asked for and not yet acknowledged.
        struct Pending {
            var until: Instant
            var isRetried: Bool
        }

        let connected: Instant
        var lastInbound: Instant
        var lastPing: Instant
        /// The last market event, or when these could be expected first.
        var lastData: Instant
        /// When regular hours were first heard of in one stretch; nil outside of them.
        var regularSince: Instant?
        var isStale = false
        var pending: [PolygonSubscription: Pending] = [:]
        /// Asked for on this socket and not taken back.
        var asked: Set<PolygonSubscription> = []
        /// The provider's last word of refusal: the cause of a close that follows.
        var latched: String?

        init(connected: Instant) {
            self.connected = connected
            lastInbound = connected
            lastPing = connected
            lastData = connected
        }

        mutating func heardRegular(_ isRegular: Bool, now: Instant) {
            if !isRegular {
                regularSince = nil
            } else if regularSince == nil {
                regularSince = now
            }
        }

        /// From when on data is missed; nil while none is due.
        var missingSince: Instant? {
            regularSince.map { max($0, lastData) }
        }

        func deadline(_ limits: Limits) -> Instant {
            var deadline = min(
                lastInbound.advanced(byNanos: limits.silence),
                lastPing.advanced(byNanos: limits.ping)
            )
            if let missingSince, !asked.isEmpty {
                deadline = min(deadline, missingSince.advanced(byNanos: isStale ? limits.dataSilence : limits.stale))
            }
            for pending in pending.values { deadline = min(deadline, pending.until) }
            return deadline
        }
    }

    // MARK: Statuses

    /// A control message was decoded.
    package mutating func statusReceived(
        _ status: ProviderStatus,
        attempt: Int,
        now: Instant,
        random: UInt64
    ) -> [Action] {
        let now = advance(now)
        guard attempt == self.attempt else { return [] }
        withSession { $0.lastInbound = now }
        let words = "\(status.status): \(status.message)"
        switch status.status {
        case "connected": return greeted(now)
        case "auth_success": return authenticated(now)
        case "success": return acknowledged(status.message, now)
        case "auth_failed": return halt(words)
        case "max_connections": return cool(words, now)
        case "auth_timeout":
            guard hasSession else { return [] }
            return fail(words, isClosed: false, now: now, random: random)
        case "error":
            guard hasSession else { return [] }
            withSession { $0.latched = words }
            return [.alert(key.redacted(words))]
        default:
            // A provider that invents statuses without end doesn't fill the memory.
            guard strangeStatuses.count < 64, strangeStatuses.insert(status.status).inserted else { return [] }
            return [.alert(key.redacted("unknown status \(words)"))]
        }
    }

    private var hasSession: Bool {
        switch state {
        case .hello, .authenticating, .open: true
        case .idle, .dialling, .waiting, .halted, .stopped: false
        }
    }

    private mutating func greeted(_ now: Instant) -> [Action] {
        guard case .hello(let session, let authSent) = state else { return [] }
        state = .authenticating(session, since: now)
        return authSent ? [] : [authFrame()]
    }

    private mutating func authenticated(_ now: Instant) -> [Action] {
        switch state {
        case .hello(let session, authSent: true), .authenticating(let session, _):
            state = .open(session, isLive: false)
            return askForMissing(now) + becomeLiveIfComplete(now)
        case .idle, .dialling, .hello, .open, .waiting, .halted, .stopped: return []
        }
    }

    private mutating func acknowledged(_ message: String, _ now: Instant) -> [Action] {
        guard let pairs = PolygonFrames.acknowledged(message), case .open = state else { return [] }
        withSession { session in
            for pair in pairs { session.pending[pair] = nil }
        }
        return becomeLiveIfComplete(now)
    }

    /// The key or the plan is refused: trying again would change nothing.
    private mutating func halt(_ words: String) -> [Action] {
        guard hasSession else { return [] }
        var actions: [Action] = openGap()
        state = .halted
        let cause = key.redacted(words)
        actions += [.close(code: 1000), .alert(cause)] + report(.down, cause)
        return actions
    }

    /// The account's cap was hit: a quick retry would only throw out a sibling.
    private mutating func cool(_ words: String, _ now: Instant) -> [Action] {
        guard hasSession else { return [] }
        if case .open(let session, _) = state, now.nanos(since: session.connected) >= limits.coolMax { coolCount = 0 }
        var actions: [Action] = openGap()
        let delay = min(limits.coolMax, limits.cool << Int64(min(coolCount, 8)))
        coolCount += 1
        state = .waiting(until: now.advanced(byNanos: delay), isCooling: true)
        let cause = key.redacted(words)
        actions += [.close(code: 1000), .alert(cause)] + report(.down, cause)
        return actions
    }

    // MARK: Subscriptions

    /// The universe changed: ask for what is new, take back what is gone.
    package mutating func subscriptionsChanged(to desired: Set<PolygonSubscription>, now: Instant) -> [Action] {
        let now = advance(now)
        self.desired = desired
        guard case .open(var session, let isLive) = state else { return [] }
        let gone = session.asked.subtracting(desired).sorted()
        for pair in gone {
            session.asked.remove(pair)
            session.pending[pair] = nil
        }
        state = .open(session, isLive: isLive)
        let taken: [Action] = PolygonFrames.unsubscribe(gone).map { .send(OutgoingText(text: $0)) }
        return taken + askForMissing(now) + becomeLiveIfComplete(now)
    }

    private mutating func askForMissing(_ now: Instant) -> [Action] {
        guard case .open(var session, let isLive) = state else { return [] }
        let missing = desired.subtracting(session.asked).sorted()
        let until = now.advanced(byNanos: limits.acknowledgement)
        for pair in missing {
            session.asked.insert(pair)
            session.pending[pair] = Session.Pending(until: until, isRetried: false)
        }
        state = .open(session, isLive: isLive)
        return PolygonFrames.subscribe(missing).map { .send(OutgoingText(text: $0)) }
    }

    private mutating func becomeLiveIfComplete(_ now: Instant) -> [Action] {
        guard case .open(let session, isLive: false) = state, session.pending.isEmpty else { return [] }
        state = .open(session, isLive: true)
        return session.isStale ? report(.degraded, "no data") : report(.up, "subscribed")
    }

    // MARK: Time

    /// What an open connection has to do at its deadline, the gravest first.
    mutating func openTimer(now: Instant, random: UInt64) -> [Action] {
        guard case .open(var session, let isLive) = state else {
            preconditionFailure("the timer of an open connection fired in \(phase)")
        }
        if now >= session.lastInbound.advanced(byNanos: limits.silence) {
            return fail("nothing received in time", isClosed: false, now: now, random: random)
        }
        var actions: [Action] = []
        if let missing = session.missingSince, !session.asked.isEmpty {
            if now >= missing.advanced(byNanos: limits.dataSilence) {
                return fail("no market data in regular hours", isClosed: false, now: now, random: random)
            }
            if !session.isStale, now >= missing.advanced(byNanos: limits.stale) {
                session.isStale = true
                actions += report(.degraded, "stale: no market data")
            }
        }
        if now >= session.lastPing.advanced(byNanos: limits.ping) {
            session.lastPing = now
            actions.append(.ping)
        }
        let (retried, refused) = session.expire(now, limits)
        let cause = session.latched ?? "no acknowledgement"
        state = .open(session, isLive: isLive)
        actions += PolygonFrames.subscribe(retried).map { .send(OutgoingText(text: $0)) }
        actions += refused.map { .refused($0, cause: key.redacted(cause)) }
        return actions + becomeLiveIfComplete(now)
    }

    /// Gives a socket up (or hears that it is gone) and waits before the next.
    mutating func fail(_ words: String, isClosed: Bool, now: Instant, random: UInt64) -> [Action] {
        var actions: [Action] = openGap()
        var cause = words
        switch state {
        case .hello(let session, _), .authenticating(let session, _):
            if let latched = session.latched { cause = "\(latched) (\(words))" }
        case .open(let session, _):
            if let latched = session.latched { cause = "\(latched) (\(words))" }
            // Not at `auth_success`: a capped account would dial once a second for ever (feeds.md 1.9, trap 1). A
            // socket that met the cap doesn't come here, it cools.
            if now.nanos(since: session.connected) >= limits.survival {
                failureCount = 0
                coolCount = 0
            }
        case .idle, .dialling, .waiting, .halted, .stopped: break
        }
        state = .waiting(until: now.advanced(byNanos: backoff(random)), isCooling: false)
        failureCount += 1
        if !isClosed { actions.append(.close(code: 1000)) }
        return actions + report(.down, cause)
    }

    /// Doubles with each failure up to the cap, ±20 %, so that many clients don't come back at once.
    private func backoff(_ random: UInt64) -> Int64 {
        let delay = min(limits.backoffMax, limits.backoffMin << Int64(min(failureCount, 20)))
        let spread = delay / 5
        return delay - spread + Int64(random % UInt64(2 * spread + 1))
    }
}

extension PolygonConnection.Session {
    /// Takes the pairs whose time is up: those to ask again, and those to give up.
    mutating func expire(
        _ now: Instant,
        _ limits: PolygonConnection.Limits
    ) -> (retried: [PolygonSubscription], refused: [PolygonSubscription]) {
        var retried: [PolygonSubscription] = []
        var refused: [PolygonSubscription] = []
        for (pair, waiting) in pending where now >= waiting.until {
            if waiting.isRetried {
                refused.append(pair)
            } else {
                retried.append(pair)
            }
        }
        let until = now.advanced(byNanos: limits.acknowledgement)
        for pair in retried { pending[pair] = Self.Pending(until: until, isRetried: true) }
        for pair in refused { pending[pair] = nil }
        return (retried.sorted(), refused.sorted())
    }
}
