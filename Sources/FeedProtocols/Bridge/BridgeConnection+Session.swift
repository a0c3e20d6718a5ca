internal import MarketData
package import Primitives

extension BridgeConnection {
    /// What is known of one socket since the bridge's hello; it ends with it.
    struct Session {
        let opened: Instant
        let hello: BridgeHello
        var lastFrame: Instant
        var ib: BridgeState
        var ibWords = ""
        /// No frame for too long.
        var isSilent = false
        /// A set was sent on this socket.
        var isSet = false
        /// What was asked for, by key.
        var served: [BridgeKey: BridgeSubscription] = [:]
        /// Instruments without an answer to the last set.
        var pending: [BridgeKey: Instant] = [:]
        /// Instruments that wait for a snapshot.
        var unsure: Set<BridgeKey> = []
        /// Instruments last told as stale.
        var told: Set<BridgeKey> = []
        /// Instruments that were refused: they stay stale, and no snapshot of them is asked for.
        var refused: Set<BridgeKey> = []
        /// When snapshots that didn't come are asked for.
        var snapshotDue: Instant?
        /// No sooner may the next be asked for: a stream of broken events is no stream of requests.
        var snapshotEarliest = Instant.distantPast
        /// Broker's errors that were told already.
        var knownErrors: Set<Int64> = []
        var books = BridgeBooks()
        /// What the reader's keys mean, by its index.
        var keys: [BridgeKey?] = []

        /// How long silence is no trouble: three heartbeats, where these are rare.
        func staleAfter(_ limits: Limits) -> Int64 { max(limits.stale, 3 * hello.heartbeat) }

        func silentAfter(_ limits: Limits) -> Int64 { max(limits.silence, 10 * hello.heartbeat) }

        func deadline(_ limits: Limits) -> Instant {
            var deadline = lastFrame.advanced(byNanos: isSilent ? silentAfter(limits) : staleAfter(limits))
            for until in pending.values { deadline = min(deadline, until) }
            if let snapshotDue { deadline = min(deadline, snapshotDue) }
            return deadline
        }

        /// What isn't sure: all while nothing comes or the broker is away, else what waits for its snapshot.
        var staleNow: Set<BridgeKey> {
            isSilent || ib == .down || ib == .login ? Set(served.keys) : unsure
        }

        /// Notes what became unsure, and when a snapshot is due.
        mutating func doubt(_ keys: some Sequence<BridgeKey>, dueAt: Instant) {
            unsure.formUnion(keys.filter { served[$0] != nil })
            guard !unsure.isEmpty else { return }
            let due = max(dueAt, snapshotEarliest)
            snapshotDue = min(snapshotDue ?? due, due)
        }

        mutating func trust(_ key: BridgeKey) {
            unsure.remove(key)
            refused.remove(key)
            if unsure.isEmpty { snapshotDue = nil }
        }
    }

    // MARK: Frames

    /// A text frame arrived; the bytes are only read during the call.
    package mutating func frameReceived(
        _ frame: UnsafeRawBufferPointer,
        attempt: Int,
        now: Instant,
        random: UInt64
    ) -> [Action] {
        let now = advance(now)
        guard attempt == self.attempt else { return [] }
        switch state {
        case .hello: break
        case .open(var session):
            state = .idle
            session.lastFrame = now
            session.isSilent = false
            state = .open(session)
        case .idle, .dialling, .waiting, .halted, .stopped: return []
        }
        elements.removeAll(keepingCapacity: true)
        reader.read(frame, into: &elements)
        var actions: [Action] = []
        for element in elements {
            actions += take(element, now: now, random: random)
            // The rest is of a session that was given up.
            guard hasSocket else { return actions }
        }
        return actions + tellFreshness() + reportHealth()
    }

    private mutating func take(_ element: BridgeElement, now: Instant, random: UInt64) -> [Action] {
        if case .notice(.hello(let hello)) = element { return greeted(hello, now) }
        guard case .open(var session) = state else { return [] }
        switch element {
        case .began:
            state = .idle
            session.books = BridgeBooks()
            session.keys = []
            session.doubt(Array(session.served.keys), dueAt: now.advanced(byNanos: limits.snapshot))
            state = .open(session)
            return []
        case .notice(.hole(let expected, let got)):
            return fail("hole in the sequence: \(got) instead of \(expected)", code: 4001, now: now, random: random)
        case .notice(let notice):
            state = .idle
            let actions = session.noticed(notice, now, limits)
            state = .open(session)
            return actions
        case .snapshot(let key, _, _), .book(let key, _), .change(let key, _, _), .trade(let key, _, _, _),
            .bar(let key, _), .depth(let key, _):
            state = .idle
            if let known = session.key(key, reader.keys) { session.heard(element, key, known, now) }
            state = .open(session)
            return dataCame(now)
        }
    }

    private mutating func dataCame(_ now: Instant) -> [Action] {
        defer { lastData = now }
        guard isGapOpen, let lastData else { return [] }
        isGapOpen = false
        return [.gapClosed(after: lastData, before: now)]
    }

    private mutating func greeted(_ hello: BridgeHello, _ now: Instant) -> [Action] {
        guard case .hello = state else { return [] }
        guard hello.version == BridgeFrames.version else {
            return halt("the bridge speaks version \(hello.version)", code: 4000)
        }
        epoch = hello.epoch
        state = .open(Session(opened: now, hello: hello, lastFrame: now, ib: hello.state))
        let actions = subscribe(now)
        let words = hello.state == .login ? "the broker's session needs a login" : nil
        return actions + (words.map { [.alert($0)] } ?? [])
    }

    /// The wants changed.
    package mutating func subscriptionsChanged(to desired: [BridgeSubscription], now: Instant) -> [Action] {
        let now = advance(now)
        self.desired = desired
        return subscribe(now) + tellFreshness() + reportHealth()
    }

    /// Sends the whole set where it isn't what the bridge has.
    private mutating func subscribe(_ now: Instant) -> [Action] {
        guard case .open(var session) = state else { return [] }
        let plan = BridgeQuota.plan(
            desired,
            lines: min(limits.lines, session.hello.lines ?? limits.lines),
            books: min(limits.books, session.hello.books ?? limits.books)
        )
        var actions: [Action] = []
        if shortfalls != plan.shortfalls {
            shortfalls = plan.shortfalls
            actions.append(.unserved(shortfalls))
        }
        let served = Dictionary(uniqueKeysWithValues: plan.served.map { ($0.key, $0) })
        guard !session.isSet || served != session.served else { return actions }
        state = .idle
        session.isSet = true
        let until = now.advanced(byNanos: limits.acknowledgement)
        for (key, _) in session.served where served[key] == nil {
            session.pending[key] = nil
            session.unsure.remove(key)
            session.told.remove(key)
            session.refused.remove(key)
        }
        let new = served.filter { session.served[$0.key] != $0.value }.map(\.key)
        session.served = served
        for key in new { session.pending[key] = until }
        session.refused.subtract(new)
        session.doubt(new, dueAt: until)
        if session.unsure.isEmpty { session.snapshotDue = nil }
        state = .open(session)
        requestCount += 1
        return actions + [.send(BridgeFrames.set(id: "s\(requestCount)", plan.served))]
    }

    // MARK: What the state says

    /// Tells which instruments became stale, and which fresh.
    mutating func tellFreshness() -> [Action] {
        guard case .open(var session) = state else { return [] }
        let stale = session.staleNow
        guard stale != session.told else { return [] }
        state = .idle
        let newly = stale.subtracting(session.told).sorted()
        let gone = session.told.subtracting(stale).sorted()
        session.told = stale
        state = .open(session)
        return (newly.isEmpty ? [] : [.stale(newly)]) + (gone.isEmpty ? [] : [.fresh(gone)])
    }

    mutating func reportHealth() -> [Action] {
        guard case .open(let session) = state else { return [] }
        if session.isSilent { return report(.degraded, "no frame from the bridge") }
        let words = session.ibWords.isEmpty ? "" : ": \(session.ibWords)"
        switch session.ib {
        case .down: return report(.down, "the broker is away\(words)")
        case .login: return report(.down, "the broker's session needs a login\(words)")
        case .degraded:
            // Where nothing that is served is sure, events are missing and not just late.
            let isEmpty = !session.served.isEmpty && session.told.count == session.served.count
            return isEmpty
                ? report(.down, "the broker's data is stale\(words)")
                : report(.degraded, "the broker's data is degraded\(words)")
        case .up: return session.pending.isEmpty ? report(.up, "subscribed") : []
        }
    }

    // MARK: Time

    /// What an open connection has to do at its deadline, the gravest first.
    mutating func openTimer(now: Instant, random: UInt64) -> [Action] {
        guard case .open(var session) = state else {
            preconditionFailure("the timer of an open connection fired in \(phase)")
        }
        if now >= session.lastFrame.advanced(byNanos: session.silentAfter(limits)) {
            return fail("no frame in time", code: 1000, now: now, random: random)
        }
        state = .idle
        var actions: [Action] = []
        if now >= session.lastFrame.advanced(byNanos: session.staleAfter(limits)) { session.isSilent = true }
        for key in session.pending.filter({ now >= $0.value }).keys.sorted() {
            session.pending[key] = nil
            session.refused.insert(key)
            actions.append(.refused(key, cause: "no answer from the bridge"))
        }
        if let due = session.snapshotDue, now >= due {
            let asked = session.unsure.filter { session.pending[$0] == nil && !session.refused.contains($0) }.sorted()
            session.snapshotDue = asked.isEmpty ? nil : now.advanced(byNanos: 6 * limits.snapshot)
            if !asked.isEmpty {
                requestCount += 1
                session.snapshotEarliest = now.advanced(byNanos: limits.snapshot)
                actions.append(.send(BridgeFrames.snapshot(id: "q\(requestCount)", asked)))
            }
        }
        state = .open(session)
        return actions + tellFreshness() + reportHealth()
    }
}

extension BridgeConnection.Session {
    /// What a key of the reader means; nil where it is none of ours.
    mutating func key(_ index: Int, _ names: [String]) -> BridgeKey? {
        while keys.count <= index { keys.append(BridgeKey(names[keys.count])) }
        return keys[index]
    }

    /// Market data of an instrument came: its snapshot makes it sure again.
    mutating func heard(_ element: BridgeElement, _ index: Int, _ key: BridgeKey, _ now: Instant) {
        switch element {
        case .snapshot: trust(key)
        case .book(_, let book):
            books[index] = book
            // Without level one there is no snapshot to wait for.
            if served[key]?.quotes == false { trust(key) }
        case .bar: if served[key]?.quotes == false, served[key]?.depth == 0 { trust(key) }
        case .depth(_, let change):
            if case .damaged = books.apply(change, to: index) { doubt([key], dueAt: now) }
        case .change, .trade, .began, .notice: break
        }
    }

    /// The broker's words that tell of no trouble: farms that are well, idle or connecting (feeds.md 4.1.3).
    private static let harmless: Set<Int64> = [2104, 2106, 2107, 2108, 2119, 2158]

    /// Takes the bridge's own words.
    mutating func noticed(
        _ notice: BridgeNotice,
        _ now: Instant,
        _ limits: BridgeConnection.Limits
    ) -> [BridgeConnection.Action] {
        let due = now.advanced(byNanos: limits.snapshot)
        switch notice {
        case .gap(let keys):
            doubt(keys.isEmpty ? Array(served.keys) : keys.compactMap { BridgeKey($0) }, dueAt: due)
        case .epochChanged: doubt(Array(served.keys), dueAt: due)
        case .damaged(let key): doubt([key].compactMap { BridgeKey($0) }, dueAt: now)
        case .acknowledged(_, let keys):
            for key in keys.compactMap({ BridgeKey($0) }) where pending.removeValue(forKey: key) != nil {
                doubt([key].filter { unsure.contains($0) }, dueAt: due)
            }
        case .refused(_, let text, let code, let reason):
            guard let key = BridgeKey(text), served[key] != nil else { return [] }
            pending[key] = nil
            refused.insert(key)
            return [.refused(key, cause: code == 0 ? reason : "\(reason) (\(code))")]
        case .status(let state, let code, let words, let staleKeys):
            return turned(state, words: code == 0 ? words : "\(words) (\(code))", staleKeys, now, due)
        case .heartbeat(let state, _): return state.map { turned($0, words: ibWords, [], now, due) } ?? []
        case .error(let code, let message, let key):
            guard !Self.harmless.contains(code), knownErrors.count < 64, knownErrors.insert(code).inserted else {
                return []
            }
            return [.alert("broker's error \(code): \(message)\(key.map { " (\($0))" } ?? "")")]
        case .hello, .hole, .pong: break
        }
        return []
    }

    private mutating func turned(
        _ state: BridgeState,
        words: String,
        _ staleKeys: [String],
        _ now: Instant,
        _ due: Instant
    ) -> [BridgeConnection.Action] {
        let was = ib
        ib = state
        ibWords = words
        doubt(staleKeys.compactMap { BridgeKey($0) }, dueAt: due)
        switch state {
        case .up where was != .up:
            // What was there before the outage isn't sure until it is said again.
            if was == .down || was == .login { doubt(Array(served.keys), dueAt: now) }
            doubt([], dueAt: now)
        case .login where was != .login: return [.alert("the broker's session needs a login: \(words)")]
        case .up, .down, .degraded, .login: break
        }
        return []
    }
}
