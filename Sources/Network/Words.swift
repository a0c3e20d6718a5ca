extension String {
    /// As many whole characters of the front as have this many bytes.
    func prefix(utf8Count: Int) -> String {
        guard utf8.count > utf8Count else { return self }
        var result = ""
        for character in self {
            guard result.utf8.count + character.utf8.count <= utf8Count else { break }
            result.append(character)
        }
        return result
    }

    /// A stranger's words for a log or an error: one line, no control characters, nothing unprintable by accident.
    static func clean(_ bytes: some Collection<UInt8>, charactersMax: Int = 200) -> String {
        var result = ""
        var isGap = false
        var count = 0
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            let isControl = scalar.value < 0x21 || (0x7F...0xA0).contains(scalar.value)
            if isControl {
                isGap = !result.isEmpty
                continue
            }
            guard count < charactersMax else { return result + "…" }
            if isGap { result.append(" ") }
            isGap = false
            result.unicodeScalars.append(scalar)
            count += 1
        }
        return result
    }
}
