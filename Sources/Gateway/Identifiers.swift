/// Digits of identifiers that are safe in paths and channel names.
enum Base62 {
    static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    static func isDigit(_ byte: UInt8) -> Bool { digits.contains(byte) }

    /// A text of `count` digits, each ≈ 5.95 random bits.
    static func random(_ count: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        let text = (0..<count).map { _ in digits[Int.random(in: 0..<62, using: &generator)] }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Names that this gateway gives.
package enum Identifiers {
    /// A plan's: 95 random bits, so that it can't be guessed.
    package static func plan() -> String { "p_" + Base62.random(16) }

    static func request() -> String { Base62.random(12) }

    static func command() -> String { "c_" + Base62.random(16) }

    /// Whether a text can be a plan's id: as it stands in a channel's name.
    package static func isPlan(_ text: String) -> Bool {
        (1...70).contains(text.utf8.count)
            && text.utf8.allSatisfy { Base62.isDigit($0) || [0x2D, 0x5F].contains($0) }
    }
}

/// The plan ids given to idempotency keys, so that a repeated request is the same command, byte for byte.
///
/// The newest `limit` keys; older ones are forgotten, and a repeated request with such a key is refused as a conflict.
package struct IdempotencyTable: Sendable {
    package static let keyBytesMax = 64

    private var ids: [String: String] = [:]
    private var order: [String] = []
    private var first = 0
    private let limit: Int

    package init(limit: Int = 4_096) { self.limit = limit }

    package static func isKey(_ text: String) -> Bool {
        (1...keyBytesMax).contains(text.utf8.count)
            && text.utf8.allSatisfy { Base62.isDigit($0) || [0x2D, 0x2E, 0x5F].contains($0) }
    }

    /// The plan id of an owner's key, `make` at its first use.
    package mutating func planID(owner: String, key: String, make: () -> String) -> String {
        let place = "\(owner)/\(key)"
        if let known = ids[place] { return known }
        let id = make()
        ids[place] = id
        order.append(place)
        if order.count - first > limit {
            ids[order[first]] = nil
            first += 1
        }
        if first > 1_024 {
            order.removeFirst(first)
            first = 0
        }
        return id
    }
}
