/// One GET as a value: path and query, percent-encoded, without host and without key; what the tape records as `url`.
package struct RESTRequest: Hashable, Sendable, CustomStringConvertible {
    /// Begins with a slash.
    package let path: String
    /// Without the question mark; empty where there is none.
    package let query: String
    /// What an account's plan must include for it: one refusal speaks for all requests of this name.
    package let entitlement: String

    /// Longest target that is sent or followed, in bytes.
    package static let targetLimit = 8_192

    /// Makes one of plain texts, which are encoded here; a nil value leaves its item out.
    package init(
        _ segments: [String],
        _ items: [(name: String, value: String?)] = [],
        entitlement: String
    ) {
        path = segments.map { "/" + PercentText.encoded($0) }.joined()
        query = items.compactMap { item in
            item.value.map { "\(PercentText.encoded(item.name))=\(PercentText.encoded($0))" }
        }.joined(separator: "&")
        self.entitlement = entitlement
    }

    /// Takes path and query as they stand on a tape or in a link; items that could hold a key are left out.
    ///
    /// - Returns: nil where it isn't a target: no slash at the start, two of them, too long, or with bytes that none has.
    package init?(target: some StringProtocol, entitlement: String) {
        let bytes = target.utf8
        guard bytes.count <= Self.targetLimit, target.hasPrefix("/"), !target.hasPrefix("//"),
            bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") })
        else { return nil }
        let whole = target.prefix { $0 != "#" }
        let parts = whole.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = String(parts[0])
        let items = parts.count == 2 ? parts[1].split(separator: "&") : []
        query = items.filter { item in
            let name = PercentText.decoded(item.prefix { $0 != "=" }).lowercased()
            return !Self.secretNames.contains(name)
        }.joined(separator: "&")
        self.entitlement = entitlement
    }

    /// Query items that providers put a key into.
    private static let secretNames: Set<String> = ["apikey", "api_key", "token", "access_token"]

    /// Path and query.
    package var target: String { query.isEmpty ? path : "\(path)?\(query)" }

    package var description: String { target }

    /// The path's parts, decoded.
    package var segments: [String] { path.split(separator: "/").map { PercentText.decoded($0) } }

    /// The first query item of that name, decoded.
    package func argument(_ name: String) -> String? {
        for item in query.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if PercentText.decoded(parts[0]) == name { return parts.count == 2 ? PercentText.decoded(parts[1]) : "" }
        }
        return nil
    }
}

/// Percent-encoding of a path segment or query item (RFC 3986).
enum PercentText {
    private static let hex = Array("0123456789ABCDEF".utf8)

    /// Keeps what is unreserved, and the colon of `I:SPX`.
    static func encoded(_ text: String) -> String {
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: ":"), UInt8(ascii: ","):
                out.append(byte)
            default: out += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            }
        }
        // A segment of dots alone would be taken for a step in the path.
        if text == "." || text == ".." { return text.utf8.map { _ in "%2E" }.joined() }
        return String(decoding: out, as: UTF8.self)
    }

    /// A broken escape stays as it is.
    static func decoded(_ text: some StringProtocol) -> String {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, let high = digit(bytes[index + 1]),
                let low = digit(bytes[index + 2])
            {
                out.append(high << 4 | low)
                index += 3
            } else {
                out.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
