internal import Primitives
internal import Wire

/// A watched plan: its parsed snapshot, and the derived fields as they were last computed.
struct PlanDeriver {
    private(set) var view: PlanView?
    /// The stamps of the parts that it was read from.
    private var read: [UInt8: Int64] = [:]

    /// Reads the plan again if its state changed since.
    ///
    /// - Returns: false where the state can't be read as a plan.
    mutating func update(from value: ChannelValue) -> Bool {
        let stamps = [
            MessageType.snapshot.rawValue: value.part(.snapshot)?.stamp ?? 0,
            MessageType.status.rawValue: value.part(.status)?.stamp ?? 0,
            MessageType.hit.rawValue: value.part(.hit)?.stamp ?? 0,
        ]
        guard stamps != read else { return view != nil || read.isEmpty }
        read = stamps
        view = PlanView(fields: Self.fields(of: value))
        return view != nil
    }

    /// The snapshot's fields, with what a later status and hit say.
    static func fields(of value: ChannelValue) -> [String: [UInt8]] {
        var fields: [String: [UInt8]] = [:]
        for field in value.part(.snapshot)?.fields ?? [] { fields[field.name] = field.text }
        if let status = value.part(.status) {
            for name in ["state", "stop", "blind"] {
                if let text = status[name], text != ChannelValue.null || name == "stop" { fields[name] = text }
            }
        }
        if let hit = value.part(.hit), let i = hit["i"], i != ChannelValue.null {
            fields["hits"] = appending(hit, numbered: i, to: fields["hits"])
        }
        return fields
    }

    /// The list of hits with one more, unless it is in it already.
    private static func appending(_ hit: ChannelValue.Part, numbered i: [UInt8], to list: [UInt8]?) -> [UInt8] {
        let hits = list.flatMap { try? JSONParser.parse($0) }?.array ?? []
        let number = Int64(String(decoding: i, as: UTF8.self))
        let version = hit["version"].flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
        let isKnown = hits.contains { $0["i"]?.integer == number && $0["version"]?.integer == version }
        guard !isKnown else { return list ?? Array("[]".utf8) }
        var out: [UInt8] = [UInt8(ascii: "[")]
        for known in hits {
            JSONText.append(known, to: &out)
            out.append(UInt8(ascii: ","))
        }
        var object = JSONObject(&out)
        for field in hit.fields {
            object.key(field.name, to: &out)
            out.append(contentsOf: field.text)
        }
        object.end(&out)
        out.append(UInt8(ascii: "]"))
        return out
    }

    /// The derived fields' texts, in the order of the wire.
    ///
    /// `prices` is the value of the plan's price channel, `receivedAt` when that channel last brought a message, on the
    /// clock of `now`.
    static func derive(
        _ view: PlanView,
        prices: ChannelValue?,
        bands: ChannelValue?,
        receivedAt: Instant,
        now: Instant
    ) -> [(key: String, value: [UInt8])] {
        var values = SymbolValues()
        let type: MessageType = view.contract == nil ? .tick : .contract
        if let part = prices?.part(type) {
            values.take(prices: { part[$0] })
            // As old as the engine said it was, and what has passed since.
            let said = part["ageMs"].flatMap { Int64(String(decoding: $0, as: UTF8.self)) } ?? 0
            values.ageMillis = said + max(0, now.nanos(since: receivedAt)) / 1_000_000
        }
        if let part = bands?.part(.bands) { values.take(bands: { part[$0] }) }
        return DerivedFields(view, values).encoded().map { (key: $0.name, value: $0.value) }
    }
}
