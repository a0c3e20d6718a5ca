package import Primitives

/// Decides which request goes out when, which is tried again, and which ends: for one account of one provider.
///
/// Pure: every event brings the time and returns what to do; the shell performs the actions in order, then arms one timer
/// for `deadline`. Each submitted request is finished exactly once. The rate is the limiter's; one that a provider
/// refuses (429) stops all, as it counts for the account. A refused key (401) ends all requests until `reloaded`, a plan
/// without the data (403) those of the same entitlement and priority for an hour: both are said once, neither is asked
/// again in a loop.
package struct RequestQueue<Rate: Limiter>: ~Copyable {
    struct Entry {
        let ticket: RequestTicket
        let request: RESTRequest
        let priority: RequestPriority
        let deadline: Instant
        var tries = 0
        /// The attempt under way; nil while it waits.
        var attempt: Int?
        var notBefore: Instant
        var last = ""
    }

    private struct Denial: Hashable {
        let entitlement: String
        let priority: RequestPriority
    }

    package private(set) var counters = RequestCounters()
    package private(set) var rate: Rate
    private let limits: RequestLimits
    private var entries: [Entry] = []
    private var nextNumber: Int64 = 1
    private var nextAttempt = 1
    private var pausedUntil = Instant.distantPast
    private var denied: [Denial: (until: Instant, words: String)] = [:]
    private var saidForbidden: Set<String> = []
    private var refusedKey: String?
    private var isUnreachable = false
    private var isStopped = false
    private var clock = Instant.distantPast

    package init(rate: Rate, limits: RequestLimits = RequestLimits()) {
        self.rate = rate
        self.limits = limits
    }

    /// Requests that wait or are under way.
    package var count: Int { entries.count }

    private var outCount: Int { entries.count { $0.attempt != nil } }

    /// When `timerFired` is due next.
    package var deadline: Instant {
        var due = entries.map(\.deadline).min() ?? .distantFuture
        let start = entries.filter { $0.attempt == nil }.map(\.notBefore).min()
        if let start, outCount < limits.concurrentMax {
            due = min(due, max(start, pausedUntil, rate.next(after: clock)))
        }
        return due
    }

    // MARK: Those who ask

    /// Takes a request; the ticket names it in all that follows.
    ///
    /// `within` is the time that it may take, nil the default.
    package mutating func submitted(
        _ request: RESTRequest,
        _ priority: RequestPriority,
        within: Int64? = nil,
        now: Instant
    ) -> (ticket: RequestTicket, actions: [RequestAction]) {
        let now = advance(now)
        let ticket = RequestTicket(number: nextNumber)
        nextNumber += 1
        counters.submitted += 1
        if let failure = bar(request, priority, now) {
            counters.barred += 1
            return (ticket, [finish(ticket, failure)])
        }
        var actions: [RequestAction] = []
        if entries.count >= limits.waitingMax {
            guard let victim = leastUrgentWaiting(), entries[victim].priority > priority else {
                counters.refused += 1
                return (ticket, [finish(ticket, .queueFull)])
            }
            counters.displaced += 1
            actions.append(finish(entries.remove(at: victim).ticket, .displaced))
        }
        let deadline = now.advanced(byNanos: within ?? limits.deadline)
        entries.append(
            Entry(ticket: ticket, request: request, priority: priority, deadline: deadline, notBefore: now)
        )
        return (ticket, actions + pump(now))
    }

    /// Nobody waits for it any more.
    package mutating func cancelled(_ ticket: RequestTicket, now: Instant) -> [RequestAction] {
        let now = advance(now)
        guard let index = entries.firstIndex(where: { $0.ticket == ticket }) else { return [] }
        return end(index, .cancelled) + pump(now)
    }

    /// Ends all for good.
    package mutating func stopped(now: Instant) -> [RequestAction] {
        _ = advance(now)
        isStopped = true
        return endAll { _ in
            true
        } with: {
            .stopped
        }
    }

    /// A new key or plan may be there: what was refused is asked again.
    package mutating func reloaded(now: Instant) -> [RequestAction] {
        let now = advance(now)
        refusedKey = nil
        denied = [:]
        saidForbidden = []
        return pump(now)
    }

    // MARK: Answers

    /// An attempt was answered; `words` is what the body says of an error, without the key.
    package mutating func answered(
        _ ticket: RequestTicket,
        attempt: Int,
        status: Int,
        hint: RateHint = RateHint(),
        words: String = "",
        now: Instant
    ) -> [RequestAction] {
        let now = advance(now)
        guard let index = index(ticket, attempt) else { return [] }
        isUnreachable = false
        rate.heard(hint, inFlight: outCount - 1, now: now)
        switch status {
        case 200...299:
            counters.answered += 1
            let entry = entries.remove(at: index)
            return [.finish(entry.ticket, nil)] + pump(now)
        case 401: return refuseKey(words)
        case 403: return deny(index, words, now) + pump(now)
        case 300...399: return end(index, .redirected(status), isOut: false) + pump(now)
        case 413, 429, 499, 500, 502, 503, 504:
            let pause = pause(status, hint, now)
            let last = words.isEmpty ? "status \(status)" : "status \(status): \(words)"
            return retry(index, last, after: pause, now) + pump(now)
        default: return end(index, .status(status, words), isOut: false) + pump(now)
        }
    }

    /// An attempt got no whole answer: no connection, cut, timed out; `words` without the key.
    package mutating func failed(
        _ ticket: RequestTicket,
        attempt: Int,
        words: String,
        now: Instant
    ) -> [RequestAction] {
        let now = advance(now)
        guard let index = index(ticket, attempt) else { return [] }
        var actions = retry(index, words, after: 0, now)
        if actions.contains(where: { if case .finish = $0 { true } else { false } }), !isUnreachable {
            isUnreachable = true
            actions.append(.alert("the provider can't be reached (\(words)): look at network, name and proxy"))
        }
        return actions + pump(now)
    }

    /// An attempt's body was larger than allowed; a repetition would be too.
    package mutating func overflowed(_ ticket: RequestTicket, attempt: Int, now: Instant) -> [RequestAction] {
        let now = advance(now)
        guard let index = index(ticket, attempt) else { return [] }
        return end(index, .tooLarge, isOut: false) + pump(now)
    }

    /// The timer of `deadline` fired.
    package mutating func timerFired(now: Instant) -> [RequestAction] {
        let now = advance(now)
        var actions: [RequestAction] = []
        while let index = entries.firstIndex(where: { $0.deadline <= now }) {
            actions += end(index, .deadline(last: entries[index].last))
        }
        return actions + pump(now)
    }

    // MARK: Inside

    private mutating func advance(_ now: Instant) -> Instant {
        clock = max(clock, now)
        return clock
    }

    /// The entry whose attempt this is; an answer to another is late.
    private mutating func index(_ ticket: RequestTicket, _ attempt: Int) -> Int? {
        let index = entries.firstIndex { $0.ticket == ticket && $0.attempt == attempt }
        if index == nil { counters.late += 1 }
        return index
    }

    /// What forbids a request before it is sent.
    private mutating func bar(
        _ request: RESTRequest,
        _ priority: RequestPriority,
        _ now: Instant
    ) -> RequestFailure? {
        if isStopped { return .stopped }
        if let refusedKey { return .unauthorized(refusedKey) }
        let denial = Denial(entitlement: request.entitlement, priority: priority)
        guard let known = denied[denial] else { return nil }
        if known.until > now { return .forbidden(known.words) }
        denied[denial] = nil
        return nil
    }

    /// The newest of the least urgent that wait.
    private func leastUrgentWaiting() -> Int? {
        entries.indices.filter { entries[$0].attempt == nil }.max {
            (entries[$0].priority, entries[$0].ticket.number) < (entries[$1].priority, entries[$1].ticket.number)
        }
    }

    private mutating func finish(_ ticket: RequestTicket, _ failure: RequestFailure) -> RequestAction {
        counters.failed += 1
        return .finish(ticket, failure)
    }

    /// Ends one; `isOut` says whether its attempt, if any, has still to be given up.
    private mutating func end(_ index: Int, _ failure: RequestFailure, isOut: Bool = true) -> [RequestAction] {
        let entry = entries.remove(at: index)
        var actions: [RequestAction] = []
        if isOut, let attempt = entry.attempt { actions.append(.cancel(entry.ticket, attempt: attempt)) }
        actions.append(finish(entry.ticket, failure))
        return actions
    }

    private mutating func endAll(
        _ isMeant: (Entry) -> Bool,
        with failure: () -> RequestFailure
    ) -> [RequestAction] {
        var actions: [RequestAction] = []
        while let index = entries.firstIndex(where: isMeant) { actions += end(index, failure()) }
        return actions
    }

    private mutating func refuseKey(_ words: String) -> [RequestAction] {
        refusedKey = words
        let actions = endAll { _ in
            true
        } with: {
            .unauthorized(words)
        }
        let advice = "put the right key into the configuration and load it again; nothing is asked until then"
        return actions + [.alert("the provider refuses the key (401 \(words)): \(advice)")]
    }

    private mutating func deny(_ index: Int, _ words: String, _ now: Instant) -> [RequestAction] {
        let entry = entries[index]
        let denial = Denial(entitlement: entry.request.entitlement, priority: entry.priority)
        denied[denial] = (now.advanced(byNanos: limits.denied), words)
        var actions = end(index, .forbidden(words), isOut: false)
        actions += endAll {
            $0.request.entitlement == denial.entitlement && $0.priority == denial.priority
        } with: {
            .forbidden(words)
        }
        if saidForbidden.insert(denial.entitlement).inserted {
            let advice = "take a plan that includes it, or do without it"
            actions.append(.alert("the plan doesn't include \(denial.entitlement) (403 \(words)): \(advice)"))
        }
        return actions
    }

    /// What an answer imposes: on all requests for a 429, on this one else.
    private mutating func pause(_ status: Int, _ hint: RateHint, _ now: Instant) -> Int64 {
        let asked = hint.retryAfterNanos.map { min(max(0, $0), limits.pauseMax) }
        guard status == 429 else { return asked ?? 0 }
        counters.limited += 1
        let pause = asked ?? min(rate.spacingNanos, limits.pauseMax)
        pausedUntil = max(pausedUntil, now.advanced(byNanos: pause))
        return pause
    }

    private mutating func retry(
        _ index: Int,
        _ last: String,
        after pause: Int64,
        _ now: Instant
    ) -> [RequestAction] {
        entries[index].last = last
        entries[index].attempt = nil
        let tries = entries[index].tries
        guard tries < limits.triesMax else { return end(index, .exhausted(tries: tries, last: last)) }
        let doubled = limits.backoff << Int64(min(tries - 1, 20))
        let again = now.advanced(byNanos: max(pause, min(doubled, limits.backoffMax)))
        // It would end while it waits: those who asked had better know now.
        guard again < entries[index].deadline else { return end(index, .deadline(last: last)) }
        counters.retried += 1
        entries[index].notBefore = again
        return []
    }

    /// Sends what may be sent.
    private mutating func pump(_ now: Instant) -> [RequestAction] {
        var actions: [RequestAction] = []
        while outCount < limits.concurrentMax, pausedUntil <= now, let index = nextToSend(now), rate.take(now: now) {
            entries[index].tries += 1
            entries[index].attempt = nextAttempt
            actions.append(.send(entries[index].ticket, attempt: nextAttempt, entries[index].request))
            nextAttempt += 1
            counters.sent += 1
        }
        return actions
    }

    private func nextToSend(_ now: Instant) -> Int? {
        entries.indices.filter { entries[$0].attempt == nil && entries[$0].notBefore <= now }.min {
            (entries[$0].priority, entries[$0].ticket.number) < (entries[$1].priority, entries[$1].ticket.number)
        }
    }
}
