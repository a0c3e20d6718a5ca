/// The name of a stream of messages (protocol.md 1): `plan:p_7Q2`, `symbol:SPY`, `health`.
package struct Channel: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// What a channel carries.
    package enum Kind: String, Sendable, CaseIterable {
        case plan
        case plans
        case symbol
        case bands
        case contract
        case health
    }

    package let kind: Kind
    /// What follows the colon; empty for `health`.
    package let key: String

    package init(_ kind: Kind, _ key: String = "") {
        self.kind = kind
        self.key = key
    }

    /// Reads a name.
    ///
    /// - Returns: nil where the kind is unknown, the key is missing, longer than 80 bytes, or holds a byte outside
    ///   `A–Z a–z 0–9 . : - / ^ _ @`.
    package init?(_ name: String) {
        let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let kind = Kind(rawValue: String(parts[0])) else { return nil }
        let key = parts.count == 2 ? String(parts[1]) : ""
        guard kind == .health || kind == .plans ? key.utf8.count <= 80 : (1...80).contains(key.utf8.count) else {
            return nil
        }
        guard kind != .health || parts.count == 1, key.utf8.allSatisfy(Self.isAllowed) else { return nil }
        self.kind = kind
        self.key = key
    }

    package var name: String { key.isEmpty ? kind.rawValue : kind.rawValue + ":" + key }

    package var description: String { name }

    package static func < (a: Channel, b: Channel) -> Bool {
        a.name.utf8.lexicographicallyPrecedes(b.name.utf8)
    }

    /// The partition of the durable log that holds the channel: CRC16 (XMODEM, as Redis Cluster uses) of the name,
    /// mod 16.
    package var partition: Int { Int(Self.crc16(name.utf8) % 16) }

    /// CRC16/XMODEM: polynomial 0x1021, start 0.
    package static func crc16(_ bytes: some Sequence<UInt8>) -> UInt16 {
        var crc: UInt16 = 0
        for byte in bytes {
            crc ^= UInt16(byte) << 8
            for _ in 0..<8 { crc = crc & 0x8000 != 0 ? (crc << 1) ^ 0x1021 : crc << 1 }
        }
        return crc
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "-"),
            UInt8(ascii: "/"), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "@"):
            true
        default: false
        }
    }
}

/// What a message says (the envelope's `type`).
package enum MessageType: UInt8, Sendable, CaseIterable {
    case tick
    case bar
    case bands
    case contract
    case snapshot
    case delta
    case status
    case hit
    case health
    case note
    /// An entry of the gap ledger.
    case gap
    /// The answer to a command; goes to the asker alone, never to a channel.
    case reply

    package var name: String {
        switch self {
        case .tick: "tick"
        case .bar: "bar"
        case .bands: "bands"
        case .contract: "contract"
        case .snapshot: "snapshot"
        case .delta: "delta"
        case .status: "status"
        case .hit: "hit"
        case .health: "health"
        case .gap: "gap"
        case .note: "note"
        case .reply: "reply"
        }
    }

    package init?(name: some StringProtocol) {
        guard let found = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }
}
