/// Checks UTF-8 in pieces that may be cut anywhere; pure.
///
/// Market data is ASCII: 32 bytes a step there. Anything else goes a byte a step through the table of the Unicode standard
/// (table 3-7), which leaves no room for overlong forms, surrogates or what is above U+10FFFF.
struct UTF8Check {
    /// Continuation bytes that the character begun still needs.
    private var needed: UInt8 = 0
    /// What the next of them may be.
    private var low: UInt8 = 0x80
    private var high: UInt8 = 0xBF

    init() {}

    /// Whether the text may end here.
    var isWhole: Bool { needed == 0 }

    /// Whether a whole text is valid.
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var check = UTF8Check()
        return check.add(bytes) && check.isWhole
    }

    /// Takes the next piece; false where it can't be continued to a valid text.
    mutating func add(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let start = bytes.baseAddress else { return true }
        var index = 0
        while index < bytes.count {
            if needed == 0 {
                index = Self.asciiEnd(start, from: index, to: bytes.count)
                guard index < bytes.count else { return true }
            }
            guard step(start.load(fromByteOffset: index, as: UInt8.self)) else { return false }
            index += 1
        }
        return true
    }

    /// The first byte from `index` that isn't ASCII, or `end`.
    private static func asciiEnd(_ start: UnsafeRawPointer, from index: Int, to end: Int) -> Int {
        let notASCII: UInt64 = 0x8080_8080_8080_8080
        func word(_ offset: Int) -> UInt64 { start.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        var index = index
        while index &+ 32 <= end {
            let bits = (word(index) | word(index &+ 8)) | (word(index &+ 16) | word(index &+ 24))
            guard bits & notASCII == 0 else { break }
            index &+= 32
        }
        while index &+ 8 <= end {
            let bits = word(index) & notASCII
            guard bits == 0 else { return index &+ bits.littleEndian.trailingZeroBitCount / 8 }
            index &+= 8
        }
        while index < end, start.load(fromByteOffset: index, as: UInt8.self) < 0x80 { index &+= 1 }
        return index
    }

    private mutating func step(_ byte: UInt8) -> Bool {
        guard needed == 0 else {
            guard byte >= low, byte <= high else { return false }
            (low, high) = (0x80, 0xBF)
            needed -= 1
            return true
        }
        switch byte {
        case 0x00...0x7F: return true
        case 0xC2...0xDF: needed = 1
        case 0xE0: (needed, low) = (2, 0xA0)
        case 0xED: (needed, high) = (2, 0x9F)
        case 0xE1...0xEF: needed = 2
        case 0xF0: (needed, low) = (3, 0x90)
        case 0xF1...0xF3: needed = 3
        case 0xF4: (needed, high) = (3, 0x8F)
        default: return false
        }
        return true
    }
}
