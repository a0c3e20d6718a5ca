/// Splits a provider's frame into its objects and keeps those that a client subscribed to.
///
/// Pure. /// Frames come from our own tapes and walk, so the scan is plain: depth and quotes, no values are read but `ev` and the
/// symbol.
package enum FrameFilter {
    /// One object of a frame: where it stands, and the pair that a subscription names.
    package struct Part: Equatable {
        package var range: Range<Int>
        package var channel: String
        package var symbol: String
    }

    /// The objects of a frame, in order; what isn't an object is left out.
    package static func parts(_ frame: [UInt8]) -> [Part] {
        var parts: [Part] = []
        var depth = 0
        var start = 0
        var isInText = false
        var offset = 0
        while offset < frame.count {
            let byte = frame[offset]
            if isInText {
                if byte == UInt8(ascii: "\\") { offset += 1 } else if byte == UInt8(ascii: "\"") { isInText = false }
            } else if byte == UInt8(ascii: "\"") {
                isInText = true
            } else if byte == UInt8(ascii: "{") {
                if depth == 0 { start = offset }
                depth += 1
            } else if byte == UInt8(ascii: "}") {
                depth -= 1
                if depth == 0 { parts.append(part(frame, start..<(offset + 1))) }
            }
            offset += 1
        }
        return parts
    }

    /// The frame with only the objects that `isWanted` keeps; the frame itself where it keeps all, nil where none.
    package static func filter(_ frame: [UInt8], isWanted: (Part) -> Bool) -> [UInt8]? {
        let all = parts(frame)
        let kept = all.filter(isWanted)
        if kept.count == all.count { return frame }
        if kept.isEmpty { return nil }
        var out: [UInt8] = [UInt8(ascii: "[")]
        for (index, part) in kept.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            out.append(contentsOf: frame[part.range])
        }
        out.append(UInt8(ascii: "]"))
        return out
    }

    private static func part(_ frame: [UInt8], _ range: Range<Int>) -> Part {
        let object = frame[range]
        let channel = text(of: "ev", in: object) ?? ""
        // Halts, imbalances and index values carry their symbol in `T`.
        return Part(
            range: range,
            channel: channel,
            symbol: text(of: "sym", in: object) ?? text(of: "T", in: object) ?? ""
        )
    }

    private static func text(of key: String, in object: ArraySlice<UInt8>) -> String? {
        let pattern = Array("\"\(key)\":\"".utf8)
        guard let found = object.firstRange(of: pattern) else { return nil }
        guard let end = object[found.upperBound...].firstIndex(of: UInt8(ascii: "\"")) else { return nil }
        return String(decoding: object[found.upperBound..<end], as: UTF8.self)
    }
}
