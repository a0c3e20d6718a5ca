import MarketData
import Primitives
import Testing
import Wire

@testable import Simulation

@Suite struct PolygonEncoderTests {
    /// Every object that a mood makes of some seconds of market.
    static func objects(_ moods: MoodSet = MoodSet(), seconds: Int64 = 20) throws -> [(JSONValue, String)] {
        let (model, events) = Sample.run(Sample.options(), seconds: seconds)
        var encoder = PolygonEncoder(instruments: model.instruments)
        encoder.moods = moods
        return try events.flatMap { event -> [(JSONValue, String)] in
            var out: [UInt8] = []
            encoder.append(event, to: &out)
            let text = String(decoding: out, as: UTF8.self)
            guard !out.isEmpty else { return [] }
            return try JSONParser.parse(Array("[\(text)]".utf8)).array?.map { ($0, text) } ?? []
        }
    }

    @Test func everyObjectIsJSONWithItsFields() throws {
        var kinds: [String: Int] = [:]
        for (object, text) in try Self.objects(seconds: 65) {
            let kind = object["ev"]?.string ?? "?"
            kinds[kind, default: 0] += 1
            switch kind {
            case "Q":
                #expect(object["sym"]?.string != nil && object["t"]?.integer != nil && object["q"]?.integer != nil)
                #expect(object["ap"]?.micros != nil, "\(text)")
            case "T":
                #expect(object["p"]?.micros != nil && object["s"]?.integer != nil && object["x"]?.integer != nil)
                if object["ds"] != nil {
                    let exact = DecimalText.micros((object["ds"]?.string ?? "").utf8) ?? -1
                    #expect(exact / 1_000_000 == object["s"]?.integer)
                }
            case "A", "AM":
                #expect(object["e"]?.integer == (object["s"]?.integer ?? 0) + (kind == "A" ? 1_000 : 60_000))
                #expect((object["h"]?.micros ?? 0) >= (object["l"]?.micros ?? 1))
            case "V": #expect(object["T"]?.string?.hasPrefix("I:") ?? false)
            case "LULD": #expect(String(object["t"]?.integer ?? 0).count == 19)
            default: Issue.record("\(text)")
            }
        }
        #expect(Set(kinds.keys) == ["Q", "T", "A", "AM", "V", "LULD"])
    }

    @Test func bytesAreAFunctionOfTheSeed() throws {
        let (a, b) = (try Self.objects(), try Self.objects())
        #expect(a.map(\.1) == b.map(\.1))
    }

    @Test func moodsChangeFormsAndNotMeanings() throws {
        let plain = try Self.objects()
        let forms = try Self.objects(MoodSet(.numberForms))
        #expect(plain.count == forms.count)
        var (texts, exponents, doubles) = (0, 0, 0)
        for (a, b) in zip(plain, forms) {
            guard case .object(let members) = a.0 else { continue }
            for member in members {
                let other = b.0[member.key]
                if case .number(let text) = member.value {
                    switch other {
                    case .string(let quoted): texts += 1; #expect(quoted == text)
                    case .number(let form):
                        if form.contains("e") || form.contains("E") {
                            exponents += 1
                        } else if form != text {
                            doubles += 1
                        }
                        #expect(DecimalText.micros(form.utf8) == DecimalText.micros(text.utf8))
                    default: Issue.record("\(member.key) of \(b.1)")
                    }
                } else {
                    #expect(other == member.value)
                }
            }
        }
        #expect(texts > 100 && exponents > 100 && doubles > 100)
    }

    @Test func duplicatesAndBackwardNumbers() throws {
        let plain = try Self.objects()
        let twice = try Self.objects(MoodSet(.duplicates))
        #expect(twice.count > plain.count)
        var last: [String: Int64] = [:]
        var backward = 0
        for (object, _) in try Self.objects(MoodSet(.backward)) where object["ev"]?.string == "Q" {
            let symbol = object["sym"]?.string ?? ""
            let sequence = object["q"]?.integer ?? 0
            if sequence < last[symbol, default: 0] { backward += 1 }
            last[symbol] = max(sequence, last[symbol, default: 0])
        }
        #expect(backward > 10)
    }

    @Test func strangeThingsInGoodFrames() throws {
        #expect(try Self.objects(MoodSet(.unknownEvents)).contains { $0.0["ev"]?.string == "ZZ" })
        #expect(try Self.objects(MoodSet(.malformedElements)).contains { $0.0["p"]?.string == "n/a" })
        let empty = try Self.objects(MoodSet(.emptyStrings))
        #expect(
            empty.contains { object, _ in
                guard case .object(let members) = object else { return false }
                return members.contains { $0.value == .string("") }
            }
        )
    }
}
