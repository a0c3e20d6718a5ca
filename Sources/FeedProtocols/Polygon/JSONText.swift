/// The rules of JSON texts that the general path needs: escapes and UTF-8.
enum JSONText {
    /// Length of the escape that starts at `index`, a surrogate pair as one; nil where it is none.
    static func escapeLength(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Int? {
        guard index + 1 < bytes.count else { return nil }
        switch bytes[index + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return 2
        case UInt8(ascii: "u"):
            guard let unit = unit(bytes, at: index) else { return nil }
            if unit & 0xFC00 == 0xDC00 { return nil }
            guard unit & 0xFC00 == 0xD800 else { return 6 }
            guard let low = self.unit(bytes, at: index + 6), low & 0xFC00 == 0xDC00 else { return nil }
            return 12
        default: return nil
        }
    }

    /// The UTF-16 unit of a `\uXXXX` at `index`; nil where none stands there.
    private static func unit(_ bytes: UnsafeRawBufferPointer, at index: Int) -> UInt32? {
        guard index + 5 < bytes.count, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u") else {
            return nil
        }
        var value: UInt32 = 0
        for byte in bytes[(index + 2)..<(index + 6)] {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(byte - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        return value
    }

    /// Length of the UTF-8 sequence beyond ASCII at `index`; nil where it isn't well formed (Unicode 3.9, table 3-7).
    static func sequenceLength(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Int? {
        func isTail(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
            index + offset < bytes.count && range.contains(bytes[index + offset])
        }
        switch bytes[index] {
        case 0xC2...0xDF: return isTail(1) ? 2 : nil
        case 0xE0: return isTail(1, 0xA0...0xBF) && isTail(2) ? 3 : nil
        case 0xED: return isTail(1, 0x80...0x9F) && isTail(2) ? 3 : nil
        case 0xE1...0xEF: return isTail(1) && isTail(2) ? 3 : nil
        case 0xF0: return isTail(1, 0x90...0xBF) && isTail(2) && isTail(3) ? 4 : nil
        case 0xF1...0xF3: return isTail(1) && isTail(2) && isTail(3) ? 4 : nil
        case 0xF4: return isTail(1, 0x80...0x8F) && isTail(2) && isTail(3) ? 4 : nil
        default: return nil
        }
    }

    /// Replaces escapes and appends at most `limit` bytes, cut at a character; false where it was cut.
    ///
    /// - Precondition: `text` was checked by `GeneralScan.readText`.
    static func decode(_ text: UnsafeRawBufferPointer, into out: inout [UInt8], limit: Int) -> Bool {
        var index = 0
        let end = out.count + limit
        while index < text.count {
            let before = out.count
            if text[index] == UInt8(ascii: "\\") {
                index += appendEscape(text, at: index, to: &out)
            } else {
                let length = text[index] < 0x80 ? 1 : sequenceLength(text, at: index) ?? 1
                out.append(contentsOf: text[index..<(index + length)])
                index += length
            }
            if out.count > end {
                out.removeSubrange(before...)
                return false
            }
        }
        return true
    }

    private static func appendEscape(_ text: UnsafeRawBufferPointer, at index: Int, to out: inout [UInt8]) -> Int {
        let letter = text[index + 1]
        switch letter {
        case UInt8(ascii: "b"): out.append(0x08)
        case UInt8(ascii: "f"): out.append(0x0C)
        case UInt8(ascii: "n"): out.append(0x0A)
        case UInt8(ascii: "r"): out.append(0x0D)
        case UInt8(ascii: "t"): out.append(0x09)
        case UInt8(ascii: "u"):
            var value = unit(text, at: index) ?? 0xFFFD
            var length = 6
            if value & 0xFC00 == 0xD800, let low = unit(text, at: index + 6) {
                value = 0x1_0000 + (value & 0x3FF) << 10 + (low & 0x3FF)
                length = 12
            }
            let scalar = Unicode.Scalar(value) ?? "\u{FFFD}"
            out.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            return length
        default: out.append(letter)
        }
        return 2
    }
}
