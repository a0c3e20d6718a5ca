/// One place where a file breaks a rule of the house.
struct Breach: Equatable, CustomStringConvertible {
    let path: String
    /// From 1; 0 for the file as a whole.
    let line: Int
    let message: String

    var description: String { "\(path):\(line): \(message)" }
}

/// A source file: its path from the package root, and its text.
struct SourceFile {
    let path: String
    let lines: [Substring]

    init(_ path: String, _ text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The folder under `Sources` or `Tests`: the target's name.
    var target: String {
        let parts = path.split(separator: "/")
        return parts.count > 2 ? String(parts[1]) : ""
    }

    var name: String { String(path.split(separator: "/").last ?? "") }
    var isSource: Bool { path.hasPrefix("Sources/") }

    /// Each line without comments and without what stands in string literals, so that words in prose don't count.
    ///
    /// A line comment, and literals on one line or between `"""`; enough for this code, which has no block comments.
    var code: [(number: Int, text: String)] {
        var isInText = false
        return lines.enumerated().map { index, line in
            (index + 1, Self.stripped(line, isInText: &isInText))
        }
    }

    private static func stripped(_ line: Substring, isInText: inout Bool) -> String {
        var result = ""
        var isInLiteral = false
        var rest = line
        while let character = rest.first {
            if rest.hasPrefix("\"\"\"") {
                isInText.toggle()
                rest = rest.dropFirst(3)
                continue
            }
            rest = rest.dropFirst()
            if isInText { continue }
            if character == "\\", isInLiteral {
                rest = rest.dropFirst()
            } else if character == "\"" {
                isInLiteral.toggle()
                result.append(character)
            } else if !isInLiteral {
                if character == "/", rest.first == "/" { break }
                result.append(character)
            }
        }
        return result
    }
}

extension StringProtocol {
    /// Whether `word` stands in the text with no letter, digit or underscore at either side.
    ///
    /// Sides where the word itself begins or ends with punctuation (`Date(`, `.random(`) aren't asked about.
    func hasWord(_ word: String) -> Bool {
        var rest = self[...]
        while let range = rest.firstRange(of: word) {
            let before = range.lowerBound == startIndex ? nil : self[index(before: range.lowerBound)]
            let after = range.upperBound == endIndex ? nil : self[range.upperBound]
            if !Self.joins(before, word.first), !Self.joins(word.last, after) { return true }
            rest = rest[index(after: range.lowerBound)...]
        }
        return false
    }

    private static func joins(_ a: Character?, _ b: Character?) -> Bool {
        guard let a, let b else { return false }
        return isPartOfWord(a) && isPartOfWord(b)
    }

    private static func isPartOfWord(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_"
    }
}
