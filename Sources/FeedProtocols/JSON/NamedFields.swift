/// The keys that a provider's objects have a meaning for: the cases of an enum, one slot each in a `NamedFields`.
///
/// A case `askVol` stands for the key `ask_vol`: every capital becomes an underscore and its small letter.
protocol FieldName: CaseIterable, RawRepresentable, Sendable where RawValue == Int, AllCases == [Self] {
    /// Made once for the type.
    static var names: FieldNames<Self> { get }
}

/// Finds a key's case by its text.
struct FieldNames<Key: FieldName>: Sendable {
    private let byHash: [UInt64: (key: Key, text: [UInt8])]
    /// How many slots a table of these has.
    let count: Int

    init() {
        var table: [UInt64: (key: Key, text: [UInt8])] = [:]
        for key in Key.allCases {
            let text = Self.text(of: key)
            table[text.reduce(FNV.offset) { FNV.mixed($0, $1) }] = (key, text)
        }
        byHash = table
        count = Key.allCases.count
    }

    private static func text(of key: Key) -> [UInt8] {
        var text: [UInt8] = []
        for byte in "\(key)".utf8 {
            if (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) {
                text.append(UInt8(ascii: "_"))
                text.append(byte | 0x20)
            } else {
                text.append(byte)
            }
        }
        return text
    }

    /// The case of a key's text; nil where it has no meaning for us.
    func find(_ text: UnsafeRawBufferPointer) -> Key? {
        let hash = text.reduce(FNV.offset) { FNV.mixed($0, $1) }
        guard let found = byHash[hash], found.text.elementsEqual(text) else { return nil }
        return found.key
    }
}

/// The values of one object by key, the last of equal keys; reused from object to object.
struct NamedFields<Key: FieldName> {
    private var values: [FieldValue]
    private let names = Key.names

    init() { values = Array(repeating: FieldValue(), count: Key.names.count) }

    subscript(key: Key) -> FieldValue { values[key.rawValue] }

    /// Whether the key is there and its value is `null`; an absent key has the same kind.
    func isNull(_ key: Key) -> Bool { self[key].kind == .absent && self[key].end > 0 }

    /// Reads the object that starts here; false where it isn't JSON.
    ///
    /// The place is behind the closing brace after.
    mutating func read(_ scan: inout GeneralScan) -> Bool {
        for index in values.indices { values[index] = FieldValue() }
        guard scan.pass(UInt8(ascii: "{")) else { return false }
        scan.skipSpace()
        if scan.pass(UInt8(ascii: "}")) { return true }
        while true {
            scan.skipSpace()
            guard let key = scan.readText() else { return false }
            scan.skipSpace()
            guard scan.pass(UInt8(ascii: ":")) else { return false }
            scan.skipSpace()
            guard let value = scan.readValue(depth: 1) else { return false }
            if let slot = slot(of: key, in: scan.bytes) { values[slot] = value }
            scan.skipSpace()
            if scan.pass(UInt8(ascii: "}")) { return true }
            guard scan.pass(UInt8(ascii: ",")) else { return false }
        }
    }

    private func slot(of key: FieldValue, in bytes: UnsafeRawBufferPointer) -> Int? {
        let raw = UnsafeRawBufferPointer(rebasing: bytes[key.start..<key.end])
        guard key.kind == .escapedText else { return names.find(raw)?.rawValue }
        var decoded: [UInt8] = []
        guard JSONText.decode(raw, into: &decoded, limit: 64) else { return nil }
        return decoded.withUnsafeBytes { names.find($0)?.rawValue }
    }
}
