internal import MarketData
package import Primitives
internal import Wire

/// One client of the simulated bridge, protocol version 1 (feeds.md 4.3): its desired set, its numbers, its state.
///
/// Pure. Time is given: market time stamps the events, the wall clock drives heartbeats and deadlines.
package struct BridgeSession: Sendable {
    /// What the server does next.
    package enum Action: Equatable, Sendable {
        case send([UInt8])
        case close(UInt16, String)
    }

    /// The two clocks at a moment.
    package struct Moment: Equatable, Sendable {
        package var wallNanos: Int64
        package var market: Instant

        package init(wallNanos: Int64, market: Instant) { (self.wallNanos, self.market) = (wallNanos, market) }
    }

    package static let linesMax = 100
    package static let depthMax = 3
    package static let barsMax = 60
    static let barsNanos: Int64 = 600_000_000_000
    static let helloNanosMax: Int64 = 3_000_000_000
    static let heartbeatNanos: Int64 = 1_000_000_000
    /// Events of one frame, and how often a line's values are sent at most, in market time.
    static let frameEventsMax = 64
    static let quoteNanos: Int64 = 250_000_000

    /// One instrument that the client wants.
    struct Line: Sendable {
        var symbol: Int32
        var wantsL1: Bool
        var depth: Int
        var wantsBars: Bool
        var what: String
        var sent: ModelQuote?
        var lastTrade: ModelTrade?
        var sentTrade: Int64 = -1
        var book: BridgeBook?
        var nextQuote: Int64 = 0
        var nextBar: Int64 = 0
        var isQuiet = false
    }

    package private(set) var hasGreeted = false
    /// The next event's number.
    package internal(set) var number: Int64 = 1
    package let epoch: String
    var state = "up"
    /// Whether data flows: not while the far side is lost.
    var flows = true
    var lines: [String: Line] = [:]
    var objects: [[UInt8]] = []
    var lastTick: Instant = .zero
    private let opened: Int64
    private var lastBeat: Int64
    private var barRequests: [Int64] = []
    private var isClosed = false

    /// - Parameters:
    ///   - epoch: the bridge's life, as an identifier.
    ///   - openedWallNanos: when the socket opened.
    package init(epoch: String, openedWallNanos: Int64) {
        self.epoch = epoch
        opened = openedWallNanos
        lastBeat = openedWallNanos
    }

    /// Whether it asked for anything.
    package var hasSubscriptions: Bool { !lines.isEmpty }

    package var linesUsed: Int { lines.values.reduce(0) { $0 + Self.cost($1) } }

    private static func cost(_ line: Line) -> Int { (line.wantsL1 ? 1 : 0) + (line.wantsBars ? 1 : 0) }

    // MARK: From the client

    /// Takes a client's frame.
    package mutating func received(
        _ frame: [UInt8],
        _ model: MarketModel,
        at moment: Moment,
        moods: MoodSet = MoodSet()
    ) -> [Action] {
        guard !isClosed else { return [] }
        guard let message = try? JSONParser.parse(frame), let operation = message["op"]?.string else {
            return hasGreeted ? [] : close(4_002, "hello expected")
        }
        if operation == "hello" { return hello(message, at: moment, moods: moods) }
        guard hasGreeted else { return close(4_002, "hello expected") }
        let id = message["id"]?.string ?? ""
        switch operation {
        case "set": replace(message["subs"]?.array ?? [], id, model, moment)
        case "sub": add(message["subs"]?.array ?? [], id, model, moment)
        case "unsub":
            for key in message["ks"]?.array ?? [] { lines[key.string ?? ""] = nil }
            acknowledge(id, [], moment)
        case "snap":
            let wanted = message["ks"]?.array?.compactMap(\.string) ?? lines.keys.sorted()
            for key in wanted where lines[key] != nil { snapshot(key, model, moment) }
        case "ping":
            begin("pong", moment) { out, object in object.field("id", id as String?, to: &out) }
        default: break
        }
        return flush()
    }

    private mutating func hello(_ message: JSONValue, at moment: Moment, moods: MoodSet) -> [Action] {
        if moods.contains(.authFailure) { return close(4_003, "not authorized") }
        guard message["v"]?.integer == 1, !moods.contains(.versionMismatch) else {
            return close(4_000, "version 1 spoken")
        }
        guard !hasGreeted else { return [] }
        hasGreeted = true
        lastBeat = moment.wallNanos
        let (epoch, state) = (epoch, state)
        begin("hello", moment) { out, object in
            object.field("v", 1 as Int64?, to: &out)
            object.field("epoch", epoch as String?, to: &out)
            object.field("ib", state as String?, to: &out)
            object.key("limits", to: &out)
            out.add(#"{"lines":100,"lines_used":0,"depth":3,"bars10m":60}"#)
            object.field("hb_ms", 1_000 as Int64?, to: &out)
        }
        return flush()
    }

    mutating func close(_ code: UInt16, _ reason: String) -> [Action] {
        isClosed = true
        return [.close(code, reason)]
    }

    private mutating func replace(_ wanted: [JSONValue], _ id: String, _ model: MarketModel, _ moment: Moment) {
        let keys = Set(wanted.compactMap { $0["k"]?.string })
        for key in lines.keys where !keys.contains(key) { lines[key] = nil }
        add(wanted, id, model, moment)
    }

    private mutating func add(_ wanted: [JSONValue], _ id: String, _ model: MarketModel, _ moment: Moment) {
        var accepted: [String] = []
        // The most important first: they get the lines where there aren't enough.
        let sorted = wanted.enumerated().sorted {
            let (a, b) = ($0.element["pri"]?.integer ?? 0, $1.element["pri"]?.integer ?? 0)
            return a == b ? $0.offset < $1.offset : a > b
        }
        for (_, request) in sorted {
            guard let key = request["k"]?.string, let parsed = BridgeKey(key) else {
                refuse(id, request["k"]?.string ?? "", 321, "bad_key", moment)
                continue
            }
            guard let symbol = parsed.symbol(model) else {
                refuse(id, key, 200, "no_definition", moment)
                continue
            }
            if let problem = admit(key, request, symbol, moment) {
                refuse(id, key, problem.0, problem.1, moment)
            } else {
                accepted.append(key)
            }
        }
        acknowledge(id, accepted, moment)
        for key in accepted { snapshot(key, model, moment) }
    }

    /// Adds or changes a line inside the limits; the code and reason where one is hit.
    private mutating func admit(
        _ key: String,
        _ request: JSONValue,
        _ symbol: Int32,
        _ moment: Moment
    ) -> (Int64, String)? {
        let depth = min(5, max(0, Int(request["depth"]?.integer ?? 0)))
        let wantsBars = request["bars"]?.bool ?? false
        var line = lines[key] ?? Line(symbol: symbol, wantsL1: false, depth: 0, wantsBars: false, what: "TRADES")
        let had = lines[key]
        line.wantsL1 = request["l1"]?.bool ?? false
        (line.depth, line.wantsBars, line.what) = (depth, wantsBars, request["what"]?.string ?? "TRADES")
        let used = linesUsed - (had.map(Self.cost) ?? 0)
        guard used + Self.cost(line) <= Self.linesMax else { return (101, "limit_lines") }
        let books = lines.filter { $0.key != key && $0.value.depth > 0 }.count
        guard depth == 0 || books < Self.depthMax else { return (309, "limit_depth") }
        if wantsBars, !(had?.wantsBars ?? false) {
            barRequests.removeAll { moment.wallNanos - $0 > Self.barsNanos }
            guard barRequests.count < Self.barsMax else { return (420, "pacing") }
            barRequests.append(moment.wallNanos)
        }
        line.nextBar = moment.market.nanos / 5_000_000_000 * 5_000_000_000 + 5_000_000_000
        lines[key] = line
        return nil
    }

    // MARK: To the client

    /// Tells what is due: values that changed, depth, bars, the heartbeat.
    ///
    /// A client that is behind gets its values later and only the last of them.
    package mutating func pump(
        _ events: [ModelEvent],
        _ model: MarketModel,
        at moment: Moment,
        isBehind: Bool = false
    ) -> [Action] {
        guard !isClosed else { return [] }
        guard hasGreeted else {
            return moment.wallNanos - opened > Self.helloNanosMax ? close(4_002, "no hello") : []
        }
        if !events.isEmpty { lastTick = moment.market }
        for event in events {
            guard case .trade(let trade) = event else { continue }
            for (key, line) in lines where line.symbol == trade.symbol { lines[key]?.lastTrade = trade }
        }
        if flows, !isBehind { for key in lines.keys.sorted() { pump(key, model, moment) } }
        if moment.wallNanos - lastBeat >= Self.heartbeatNanos {
            lastBeat = moment.wallNanos
            beat(moment)
        }
        return flush()
    }

    private mutating func beat(_ moment: Moment) {
        let (state, tick, used) = (state, lastTick.nanos / 1_000, linesUsed)
        begin("hb", moment) { out, object in
            object.field("ib", state as String?, to: &out)
            object.field("last_tick_us", tick as Int64?, to: &out)
            object.field("lines_used", Int64(used) as Int64?, to: &out)
            object.field("q_depth", 0 as Int64?, to: &out)
            object.field("dropped", 0 as Int64?, to: &out)
        }
    }

    private mutating func pump(_ key: String, _ model: MarketModel, _ moment: Moment) {
        guard var line = lines[key], !line.isQuiet else { return }
        if moment.market.nanos >= line.nextQuote {
            line.nextQuote = moment.market.nanos + Self.quoteNanos
            if line.wantsL1 { values(key, &line, model, moment) }
            if line.depth > 0 { depth(key, &line, model, moment) }
        }
        while line.wantsBars, moment.market.nanos >= line.nextBar {
            fiveSeconds(key, line, model, moment)
            line.nextBar += 5_000_000_000
            // After a jump only the last minute's bars are told.
            line.nextBar = max(line.nextBar, moment.market.nanos / 5_000_000_000 * 5_000_000_000 - 60_000_000_000)
        }
        lines[key] = line
    }

    /// All objects gathered so far, as frames of at most 64 events.
    mutating func flush() -> [Action] {
        var out: [Action] = []
        var rest = objects[...]
        while !rest.isEmpty {
            let part = rest.prefix(Self.frameEventsMax)
            rest = rest.dropFirst(part.count)
            out.append(
                .send([UInt8(ascii: "[")] + Array(part.joined(separator: [UInt8(ascii: ",")])) + [UInt8(ascii: "]")])
            )
        }
        objects.removeAll()
        return out
    }

    /// Begins an object with what all have, lets `body` add its own, and ends it.
    mutating func begin(_ kind: String, _ moment: Moment, _ body: (inout [UInt8], inout JSONObject) -> Void) {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("ev", kind as String?, to: &out)
        object.field("n", number as Int64?, to: &out)
        object.field("tb", moment.market.nanos / 1_000 as Int64?, to: &out)
        number += 1
        body(&out, &object)
        object.end(&out)
        objects.append(out)
    }

    private mutating func acknowledge(_ id: String, _ keys: [String], _ moment: Moment) {
        begin("ack", moment) { out, object in
            object.field("id", id as String?, to: &out)
            object.key("ok", to: &out)
            var inner = JSONObject(&out)
            for key in keys {
                inner.key(key, to: &out)
                out.add(#"{"conid":"#)
                out.add(BridgeKey.contractID(key))
                out.add(#","minTick":0.01}"#)
            }
            inner.end(&out)
        }
    }

    private mutating func refuse(_ id: String, _ key: String, _ code: Int64, _ reason: String, _ moment: Moment) {
        begin("nack", moment) { out, object in
            object.field("id", id as String?, to: &out)
            object.field("k", key as String?, to: &out)
            object.field("code", code as Int64?, to: &out)
            object.field("reason", reason as String?, to: &out)
        }
    }
}
