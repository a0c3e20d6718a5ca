/// One place where a file breaks a rule of the house.
struct Breach: Equatable, CustomStringConvertible {
    let path: String
    /// From 1; 0 for the file as a whole.
    let line: Int
    let message: String

    var description: String { "\(path):\(line): \(message)" }
}

/// A source file: its path from the package root, and its text.
struct SourceFile: Sendable {
    let path: String
    let lines: [Substring]
    /// Each line without comments and without what stands in string literals, so that words in prose don't count.
    ///
    /// A line comment, and literals on one line or between `"""`; enough for this code, which has no block comments.
    let code: [(number: Int, text: String)]

    init(_ path: String, _ text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        code = Self.code(lines)
    }

    /// The folder under `Sources` or `Tests`: the target's name.
    var target: String {
        let parts = path.split(separator: "/")
        return parts.count > 2 ? String(parts[1]) : ""
    }

    var name: String { String(path.split(separator: "/").last ?? "") }
    var isSource: Bool { path.hasPrefix("Sources/") }

    private static func code(_ lines: [Substring]) -> [(number: Int, text: String)] {
        var isInText = false
        return lines.enumerated().map { index, line in
            (index + 1, stripped(line, isInText: &isInText))
        }
    }

    private static func stripped(_ line: Substring, isInText: inout Bool) -> String {
        let (quote, slash, escape) = (UInt8(ascii: "\""), UInt8(ascii: "/"), UInt8(ascii: "\\"))
        var result: [UInt8] = []
        var isInLiteral = false
        // Bytes: characters are slow, and what is looked for is ASCII.
        var rest = Array(line.utf8)[...]
        while let byte = rest.first {
            if rest.starts(with: [quote, quote, quote]) {
                isInText.toggle()
                rest = rest.dropFirst(3)
                continue
            }
            rest = rest.dropFirst()
            if isInText { continue }
            if byte == escape, isInLiteral {
                rest = rest.dropFirst()
            } else if byte == quote {
                isInLiteral.toggle()
                result.append(byte)
            } else if !isInLiteral {
                if byte == slash, rest.first == slash { break }
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension StringProtocol {
    /// Whether `word` stands in the text with no letter, digit or underscore at either side.
    ///
    /// Sides where the word itself begins or ends with punctuation (`Date(`, `.random(`) aren't asked about.
    func hasWord(_ word: String) -> Bool {
        let (text, word) = (Array(utf8), Array(word.utf8))
        guard let first = word.first, let last = word.last, text.count >= word.count else { return false }
        for start in 0...(text.count - word.count) where text[start] == first {
            let end = start + word.count
            guard text[start..<end].elementsEqual(word) else { continue }
            let joinsBefore = start > 0 && Self.joins(text[start - 1], first)
            if !joinsBefore, end == text.count || !Self.joins(last, text[end]) { return true }
        }
        return false
    }

    private static func joins(_ a: UInt8, _ b: UInt8) -> Bool { isPartOfWord(a) && isPartOfWord(b) }

    /// Bytes beyond ASCII are taken for letters.
    private static func isPartOfWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...: true
        default: false
        }
    }
}
