internal import Bus
internal import Primitives
internal import Wire

/// The whole last value of a watched channel, with the stamp of each field's last change.
///
/// Stamps count the changes in this gateway; a subscriber keeps only the stamp up to which it has seen the channel, so a
/// slow one costs no memory and gets the newest value of each field.
struct ChannelValue {
    struct Field {
        let name: String
        var text: [UInt8]
        var stamp: Int64
    }

    /// The fields of one message type.
    struct Part {
        let type: MessageType
        var fields: [Field] = []
        /// The stamp and revision, ordinal and time of the last message that changed it.
        var stamp: Int64 = 0
        var revision: Int64 = 0
        var n: Ordinal = 0
        var time = Instant.zero

        subscript(name: String) -> [UInt8]? { fields.first { $0.name == name }?.text }
    }

    private(set) var parts: [Part] = []
    /// +1 a change.
    private(set) var stamp: Int64 = 0

    static let null = Array("null".utf8)

    func part(_ type: MessageType) -> Part? { parts.first { $0.type == type } }

    private mutating func index(of type: MessageType) -> Int {
        if let found = parts.firstIndex(where: { $0.type == type }) { return found }
        parts.append(Part(type: type))
        return parts.count - 1
    }

    /// Takes a message's fields, all as changed: the engine sends only dirty ones.
    mutating func apply(
        _ type: MessageType,
        _ fields: [(key: String, value: [UInt8])],
        revision: Int64,
        n: Ordinal,
        time: Instant
    ) {
        stamp += 1
        let part = index(of: type)
        for field in fields { set(field.key, field.value, in: part) }
        touch(part, revision: revision, n: n, time: time)
    }

    /// Takes fields of which only those with another text count as changed.
    ///
    /// - Returns: whether one did.
    mutating func merge(
        _ type: MessageType,
        _ fields: [(key: String, value: [UInt8])],
        revision: Int64,
        n: Ordinal,
        time: Instant
    ) -> Bool {
        let part = index(of: type)
        let changed = fields.filter { parts[part][$0.key] != $0.value }
        guard !changed.isEmpty else { return false }
        apply(type, changed, revision: revision, n: n, time: time)
        return true
    }

    /// Takes a whole value as read from the bus; what is no longer there becomes null.
    ///
    /// Type `kept` keeps what the state doesn't have.
    /// - Returns: whether a field changed.
    mutating func replace(with state: HotStateParts, keeping kept: MessageType? = nil) -> Bool {
        var changed = false
        for (type, fields) in state.parts {
            if merge(type, fields, revision: state.revision, n: state.n, time: state.time) { changed = true }
        }
        for part in parts where part.type != kept {
            let present = state.parts.first { $0.type == part.type }?.fields ?? []
            let gone = part.fields.filter { field in
                field.text != Self.null && !present.contains { $0.key == field.name }
            }
            guard !gone.isEmpty else { continue }
            let nulls = gone.map { (key: $0.name, value: Self.null) }
            if merge(part.type, nulls, revision: state.revision, n: state.n, time: state.time) { changed = true }
        }
        return changed
    }

    private mutating func set(_ name: String, _ text: [UInt8], in part: Int) {
        if let field = parts[part].fields.firstIndex(where: { $0.name == name }) {
            parts[part].fields[field].text = text
            parts[part].fields[field].stamp = stamp
        } else {
            parts[part].fields.append(Field(name: name, text: text, stamp: stamp))
        }
    }

    private mutating func touch(_ part: Int, revision: Int64, n: Ordinal, time: Instant) {
        parts[part].stamp = stamp
        parts[part].revision = revision
        parts[part].n = n
        parts[part].time = time
    }
}

/// A state read from the bus, its parts in a fixed order.
struct HotStateParts {
    var parts: [(type: MessageType, fields: [(key: String, value: [UInt8])])]
    var revision: Int64
    var n: Ordinal
    var time: Instant

    init(_ state: HotState) {
        parts = state.parts.compactMap { name, fields in
            MessageType(name: name).map { type in
                (type, fields.map { (key: $0.key, value: $0.value) }.sorted { $0.key < $1.key })
            }
        }
        .sorted { $0.type.rawValue < $1.type.rawValue }
        revision = state.revision
        n = state.n
        time = Instant(nanos: state.time)
    }
}
