import Foundation
import MarketData
import Primitives

/// Recorded data outside the repository, for comparison with an independent reference.
enum RecordedData {
    /// The folder, nil where it is absent.
    static let folder: URL? = {
        let named = ProcessInfo.processInfo.environment["STRIKETAPE_DATA"].map { URL(fileURLWithPath: $0) }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let folder = named ?? root.appendingPathComponent("../shared/data").standardizedFileURL
        return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
    }()

    static func url(_ name: String) -> URL? {
        guard let url = folder?.appendingPathComponent(name), FileManager.default.fileExists(atPath: url.path) else {
            print("skipped: no \(name) in the recorded data (STRIKETAPE_DATA)")
            return nil
        }
        return url
    }
}

/// One event of a recorded tape.
struct RecordedEvent {
    var symbol: String
    var kind: InstrumentKind
    var received: Instant
    var event: MarketEvent
}

/// A crude reader of the tapes' own shape: flat objects, no escapes, plain decimals.
///
/// Not a decoder of what a feed may send.
struct RecordedTape {
    private var names: [UInt64: String] = [:]

    /// Calls `body` with every event of a zstd tape.
    static func forEach(_ file: URL, _ body: (RecordedEvent) -> Void) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["zstdcat", file.path]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        var reader = RecordedTape()
        var rest: [UInt8] = []
        while case let chunk = pipe.fileHandleForReading.readData(ofLength: 1 << 20), !chunk.isEmpty {
            rest.append(contentsOf: chunk)
            guard let last = rest.lastIndex(of: UInt8(ascii: "\n")) else { continue }
            rest.withUnsafeBytes { reader.read(UnsafeRawBufferPointer(rebasing: $0[...last]), body) }
            rest.removeFirst(last + 1)
        }
        process.waitUntilExit()
    }

    /// Reads whole lines: `{"t":…,"src":…,"frame":[{…},…]}`.
    private mutating func read(_ bytes: UnsafeRawBufferPointer, _ body: (RecordedEvent) -> Void) {
        var cursor = Cursor(bytes: bytes)
        var fields = Fields()
        var received = Instant.zero
        var depth = 0
        while cursor.at < bytes.count {
            let byte = bytes[cursor.at]
            cursor.at += 1
            if byte == UInt8(ascii: "{") {
                depth += 1
                fields = Fields()
            } else if byte == UInt8(ascii: "}") {
                if depth == 2, let event = event(fields, received) { body(event) }
                depth -= 1
            } else if byte == UInt8(ascii: "\"") {
                let key = cursor.text()
                cursor.at += 1
                if depth == 2 {
                    fields.take(key, &cursor)
                } else if key == Fields.key("t") {
                    received = Instant(nanos: cursor.integer())
                } else if key == Fields.key("src") {
                    cursor.at += 1
                    _ = cursor.text()
                }
            }
        }
    }

    private mutating func event(_ fields: Fields, _ received: Instant) -> RecordedEvent? {
        let id = SymbolID(index: 0)
        let time = Instant(millis: fields.time)
        let event: MarketEvent
        switch fields.ev {
        case Fields.key("T"):
            event = .trade(
                Trade(
                    symbol: id,
                    exchange: UInt16(truncatingIfNeeded: fields.exchange),
                    time: time,
                    sequence: fields.sequence,
                    price: Price(micros: fields.price),
                    size: Size(shares: fields.start),
                    conditions: fields.conditions
                )
            )
        case Fields.key("Q"):
            event = .quote(
                Quote(
                    symbol: id,
                    time: time,
                    sequence: fields.sequence,
                    bid: Price(micros: fields.bid),
                    ask: Price(micros: fields.ask),
                    bidSize: Size(shares: fields.bidSize),
                    askSize: Size(shares: fields.askSize)
                )
            )
        case Fields.key("AM"):
            event = .bar(
                Bar(
                    symbol: id,
                    seconds: 60,
                    start: Instant(millis: fields.start),
                    open: Price(micros: fields.open),
                    high: Price(micros: fields.high),
                    low: Price(micros: fields.low),
                    close: Price(micros: fields.close),
                    volume: Size(shares: fields.volume)
                )
            )
        case Fields.key("V"):
            event = .indexValue(PublishedValue(symbol: id, time: time, value: Price(micros: fields.value)))
        default: return nil
        }
        let kind: InstrumentKind = fields.ev == Fields.key("V") ? .index : .equity
        let name = names[fields.symbol] ?? fields.name
        names[fields.symbol] = name
        return RecordedEvent(symbol: name, kind: kind, received: received, event: event)
    }
}

private struct Cursor {
    let bytes: UnsafeRawBufferPointer
    var at = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The text up to the closing quote, packed by `Fields.key`, the quote passed.
    mutating func text() -> UInt64 {
        var packed: UInt64 = 0
        while bytes[at] != UInt8(ascii: "\"") {
            packed = packed &* 257 &+ UInt64(bytes[at])
            at += 1
        }
        at += 1
        return packed
    }

    /// A decimal with `scale` decimals kept.
    mutating func decimal(_ scale: Int) -> Int64 {
        var value: Int64 = 0
        var decimals = 0
        var sawPoint = false
        while true {
            let byte = bytes[at]
            if byte >= 48, byte <= 57 {
                if !sawPoint || decimals < scale {
                    value = value &* 10 &+ Int64(byte &- 48)
                    if sawPoint { decimals += 1 }
                }
            } else if byte == UInt8(ascii: ".") {
                sawPoint = true
            } else {
                break
            }
            at += 1
        }
        while decimals < scale {
            value = value &* 10
            decimals += 1
        }
        return value
    }

    mutating func integer() -> Int64 { decimal(0) }
}

/// The fields of one event object.
private struct Fields {
    var ev: UInt64 = 0
    var symbol: UInt64 = 0
    var name = ""
    var conditions = Conditions()
    var (time, sequence, exchange, price, start) = (Int64(0), Int64(0), Int64(0), Int64(0), Int64(0))
    var (bid, ask, bidSize, askSize, value) = (Int64(0), Int64(0), Int64(0), Int64(0), Int64(0))
    var (open, high, low, close, volume) = (Int64(0), Int64(0), Int64(0), Int64(0), Int64(0))

    static func key(_ text: StaticString) -> UInt64 {
        text.withUTF8Buffer { $0.reduce(0) { $0 &* 257 &+ UInt64($1) } }
    }

    mutating func take(_ key: UInt64, _ cursor: inout Cursor) {
        switch cursor.bytes[cursor.at] {
        case UInt8(ascii: "\""):
            cursor.at += 1
            let start = cursor.at
            let text = cursor.text()
            if key == Self.key("ev") { ev = text }
            if key == Self.key("sym") || key == Self.key("T") {
                symbol = text
                name = String(decoding: cursor.bytes[start..<(cursor.at - 1)], as: UTF8.self)
            }
        case UInt8(ascii: "["):
            while cursor.bytes[cursor.at] != UInt8(ascii: "]") {
                cursor.at += 1
                _ = conditions.insert(cursor.integer())
            }
            cursor.at += 1
        default: takeNumber(key, &cursor)
        }
    }

    private mutating func takeNumber(_ key: UInt64, _ cursor: inout Cursor) {
        switch key {
        case UInt64(UInt8(ascii: "t")): time = cursor.integer()
        case UInt64(UInt8(ascii: "q")): sequence = cursor.integer()
        case UInt64(UInt8(ascii: "x")): exchange = cursor.integer()
        case UInt64(UInt8(ascii: "p")): price = cursor.decimal(6)
        case UInt64(UInt8(ascii: "s")): start = cursor.integer()
        case UInt64(UInt8(ascii: "o")): open = cursor.decimal(6)
        case UInt64(UInt8(ascii: "h")): high = cursor.decimal(6)
        case UInt64(UInt8(ascii: "l")): low = cursor.decimal(6)
        case UInt64(UInt8(ascii: "c")): close = cursor.decimal(6)
        case UInt64(UInt8(ascii: "v")): volume = cursor.integer()
        case Self.key("bp"): bid = cursor.decimal(6)
        case Self.key("ap"): ask = cursor.decimal(6)
        case Self.key("bs"): bidSize = cursor.integer()
        case Self.key("as"): askSize = cursor.integer()
        case Self.key("val"): value = cursor.decimal(6)
        default: _ = cursor.integer()
        }
    }
}
