import FeedProtocols
import Foundation
import MarketData
import Primitives
import Testing

/// A second reading of the events that stand for themselves, written from feeds.md 4.3 over Foundation's JSON.
private struct Reference {
    struct Malformed: Error {}

    let fields: [String: ReferenceValue]

    /// The market event of a frame with one object; nil where it makes none, and throws where it is malformed.
    func event(_ ev: String, tb: Int64) throws -> (MarketEvent, String)? {
        guard case .text(let text)? = fields["k"], !text.isEmpty else { throw Malformed() }
        let bridgeTime = Instant(nanos: tb * 1_000)
        let made: MarketEvent? =
            switch ev {
            case "t": try trade(bridgeTime)
            case "b5": try bar()
            default: try snapshot(bridgeTime)
            }
        guard let key = BridgeKey(text), let symbol = key.symbol, let made else { return nil }
        return (made, symbol)
    }

    private func trade(_ bridgeTime: Instant) throws -> MarketEvent? {
        guard let price = try micros("p") else { throw Malformed() }
        let size = try micros("s") ?? 0
        let seconds = try integer("ti") ?? 0
        guard size >= 0, seconds >= 0, seconds <= 9_000_000_000 else { throw Malformed() }
        guard price > 0 else { return nil }
        return .trade(
            Trade(
                symbol: SymbolID(index: 0),
                time: seconds == 0 ? bridgeTime : Instant(millis: seconds * 1_000),
                price: Price(micros: price),
                size: Size(micros: try exactMicros("s") ?? size)
            )
        )
    }

    private func bar() throws -> MarketEvent? {
        let prices = try ["o", "h", "lo", "c"].map { key in
            guard let micros = try micros(key), micros > 0 else { throw Malformed() }
            return Price(micros: micros)
        }
        guard let start = try integer("t0"), (1...9_000_000_000).contains(start) else { throw Malformed() }
        let volume = max(0, try micros("v") ?? 0)
        let vwap = max(0, try micros("vw") ?? 0)
        guard try text("what") == "TRADES" || isAbsent("what") else { return nil }
        return .bar(
            Bar(
                symbol: SymbolID(index: 0),
                seconds: 5,
                start: Instant(millis: start * 1_000),
                open: prices[0],
                high: prices[1],
                low: prices[2],
                close: prices[3],
                volume: Size(micros: volume),
                vwap: Price(micros: vwap)
            )
        )
    }

    private func snapshot(_ bridgeTime: Instant) throws -> MarketEvent? {
        let (bid, ask, bidSize, askSize) = (try micros("b"), try micros("a"), try micros("bs"), try micros("as"))
        _ = try micros("l")
        let age = try integer("age_ms") ?? 0
        let dataType = try integer("mdt") ?? 1
        let halt = try integer("hlt")
        guard (0...86_400_000).contains(age), (0...16).contains(dataType), (-1...16).contains(halt ?? 0) else {
            throw Malformed()
        }
        guard dataType == 1 else { return nil }
        // Null says that a size is none, absence says nothing.
        func isEmpty(_ price: Int64?, _ size: Int64?) -> Bool { (price ?? 0) <= 0 || (size ?? 1) <= 0 }
        let sizes = (Self.isNull(fields["bs"]) ? 0 : bidSize, Self.isNull(fields["as"]) ? 0 : askSize)
        let (noBid, noAsk) = (isEmpty(bid, sizes.0), isEmpty(ask, sizes.1))
        return .quote(
            Quote(
                symbol: SymbolID(index: 0),
                time: bridgeTime.advanced(byNanos: -age * 1_000_000),
                bid: Price(micros: noBid ? 0 : bid ?? 0),
                ask: Price(micros: noAsk ? 0 : ask ?? 0),
                bidSize: Size(micros: noBid ? 0 : sizes.0 ?? 0),
                askSize: Size(micros: noAsk ? 0 : sizes.1 ?? 0)
            )
        )
    }

    private static func isNull(_ value: ReferenceValue?) -> Bool { if case .null? = value { true } else { false } }

    private func isAbsent(_ key: String) -> Bool {
        switch fields[key] ?? .null {
        case .null: true
        case .text(let text): text.isEmpty
        default: false
        }
    }

    private func text(_ key: String) throws -> String? {
        isAbsent(key) ? nil : try ReferenceReader(fields: fields).text(key)
    }

    private func decimal(_ key: String) throws -> Decimal? {
        isAbsent(key) ? nil : try ReferenceReader(fields: fields).decimal(key)
    }

    private func micros(_ key: String) throws -> Int64? {
        try decimal(key).map { try ReferenceReader.scaled($0, places: 6, rounded: true) }
    }

    /// What was traded is exact or refused.
    private func exactMicros(_ key: String) throws -> Int64? {
        try decimal(key).map { try ReferenceReader.scaled($0, places: 6, rounded: false) }
    }

    private func integer(_ key: String) throws -> Int64? {
        try decimal(key).map { try ReferenceReader.scaled($0, places: 0, rounded: false) }
    }
}

@Suite struct BridgeMutationTests {
    private static let events: [(ev: String, fields: [FieldMutator.Field])] = [
        ("t", FieldMutator.fields(#"{"k":"STK:SPY:SMART:USD","p":672.42,"s":200,"ti":1764086400}"#)),
        (
            "b5",
            FieldMutator.fields(
                #"{"k":"STK:SPY:SMART:USD","t0":1764086400,"o":672.41,"h":672.45,"lo":672.4,"c":672.44,"v":51230,"vw":672.4271,"ct":412,"what":"TRADES"}"#
            )
        ),
        (
            "snap",
            FieldMutator.fields(
                #"{"k":"STK:SPY:SMART:USD","b":672.41,"a":672.42,"bs":400,"as":1200,"l":672.415,"ls":100,"v":40211345,"o":671.1,"h":673.0,"lo":670.2,"c":669.8,"mdt":1,"age_ms":40}"#
            )
        ),
    ]

    @Test(arguments: [1, 2] as [UInt64])
    func anEventInAnyFormEqualsFoundation(seed: UInt64) throws {
        var mutator = FieldMutator(seed: seed)
        for round in 0..<800 {
            let (ev, fields) = Self.events[mutator.below(Self.events.count)]
            let body = mutator.object(fields)
            let rest = body.dropFirst() == "}" ? "}" : "," + body.dropFirst()
            let frame = "[{\"ev\":\"\(ev)\",\"n\":1,\"tb\":1764086400105000\(rest)]"
            var bench = BridgeBench()
            let decoded = bench.decode(frame)
            let malformed = bench.decoder.counters.malformed
            let place = "seed \(seed) round \(round): \(frame)"
            guard let value = try? JSONDecoder().decode(ReferenceValue.self, from: Data(frame.utf8)),
                case .array(let elements) = value, case .object(let object)? = elements.first
            else {
                // Foundation's Decimal holds no exponent beyond 127.
                if malformed == 0, frame.range(of: "[eE][+-]?[0-9]{3,}", options: .regularExpression) == nil {
                    Issue.record("Foundation refuses, nothing counted, \(place)")
                }
                continue
            }
            if JSONKeys.hasEqual(Array(frame.utf8)) { continue }
            do {
                let expected = try Reference(fields: object).event(ev, tb: 1_764_086_400_105_000)
                let found = decoded.first { if case .halt = $0.event { false } else { true } }
                if malformed != 0 || found?.event != expected?.0 || found?.symbol != expected?.1 {
                    Issue.record("differs from Foundation, \(place)\n\(String(describing: expected))\n\(decoded)")
                }
            } catch {
                if malformed != 1 || !decoded.isEmpty { Issue.record("malformed for Foundation only, \(place)") }
            }
        }
    }

    /// Damaged frames of all kinds, one after the other into one decoder: nothing traps, and what is lost is counted.
    @Test(arguments: [3, 4] as [UInt64])
    func damagedFramesNeverTrap(seed: UInt64) {
        var mutator = FieldMutator(seed: seed)
        var bench = BridgeBench()
        for _ in 0..<2_000 {
            var frame = Array(BridgeExamples.all[mutator.below(BridgeExamples.all.count)].utf8)
            for _ in 0..<mutator.below(3) { mutator.damage(&frame) }
            for decoded in bench.decode(frame) {
                if case .quote(let quote) = decoded.event {
                    #expect(quote.bid.micros >= 0 && quote.askSize.micros >= 0, "seed \(seed)")
                }
            }
        }
        let counters = bench.decoder.counters
        #expect(counters.frames == 2_000 && counters.brokenFrames > 0 && counters.malformed > 0 && counters.holes > 0)
    }

    @Test func cutAnywhereNothingIsTakenForWhole() {
        for example in BridgeExamples.all {
            let frame = Array(example.utf8)
            for end in 0..<frame.count {
                var bench = BridgeBench()
                _ = bench.decode(Array(frame[..<end]))
                #expect(bench.decoder.counters.brokenFrames == 1)
            }
        }
    }
}
