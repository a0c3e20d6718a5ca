package import Primitives

/// The fields of an envelope that whoever passes it on must know, read from its JSON text.
package struct EnvelopeHeader: Sendable, Equatable {
    package var channel: Channel
    package var epoch: String
    /// Set on durable messages and snapshots.
    package var offset: Int64?
    /// Set on conflatable messages.
    package var base: Int64?
    package var run: String?
    package var revision: Int64?
    package var n: Ordinal
    package var type: MessageType
    package var time: Instant
    /// False on a durable message that was shown though the disk didn't take it (protocol.md 7, 5).
    package var isDurable: Bool
    /// Where the object `d` stands in the text.
    package var payload: Range<Int>

    /// Reads the header of an envelope that `Envelope.encode` wrote (fields in its order, no white space).
    ///
    /// - Returns: nil where it isn't one; the caller counts that.
    package init?(_ bytes: [UInt8]) {
        var scan = EnvelopeScanner(bytes)
        guard scan.skip(#"{"ch":""#), let name = scan.text(), let channel = Channel(name),
            scan.skip(#","ep":""#), let epoch = scan.text()
        else { return nil }
        self.channel = channel
        self.epoch = epoch
        if scan.skip(#","off":"#) {
            guard let offset = scan.integer() else { return nil }
            self.offset = offset
        } else {
            guard scan.skip(#","base":"#), let base = scan.integer(), scan.skip(#","run":""#), let run = scan.text(),
                scan.skip(#","rev":"#), let revision = scan.integer()
            else { return nil }
            self.base = base
            self.run = run
            self.revision = revision
        }
        guard scan.skip(#","n":""#), let n = scan.text().flatMap(Int64.init), scan.skip(#","type":""#),
            let type = scan.text().flatMap({ MessageType(name: $0) }), scan.skip(#","t":""#),
            let time = scan.text().flatMap(Int64.init)
        else { return nil }
        isDurable = !scan.skip(Envelope.undurableMark)
        guard scan.skip(#","d":"#), bytes.count > scan.offset, bytes.last == UInt8(ascii: "}") else { return nil }
        self.n = n
        self.type = type
        self.time = Instant(nanos: time)
        payload = scan.offset..<(bytes.count - 1)
    }
}

private struct EnvelopeScanner {
    let bytes: [UInt8]
    var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func skip(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { expected in
            guard bytes[offset...].starts(with: expected) else { return false }
            offset += expected.count
            return true
        }
    }

    /// The text up to the closing quote, which is passed; no escapes: names have none.
    mutating func text() -> String? {
        guard let end = bytes[offset...].firstIndex(of: UInt8(ascii: "\"")) else { return nil }
        defer { offset = end + 1 }
        return String(decoding: bytes[offset..<end], as: UTF8.self)
    }

    mutating func integer() -> Int64? {
        var end = offset
        while end < bytes.count, bytes[end] == UInt8(ascii: "-") || (48...57).contains(bytes[end]) { end += 1 }
        defer { offset = end }
        return Int64(String(decoding: bytes[offset..<end], as: UTF8.self))
    }
}

/// The members of a flat JSON object, without reading the values.
package enum JSONMembers {
    /// Splits `{"a":1,"b":{…}}` into its keys and the ranges of its values.
    ///
    /// - Returns: nil where the text isn't an object without white space between members, as our encoders write it.
    package static func split(_ bytes: some Collection<UInt8>) -> [(key: String, value: [UInt8])]? {
        let text = Array(bytes)
        guard text.first == UInt8(ascii: "{"), text.last == UInt8(ascii: "}") else { return nil }
        var members: [(key: String, value: [UInt8])] = []
        var offset = 1
        while offset < text.count - 1 {
            guard text[offset] == UInt8(ascii: "\""),
                let end = text[(offset + 1)...].firstIndex(of: UInt8(ascii: "\"")), end + 1 < text.count,
                text[end + 1] == UInt8(ascii: ":")
            else { return nil }
            let key = String(decoding: text[(offset + 1)..<end], as: UTF8.self)
            let stop = valueEnd(text, from: end + 2)
            members.append((key, Array(text[(end + 2)..<stop])))
            offset = stop + 1
        }
        return members
    }

    /// Where the value that starts at `start` stops: the comma or brace that ends it at its own level.
    private static func valueEnd(_ text: [UInt8], from start: Int) -> Int {
        var depth = 0
        var isInText = false
        var offset = start
        while offset < text.count - 1 {
            let byte = text[offset]
            if isInText {
                if byte == UInt8(ascii: "\\") { offset += 1 } else if byte == UInt8(ascii: "\"") { isInText = false }
            } else {
                switch byte {
                case UInt8(ascii: "\""): isInText = true
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                case UInt8(ascii: ",") where depth == 0: return offset
                default: break
                }
            }
            offset += 1
        }
        return min(offset, text.count - 1)
    }
}
