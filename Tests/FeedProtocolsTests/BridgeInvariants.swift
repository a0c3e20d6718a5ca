import FeedProtocols
import MarketData
import Primitives

/// Drives the bridge's connection with arbitrary events and says which invariant broke; the fuzzer uses it too.
struct BridgeInvariants: ~Copyable {
    private var machine = BridgeConnection()
    private var now = Instant(nanos: 1_764_086_400_000_000_000)
    /// The dial whose socket we hold open, 0 for none.
    private var open = 0
    private var lastDial = Instant.distantPast
    private var dialCount = 0
    private var isStarted = false
    private var isGapOpen = false
    private var number = 1
    private var stale: Set<BridgeKey> = []

    private static let keys = [
        "STK:SPY:SMART:USD", "IND:SPX:CBOE:USD", "OPT:SPXW:20251219:6500:C:SMART:USD", "STK:QQQ:SMART:USD",
    ]

    init() {}

    /// Applies one event chosen by two words; nil where all is well.
    mutating func step(_ choice: UInt64, _ detail: UInt64) -> String? {
        if !isStarted {
            isStarted = true
            return check(machine.started(now: now), from: .idle)
        }
        now = now.advanced(byNanos: Int64(detail % 32) * 125_000_000)
        let phase = machine.phase
        // Mostly the socket's own number, now and then an old one.
        let attempt = choice & 0xF0 == 0 ? machine.attempt - 1 : machine.attempt
        var isReload = false
        let actions: [BridgeConnection.Action]
        switch choice % 16 {
        case 0, 1:
            if attempt == machine.attempt, phase == .dialling { number = 1 }
            actions = machine.connected(attempt: attempt, now: now)
        case 2: actions = gone(attempt, detail)
        case 3...10: actions = frame(attempt, detail)
        case 11, 12:
            let wanted = Self.keys.enumerated().filter { detail >> UInt64(8 + $0.offset) & 1 == 1 }
            let subscriptions = wanted.compactMap { BridgeKey($0.element) }.map {
                BridgeSubscription($0, depth: Int(detail >> 16) % 6, bars: detail >> 20 & 1 == 1)
            }
            actions = machine.subscriptionsChanged(to: subscriptions, now: now)
        case 13:
            // A reload is rare, so that a halt is seen to last.
            isReload = detail & 0xF00 == 0
            actions = isReload ? machine.reloaded(now: now) : []
        default:
            if machine.deadline != .distantFuture, detail & 0x1000 == 0 { now = max(now, machine.deadline) }
            actions = machine.timerFired(now: now, random: detail >> 14)
            if now >= machine.deadline, machine.deadline != .distantFuture { return "the timer changed no deadline" }
        }
        return check(actions, from: phase, isReload: isReload)
    }

    private mutating func gone(_ attempt: Int, _ detail: UInt64) -> [BridgeConnection.Action] {
        if detail & 0x300 == 0 {
            if attempt == machine.attempt, machine.phase == .dialling { open = 0 }
            return machine.upgradeRefused(attempt: attempt, status: 401, now: now, random: detail)
        }
        if attempt == machine.attempt { open = 0 }
        let codes: [UInt16?] = [nil, 1006, 1012, 1013, 4000, 4003]
        let code = codes[Int(detail >> 10) % codes.count]
        return machine.closed(attempt: attempt, code: code, words: "gone", now: now, random: detail)
    }

    private mutating func frame(_ attempt: Int, _ detail: UInt64) -> [BridgeConnection.Action] {
        let key = Self.keys[Int(detail >> 12) % Self.keys.count]
        let version = detail & 0x7F00 == 0 ? 2 : 1
        let bodies = [
            #""ev":"hello","v":\#(version),"epoch":"e\#(detail >> 16 & 1)","ib":"up","limits":{"lines":3,"depth":1}"#,
            #""ev":"ack","ok":{"\#(key)":{"conid":1}}"#, #""ev":"nack","k":"\#(key)","code":200,"reason":"bad_key""#,
            #""ev":"snap","k":"\#(key)","b":1,"a":2"#, #""ev":"q","k":"\#(key)","b":1"#,
            #""ev":"d","k":"\#(key)","op":"i","sd":"b","pos":0,"p":1,"s":1"#,
            #""ev":"book","k":"\#(key)","b":[],"a":[]"#,
            #""ev":"st","ib":"\#(["up", "down", "degraded", "login"][Int(detail >> 20) % 4])","stale_ks":["\#(key)"]"#,
            #""ev":"hb","ib":"up""#, #""ev":"err","code":\#(detail >> 24 & 255),"msg":"m""#, #""ev":"novel""#,
            #""ev":"gap","from":\#(number - 1),"to":\#(number - 1),"ks":["\#(key)"]"#,
            #""ev":"q","k":"\#(key)","b":{}"#,
        ]
        // A new connection says hello first; now and then a number is missing, or the frame is cut.
        let isFirst = number == 1
        let body = isFirst ? bodies[0] : bodies[Int(detail >> 32) % bodies.count]
        if detail >> 40 & 63 == 0, !isFirst { number += 1 }
        var bytes = Array("[{\(body),\"n\":\(number),\"tb\":1764086400000000,\"id\":\"x\"}]".utf8)
        if detail >> 46 & 63 == 0 { bytes.removeLast(Int(detail >> 52) % bytes.count) }
        let actions = bytes.withUnsafeBytes {
            machine.frameReceived($0, attempt: attempt, now: now, random: detail)
        }
        if attempt == machine.attempt, [.hello, .subscribing, .live].contains(machine.phase) { number += 1 }
        return actions
    }

    private mutating func check(
        _ actions: [BridgeConnection.Action],
        from phase: BridgeConnection.Phase,
        isReload: Bool = false
    ) -> String? {
        for action in actions {
            switch action {
            case .connect(let attempt):
                if phase == .halted, !isReload { return "connects in HALT" }
                if open != 0 { return "a second connect while \(open) is open" }
                if attempt <= dialCount { return "attempt \(attempt) is not new" }
                if !isReload, now.nanos(since: lastDial) < 800_000_000 { return "dials without backing off" }
                (open, dialCount, lastDial) = (attempt, attempt, now)
                stale = []
            case .close: open = 0
            case .send(let text):
                if open == 0 { return "sends without a socket" }
                if !text.hasPrefix("{\"op\":\"") { return "sends \(text)" }
                // What a set leaves out isn't served any more, and nothing more is said of it.
                if text.hasPrefix("{\"op\":\"set\"") { stale = stale.filter { !text.ranges(of: $0.text).isEmpty } }
            case .stale(let keys):
                if !stale.isDisjoint(with: keys) || keys.isEmpty { return "tells \(keys) twice" }
                stale.formUnion(keys)
            case .fresh(let keys):
                if !stale.isSuperset(of: keys) || keys.isEmpty { return "\(keys) were never stale" }
                stale.subtract(keys)
            case .gapOpened:
                if isGapOpen { return "a second gap opens" }
                isGapOpen = true
            case .gapClosed(let after, let before):
                if !isGapOpen || before < after { return "a gap closes that isn't one" }
                isGapOpen = false
            case .report, .refused, .unserved, .alert: break
            }
        }
        switch machine.phase {
        case .halted, .stopped, .idle, .waiting: if open != 0 { return "holds a socket in \(machine.phase)" }
        case .dialling, .hello, .subscribing, .live: if open == 0 { return "has no socket in \(machine.phase)" }
        }
        return nil
    }
}
