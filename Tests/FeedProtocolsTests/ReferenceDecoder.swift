import FeedProtocols
import Foundation
import MarketData
import Primitives

/// A JSON value as Foundation reads it, numbers as exact decimals.
indirect enum ReferenceValue: Decodable {
    case null
    case bool(Bool)
    case number(Decimal)
    case text(String)
    case array([ReferenceValue])
    case object([String: ReferenceValue])

    init(from decoder: any Decoder) throws {
        if let object = try? decoder.container(keyedBy: AnyKey.self) {
            var fields: [String: ReferenceValue] = [:]
            for key in object.allKeys { fields[key.stringValue] = try object.decode(ReferenceValue.self, forKey: key) }
            self = .object(fields)
            return
        }
        if var array = try? decoder.unkeyedContainer() {
            var elements: [ReferenceValue] = []
            while !array.isAtEnd { elements.append(try array.decode(ReferenceValue.self)) }
            self = .array(elements)
            return
        }
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else {
            self = .number(try value.decode(Decimal.self))
        }
    }

    struct AnyKey: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

/// What the reference makes of one element.
enum ReferenceOutcome {
    /// An event with the symbol's text beside it; its own symbol id is 0.
    case event(MarketEvent, String)
    case status(ProviderStatus)
    case unknown
    case malformed(EventKind)
}

/// A second decoder, written from feeds.md 1.5 over Foundation's JSON and Decimal, to hold the real one against.
struct ReferenceDecoder {
    struct Malformed: Error {}

    /// Decodes a frame; nil where Foundation says that it isn't JSON, or it is neither an array nor an object.
    static func decode(_ frame: [UInt8]) -> [ReferenceOutcome]? {
        guard let value = try? JSONDecoder().decode(ReferenceValue.self, from: Data(frame)) else { return nil }
        switch value {
        case .array(let elements): return elements.map(outcome)
        case .object: return [outcome(value)]
        default: return nil
        }
    }

    static func outcome(_ value: ReferenceValue) -> ReferenceOutcome {
        guard case .object(let fields) = value, case .text(let code) = fields["ev"] ?? .null else {
            return .malformed(.none)
        }
        guard let kind = EventKind.allCases.first(where: { $0.code == code && $0 != .none }) else { return .unknown }
        do {
            let reader = ReferenceReader(fields: fields)
            if kind == .status {
                return .status(
                    ProviderStatus(status: try reader.text("status") ?? "", message: try reader.text("message") ?? "")
                )
            }
            let symbol = try reader.symbol([.priceBands, .imbalance, .indexValue].contains(kind) ? "T" : "sym")
            return .event(try event(kind, reader), symbol)
        } catch {
            return .malformed(kind)
        }
    }

    private static func event(_ kind: EventKind, _ r: ReferenceReader) throws -> MarketEvent {
        let symbol = SymbolID(index: 0)
        switch kind {
        case .trade:
            let price = try r.micros("p", required: true)
            guard price > 0 else { throw Malformed() }
            let size = try r.optionalMicros("s")
            guard let shares = try r.optionalMicros("ds") ?? size else { throw Malformed() }
            return .trade(
                Trade(
                    symbol: symbol,
                    exchange: try r.id("x"),
                    tape: try r.id("z"),
                    facility: try r.id("trfi"),
                    time: try r.time("t"),
                    sequence: try r.id("q"),
                    price: Price(micros: price),
                    size: Size(micros: shares),
                    conditions: try r.conditions("c"),
                    idHash: try r.hash("i")
                )
            )
        case .quote:
            let bid = try r.micros("bp")
            let ask = try r.micros("ap")
            let sizes = (try r.micros("bs"), try r.micros("as"))
            return .quote(
                Quote(
                    symbol: symbol,
                    bidExchange: try r.id("bx"),
                    askExchange: try r.id("ax"),
                    time: try r.time("t"),
                    sequence: try r.id("q"),
                    bid: Price(micros: bid),
                    ask: Price(micros: ask),
                    bidSize: Size(micros: bid == 0 ? 0 : sizes.0),
                    askSize: Size(micros: ask == 0 ? 0 : sizes.1),
                    condition: try r.id("c"),
                    tape: try r.id("z")
                )
            )
        case .secondBar, .minuteBar:
            let prices = try ["o", "h", "l", "c"].map { try r.micros($0, rounded: true, required: true) }
            guard prices.allSatisfy({ $0 > 0 }) else { throw Malformed() }
            let (v, av) = (try r.optionalMicros("v"), try r.optionalMicros("av"))
            return .bar(
                Bar(
                    symbol: symbol,
                    seconds: kind == .secondBar ? 1 : 60,
                    start: try r.time("s"),
                    open: Price(micros: prices[0]),
                    high: Price(micros: prices[1]),
                    low: Price(micros: prices[2]),
                    close: Price(micros: prices[3]),
                    volume: Size(micros: try r.optionalMicros("dv") ?? v ?? 0),
                    vwap: Price(micros: try r.micros("vw", rounded: true)),
                    dayVolume: Size(micros: try r.optionalMicros("dav") ?? av ?? 0)
                )
            )
        case .priceBands:
            return .priceBands(
                PriceBands(
                    symbol: symbol,
                    tape: try r.id("z"),
                    time: try r.time("t"),
                    sequence: try r.id("q"),
                    upper: Price(micros: try r.micros("h", required: true)),
                    lower: Price(micros: try r.micros("l", required: true)),
                    indicators: try r.conditions("i")
                )
            )
        case .imbalance:
            let auction = try r.text("a")
            if let auction, auction.utf8.count != 1 { throw Malformed() }
            return .imbalance(
                Imbalance(
                    symbol: symbol,
                    exchange: try r.id("x"),
                    auction: auction?.utf8.first ?? 0,
                    auctionTime: try r.id("at"),
                    time: try r.time("t"),
                    sequence: try r.id("i"),
                    imbalance: Size(micros: try r.micros("o", negative: true)),
                    paired: Size(micros: try r.micros("p")),
                    clearingPrice: Price(micros: try r.micros("b"))
                )
            )
        case .indexValue, .fairValue:
            let key = kind == .indexValue ? "val" : "fmv"
            let value = PublishedValue(
                symbol: symbol,
                time: try r.time("t"),
                value: Price(micros: try r.micros(key, rounded: true, negative: true, required: true))
            )
            return kind == .indexValue ? .indexValue(value) : .fairValue(value)
        case .status, .none: throw Malformed()
        }
    }
}

/// Reads the fields of one object by the rules that all kinds share.
struct ReferenceReader {
    typealias Malformed = ReferenceDecoder.Malformed
    /// Stands for the hash of an id whose text Foundation doesn't give.
    static let unknownHash: UInt64 = 1
    let fields: [String: ReferenceValue]

    func decimal(_ key: String) throws -> Decimal? {
        switch fields[key] ?? .null {
        case .null: return nil
        case .number(let value): return value
        case .text(let text):
            // Foundation says what a number is here too, but it would pass the space around it.
            guard text.utf8.allSatisfy({ $0 > 0x20 }),
                case .number(let value)? = try? JSONDecoder().decode(ReferenceValue.self, from: Data(text.utf8))
            else { throw Malformed() }
            return value
        default: throw Malformed()
        }
    }

    static func scaled(_ value: Decimal, places: Int, rounded: Bool) throws -> Int64 {
        var value = value
        var result = Decimal()
        NSDecimalRound(&result, &value, places, .bankers)
        guard rounded || result == value else { throw Malformed() }
        var raised = Decimal()
        guard NSDecimalMultiplyByPowerOf10(&raised, &result, Int16(places), .bankers) == .noError,
            raised <= Decimal(Int64.max), raised >= -Decimal(Int64.max)
        else { throw Malformed() }
        guard let integer = Int64(raised.description) else { throw Malformed() }
        return integer
    }

    func optionalMicros(_ key: String, rounded: Bool = false, negative: Bool = false) throws -> Int64? {
        guard let value = try decimal(key) else { return nil }
        let micros = try Self.scaled(value, places: 6, rounded: rounded)
        guard negative || micros >= 0 else { throw Malformed() }
        return micros
    }

    func micros(
        _ key: String,
        rounded: Bool = false,
        negative: Bool = false,
        required: Bool = false
    ) throws -> Int64 {
        if let value = try optionalMicros(key, rounded: rounded, negative: negative) { return value }
        if required { throw Malformed() }
        return 0
    }

    func integer(_ key: String) throws -> Int64? {
        guard let value = try decimal(key) else { return nil }
        return try Self.scaled(value, places: 0, rounded: false)
    }

    func id<Number: FixedWidthInteger>(_ key: String) throws -> Number {
        let value = try integer(key) ?? 0
        guard value >= 0, let number = Number(exactly: value) else { throw Malformed() }
        return number
    }

    func time(_ key: String) throws -> Instant {
        guard let value = try integer(key), value > 0 else { throw Malformed() }
        let digits = String(value).count
        let scale: Int64 = digits >= 18 ? 1 : digits >= 15 ? 1_000 : digits >= 12 ? 1_000_000 : 1_000_000_000
        let (nanos, isOver) = value.multipliedReportingOverflow(by: scale)
        guard !isOver else { throw Malformed() }
        return Instant(nanos: nanos)
    }

    func text(_ key: String) throws -> String? {
        switch fields[key] ?? .null {
        case .null: nil
        case .text(let text): text
        default: throw Malformed()
        }
    }

    func symbol(_ key: String) throws -> String {
        guard let text = try text(key), Instrument(text) != nil else { throw Malformed() }
        return text
    }

    func hash(_ key: String) throws -> UInt64 {
        let text: String
        switch fields[key] ?? .null {
        case .null: return 0
        case .text(let value): text = value
        case .number: return Self.unknownHash
        default: throw Malformed()
        }
        return text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }

    func conditions(_ key: String) throws -> Conditions {
        var conditions = Conditions()
        switch fields[key] ?? .null {
        case .null: return conditions
        case .array(let elements):
            for element in elements {
                guard case .number(let value) = element,
                    conditions.insert(try Self.scaled(value, places: 0, rounded: false))
                else { throw Malformed() }
            }
            return conditions
        default: throw Malformed()
        }
    }
}
