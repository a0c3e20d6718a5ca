internal import MarketData
package import Primitives

extension UnusualWhalesConnection {
    /// What is known of one socket since its upgrade; it ends with it.
    struct Session {
        /// Where a channel is on this socket.
        enum Stage: Equatable {
            case queued
            case joining(until: Instant)
            case joined
            case refused
        }

        struct Member {
            var stage = Stage.queued
            /// Since when its silence is counted.
            var quietSince: Instant
            /// Silent too long, and nothing came since.
            var isStale = false
            /// It was joined anew because of that.
            var isRejoined = false
        }

        let connected: Instant
        var lastPing: Instant
        /// Pings since anything came.
        var missedPongs = 0
        var members: [UnusualWhalesChannel: Member] = [:]
        /// Channels that the server was last asked to join.
        var asked: Set<UnusualWhalesChannel> = []
        /// Joins and leaves that the rate holds back, in order.
        var queue: [(channel: UnusualWhalesChannel, isJoin: Bool)] = []
        /// When the last frames were sent, as many as one second may have.
        var sent: [Instant] = []
        var acknowledgedCount = 0
        var isLive = false
        /// When regular hours were first heard of in one stretch; nil outside of them.
        var regularSince: Instant?

        init(connected: Instant) {
            self.connected = connected
            lastPing = connected
        }

        mutating func want(_ desired: Set<UnusualWhalesChannel>, now: Instant) {
            for channel in members.keys.filter({ !desired.contains($0) }).sorted() {
                members[channel] = nil
                queue.removeAll { $0.channel == channel }
                if asked.contains(channel) { queue.append((channel, false)) }
            }
            for channel in desired.filter({ members[$0] == nil }).sorted() {
                members[channel] = Member(quietSince: now)
                queue.append((channel, true))
            }
        }

        /// Takes from the queue what the rate allows.
        mutating func flush(_ now: Instant, _ limits: Limits) -> [String] {
            var frames: [String] = []
            while let next = queue.first, now >= nextSend(limits) {
                queue.removeFirst()
                sent.append(now)
                if sent.count > limits.framesPerSecond { sent.removeFirst() }
                frames.append(next.isJoin ? next.channel.join : next.channel.leave)
                guard next.isJoin else {
                    asked.remove(next.channel)
                    continue
                }
                asked.insert(next.channel)
                members[next.channel]?.stage = .joining(until: now.advanced(byNanos: limits.acknowledgement))
            }
            return frames
        }

        /// From when on the next frame may be sent.
        private func nextSend(_ limits: Limits) -> Instant {
            guard sent.count >= limits.framesPerSecond, let oldest = sent.first else { return .distantPast }
            return oldest.advanced(byNanos: 1_000_000_000)
        }

        /// Outside of regular hours nothing is late.
        mutating func heardRegular(_ isRegular: Bool, now: Instant) {
            if isRegular {
                if regularSince == nil { regularSince = now }
                return
            }
            guard regularSince != nil else { return }
            regularSince = nil
            for channel in members.keys {
                members[channel]?.isStale = false
                members[channel]?.isRejoined = false
            }
        }

        /// When a joined channel's silence gets too long; nil while none is due.
        func staleAt(_ channel: UnusualWhalesChannel, _ member: Member, _ limits: Limits) -> Instant? {
            guard member.stage == .joined, let regularSince, let silence = limits.silence(channel) else { return nil }
            return max(regularSince, member.quietSince).advanced(byNanos: silence)
        }

        func deadline(_ limits: Limits) -> Instant {
            var deadline = lastPing.advanced(byNanos: limits.ping)
            if !queue.isEmpty { deadline = min(deadline, nextSend(limits)) }
            for (channel, member) in members {
                if case .joining(let until) = member.stage { deadline = min(deadline, until) }
                if let staleAt = staleAt(channel, member, limits) { deadline = min(deadline, staleAt) }
            }
            return deadline
        }

        /// Whether every channel has its answer.
        var isComplete: Bool {
            members.values.allSatisfy { $0.stage == .joined || $0.stage == .refused }
        }
    }

    // MARK: Frames

    /// A text frame arrived; the bytes are only read during the call.
    package mutating func frameReceived(_ frame: UnsafeRawBufferPointer, attempt: Int, now: Instant) -> [Action] {
        let now = advance(now)
        guard attempt == self.attempt, case .open(var session) = state else { return [] }
        state = .idle
        session.missedPongs = 0
        let words = UnusualWhalesAnswer(frame) { session.members[$0]?.stage == .joined }
        guard let channel = words.channel, session.members[channel] != nil else {
            state = .open(session)
            strayCount &+= 1
            return []
        }
        guard let isAccepted = words.isAccepted else {
            session.heard(channel, now: now)
            state = .open(session)
            return dataCame(on: channel, now)
        }
        let isRefused = session.answered(channel, isAccepted, now: now)
        state = .open(session)
        let cause = token.redacted(words.cause ?? "refused")
        let refusals: [Action] = isRefused ? [.refused(channel, cause: cause)] : []
        return refusals + becomeLiveIfComplete() + reportHealth()
    }

    private mutating func dataCame(on channel: UnusualWhalesChannel, _ now: Instant) -> [Action] {
        proven.insert(channel)
        var actions: [Action] = []
        if isGapOpen, let after = lastData {
            isGapOpen = false
            actions.append(.gapClosed(after: after, before: now))
        }
        lastData = now
        return actions + becomeLiveIfComplete() + reportHealth()
    }

    mutating func becomeLiveIfComplete() -> [Action] {
        guard case .open(var session) = state, !session.isLive, session.isComplete else { return [] }
        state = .idle
        session.isLive = true
        state = .open(session)
        return reportHealth()
    }

    /// What the channels' state says of the feed.
    mutating func reportHealth() -> [Action] {
        guard case .open(let session) = state, session.isLive else { return [] }
        if let stale = session.members.filter({ $0.value.isStale }).keys.min() {
            return report(.degraded, "stale: nothing on \(stale)")
        }
        if !session.members.isEmpty, session.members.values.allSatisfy({ $0.stage == .refused }) {
            return report(.degraded, "every channel was refused")
        }
        return report(.up, "joined")
    }

    // MARK: Time

    /// What an open connection has to do at its deadline, the gravest first.
    mutating func openTimer(now: Instant, random: UInt64) -> [Action] {
        guard case .open(var session) = state else {
            preconditionFailure("the timer of an open connection fired in \(phase)")
        }
        var actions: [Action] = []
        if now >= session.lastPing.advanced(byNanos: limits.ping) {
            if session.missedPongs >= limits.pongsMissed {
                return fail("\(session.missedPongs) pings without an answer", isClosed: false, now: now, random: random)
            }
            session.missedPongs += 1
            session.lastPing = now
            actions.append(.ping)
        }
        state = .idle
        let expired = session.expire(now, limits, proven)
        let frames = session.flush(now, limits)
        state = .open(session)
        if let dead = expired.dead {
            proven.remove(dead)
            return fail("no data on \(dead) in regular hours", isClosed: false, now: now, random: random)
        }
        actions += expired.refused.map { .refused($0.channel, cause: $0.cause) }
        actions += frames.map { .send($0) }
        return actions + becomeLiveIfComplete() + reportHealth()
    }
}

extension UnusualWhalesConnection.Session {
    /// Data came on a channel, which answers a join as well as an acknowledgement does.
    mutating func heard(_ channel: UnusualWhalesChannel, now: Instant) {
        members[channel]?.quietSince = now
        members[channel]?.isStale = false
        members[channel]?.isRejoined = false
        switch members[channel]?.stage {
        case .joining, .refused:
            members[channel]?.stage = .joined
            acknowledgedCount += 1
        case .queued where asked.contains(channel):
            // It was to be joined anew, and lives: that isn't needed any more.
            queue.removeAll { $0.channel == channel }
            members[channel]?.stage = .joined
        case .queued, .joined, nil: break
        }
    }

    /// An answer to a join (or a leave, which looks alike) came; true where it refuses the channel.
    mutating func answered(_ channel: UnusualWhalesChannel, _ isAccepted: Bool, now: Instant) -> Bool {
        switch (members[channel]?.stage, isAccepted) {
        case (.joining, true):
            members[channel]?.stage = .joined
            members[channel]?.quietSince = now
            acknowledgedCount += 1
        case (.joining, false), (.joined, false):
            members[channel]?.stage = .refused
            members[channel]?.isStale = false
            return true
        case (.queued, _), (.joined, true), (.refused, _), (nil, _): break
        }
        return false
    }

    /// Takes the channels whose time is up: those given up, and one whose silence costs the connection.
    mutating func expire(
        _ now: Instant,
        _ limits: UnusualWhalesConnection.Limits,
        _ proven: Set<UnusualWhalesChannel>
    ) -> (refused: [(channel: UnusualWhalesChannel, cause: String)], dead: UnusualWhalesChannel?) {
        var refused: [(channel: UnusualWhalesChannel, cause: String)] = []
        for (channel, member) in members.sorted(by: { $0.key < $1.key }) {
            if case .joining(let until) = member.stage, now >= until {
                if member.isRejoined, proven.contains(channel) { return ([], channel) }
                refused.append((channel, "no acknowledgement"))
                members[channel]?.stage = .refused
                members[channel]?.isStale = false
            }
            guard let staleAt = staleAt(channel, member, limits), now >= staleAt else { continue }
            if !member.isRejoined {
                members[channel]?.isStale = true
                members[channel]?.isRejoined = true
                members[channel]?.stage = .queued
                queue.append((channel, false))
                queue.append((channel, true))
            } else if proven.contains(channel) {
                return ([], channel)
            } else {
                refused.append((channel, "no data in regular hours"))
                members[channel]?.stage = .refused
                members[channel]?.isStale = false
            }
        }
        return (refused, nil)
    }
}

/// What the machine needs of a frame: its channel, and whether it answers a join.
struct UnusualWhalesAnswer {
    /// The channel; nil where nobody knows it.
    let channel: UnusualWhalesChannel?
    /// Whether the answer is yes; nil where the frame is none.
    private(set) var isAccepted: Bool?
    /// The server's words of refusal.
    private(set) var cause: String?

    /// A longer frame is data: an answer has a few words.
    private static let longest = 4_096
    /// The same where no answer is due, so that the flood of trades isn't read twice.
    private static let longestUnasked = 512

    /// Looks at the channel, and at the payload where it may be an answer.
    init(_ frame: UnsafeRawBufferPointer, isJoined: (UnusualWhalesChannel) -> Bool) {
        guard let envelope = UnusualWhalesEnvelope(frame) else {
            channel = nil
            return
        }
        channel = envelope.withChannel(frame) { UnusualWhalesChannel($0) }
        guard let channel, frame.count <= (isJoined(channel) ? Self.longestUnasked : Self.longest) else { return }
        var scan = GeneralScan(bytes: frame, index: envelope.payload)
        var fields = NamedFields<UnusualWhalesField>()
        guard fields.read(&scan) else { return }
        let reader = FieldReader(bytes: frame, fields: fields)
        guard reader.isAcknowledgement else { return }
        let status = String(decoding: reader.decoded(fields[.status], limit: 32), as: UTF8.self)
        isAccepted = status == "ok"
        let response = String(decoding: reader.raw(fields[.response]).prefix(256), as: UTF8.self)
        cause = "\(status): \(response)"
    }
}
