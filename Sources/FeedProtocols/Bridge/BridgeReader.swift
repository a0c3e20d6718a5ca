internal import Primitives

/// Reads the bridge's frames: arrays of objects with `ev`, `n`, `tb`, and watches that no `n` is missing.
///
/// Stateful per connection, and made new by a `hello` with the number 1, so that a tape of several connections reads
/// like each of them. The decoder and the connection machine have one each.
struct BridgeReader: ~Copyable {
    private(set) var counters = BridgeCounters()
    /// The keys met on this connection, by index.
    private(set) var keys: [String] = []
    private var keyIndex: [String: Int] = [:]
    private var fields = NamedFields<BridgeField>()
    /// The next number; 0 before the first.
    private var expected: Int64 = 0
    private var epoch: String?
    private let frameLimit: Int

    /// Most instruments of a connection: several times the lines of any account.
    static let keysMax = 4_096

    init(frameLimit: Int) { self.frameLimit = frameLimit }

    /// Appends what the frame says; the bytes are only read during the call.
    mutating func read(_ frame: UnsafeRawBufferPointer, into elements: inout [BridgeElement]) {
        counters.frames &+= 1
        guard frame.count <= frameLimit else {
            counters.oversizedFrames &+= 1
            return
        }
        if !readArray(frame, &elements) { counters.brokenFrames &+= 1 }
    }

    /// Reads the elements; false where the array is broken.
    private mutating func readArray(_ frame: UnsafeRawBufferPointer, _ elements: inout [BridgeElement]) -> Bool {
        var scan = GeneralScan(bytes: frame, index: 0)
        scan.skipSpace()
        guard scan.pass(UInt8(ascii: "[")) else { return false }
        scan.skipSpace()
        if !scan.pass(UInt8(ascii: "]")) {
            while true {
                scan.skipSpace()
                let start = scan.index
                if fields.read(&scan) {
                    take(FieldReader(bytes: frame, fields: fields), &elements)
                } else {
                    counters.count(.none, .syntax)
                    scan.index = start
                    guard scan.skipBroken() else { return false }
                }
                scan.skipSpace()
                if scan.pass(UInt8(ascii: "]")) { break }
                guard scan.pass(UInt8(ascii: ",")) else { return false }
            }
        }
        scan.skipSpace()
        return scan.index == frame.count
    }

    private mutating func take(_ reader: FieldReader<BridgeField>, _ elements: inout [BridgeElement]) {
        let kind: BridgeKind
        let number: Int64
        do throws(MalformedReason) {
            kind = BridgeKind(try reader.required(reader.bytes(.ev, limit: 16)))
            number = try reader.required(reader.integer(.n, 1...(Int64.max - 1)))
        } catch {
            counters.count(.none, error)
            return
        }
        advance(kind, number, reader, &elements)
        do throws(MalformedReason) {
            switch kind {
            case .none: counters.unknown &+= 1
            default:
                elements.append(try element(kind, reader))
                counters.count(kind)
            }
        } catch {
            counters.count(kind, error)
            // The change is lost, so what is kept of the instrument is wrong from here on.
            if [.quote, .snapshot, .depth, .book].contains(kind), let key = try? reader.text(.k, limit: BridgeKey.limit)
            {
                elements.append(.notice(.damaged(key: key)))
            }
        }
    }

    /// Holds the number against the one that is due.
    private mutating func advance(
        _ kind: BridgeKind,
        _ number: Int64,
        _ reader: FieldReader<BridgeField>,
        _ elements: inout [BridgeElement]
    ) {
        if kind == .hello, number == 1 {
            expected = 2
            epoch = nil
            keys.removeAll(keepingCapacity: true)
            keyIndex.removeAll(keepingCapacity: true)
            elements.append(.began)
        } else {
            let isGap = kind == .gap && coversHole(upTo: number, reader)
            if expected != 0, number != expected, !isGap {
                counters.holes &+= 1
                elements.append(.notice(.hole(expected: expected, got: number)))
            }
            expected = number + 1
        }
        guard let said = try? reader.text(.epoch, limit: 64) else { return }
        if let epoch, epoch != said { elements.append(.notice(.epochChanged(said))) }
        epoch = said
    }

    /// Whether a `gap` names just the numbers that are missing before it.
    private func coversHole(upTo number: Int64, _ reader: FieldReader<BridgeField>) -> Bool {
        guard let from = try? reader.integer(.from), let to = try? reader.integer(.to) else { return false }
        return from == expected && to == number - 1 && from <= to
    }

    // MARK: Checkpoints

    /// Appends the place in the sequence, the epoch and the keys.
    borrowing func save(to writer: inout StateWriter) {
        writer.write(expected)
        writer.write(epoch ?? "")
        writer.write(Int64(keys.count))
        for key in keys { writer.write(key) }
    }

    /// Takes up a saved state.
    mutating func restore(from state: inout StateReader) throws(StateError) {
        expected = try state.read()
        let said = try state.readString()
        epoch = said.isEmpty ? nil : said
        let count = try state.read(Int64.self)
        guard count >= 0, count <= Self.keysMax else { throw StateError(offset: 0, expected: "keys of instruments") }
        for index in 0..<Int(count) {
            let key = try state.readString()
            keys.append(key)
            keyIndex[key] = index
        }
    }

    // MARK: Keys

    /// The index of the object's key, made if new.
    mutating func key(_ reader: FieldReader<BridgeField>) throws(MalformedReason) -> Int {
        let text = try reader.required(reader.text(.k, limit: BridgeKey.limit + 1))
        if let index = keyIndex[text] { return index }
        guard text.utf8.count <= BridgeKey.limit else { throw .symbol }
        guard keys.count < Self.keysMax else { throw .symbolLimit }
        keys.append(text)
        keyIndex[text] = keys.count - 1
        return keys.count - 1
    }
}

/// The kinds of events, by their `ev`.
package enum BridgeKind: UInt8, CaseIterable, Sendable {
    case hello, acknowledged, refused, snapshot, quote, trade, depth, book, bar, status, error, heartbeat, gap, pong
    /// Nobody knows it, or it can't be told.
    case none

    /// Whether it tells of the market, and not of the connection.
    package var isData: Bool {
        switch self {
        case .snapshot, .quote, .trade, .depth, .book, .bar: true
        case .hello, .acknowledged, .refused, .status, .error, .heartbeat, .gap, .pong, .none: false
        }
    }

    init(_ code: [UInt8]) {
        self = Self.allCases.first { $0 != .none && $0.code.utf8.elementsEqual(code) } ?? .none
    }

    /// The name on the wire.
    package var code: String {
        switch self {
        case .hello: "hello"
        case .acknowledged: "ack"
        case .refused: "nack"
        case .snapshot: "snap"
        case .quote: "q"
        case .trade: "t"
        case .depth: "d"
        case .book: "book"
        case .bar: "b5"
        case .status: "st"
        case .error: "err"
        case .heartbeat: "hb"
        case .gap: "gap"
        case .pong: "pong"
        case .none: "?"
        }
    }
}

/// What a reader met since it was made.
///
/// Counts only grow.
package struct BridgeCounters: Sendable {
    /// Frames given.
    package var frames: UInt64 = 0
    /// Frames whose array was broken: what stood before the break was taken.
    package var brokenFrames: UInt64 = 0
    /// Frames above the limit, not looked at.
    package var oversizedFrames: UInt64 = 0
    /// Events of a kind nobody knows.
    package var unknown: UInt64 = 0
    /// Holes in the sequence.
    package var holes: UInt64 = 0
    /// Events of instruments that the engine has no symbol for.
    package var unmapped: UInt64 = 0
    /// Changes that came before a whole quote was known.
    package var unbased: UInt64 = 0
    /// Trades at no price, or below.
    package var unpriced: UInt64 = 0
    /// Prices that weren't live: frozen or delayed.
    package var notLive: UInt64 = 0
    /// Bars that weren't made of trades.
    package var quoteBars: UInt64 = 0
    private var taken = InlineArray<15, UInt64>(repeating: 0)
    private var refused = InlineArray<15, UInt64>(repeating: 0)
    private var reasons = InlineArray<8, UInt64>(repeating: 0)

    package init() {}

    /// Events taken of a kind.
    package func events(_ kind: BridgeKind) -> UInt64 { taken[Int(kind.rawValue)] }

    /// Malformed events of a kind.
    package func malformed(_ kind: BridgeKind) -> UInt64 { refused[Int(kind.rawValue)] }

    /// Malformed events for a reason.
    package func malformed(_ reason: MalformedReason) -> UInt64 { reasons[Int(reason.rawValue)] }

    /// All malformed events.
    package var malformed: UInt64 { MalformedReason.allCases.reduce(0) { $0 + malformed($1) } }

    mutating func count(_ kind: BridgeKind) { taken[Int(kind.rawValue)] &+= 1 }

    mutating func count(_ kind: BridgeKind, _ reason: MalformedReason) {
        refused[Int(kind.rawValue)] &+= 1
        reasons[Int(reason.rawValue)] &+= 1
    }
}
