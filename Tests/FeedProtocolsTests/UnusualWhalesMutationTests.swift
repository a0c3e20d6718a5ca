import FeedProtocols
import Foundation
import MarketData
import Primitives
import Testing

/// A second decoder of the three channels that become events, written from feeds.md 3 over Foundation's JSON.
private struct Reference {
    struct Malformed: Error {}

    enum Outcome {
        case event(MarketEvent, String)
        case malformed
        case acknowledgement
    }

    let fields: [String: ReferenceValue]

    /// Whether a number beyond what Foundation's Decimal holds was met.
    static func decode(_ frame: [UInt8]) -> (channel: String, outcomes: [Outcome])? {
        guard let value = try? JSONDecoder().decode(ReferenceValue.self, from: Data(frame)),
            case .array(let parts) = value, parts.count >= 2, case .text(let channel) = parts[0]
        else { return nil }
        switch parts[1] {
        case .array(let elements): return (channel, elements.map { outcome($0, channel) })
        default: return (channel, [outcome(parts[1], channel)])
        }
    }

    private static func outcome(_ value: ReferenceValue, _ channel: String) -> Outcome {
        guard case .object(let fields) = value else { return .malformed }
        if case .text? = fields["status"], fields["response"] != nil { return .acknowledgement }
        let reference = Reference(fields: fields)
        let made = channel == "flow-alerts" ? try? reference.alert() : try? reference.trade()
        return made.map { .event($0.0, $0.1) } ?? .malformed
    }

    private func trade() throws -> (MarketEvent, String) {
        let price = try required(micros("price", isExact: true))
        guard price > 0 else { throw Malformed() }
        var conditions = Conditions()
        for flag in try texts("report_flags") {
            guard conditions.insert(flag == "canc" ? 201 : 255) else { throw Malformed() }
        }
        if let code = try text("trade_code") { _ = conditions.insert(code == "auto" ? 209 : 255) }
        let trade = Trade(
            symbol: SymbolID(index: 0),
            exchange: try text("exchange") == "XCBO" ? 302 : 0,
            time: try required(time("executed_at")),
            price: Price(micros: price),
            size: Size(micros: try required(micros("size", isExact: true))),
            conditions: conditions,
            idHash: try hash("id")
        )
        return (.trade(trade), try contract("option_symbol"))
    }

    private func alert() throws -> (MarketEvent, String) {
        func price(_ key: String) throws -> Price? {
            guard let micros = try micros(key) else { return nil }
            guard micros <= FlowAlert.priceMax.micros else { throw Malformed() }
            return Price(micros: micros)
        }
        func count(_ key: String) throws -> UInt32? {
            guard let value = try decimal(key) else { return nil }
            let count = try ReferenceReader.scaled(value, places: 0, rounded: false)
            guard (0...Int64(FlowAlert.countMax)).contains(count) else { throw Malformed() }
            return UInt32(count)
        }
        func flag(_ key: String) throws -> Bool {
            switch fields[key] ?? .null {
            case .null: return false
            case .bool(let value): return value
            case .text("true"): return true
            case .text("false"), .text(""): return false
            case .text, .number:
                guard let value = try decimal(key), value == 1 || value == 0 else { throw Malformed() }
                return value == 1
            default: throw Malformed()
            }
        }
        var flags: FlowAlert.Flags = []
        if try flag("has_sweep") { flags.insert(.sweep) }
        if try flag("has_floor") { flags.insert(.floor) }
        if try flag("has_multileg") { flags.insert(.multiLeg) }
        if try flag("has_singleleg") { flags.insert(.singleLeg) }
        if try flag("all_opening_trades") { flags.insert(.allOpening) }
        let timeKey = ["executed_at", "end_time", "created_at", "start_time"].first { !isAbsent($0) } ?? "executed_at"
        let alert = FlowAlert(
            symbol: SymbolID(index: 0),
            time: try required(time(timeKey)),
            start: try time("start_time"),
            idHash: try hash("id"),
            price: try required(price("price")),
            bid: try price("bid") ?? .zero,
            ask: try price("ask") ?? .zero,
            underlyingPrice: try price("underlying_price") ?? .zero,
            size: try required(count("total_size")),
            volume: try count("volume") ?? 0,
            openInterest: try count("open_interest") ?? 0,
            totalPremium: try required(micros("total_premium")),
            askPremium: try required(micros("total_ask_side_prem")),
            bidPremium: try required(micros("total_bid_side_prem")),
            flags: flags
        )
        return (.flowAlert(alert), try contract("option_chain"))
    }

    private func isAbsent(_ key: String) -> Bool {
        switch fields[key] ?? .null {
        case .null: true
        case .text(let text): text.isEmpty
        default: false
        }
    }

    private func required<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw Malformed() }
        return value
    }

    private func decimal(_ key: String) throws -> Decimal? {
        isAbsent(key) ? nil : try ReferenceReader(fields: fields).decimal(key)
    }

    private func micros(_ key: String, isExact: Bool = false) throws -> Int64? {
        guard let value = try decimal(key) else { return nil }
        let micros = try ReferenceReader.scaled(value, places: 6, rounded: !isExact)
        guard micros >= 0 else { throw Malformed() }
        return micros
    }

    private func time(_ key: String) throws -> Instant? {
        if isAbsent(key) { return nil }
        if case .text(let text)? = fields[key], let date = ISO8601DateFormatter().date(from: text) {
            return Instant(millis: Int64(date.timeIntervalSince1970) * 1_000)
        }
        return try ReferenceReader(fields: fields).time(key)
    }

    private func text(_ key: String) throws -> String? {
        isAbsent(key) ? nil : try ReferenceReader(fields: fields).text(key)
    }

    private func texts(_ key: String) throws -> [String] {
        if isAbsent(key) { return [] }
        guard case .array(let elements)? = fields[key] else { throw Malformed() }
        return elements.compactMap { if case .text(let text) = $0 { text } else { nil } }
    }

    private func hash(_ key: String) throws -> UInt64 {
        isAbsent(key) ? 0 : try ReferenceReader(fields: fields).hash(key)
    }

    private func contract(_ key: String) throws -> String {
        guard let text = try text(key) else { throw Malformed() }
        let symbol = text.hasPrefix("O:") ? text : "O:" + text
        guard Instrument(symbol) != nil else { throw Malformed() }
        return symbol
    }
}

@Suite struct UnusualWhalesMutationTests {
    static let objects = [UnusualWhalesExamples.trade, UnusualWhalesExamples.alert].map { frame in
        FieldMutator.fields(String(frame.drop { $0 != "," }.dropFirst().dropLast()))
    }

    private static let rounds = LongRuns.rounds("mutations of flow frames", 250, long: 2_000)

    private static func frame(_ mutator: inout FieldMutator) -> [UInt8] {
        let choice = mutator.below(2)
        let count = 1 + mutator.below(3)
        let body = (0..<count).map { _ in mutator.object(objects[choice]) }
        let payload = count == 1 && mutator.below(2) == 0 ? body[0] : "[" + body.joined(separator: ",") + "]"
        let channel = choice == 0 ? ["option_trades", "option_trades:SPY"][mutator.below(2)] : "flow-alerts"
        return Array("\(mutator.space())[\"\(channel)\"\(mutator.space()),\(payload)\(mutator.space())]".utf8)
    }

    @Test(arguments: [1, 2] as [UInt64])
    func aFrameInAnyFormEqualsFoundation(seed: UInt64) {
        var mutator = FieldMutator(seed: seed)
        var bench = UnusualWhalesBench()
        for round in 0..<Self.rounds {
            compare(Self.frame(&mutator), &bench, "seed \(seed) round \(round)")
        }
    }

    @Test(arguments: [3, 4] as [UInt64])
    func aDamagedFrameEqualsFoundationOrIsCounted(seed: UInt64) {
        var mutator = FieldMutator(seed: seed)
        var bench = UnusualWhalesBench()
        for round in 0..<Self.rounds {
            var frame = Self.frame(&mutator)
            for _ in 0...mutator.below(3) { mutator.damage(&frame) }
            compare(frame, &bench, "seed \(seed) round \(round)")
        }
    }

    /// Every example cut at every byte: nothing traps, and nothing that was cut is an event.
    @Test func cutAnywhereNothingTraps() {
        typealias Examples = UnusualWhalesExamples
        for example in [
            Examples.trade, Examples.alert, Examples.price, Examples.news, Examples.gex, Examples.offLit,
            Examples.strike, Examples.halt, Examples.acknowledgement,
        ] {
            let frame = Array(example.utf8)
            var bench = UnusualWhalesBench()
            for end in 0..<(frame.count - 1) {
                #expect(bench.decode(Array(frame[..<end])).isEmpty)
                frame[..<end].withUnsafeBytes { _ = UnusualWhalesDecoder.records($0) }
            }
            let counters = bench.decoder.counters
            #expect(Int(counters.brokenFrames + counters.malformed) >= frame.count - 1)
        }
    }

    private func compare(_ frame: [UInt8], _ bench: inout UnusualWhalesBench, _ place: String) {
        let before = bench.decoder.counters
        let decoded = bench.decode(frame)
        let after = bench.decoder.counters
        let malformed = after.malformed - before.malformed
        let broken = after.brokenFrames - before.brokenFrames
        let unknown = after.unknown - before.unknown
        let acknowledged = after.acknowledgements - before.acknowledgements
        let json = String(decoding: frame, as: UTF8.self)
        var text: String { "\(place): \(json.debugDescription)" }
        guard let (channel, outcomes) = Reference.decode(frame) else {
            let isHuge = json.range(of: "[eE][+-]?[0-9]{3,}", options: .regularExpression) != nil
            if malformed + broken + unknown == 0, !isHuge {
                Issue.record("Foundation refuses, nothing counted, \(text)")
            }
            return
        }
        guard ["option_trades", "option_trades:SPY", "flow-alerts"].contains(channel) else { return }
        if JSONKeys.hasEqual(frame) || json.range(of: ",[\\s]*[\\]}]", options: .regularExpression) != nil { return }
        var events = decoded[...]
        var malformedLeft = malformed
        var acknowledgedLeft = acknowledged
        var isSame = broken == 0
        for outcome in outcomes {
            switch outcome {
            case .event(let event, let symbol):
                let next = events.popFirst()
                if next?.symbol != symbol || !Self.isSame(next?.event, event) { isSame = false }
            case .malformed: if malformedLeft > 0 { malformedLeft -= 1 } else { isSame = false }
            case .acknowledgement: if acknowledgedLeft > 0 { acknowledgedLeft -= 1 } else { isSame = false }
            }
        }
        if !isSame || !events.isEmpty || malformedLeft > 0 || acknowledgedLeft > 0 {
            Issue.record("differs from Foundation, \(text)\n\(outcomes)\n\(decoded) \(malformed) \(broken)")
        }
    }

    /// Equal, but for the hash of an id that came as a number, whose digits Foundation doesn't keep.
    private static func isSame(_ event: MarketEvent?, _ reference: MarketEvent) -> Bool {
        switch (event, reference) {
        case (.trade(var trade)?, .trade(let other)) where other.idHash == ReferenceReader.unknownHash:
            trade.idHash = other.idHash
            return trade == other
        case (.flowAlert(var alert)?, .flowAlert(let other)) where other.idHash == ReferenceReader.unknownHash:
            alert.idHash = other.idHash
            return alert == other
        default: return event == reference
        }
    }
}

/// Foundation keeps the first of equal keys, the wire's readers the last: such frames are told apart.
enum JSONKeys {
    /// Whether some object of a well-formed text has a key twice.
    static func hasEqual(_ frame: [UInt8]) -> Bool {
        var keys: [Set<String>] = []
        var index = 0
        while index < frame.count {
            switch frame[index] {
            case UInt8(ascii: "{"), UInt8(ascii: "["): keys.append([])
            case UInt8(ascii: "}"), UInt8(ascii: "]"): keys.removeLast()
            case UInt8(ascii: "\""):
                let start = index
                index += 1
                while frame[index] != UInt8(ascii: "\"") { index += frame[index] == UInt8(ascii: "\\") ? 2 : 1 }
                var next = index + 1
                while next < frame.count, frame[next] <= 0x20 { next += 1 }
                if next < frame.count, frame[next] == UInt8(ascii: ":") {
                    guard let key = text(frame[start...index]),
                        keys[keys.count - 1].insert(key).inserted
                    else { return true }
                }
            default: break
            }
            index += 1
        }
        return false
    }

    /// What a quoted text says; Foundation is slow and asked only where there are escapes.
    private static func text(_ quoted: ArraySlice<UInt8>) -> String? {
        guard quoted.contains(UInt8(ascii: "\\")) else {
            return String(decoding: quoted.dropFirst().dropLast(), as: UTF8.self)
        }
        return try? JSONDecoder().decode(String.self, from: Data(quoted))
    }
}
