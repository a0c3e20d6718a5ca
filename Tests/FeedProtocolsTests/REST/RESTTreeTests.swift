import FeedProtocols
import Foundation
import Primitives
import Testing

@Suite struct RESTTreeTests {
    /// The same tree by Foundation, numbers as decimals of their own text.
    private func reference(_ value: Any) throws -> RESTTree {
        switch value {
        case is NSNull: return .null
        case let number as NSNumber where CFBooleanIs(number): return .bool(number.boolValue)
        case let number as NSNumber: return .number(number.stringValue)
        case let text as String: return .text(text)
        case let array as [Any]: return .array(try array.map(reference))
        case let object as [String: Any]:
            return .object(try object.sorted { $0.key < $1.key }.map { .init($0.key, try reference($0.value)) })
        default: throw Strange(value: "\(value)")
        }
    }

    private struct Strange: Error { let value: String }

    private func CFBooleanIs(_ number: NSNumber) -> Bool { String(cString: number.objCType) == "c" }

    /// Members in order of key, numbers as Foundation would print their value.
    private func ordered(_ tree: RESTTree) throws -> RESTTree {
        switch tree {
        case .object(let members):
            return .object(try members.sorted { $0.key < $1.key }.map { .init($0.key, try ordered($0.value)) })
        case .array(let values): return .array(try values.map(ordered))
        case .number(let text):
            let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
            return try reference(parsed)
        case .null, .bool, .text: return tree
        }
    }

    @Test(arguments: RESTFixtures.json) func equalsFoundation(_ text: String) throws {
        let tree = try #require(RESTTree(Array(text.utf8)))
        let foundation = try JSONSerialization.jsonObject(with: Data(text.utf8))
        #expect(try ordered(tree) == reference(foundation))
    }

    @Test func keepsNumbersAsWrittenAndTheLastOfEqualKeys() throws {
        let tree = try #require(RESTTree(Array(#" {"a":1.10,"b":[true,false,null,"x\u00e9\n"],"a":1E+2} "#.utf8)))
        #expect(tree["a"] == .number("1E+2"))
        #expect(tree["b"] == .array([.bool(true), .bool(false), .null, .text("xé\n")]))
        #expect(tree["c"] == nil)
    }

    @Test(arguments: [
        "", "{", "[1,]", #"{"a":1}x"#, #"{"a" 1}"#, "{1:2}", "nul", "01", "[1 2]", "\"\u{1}\"", "404 page not found",
        String(repeating: "[", count: 40) + String(repeating: "]", count: 40),
    ])
    func refusesWhatIsNotJSON(_ text: String) {
        #expect(RESTTree(Array(text.utf8)) == nil)
    }

    @Test func readsNumbersLeniently() throws {
        let text =
            #"{"i":12,"d":12.0,"s":"650.0000000000","e":"-1.5e3","n":null,"m":"","b":true,"f":0.1234567,"x":"a"}"#
        let row = RowReader(try #require(RESTTree(Array(text.utf8))))
        #expect(try row.price("i") == Price(micros: 12_000_000))
        #expect(try row.price("d") == Price(micros: 12_000_000))
        #expect(try row.price("s") == Price(micros: 650_000_000))
        #expect(try row.computed("e", mayBeNegative: true) == Price(micros: -1_500_000_000))
        #expect(try row.price("n") == nil)
        #expect(try row.price("m") == nil)
        #expect(try row.price("absent") == nil)
        #expect(try row.computed("f") == Price(micros: 123_457))
        #expect(throws: FieldProblem("f", .inexact)) { try row.price("f") }
        #expect(throws: FieldProblem("b", .type)) { try row.price("b") }
        #expect(throws: FieldProblem("x", .type)) { try row.price("x") }
        #expect(throws: FieldProblem("e", .range)) { try row.price("e") }
        #expect(throws: FieldProblem("d", .type)) { try row.text("d") }
        #expect(try row.statistic("f") == 0.1234567)
    }
}

@Suite struct RESTTimeTests {
    @Test func readsOffsetsAndFractions() {
        #expect(RESTTime.instant("2025-11-25T08:37:37-05:00") == Instant(millis: 1_764_077_857_000))
        #expect(RESTTime.instant("2025-11-28T18:00:00.000Z") == Instant(millis: 1_764_352_800_000))
        #expect(RESTTime.instant("2025-11-28T18:00:00.123456789999z") == Instant(nanos: 1_764_352_800_123_456_789))
        #expect(RESTTime.instant("2025-11-28T23:30:00+05:30") == Instant(millis: 1_764_352_800_000))
    }

    @Test(arguments: [
        "", "2025-11-28", "2025-11-28T18:00:00", "2025-11-28 18:00:00Z", "2025-13-28T18:00:00Z", "2025-02-30T18:00:00Z",
        "2025-11-28T24:00:00Z", "2025-11-28T18:00:00.Z", "2025-11-28T18:00:00+5:00", "2025-11-28T18:00:00ZZ",
        "9999-11-28T18:00:00Z", "2025-11-28T18:00:0éZ",
    ])
    func refusesOtherForms(_ text: String) {
        #expect(RESTTime.instant(text) == nil)
    }

    @Test func tellsUnitsByMagnitude() {
        let nanos: Int64 = 1_764_086_400_000_000_000
        for count in [nanos, nanos / 1_000, nanos / 1_000_000, nanos / 1_000_000_000] {
            #expect(RESTTime.instant(count: count) == Instant(nanos: nanos))
        }
    }

    @Test func readsRetryAfter() {
        let now = Instant(millis: 784_111_770_000)
        #expect(RESTTime.retryAfter("2", now: now) == 2_000_000_000)
        #expect(RESTTime.retryAfter("Sun, 06 Nov 1994 08:49:37 GMT", now: now) == 7_000_000_000)
        #expect(RESTTime.retryAfter("Sun, 06 Nov 1994 08:49:00 GMT", now: now) == 0)
        for text in ["", "-1", "soon", "1.5", "Sun, 06 Foo 1994 08:49:37 GMT", "9999999999"] {
            #expect(RESTTime.retryAfter(text, now: now) == nil)
        }
    }
}
