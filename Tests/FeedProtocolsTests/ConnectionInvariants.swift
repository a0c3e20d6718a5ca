import FeedProtocols
import MarketData
import Primitives

/// Drives a connection with arbitrary events and says which invariant broke; the fuzzer uses it too.
struct ConnectionInvariants: ~Copyable {
    private var machine: PolygonConnection
    private let key: String
    private var now = Instant(nanos: 1_764_086_400_000_000_000)
    /// The dial whose socket we hold open, 0 for none.
    private var open = 0
    private var lastDial = Instant.distantPast
    private var dialCount = 0
    private var isStarted = false

    private static let statuses = [
        "connected", "auth_success", "auth_failed", "auth_timeout", "max_connections", "success", "error", "novel",
    ]
    private static let pairs = ["T.SPY", "Q.SPY", "AM.*", "V.I:SPX", "LULD.A", "Q.O:SPY251219C00650000"]

    init(key: String) {
        self.key = key
        machine = PolygonConnection(key: PolygonKey(key))
    }

    /// Applies one event chosen by two words; nil where all is well.
    mutating func step(_ choice: UInt64, _ detail: UInt64) -> String? {
        if !isStarted {
            isStarted = true
            let actions = machine.started(now: now)
            return check(actions, from: .idle)
        }
        now = now.advanced(byNanos: Int64(detail % 40) * 250_000_000)
        let phase = machine.phase
        // Mostly the socket's own number, now and then an old one.
        let attempt = choice & 0xF0 == 0 ? machine.attempt - 1 : machine.attempt
        let actions: [PolygonConnection.Action]
        switch choice % 16 {
        case 0...2: actions = machine.connected(attempt: attempt, now: now)
        case 3...7:
            let status = Self.statuses[Int(detail >> 8) % Self.statuses.count]
            let message =
                status == "success"
                ? "subscribed to: \(Self.pairs[Int(detail >> 16) % Self.pairs.count])" : "about \(key) nothing"
            actions = machine.statusReceived(
                ProviderStatus(status: status, message: message),
                attempt: attempt,
                now: now,
                random: detail
            )
        case 8:
            if attempt == machine.attempt { open = 0 }
            actions = machine.closed(attempt: attempt, words: "gone \(key)", now: now, random: detail)
        case 9:
            machine.received(attempt: attempt, now: now)
            actions = []
        case 10, 11:
            actions = machine.dataReceived(attempt: attempt, first: now, last: now, now: now)
        case 12:
            let wanted = Self.pairs.enumerated().filter { detail >> UInt64(8 + $0.offset) & 1 == 1 }
            actions = machine.subscriptionsChanged(
                to: Set(wanted.compactMap { PolygonSubscription($0.element) }),
                now: now
            )
        case 13:
            // A reload is rare, so that a halt is seen to last.
            actions = detail & 0xF00 == 0 ? machine.reloaded(now: now) : []
        default:
            if machine.deadline != .distantFuture, detail & 0x1000 == 0 { now = max(now, machine.deadline) }
            actions = machine.timerFired(now: now, isRegular: detail & 0x2000 == 0, random: detail >> 14)
            if now >= machine.deadline, machine.deadline != .distantFuture, actions.isEmpty, phase != machine.phase {
                return "deadline passed in \(phase), nothing done"
            }
        }
        let isReload = choice % 16 == 13
        return check(actions, from: phase, isReload: isReload)
    }

    private mutating func check(
        _ actions: [PolygonConnection.Action],
        from phase: PolygonConnection.Phase,
        isReload: Bool = false
    ) -> String? {
        for action in actions {
            switch action {
            case .connect(let attempt):
                if phase == .halted, !isReload { return "connects in HALT" }
                if open != 0 { return "a second connect while \(open) is open" }
                if attempt <= dialCount { return "attempt \(attempt) is not new" }
                if !isReload, now.nanos(since: lastDial) < 800_000_000 { return "dials without backing off" }
                open = attempt
                dialCount = attempt
                lastDial = now
            case .close: open = 0
            case .send, .ping: if open == 0 { return "sends without a socket" }
            case .report, .refused, .gapOpened, .gapClosed, .alert: break
            }
        }
        // `description` is what a log would show; the auth frame hides its content.
        if "\(actions)".contains(key) { return "the key shows in \(actions)" }
        switch machine.phase {
        case .halted, .stopped, .idle: if open != 0 { return "holds a socket in \(machine.phase)" }
        case .waiting, .cooling: if open != 0 { return "holds a socket while it waits" }
        case .dialling, .hello, .authenticating, .subscribing, .live:
            if open == 0 { return "has no socket in \(machine.phase)" }
        }
        return nil
    }
}
