/// Finds the ends of JSON values without reading them: what embeds a frame in a line, and finds it again.
///
/// Strict RFC 8259 grammar but for UTF-8, which is passed on as it is. No recursion, no allocation.
enum JSONScan {
    /// Values nested deeper aren't taken as JSON.
    static let depthLimit = 64

    /// The offset after white space.
    @inline(__always)
    static func skipSpace(_ text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var offset = start
        while offset < text.count, text[offset] == 0x20 || (0x09...0x0D).contains(text[offset]) { offset += 1 }
        return offset
    }

    /// The offset after the value that starts at `start`; nil where none does.
    static func valueEnd(_ text: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var walk = JSONWalk(text: text, offset: start)
        return walk.value() ? walk.offset : nil
    }

    /// The offset after the closing quote of the text whose opening quote is at `start`.
    static func stringEnd(_ text: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var walk = JSONWalk(text: text, offset: start)
        return walk.string() ? walk.offset : nil
    }

    /// Appends the bytes that the quoted text `text` (quotes included, grammar checked) stands for.
    ///
    /// - Returns: false where an escaped surrogate stands alone.
    static func unescape(_ text: UnsafeRawBufferPointer, into out: inout [UInt8]) -> Bool {
        var offset = 1
        while offset < text.count - 1 {
            let byte = text[offset]
            offset += 1
            guard byte == UInt8(ascii: "\\") else {
                out.append(byte)
                continue
            }
            let escape = text[offset]
            offset += 1
            switch escape {
            case UInt8(ascii: "b"): out.append(0x08)
            case UInt8(ascii: "f"): out.append(0x0C)
            case UInt8(ascii: "n"): out.append(0x0A)
            case UInt8(ascii: "r"): out.append(0x0D)
            case UInt8(ascii: "t"): out.append(0x09)
            case UInt8(ascii: "u"):
                guard let scalar = scalar(text, at: &offset) else { return false }
                out.append(contentsOf: String(Character(scalar)).utf8)
            default: out.append(escape)
            }
        }
        return true
    }

    private static func scalar(_ text: UnsafeRawBufferPointer, at offset: inout Int) -> Unicode.Scalar? {
        let first = hex4(text, at: offset)
        offset += 4
        guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) }
        guard offset + 6 < text.count, text[offset] == UInt8(ascii: "\\"), text[offset + 1] == UInt8(ascii: "u") else {
            return nil
        }
        let second = hex4(text, at: offset + 2)
        guard (0xDC00..<0xE000).contains(second) else { return nil }
        offset += 6
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    }

    private static func hex4(_ text: UnsafeRawBufferPointer, at offset: Int) -> UInt32 {
        var code: UInt32 = 0
        for byte in text[offset..<(offset + 4)] {
            let digit = byte <= UInt8(ascii: "9") ? byte - UInt8(ascii: "0") : (byte | 0x20) - UInt8(ascii: "a") + 10
            code = code << 4 | UInt32(digit)
        }
        return code
    }
}

/// A position that walks over one value; every method is false where the grammar is broken.
private struct JSONWalk {
    let text: UnsafeRawBufferPointer
    var offset: Int
    private var depth = 0
    /// One bit a level: set for an object.
    private var objects: UInt64 = 0

    init(text: UnsafeRawBufferPointer, offset: Int) {
        self.text = text
        self.offset = offset
    }

    private var current: UInt8 { offset < text.count ? text[offset] : 0 }

    mutating func value() -> Bool {
        while true {
            offset = JSONScan.skipSpace(text, from: offset)
            switch current {
            case UInt8(ascii: "{"):
                guard open(object: true) else { return false }
                guard current != UInt8(ascii: "}") else { break }
                guard key() else { return false }
                continue
            case UInt8(ascii: "["):
                guard open(object: false) else { return false }
                guard current != UInt8(ascii: "]") else { break }
                continue
            case UInt8(ascii: "\""): guard string() else { return false }
            case UInt8(ascii: "t"): guard literal("true") else { return false }
            case UInt8(ascii: "f"): guard literal("false") else { return false }
            case UInt8(ascii: "n"): guard literal("null") else { return false }
            default: guard number() else { return false }
            }
            guard let isOver = closeOrContinue() else { return false }
            if isOver { return true }
        }
    }

    private mutating func open(object: Bool) -> Bool {
        guard depth < JSONScan.depthLimit else { return false }
        objects = objects << 1 | (object ? 1 : 0)
        depth += 1
        offset = JSONScan.skipSpace(text, from: offset + 1)
        return true
    }

    /// Closes what ends here; true at the end of the whole value, false where a further value follows.
    private mutating func closeOrContinue() -> Bool? {
        while depth > 0 {
            offset = JSONScan.skipSpace(text, from: offset)
            let isObject = objects & 1 == 1
            if current == UInt8(ascii: ",") {
                offset += 1
                guard isObject else { return false }
                offset = JSONScan.skipSpace(text, from: offset)
                return key() ? false : nil
            }
            guard current == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { return nil }
            offset += 1
            objects >>= 1
            depth -= 1
        }
        return true
    }

    private mutating func key() -> Bool {
        guard current == UInt8(ascii: "\""), string() else { return false }
        offset = JSONScan.skipSpace(text, from: offset)
        guard current == UInt8(ascii: ":") else { return false }
        offset += 1
        return true
    }

    mutating func string() -> Bool {
        let count = text.count
        var place = offset + 1
        while place < count {
            let byte = text[place]
            place += 1
            if byte == UInt8(ascii: "\"") {
                offset = place
                return true
            }
            if byte < 0x20 { return false }
            if byte == UInt8(ascii: "\\") {
                offset = place
                guard escape() else { return false }
                place = offset
            }
        }
        return false
    }

    private mutating func escape() -> Bool {
        let byte = current
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return true
        case UInt8(ascii: "u"):
            guard offset + 4 <= text.count else { return false }
            for digit in text[offset..<(offset + 4)] {
                guard (48...57).contains(digit) || (97...102).contains(digit | 0x20) else { return false }
            }
            offset += 4
            return true
        default: return false
        }
    }

    private mutating func digits() -> Int {
        let start = offset
        while offset < text.count, (48...57).contains(text[offset]) { offset += 1 }
        return offset - start
    }

    private mutating func number() -> Bool {
        if current == UInt8(ascii: "-") { offset += 1 }
        let leadsWithZero = current == UInt8(ascii: "0")
        let whole = digits()
        guard whole > 0, !leadsWithZero || whole == 1 else { return false }
        if current == UInt8(ascii: ".") {
            offset += 1
            guard digits() > 0 else { return false }
        }
        if current | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { offset += 1 }
            guard digits() > 0 else { return false }
        }
        return true
    }

    private mutating func literal(_ word: StaticString) -> Bool {
        let isThere = word.withUTF8Buffer { expected in
            offset + expected.count <= text.count
                && UnsafeRawBufferPointer(rebasing: text[offset..<(offset + expected.count)]).elementsEqual(expected)
        }
        offset += word.utf8CodeUnitCount
        return isThere
    }
}
