import FeedProtocols
import MarketData
import Primitives

/// Drives the flow connection with arbitrary events and says which invariant broke; the fuzzer uses it too.
struct UnusualWhalesInvariants: ~Copyable {
    private var machine: UnusualWhalesConnection
    private let token: String
    private var now = Instant(nanos: 1_764_086_400_000_000_000)
    /// The dial whose socket we hold open, 0 for none.
    private var open = 0
    private var lastDial = Instant.distantPast
    private var dialCount = 0
    private var isStarted = false
    private var isGapOpen = false
    /// When the last frames were sent.
    private var sent: [Instant] = []

    private static let channels = [
        "flow-alerts", "gex:SPY", "price:SPY", "option_trades:SPY", "option_trades:ABCD", "news", "trading_halts",
        "off_lit_trades",
    ]

    init(token: String) {
        self.token = token
        machine = UnusualWhalesConnection(token: UnusualWhalesToken(token))
    }

    /// Applies one event chosen by two words; nil where all is well.
    mutating func step(_ choice: UInt64, _ detail: UInt64) -> String? {
        if !isStarted {
            isStarted = true
            return check(machine.started(now: now), from: .idle)
        }
        now = now.advanced(byNanos: Int64(detail % 40) * 250_000_000)
        let phase = machine.phase
        // Mostly the socket's own number, now and then an old one.
        let attempt = choice & 0xF0 == 0 ? machine.attempt - 1 : machine.attempt
        var isReload = false
        let actions: [UnusualWhalesConnection.Action]
        switch choice % 16 {
        case 0, 1: actions = machine.connected(attempt: attempt, now: now)
        case 2: actions = refuse(attempt, detail)
        case 3...8: actions = frame(attempt, detail)
        case 9:
            if attempt == machine.attempt { open = 0 }
            actions = machine.closed(attempt: attempt, words: "gone \(token)", now: now, random: detail)
        case 10:
            machine.received(attempt: attempt, now: now)
            actions = []
        case 11:
            let wanted = Self.channels.enumerated().filter { detail >> UInt64(8 + $0.offset) & 1 == 1 }
            let set = Set(wanted.compactMap { UnusualWhalesChannel($0.element) })
            actions = machine.channelsChanged(to: set, now: now)
        case 12:
            // A reload is rare, so that a halt is seen to last.
            isReload = detail & 0xF00 == 0
            actions = isReload ? machine.reloaded(now: now) : []
        default:
            if machine.deadline != .distantFuture, detail & 0x1000 == 0 { now = max(now, machine.deadline) }
            actions = machine.timerFired(now: now, isRegular: detail & 0x2000 == 0, random: detail >> 14)
            if now >= machine.deadline, machine.deadline != .distantFuture { return "the timer changed no deadline" }
        }
        return check(actions, from: phase, isReload: isReload)
    }

    private mutating func refuse(_ attempt: Int, _ detail: UInt64) -> [UnusualWhalesConnection.Action] {
        let isOurs = attempt == machine.attempt && machine.phase == .dialling
        if isOurs { open = 0 }
        let status = [401, 403, 500, 502][Int(detail >> 8) % 4]
        return machine.upgradeRefused(attempt: attempt, status: status, now: now, random: detail)
    }

    private mutating func frame(_ attempt: Int, _ detail: UInt64) -> [UnusualWhalesConnection.Action] {
        let channel = Self.channels[Int(detail >> 8) % Self.channels.count]
        let payloads = [
            #"{"response":{},"status":"ok"}"#, #"{"response":{"reason":"no \#(token)"},"status":"error"}"#,
            #"{"ticker":"SPY","price":1}"#, "[{}]", "", "7",
        ]
        let frame = Array("[\"\(channel)\",\(payloads[Int(detail >> 16) % payloads.count])]".utf8)
        return frame.withUnsafeBytes { machine.frameReceived($0, attempt: attempt, now: now) }
    }

    private mutating func check(
        _ actions: [UnusualWhalesConnection.Action],
        from phase: UnusualWhalesConnection.Phase,
        isReload: Bool = false
    ) -> String? {
        for action in actions {
            switch action {
            case .connect(let attempt):
                if phase == .halted, !isReload { return "connects in HALT" }
                if open != 0 { return "a second connect while \(open) is open" }
                if attempt <= dialCount { return "attempt \(attempt) is not new" }
                if !isReload, now.nanos(since: lastDial) < 5_000_000_000 { return "dials without backing off" }
                (open, dialCount, lastDial) = (attempt, attempt, now)
                sent = []
            case .close: open = 0
            case .send:
                if open == 0 { return "sends without a socket" }
                sent.append(now)
                if sent.count > 20, now.nanos(since: sent[sent.count - 21]) < 1_000_000_000 { return "sends too fast" }
            case .ping: if open == 0 { return "pings without a socket" }
            case .gapOpened:
                if isGapOpen { return "a second gap opens" }
                isGapOpen = true
            case .gapClosed(let after, let before):
                if !isGapOpen || before < after { return "a gap closes that isn't one" }
                isGapOpen = false
            case .report, .refused, .alert: break
            }
        }
        // `description` is what a log would show.
        if "\(actions)".contains(token) { return "the token shows in \(actions)" }
        switch machine.phase {
        case .halted, .stopped, .idle, .waiting: if open != 0 { return "holds a socket in \(machine.phase)" }
        case .dialling, .joining, .live: if open == 0 { return "has no socket in \(machine.phase)" }
        }
        return nil
    }
}
