import FeedProtocols
import Foundation
import MarketData
import Primitives
import Testing

/// Rewrites frames at random from a seed: the meaning kept (order, space, escapes, number forms) or not (cuts, flips).
private struct Mutator {
    var random: SeededGenerator

    mutating func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

    /// A field as text, to be written in any form.
    typealias Field = (key: String, value: String)

    static let events: [[Field]] = [
        [
            ("ev", #""T""#), ("sym", #""SPY""#), ("x", "4"), ("i", #""52983525""#), ("z", "2"), ("p", "672.415"),
            ("s", "100"), ("ds", #""100.0""#), ("c", "[14,41]"), ("t", "1764086400123"), ("q", "3681328"),
            ("trfi", "202"), ("trft", "1764086400120"),
        ],
        [
            ("ev", #""Q""#), ("sym", #""O:SPY251219C00650000""#), ("bx", "302"), ("bp", "1.53"), ("bs", "17"),
            ("ax", "316"), ("ap", "1.55"), ("as", "24"), ("t", "1764086400351"), ("q", "844090872"),
        ],
        [
            ("ev", #""Q""#), ("sym", #""BRK.B""#), ("bx", "11"), ("bp", "672.41"), ("bs", "400"), ("ax", "12"),
            ("ap", "672.4205"), ("as", "1200"), ("c", "0"), ("i", "[604]"), ("t", "1764086400125"), ("q", "50385480"),
            ("z", "2"),
        ],
        [
            ("ev", #""AM""#), ("sym", #""SPY""#), ("v", "4110"), ("dv", #""4110.5""#), ("av", "94701570"),
            ("dav", #""9470157.125""#), ("op", "671.1"), ("vw", "672.4012345678"), ("o", "672.39"), ("c", "672.42"),
            ("h", "672.5"), ("l", "672.3"), ("a", "671.93"), ("z", "68"), ("s", "1764086400000"),
            ("e", "1764086460000"),
        ],
        [
            ("ev", #""LULD""#), ("T", #""MSFT""#), ("h", "518.96"), ("l", "498.11"), ("i", "[21]"), ("z", "3"),
            ("t", "1764086446310003385"), ("q", "290317"),
        ],
        [
            ("ev", #""NOI""#), ("T", #""IBM""#), ("t", "1764086446310003385"), ("at", "1600"), ("a", #""C""#),
            ("i", "44"), ("x", "10"), ("o", "-48000"), ("p", "440000"), ("b", "225.03"),
        ],
        [("ev", #""V""#), ("val", "6723.55"), ("T", #""I:SPX""#), ("t", "1764086400130")],
        [("ev", #""FMV""#), ("fmv", "1.23456789"), ("sym", #""SPY""#), ("t", "1764086400130")],
        [("ev", #""status""#), ("status", #""success""#), ("message", #""subscribed to: T.SPY""#)],
        [("ev", #""ZZ""#), ("unknown", #"{"a":[1,2,{"b":null}]}"#)],
    ]

    static let replacements = [
        "null", "true", "\"\"", "\"x\"", "-1", "0", "0.0", "1e40", "1E-3", "0.0000001",
        "123456789012345678901234",
        "9223372036854775807", "[]", "[1,2,3,4,5,6,7,8,9]", "{}", "1.5", "1764086400", "1764086400123456", "255", "256",
        "65535", "65536", "12.0", "\"12.50\"", "99999999", "9999999.999999", "1234567.1234567", "[1.0,2e1]", "[300,-4]",
    ]

    mutating func frame() -> [UInt8] {
        var elements: [String] = []
        for _ in 0...below(4) { elements.append(element()) }
        let text = "[" + elements.joined(separator: space() + "," + space()) + space() + "]"
        return Array((space() + text + space()).utf8)
    }

    private mutating func element() -> String {
        var fields = Self.events[below(Self.events.count)]
        if below(4) == 0 { fields.shuffle(using: &random) }
        if below(4) == 0 {
            let extra = ["null", "7", #"{"a":[1,{"b":"}]"}]}"#, #""\ud83d\ude00 é""#, "[[],{}]", "1e5"]
            fields.insert(("new", extra[below(extra.count)]), at: below(fields.count + 1))
        }
        if below(6) == 0 { fields.remove(at: below(fields.count)) }
        if below(3) == 0 { fields[below(fields.count)].value = Self.replacements[below(Self.replacements.count)] }
        let isPlain = below(3) == 0
        let body = fields.map { isPlain ? "\"\($0.key)\":\($0.value)" : dressed($0) }
        return "{" + body.joined(separator: ",") + "}"
    }

    private mutating func dressed(_ field: Field) -> String {
        var key = field.key
        if below(20) == 0 { key = escaped(key) }
        var value = field.value
        if value.hasPrefix("\""), below(10) == 0, !value.contains("\\") {
            value = "\"" + escaped(String(value.dropFirst().dropLast())) + "\""
        } else if value.first?.isNumber == true, !value.contains("e") && !value.contains("E"), below(6) == 0 {
            value = renumbered(value)
        }
        return space() + "\"\(key)\"" + space() + ":" + space() + value + space()
    }

    /// The same text with some of its characters as escapes.
    private mutating func escaped(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            guard below(2) == 0, scalar.value < 0x80 else { return String(scalar) }
            let hex = String(scalar.value, radix: 16, uppercase: below(2) == 0)
            return "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        }.joined()
    }

    /// The same number in another form.
    private mutating func renumbered(_ text: String) -> String {
        switch below(4) {
        case 0: return "\"\(text)\""
        case 1: return text.contains(".") ? text + "00" : text + ".0"
        case 2: return text + "e0"
        default:
            let places = below(4) + 1
            return text.contains(".") ? text + "E+0" : text + String(repeating: "0", count: places) + "e-\(places)"
        }
    }

    private mutating func space() -> String {
        below(12) == 0 ? [" ", "\n", "\t", "\r\n", "  "][below(5)] : ""
    }

    /// Damages bytes: cut, flip, delete, double a stretch.
    mutating func damage(_ frame: inout [UInt8]) {
        guard !frame.isEmpty else { return }
        let index = below(frame.count)
        switch below(5) {
        case 0: frame.removeSubrange(index...)
        case 1: frame[index] ^= UInt8(1 << below(8))
        case 2: frame[index] = UInt8(truncatingIfNeeded: random.next())
        case 3: frame.removeSubrange(index..<min(frame.count, index + 1 + below(6)))
        default:
            let stretch = frame[index..<min(frame.count, index + 1 + below(40))]
            frame.insert(contentsOf: stretch, at: below(frame.count + 1))
        }
    }
}

@Suite struct MutationTests {
    static let rounds = LongRuns.rounds("mutations of frames", 800, long: 6_000)

    @Test(arguments: [1, 2] as [UInt64])
    func aFrameInAnyFormEqualsFoundation(seed: UInt64) {
        var mutator = Mutator(random: SeededGenerator(seed: seed))
        var fast = DecoderBench()
        var slow = DecoderBench(usesFastPath: false)
        for round in 0..<Self.rounds {
            let frame = mutator.frame()
            compare(frame, &fast, &slow, "seed \(seed) round \(round)")
        }
    }

    @Test(arguments: [3, 4] as [UInt64])
    func aDamagedFrameEqualsFoundationOrIsCounted(seed: UInt64) {
        var mutator = Mutator(random: SeededGenerator(seed: seed))
        var fast = DecoderBench()
        var slow = DecoderBench(usesFastPath: false)
        for round in 0..<Self.rounds {
            var frame = mutator.frame()
            for _ in 0...mutator.below(3) { mutator.damage(&frame) }
            compare(frame, &fast, &slow, "seed \(seed) round \(round)")
        }
    }

    /// Holds both paths against each other and against Foundation.
    private func compare(
        _ frame: [UInt8],
        _ fast: inout DecoderBench,
        _ slow: inout DecoderBench,
        _ place: @autoclosure () -> String
    ) {
        let before = fast.decoder.counters
        let decoded = fast.decode(frame)
        let general = slow.decode(frame)
        let after = fast.decoder.counters
        var text: String { "\(place()): \(String(decoding: frame, as: UTF8.self).debugDescription)" }
        let malformed = after.malformed - before.malformed
        let broken = after.brokenFrames - before.brokenFrames

        let isSame =
            decoded.count == general.count
            && zip(decoded, general).allSatisfy { $0.event == $1.event && $0.symbol == $1.symbol }
            && fast.batch.statuses == slow.batch.statuses && after.malformed == slow.decoder.counters.malformed
            && after.unknown == slow.decoder.counters.unknown
            && after.brokenFrames == slow.decoder.counters.brokenFrames
        if !isSame { Issue.record("fast and general differ, \(text)") }

        guard let reference = ReferenceDecoder.decode(frame) else {
            // Where Foundation refuses the whole, something was counted; what stood whole before it may be taken.
            if malformed + broken == 0, !Self.hasHugeExponent(frame) {
                Issue.record("Foundation refuses, nothing counted, \(text)")
            }
            return
        }
        // Foundation's decoder keeps the first of equal keys, the wire's readers the last: golden tests have these.
        if JSONKeys.hasEqual(frame) { return }
        // And it passes a trailing comma, which JSON doesn't: that is malformed here.
        if malformed + broken > 0, Self.matches(frame, ",\\s*[\\]}]") { return }
        if !Self.agrees(reference, decoded, fast.batch.statuses, after.unknown - before.unknown, malformed), broken == 0
        {
            Issue.record("differs from Foundation, \(text)\n\(reference)\n\(decoded)")
        }
        if broken != 0 { Issue.record("broken for us, not for Foundation, \(text)") }
    }

    /// Whether a number is beyond what Foundation's Decimal holds, which it takes for bad JSON and we don't.
    private static func hasHugeExponent(_ frame: [UInt8]) -> Bool {
        matches(frame, "[eE][+-]?[0-9]{3,}")
    }

    private static func matches(_ frame: [UInt8], _ pattern: String) -> Bool {
        String(decoding: frame, as: UTF8.self).range(of: pattern, options: .regularExpression) != nil
    }

    /// Equal, but for the hash of an id that came as a number: Foundation doesn't keep its digits as written.
    private static func isSame(_ event: MarketEvent, _ reference: MarketEvent) -> Bool {
        guard case .trade(var trade) = event, case .trade(let other) = reference,
            other.idHash == ReferenceReader.unknownHash
        else { return event == reference }
        trade.idHash = ReferenceReader.unknownHash
        return trade == other
    }

    private static func agrees(
        _ reference: [ReferenceOutcome],
        _ decoded: [(event: MarketEvent, symbol: String)],
        _ statuses: [ProviderStatus],
        _ unknown: UInt64,
        _ malformed: UInt64
    ) -> Bool {
        var events = decoded[...]
        var statuses = statuses[...]
        var unknown = unknown
        var malformed = malformed
        for outcome in reference {
            switch outcome {
            case .event(let event, let symbol):
                guard let next = events.popFirst(), isSame(next.event, event), next.symbol == symbol else {
                    return false
                }
            case .status(let status): guard statuses.popFirst() == status else { return false }
            case .unknown:
                guard unknown > 0 else { return false }
                unknown -= 1
            case .malformed:
                guard malformed > 0 else { return false }
                malformed -= 1
            }
        }
        return events.isEmpty && statuses.isEmpty && unknown == 0 && malformed == 0
    }
}
