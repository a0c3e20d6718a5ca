/// A strict RFC 8259 parser for the control plane; the feeds' frames have their own decoder.
package struct JSONParser: ~Copyable {
    /// Values nested deeper are refused: input from outside must not grow the stack.
    package static let depthLimit = 32

    private let bytes: [UInt8]
    private var offset = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Reads one whole value; white space around it is allowed, anything else isn't.
    package static func parse(_ text: some Sequence<UInt8>) throws(JSONError) -> JSONValue {
        var parser = JSONParser(Array(text))
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.offset == parser.bytes.count else {
            throw JSONError(offset: parser.offset, expected: "the end of the text")
        }
        return value
    }

    private var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth < Self.depthLimit else {
            throw JSONError(offset: offset, expected: "at most \(Self.depthLimit) levels")
        }
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func literal(_ text: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        guard bytes[offset...].starts(with: text.utf8) else { throw JSONError(offset: offset, expected: text) }
        offset += text.utf8.count
        return value
    }

    private mutating func expect(_ byte: UInt8) throws(JSONError) {
        skipSpace()
        guard current == byte else {
            throw JSONError(offset: offset, expected: "'\(Character(UnicodeScalar(byte)))'")
        }
        offset += 1
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        try expect(UInt8(ascii: "{"))
        var members: [(key: String, value: JSONValue)] = []
        skipSpace()
        if current == UInt8(ascii: "}") {
            offset += 1
            return .object([])
        }
        while true {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw JSONError(offset: offset, expected: "a key") }
            let key = try string()
            try expect(UInt8(ascii: ":"))
            members.append((key, try value(depth: depth + 1)))
            skipSpace()
            guard current == UInt8(ascii: ",") else {
                try expect(UInt8(ascii: "}"))
                return .object(members)
            }
            offset += 1
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        try expect(UInt8(ascii: "["))
        var values: [JSONValue] = []
        skipSpace()
        if current == UInt8(ascii: "]") {
            offset += 1
            return .array([])
        }
        while true {
            values.append(try value(depth: depth + 1))
            skipSpace()
            guard current == UInt8(ascii: ",") else {
                try expect(UInt8(ascii: "]"))
                return .array(values)
            }
            offset += 1
        }
    }

    private mutating func digits() -> Int {
        let start = offset
        while let byte = current, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { offset += 1 }
        return offset - start
    }

    private mutating func number() throws(JSONError) -> String {
        let start = offset
        if current == UInt8(ascii: "-") { offset += 1 }
        let leadsWithZero = current == UInt8(ascii: "0")
        let whole = digits()
        guard whole > 0, !leadsWithZero || whole == 1 else { throw JSONError(offset: start, expected: "a value") }
        if current == UInt8(ascii: ".") {
            offset += 1
            guard digits() > 0 else { throw JSONError(offset: offset, expected: "a digit") }
        }
        if let byte = current, byte | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { offset += 1 }
            guard digits() > 0 else { throw JSONError(offset: offset, expected: "a digit") }
        }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private mutating func string() throws(JSONError) -> String {
        offset += 1
        var text: [UInt8] = []
        while let byte = current {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let valid = String(validating: text, as: UTF8.self) else {
                    throw JSONError(offset: offset, expected: "UTF-8")
                }
                return valid
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw JSONError(offset: offset - 1, expected: "no control character in a text")
            default: text.append(byte)
            }
        }
        throw JSONError(offset: offset, expected: "the end of a text")
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
        guard let byte = current else { throw JSONError(offset: offset, expected: "an escape") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): try unicode(into: &text)
        default: throw JSONError(offset: offset - 1, expected: "an escape")
        }
    }

    private mutating func unicode(into text: inout [UInt8]) throws(JSONError) {
        var code = try hex4()
        if (0xD800..<0xDC00).contains(code) {
            guard current == UInt8(ascii: "\\") else { throw JSONError(offset: offset, expected: "a low surrogate") }
            offset += 1
            guard current == UInt8(ascii: "u") else { throw JSONError(offset: offset, expected: "a low surrogate") }
            offset += 1
            let low = try hex4()
            guard (0xDC00..<0xE000).contains(low) else {
                throw JSONError(offset: offset, expected: "a low surrogate")
            }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = UnicodeScalar(code) else { throw JSONError(offset: offset, expected: "a character") }
        text.append(contentsOf: String(Character(scalar)).utf8)
    }

    private mutating func hex4() throws(JSONError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw JSONError(offset: offset, expected: "four hex digits")
            }
            code = code << 4 | UInt32(digit)
            offset += 1
        }
        return code
    }
}
