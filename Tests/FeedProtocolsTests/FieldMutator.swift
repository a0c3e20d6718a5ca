import Primitives

/// Rewrites objects at random from a seed: the meaning kept (order, space, escapes, number forms) or not (other values,
/// cuts, flips).
struct FieldMutator {
    typealias Field = (key: String, value: String)

    var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

    static let replacements = [
        "null", "true", "\"\"", "\"x\"", "-1", "0", "0.0", "1e40", "1E-3", "0.0000001", "123456789012345678901234",
        "9223372036854775807", "[]", "{}", "1.5", "1764086400", "1764086400123456", "255", "16777216", "12.0",
        "\"12.50\"", "9999999.999999", "\"2025-11-25T16:00:00Z\"", "\"-1.5e3\"", "[\"canc\",7]", "\"SPY\"", "\"a\"",
        "[[1,2,\"X\"],[3,4]]",
    ]

    /// Splits a flat object's text into its fields; values may be nested, texts hold no brackets.
    static func fields(_ object: String) -> [Field] {
        var fields: [Field] = []
        var depth = 0
        var part = ""
        func add(_ part: String) {
            guard let colon = part.firstIndex(of: ":") else { return }
            fields.append((String(part[..<colon].dropFirst().dropLast()), String(part[part.index(after: colon)...])))
        }
        for character in object.dropFirst().dropLast() {
            if character == "[" || character == "{" { depth += 1 }
            if character == "]" || character == "}" { depth -= 1 }
            if character == ",", depth == 0 {
                add(part)
                part = ""
            } else {
                part.append(character)
            }
        }
        add(part)
        return fields
    }

    /// The object in another form, sometimes with another meaning.
    mutating func object(_ original: [Field]) -> String {
        var fields = original
        if below(4) == 0 { fields.shuffle(using: &random) }
        if below(4) == 0 {
            let extra = ["null", "7", #"{"a":[1,{"b":"}]"}]}"#, #""\ud83d\ude00 é""#, "[[],{}]", "1e5"]
            fields.insert(("novel", extra[below(extra.count)]), at: below(fields.count + 1))
        }
        if below(6) == 0, !fields.isEmpty { fields.remove(at: below(fields.count)) }
        if below(2) == 0, !fields.isEmpty {
            fields[below(fields.count)].value = Self.replacements[below(Self.replacements.count)]
        }
        let isPlain = below(3) == 0
        let body = fields.map { isPlain ? "\"\($0.key)\":\($0.value)" : dressed($0) }
        return "{" + body.joined(separator: ",") + "}"
    }

    private mutating func dressed(_ field: Field) -> String {
        let key = below(20) == 0 ? escaped(field.key) : field.key
        var value = field.value
        if value.hasPrefix("\""), below(10) == 0, !value.contains("\\") {
            value = "\"" + escaped(String(value.dropFirst().dropLast())) + "\""
        } else if value.first?.isNumber == true, !value.contains("e"), !value.contains("E"), below(6) == 0 {
            value = renumbered(value)
        }
        return space() + "\"\(key)\"" + space() + ":" + space() + value + space()
    }

    private mutating func escaped(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            guard below(2) == 0, scalar.value < 0x80 else { return String(scalar) }
            let hex = String(scalar.value, radix: 16, uppercase: below(2) == 0)
            return "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        }.joined()
    }

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

    mutating func space() -> String { below(12) == 0 ? [" ", "\n", "\t", "\r\n", "  "][below(5)] : "" }

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
