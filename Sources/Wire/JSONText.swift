package import Primitives

/// Writes JSON into a byte buffer, fields in the order of the calls: equal values are equal bytes.
package struct JSONText {
    /// Appends a quoted, escaped text.
    package static func append(_ text: some StringProtocol, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): out.append(contentsOf: #"\""#.utf8)
            case UInt8(ascii: "\\"): out.append(contentsOf: #"\\"#.utf8)
            case 0..<0x20:
                out.append(contentsOf: "\\u00".utf8)
                for digit in [byte >> 4, byte & 15] {
                    out.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
                }
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }

    /// Appends a value as it was read.
    package static func append(_ value: JSONValue, to out: inout [UInt8]) {
        switch value {
        case .null: out.append(contentsOf: "null".utf8)
        case .bool(let flag): out.append(contentsOf: (flag ? "true" : "false").utf8)
        case .number(let text): out.append(contentsOf: text.utf8)
        case .string(let text): append(text, to: &out)
        case .array(let values):
            out.append(UInt8(ascii: "["))
            for (index, element) in values.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                append(element, to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let members):
            var object = JSONObject(&out)
            for member in members { object.field(member.key, member.value, to: &out) }
            object.end(&out)
        }
    }
}

/// The members of one JSON object being written.
package struct JSONObject {
    private var isFirst = true

    /// Opens the object.
    package init(_ out: inout [UInt8]) { out.append(UInt8(ascii: "{")) }

    /// Closes it.
    package func end(_ out: inout [UInt8]) { out.append(UInt8(ascii: "}")) }

    /// Writes a key; the caller writes its value next.
    package mutating func key(_ name: String, to out: inout [UInt8]) {
        if !isFirst { out.append(UInt8(ascii: ",")) }
        isFirst = false
        out.append(UInt8(ascii: "\""))
        out.append(contentsOf: name.utf8)
        out.append(contentsOf: #"":"#.utf8)
    }

    package mutating func field(_ name: String, _ value: JSONValue, to out: inout [UInt8]) {
        key(name, to: &out)
        JSONText.append(value, to: &out)
    }

    package mutating func field(_ name: String, _ value: String?, to out: inout [UInt8]) {
        key(name, to: &out)
        if let value { JSONText.append(value, to: &out) } else { out.append(contentsOf: "null".utf8) }
    }

    package mutating func field(_ name: String, _ value: Bool, to out: inout [UInt8]) {
        key(name, to: &out)
        out.append(contentsOf: (value ? "true" : "false").utf8)
    }

    package mutating func field(_ name: String, _ value: Int64?, to out: inout [UInt8]) {
        key(name, to: &out)
        if let value { DecimalText.append(value, to: &out) } else { out.append(contentsOf: "null".utf8) }
    }

    package mutating func field(_ name: String, _ value: Double?, to out: inout [UInt8]) {
        key(name, to: &out)
        DecimalText.append(value ?? .nan, to: &out)
    }

    package mutating func field(_ name: String, _ value: Price?, to out: inout [UInt8]) {
        key(name, to: &out)
        if let value { DecimalText.append(value, to: &out) } else { out.append(contentsOf: "null".utf8) }
    }

    package mutating func field(_ name: String, _ value: Size?, to out: inout [UInt8]) {
        key(name, to: &out)
        if let value { DecimalText.append(value, to: &out) } else { out.append(contentsOf: "null".utf8) }
    }

    /// Nanoseconds travel as text: they don't fit a JavaScript number.
    package mutating func field(_ name: String, _ value: Instant?, to out: inout [UInt8]) {
        key(name, to: &out)
        guard let value else {
            out.append(contentsOf: "null".utf8)
            return
        }
        out.append(UInt8(ascii: "\""))
        DecimalText.append(value.nanos, to: &out)
        out.append(UInt8(ascii: "\""))
    }
}
