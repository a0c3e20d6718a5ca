/// What can be subscribed to; an unknown code is dropped silently by the provider, so there is no free text here.
///
/// In the order in which they are asked for: what is cheap and gives bands first, the flood of quotes last.
package enum PolygonChannel: String, CaseIterable, Comparable, Sendable {
    case indexValue = "V"
    case minuteBar = "AM"
    case secondBar = "A"
    case priceBands = "LULD"
    case imbalance = "NOI"
    case fairValue = "FMV"
    case trade = "T"
    case quote = "Q"

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    package static func < (a: PolygonChannel, b: PolygonChannel) -> Bool { a.rank < b.rank }
}

/// One channel of one symbol, or of all (`*`).
package struct PolygonSubscription: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let channel: PolygonChannel
    package let symbol: String

    /// Takes a symbol as the provider writes it.
    ///
    /// - Returns: nil where the text is empty, longer than 32 bytes, or has a byte that no symbol has (a comma would
    ///   make two of one).
    package init?(_ channel: PolygonChannel, _ symbol: String) {
        guard !symbol.isEmpty, symbol.utf8.count <= 32 else { return nil }
        let isClean = symbol.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "-"),
                UInt8(ascii: "/"), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "*"):
                true
            default: false
            }
        }
        guard isClean else { return nil }
        self.channel = channel
        self.symbol = symbol
    }

    /// Reads the wire's form, `T.SPY`; the symbol may have dots of its own.
    package init?(_ text: some StringProtocol) {
        guard let dot = text.firstIndex(of: "."), let channel = PolygonChannel(rawValue: String(text[..<dot])) else {
            return nil
        }
        self.init(channel, String(text[text.index(after: dot)...]))
    }

    /// The wire's form.
    package var description: String { "\(channel.rawValue).\(symbol)" }

    package static func < (a: PolygonSubscription, b: PolygonSubscription) -> Bool {
        a.channel == b.channel ? a.symbol < b.symbol : a.channel < b.channel
    }
}

/// A text that must not be seen: it prints as stars, and takes itself out of other texts.
package struct PolygonKey: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// The key itself, for the auth frame only.
    let text: String

    package init(_ text: String) { self.text = text }

    package var description: String { "***" }
    package var debugDescription: String { "***" }

    /// The text without the key.
    func redacted(_ other: String) -> String {
        guard !text.isEmpty else { return other }
        var rest = other[...]
        var result = ""
        while let found = Self.range(of: text, in: rest) {
            result += rest[..<found.lowerBound] + "***"
            rest = rest[found.upperBound...]
        }
        return result + rest
    }

    private static func range(of text: String, in other: Substring) -> Range<Substring.Index>? {
        var start = other.startIndex
        while start < other.endIndex {
            if other[start...].utf8.starts(with: text.utf8) {
                return start..<other.utf8.index(start, offsetBy: text.utf8.count)
            }
            start = other.utf8.index(after: start)
        }
        return nil
    }
}

/// The frames that a client sends.
enum PolygonFrames {
    /// Most pairs in one frame.
    static let pairsMax = 200

    static func auth(_ key: PolygonKey) -> String {
        var escaped = ""
        for scalar in key.text.unicodeScalars {
            switch scalar {
            case "\"", "\\": escaped += "\\\(scalar)"
            case "\u{0}"..<" ": escaped += " "
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return #"{"action":"auth","params":"\#(escaped)"}"#
    }

    /// Frames for these pairs, in their order, none above `pairsMax`.
    static func subscribe(_ pairs: [PolygonSubscription]) -> [String] { chunked("subscribe", pairs) }

    static func unsubscribe(_ pairs: [PolygonSubscription]) -> [String] { chunked("unsubscribe", pairs) }

    private static func chunked(_ action: String, _ pairs: [PolygonSubscription]) -> [String] {
        stride(from: 0, to: pairs.count, by: pairsMax).map { start in
            let chunk = pairs[start..<min(start + pairsMax, pairs.count)]
            return #"{"action":"\#(action)","params":"\#(chunk.map(\.description).joined(separator: ","))"}"#
        }
    }

    /// The pairs that an acknowledgement names; nil where the message is none.
    static func acknowledged(_ message: String) -> [PolygonSubscription]? {
        let prefix = "subscribed to: "
        guard message.hasPrefix(prefix) else { return nil }
        return message.dropFirst(prefix.count).split(separator: ",").compactMap { part in
            PolygonSubscription(part.drop { $0 == " " })
        }
    }
}
