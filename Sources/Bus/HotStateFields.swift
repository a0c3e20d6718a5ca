package import Wire

/// What of a message the hot state keeps; both twins and the gateway ask here.
package enum HotStateFields {
    /// The fields under which the state keeps a message, each with its JSON text.
    ///
    /// The members of the payload; on `health` the whole payload under the feed's name, as every feed has messages of the
    /// same type and each feed's last one counts, and nothing of the gap ledger, whose entries are news and no state.
    /// Limits: `health` has as many fields as there were feeds in the epoch, whose names come from the configuration.
    ///
    /// - Returns: nil where the payload isn't an object as our encoders write it, or names no feed on `health`.
    package static func of(_ header: EnvelopeHeader, in bytes: [UInt8]) -> [(key: String, value: [UInt8])]? {
        let payload = bytes[header.payload]
        guard let members = JSONMembers.split(payload) else { return nil }
        guard header.channel.kind == .health else { return members }
        guard header.type == .health else { return [] }
        guard let feed = feed(of: members) else { return nil }
        return [(feed, Array(payload))]
    }

    /// Whether a field of `health` is a feed's message; a state written before each feed had its own field holds others.
    package static func isFeed(_ field: (key: String, value: [UInt8])) -> Bool {
        guard let members = JSONMembers.split(field.value) else { return false }
        return feed(of: members) == field.key
    }

    private static func feed(of members: [(key: String, value: [UInt8])]) -> String? {
        guard let text = members.first(where: { $0.key == "feed" })?.value else { return nil }
        guard case .string(let name)? = try? JSONParser.parse(text), !name.isEmpty else { return nil }
        return name
    }
}
