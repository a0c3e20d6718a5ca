/// Strict JSON, one place at a time: the general path's eyes.
///
/// Works on the frame's own bytes with every index checked against the end; nothing here assumes padding.
struct GeneralScan {
    let bytes: UnsafeRawBufferPointer
    var index: Int

    /// Deepest nesting of arrays and objects inside an event.
    static let depthLimit = 32

    /// The byte here; zero at the end, and zero is nowhere legal.
    var current: UInt8 { index < bytes.count ? bytes[index] : 0 }

    mutating func skipSpace() {
        while true {
            switch current {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            default: return
            }
        }
    }

    /// Passes `byte` if it stands here.
    mutating func pass(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        index += 1
        return true
    }

    /// Reads an object into `table`; false where it isn't JSON.
    ///
    /// The place is behind the closing brace after.
    mutating func readObject(into table: inout FieldTable) -> Bool {
        table.removeAll()
        guard pass(UInt8(ascii: "{")) else { return false }
        skipSpace()
        if pass(UInt8(ascii: "}")) { return true }
        while true {
            skipSpace()
            guard let key = readText() else { return false }
            skipSpace()
            guard pass(UInt8(ascii: ":")) else { return false }
            skipSpace()
            guard let value = readValue(depth: 1) else { return false }
            if let slot = slot(of: key) { table[slot] = value }
            skipSpace()
            if pass(UInt8(ascii: "}")) { return true }
            guard pass(UInt8(ascii: ",")) else { return false }
        }
    }

    private func slot(of key: FieldValue) -> FieldKey? {
        let raw = UnsafeRawBufferPointer(rebasing: bytes[key.start..<key.end])
        guard key.kind == .escapedText else {
            return raw.count > 8 ? nil : FieldKey.byText[FieldKey.pack(raw)]
        }
        var decoded: [UInt8] = []
        // A zero byte packs like none.
        guard JSONText.decode(raw, into: &decoded, limit: 8), !decoded.contains(0) else { return nil }
        return FieldKey.byText[FieldKey.pack(decoded)]
    }

    /// Passes any value and says what it was; nil where it isn't JSON or lies too deep.
    mutating func readValue(depth: Int) -> FieldValue? {
        guard depth <= Self.depthLimit else { return nil }
        let start = index
        switch current {
        case UInt8(ascii: "\""): return readText()
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            let isArray = current == UInt8(ascii: "[")
            guard skipContainer(depth: depth) else { return nil }
            return FieldValue(kind: isArray ? .array : .other, start: start, end: index)
        case UInt8(ascii: "t"): return passWord("true") ? FieldValue(kind: .other, start: start, end: index) : nil
        case UInt8(ascii: "f"): return passWord("false") ? FieldValue(kind: .other, start: start, end: index) : nil
        // Null says no more than absence does.
        case UInt8(ascii: "n"): return passWord("null") ? FieldValue(kind: .absent, start: start, end: index) : nil
        default: return readNumber()
        }
    }

    private mutating func passWord(_ word: StaticString) -> Bool {
        word.withUTF8Buffer { word in word.allSatisfy { pass($0) } }
    }

    private mutating func readNumber() -> FieldValue? {
        let start = index
        while true {
            switch current {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
                UInt8(ascii: "e"), UInt8(ascii: "E"):
                index += 1
                continue
            default: break
            }
            break
        }
        guard DecimalToken(UnsafeRawBufferPointer(rebasing: bytes[start..<index])) != nil else { return nil }
        return FieldValue(kind: .number, start: start, end: index)
    }

    /// Passes a text, checking its escapes and its UTF-8.
    mutating func readText() -> FieldValue? {
        guard pass(UInt8(ascii: "\"")) else { return nil }
        let start = index
        var kind = FieldValue.Kind.text
        while true {
            switch current {
            case UInt8(ascii: "\""):
                index += 1
                return FieldValue(kind: kind, start: start, end: index - 1)
            case UInt8(ascii: "\\"):
                kind = .escapedText
                guard let length = JSONText.escapeLength(bytes, at: index) else { return nil }
                index += length
            case 0..<0x20: return nil
            case 0x20..<0x80: index += 1
            default:
                guard let length = JSONText.sequenceLength(bytes, at: index) else { return nil }
                index += length
            }
        }
    }

    private mutating func skipContainer(depth: Int) -> Bool {
        let isArray = current == UInt8(ascii: "[")
        let close = isArray ? UInt8(ascii: "]") : UInt8(ascii: "}")
        index += 1
        skipSpace()
        if pass(close) { return true }
        while true {
            skipSpace()
            if !isArray {
                guard readText() != nil else { return false }
                skipSpace()
                guard pass(UInt8(ascii: ":")) else { return false }
                skipSpace()
            }
            guard readValue(depth: depth + 1) != nil else { return false }
            skipSpace()
            if pass(close) { return true }
            guard pass(UInt8(ascii: ",")) else { return false }
        }
    }

    /// Goes from a broken element's start to the comma or bracket behind it, heeding only texts and nesting.
    ///
    /// - Returns: false where the frame ends first: then the array itself is broken.
    mutating func skipBroken() -> Bool {
        var depth = 0
        while index < bytes.count {
            switch current {
            case UInt8(ascii: "\""):
                index += 1
                while index < bytes.count, current != UInt8(ascii: "\"") {
                    index += current == UInt8(ascii: "\\") ? 2 : 1
                }
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return current == UInt8(ascii: "]") }
                depth -= 1
            case UInt8(ascii: ","):
                if depth == 0 { return true }
            default: break
            }
            index += 1
        }
        return false
    }
}
