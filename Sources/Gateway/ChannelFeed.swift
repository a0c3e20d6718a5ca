internal import Bus
internal import Primitives
internal import Wire

/// One watched channel as the bus delivers it: finds holes, duplicates and restarts, and knows when the state must be read.
///
/// Offsets count durable messages, revisions the conflatable ones of a run. Messages that come while the state is read
/// are held and tried again afterwards: what the state contained is dropped by its number, the next one continues, and
/// anything else is a hole, for which the state is read once more. So state and messages join without a race.
struct ChannelFeed {
    enum Phase {
        /// Subscribed for the first time; nobody has seen anything.
        case joining
        case live
        /// The line is broken: messages are held until the state has been read again.
        case reading
    }

    /// What came of a message.
    enum Received {
        /// Contained in what was read before.
        case known
        /// Kept, or dropped because too many are kept, until the state is there.
        case held(dropped: Bool)
        /// The next durable message.
        case durable
        /// Conflatable fields were taken into the value.
        case fields
        /// Something is missing: the message is held, and the state must be read.
        case broken
    }

    /// What a state that was read means for those who have followed the channel so far.
    struct Joined {
        /// Durable messages that are lost to them; `to` nil where the log itself began anew.
        var gap: (from: Int64, to: Int64?)?
        /// Conflatable fields changed.
        var hasNewFields = false
        /// To be tried again now.
        var held: [ReceivedMessage] = []
        /// How many of them came before the state was asked for, so that it is newer than they are.
        var olderCount = 0
        /// Messages were dropped while it was read: only another read tells what they were.
        var hasDropped = false
    }

    let channel: Channel
    private(set) var phase = Phase.joining
    private(set) var epoch = ""
    /// The last durable message passed on.
    private(set) var offset: Int64 = 0
    private(set) var run = ""
    private(set) var revision: Int64 = 0
    var value = ChannelValue()
    /// The last durable message that the value includes.
    private(set) var valueOffset: Int64 = 0
    /// The last durable message that the state read last contained.
    private var stateOffset: Int64 = 0
    /// Ordinal and time of the last message taken.
    private(set) var n: Ordinal = 0
    private(set) var time = Instant.zero
    /// Reads without a message taken since: the next one waits longer.
    private(set) var attempts = 0
    /// The value that was read last lacks a message that it counts: the engine's whole value came just after.
    private(set) var isValueBehind = false
    private var held: [ReceivedMessage] = []
    private var heldBytes = 0
    private var heldWhenAsked = 0
    private var hasDropped = false
    /// Reads that didn't help after which a state that lags behind its own messages is no longer waited for.
    private static let attemptsMax = 5
    /// Reads, twice as far apart each time, until an empty answer is believed: some three seconds.
    private static let forgottenReadsMax = 9

    init(_ channel: Channel) { self.channel = channel }

    /// Whether a durable message changed the value in a way that only a read tells.
    var isValueStale: Bool { valueOffset < offset }

    /// Whether the state that was read last contains durable messages that didn't come yet.
    var isAhead: Bool { phase == .live && stateOffset > offset }

    /// Takes a message from the bus.
    ///
    /// `isOlder`: it came before the state that was read last was asked for.
    mutating func received(_ message: ReceivedMessage, _ limits: HubLimits, isOlder: Bool = false) -> Received {
        guard phase == .live else { return hold(message, limits) }
        let header = message.header
        let verdict: Received
        if let offset = header.offset {
            verdict = durable(header, offset)
        } else if let run = header.run, let revision = header.revision, let base = header.base {
            verdict = conflatable(header, run, revision, base)
        } else {
            preconditionFailure("an envelope header without offset and revision: EnvelopeHeader.init refuses it")
        }
        switch verdict {
        case .durable, .fields:
            n = header.n
            time = header.time
            attempts = 0
            take(message)
        case .broken:
            // What the state supersedes can't break the line; a hole between durable messages can.
            if isOlder, header.offset == nil || header.epoch != epoch { return .known }
            phase = .reading
            _ = hold(message, limits)
        case .known, .held: break
        }
        return verdict
    }

    private mutating func hold(_ message: ReceivedMessage, _ limits: HubLimits) -> Received {
        guard held.count < limits.heldMessages, heldBytes + message.bytes.count <= limits.heldBytes else {
            hasDropped = true
            return .held(dropped: true)
        }
        held.append(message)
        heldBytes += message.bytes.count
        return .held(dropped: false)
    }

    private mutating func durable(_ header: EnvelopeHeader, _ next: Int64) -> Received {
        if header.epoch != epoch {
            guard epoch.isEmpty, next == 1 else { return .broken }
            epoch = header.epoch
        }
        if next <= offset { return .known }
        guard next == offset + 1 else { return .broken }
        offset = next
        // Only a plan's value depends on durable messages in a way that the engine alone knows.
        if channel.kind != .plan { valueOffset = next }
        return .durable
    }

    private mutating func conflatable(
        _ header: EnvelopeHeader,
        _ nextRun: String,
        _ next: Int64,
        _ base: Int64
    ) -> Received {
        guard epoch.isEmpty || header.epoch == epoch, base <= offset else { return .broken }
        if nextRun == run {
            if next <= revision { return .known }
            guard next == revision + 1 else { return .broken }
        } else {
            guard run.isEmpty, next == 1 else { return .broken }
            run = nextRun
        }
        if epoch.isEmpty { epoch = header.epoch }
        revision = next
        return .fields
    }

    private mutating func take(_ message: ReceivedMessage) {
        let header = message.header
        guard channel.kind == .health || header.offset == nil,
            let fields = HotStateFields.of(header, in: message.bytes)
        else { return }
        // The gap ledger's entries pass by: they change no state.
        if channel.kind == .health, fields.isEmpty { return }
        value.apply(header.type, fields, revision: revision, n: header.n, time: header.time)
    }

    // MARK: States

    /// Delivery was cut: nothing that comes counts until the state has been read.
    mutating func interrupted() {
        if phase == .live { phase = .reading }
    }

    /// The state has been asked for.
    mutating func askedForState() { heldWhenAsked = held.count }

    /// A read failed.
    mutating func readFailed() { attempts += 1 }

    /// Whether a channel that had a value is read back without one.
    ///
    /// That is a bus that came back empty, which the engine fills again within moments. Believed only after some reads:
    /// subscribers would be shown a plan without its plan.
    func isForgotten(by state: HotState?) -> Bool {
        guard phase == .reading, offset > 0, attempts < Self.forgottenReadsMax else { return false }
        guard let state else { return true }
        return channel.kind == .plan && state.parts["snapshot"]?["plan"] == nil
    }

    /// Takes the state that was read; nil where the bus knows none.
    mutating func joined(_ state: HotState?) -> Joined {
        if phase == .live { return refreshed(state) }
        var joined = Joined()
        defer {
            held = []
            heldBytes = 0
            hasDropped = false
            phase = .live
            attempts += 1
        }
        let state =
            state
            ?? HotState(
                channel: channel,
                epoch: epoch.isEmpty || offset > 0 ? "" : epoch,
                offset: 0,
                run: "",
                revision: 0,
                n: n,
                time: time.nanos,
                parts: [:]
            )
        joined.held = held
        joined.olderCount = min(heldWhenAsked, held.count)
        joined.hasDropped = hasDropped
        if phase == .joining {
            offset = state.offset
        } else if state.epoch != epoch, !epoch.isEmpty {
            joined.gap = (offset + 1, nil)
            offset = firstHeld(in: state.epoch, above: 0, before: state.offset) ?? state.offset
        } else {
            let reached = firstHeld(in: state.epoch, above: offset, before: state.offset) ?? max(offset, state.offset)
            if reached > offset { joined.gap = (offset + 1, reached) }
            offset = reached
        }
        epoch = state.epoch
        run = state.run
        revision = state.revision
        joined.hasNewFields = takeValue(state)
        return joined
    }

    /// The offset just before the first held message that continues at or before `end`; nil where there is none.
    private func firstHeld(in epoch: String, above offset: Int64, before end: Int64) -> Int64? {
        let first = held.lazy.filter { $0.header.epoch == epoch }.compactMap(\.header.offset).filter { $0 > offset }
            .min()
        guard let first, first <= end + 1 || attempts >= Self.attemptsMax else { return nil }
        return first - 1
    }

    /// A read for the value alone, while messages go on: the numbers of the stream stay.
    private mutating func refreshed(_ state: HotState?) -> Joined {
        guard let state, state.epoch == epoch, state.offset >= offset else {
            // The state is behind what was heard, or of another log: the line is not what it seemed.
            phase = .reading
            return Joined()
        }
        attempts = 0
        return Joined(hasNewFields: state.offset >= valueOffset && takeValue(state, keepsDelta: true))
    }

    private mutating func takeValue(_ state: HotState, keepsDelta: Bool = false) -> Bool {
        stateOffset = state.offset
        valueOffset = channel.kind == .plan ? state.offset : offset
        n = max(n, state.n)
        time = max(time, Instant(nanos: state.time))
        var parts = HotStateParts(state)
        switch channel.kind {
        case .plan:
            // A snapshot replaces every part, so a hit or status beside it is newer than the snapshot.
            isValueBehind = state.parts[MessageType.hit.name] != nil || state.parts[MessageType.status.name] != nil
            // Derived fields are the gateway's own; of the engine's delta only what it alone knows is taken.
            if keepsDelta { parts.parts.removeAll { $0.type == .delta } }
            return value.replace(with: parts, keeping: .delta)
        case .plans: return false
        case .health:
            // Merged, not replaced: what the gateway itself has told of the bus stays where the state doesn't name it.
            let feeds = parts.parts.first { $0.type == .health }?.fields.filter(HotStateFields.isFeed) ?? []
            return value.merge(.health, feeds, revision: state.revision, n: state.n, time: parts.time)
        case .symbol, .bands, .contract: return value.replace(with: parts)
        }
    }
}
