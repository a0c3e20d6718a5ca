/// One element of a frame that the gateway sends; a frame is always a JSON array of these (protocol.md 3).
package enum ServerMessage: Sendable, Equatable {
    /// A message of a channel: its header and its whole text.
    case envelope(EnvelopeHeader, [UInt8])
    /// The answer to a request, an error or a gap: the whole object, its `op` read.
    case control(operation: String, JSONValue)
}

/// Frames as a client reads them.
package enum ServerFrame {
    /// Reads a frame.
    ///
    /// An element that is neither an envelope nor has an `op` is an error: a client must not miss a message silently.
    package static func parse(_ frame: some Sequence<UInt8>) throws(JSONError) -> [ServerMessage] {
        guard case .array(let elements) = try JSONParser.parse(frame) else {
            throw JSONError(offset: 0, expected: "an array of messages")
        }
        var messages: [ServerMessage] = []
        for (index, element) in elements.enumerated() {
            if let operation = element["op"]?.string {
                messages.append(.control(operation: operation, element))
                continue
            }
            // Numbers and member order are kept by the parser, so this is the text that was sent.
            var bytes: [UInt8] = []
            JSONText.append(element, to: &bytes)
            guard let header = EnvelopeHeader(bytes) else {
                throw JSONError(offset: 0, expected: "an envelope or an `op` as element \(index)")
            }
            messages.append(.envelope(header, bytes))
        }
        return messages
    }
}

/// Why messages of a channel are missing.
package enum GapReason: String, Sendable {
    case slowClient = "slow_client"
    case busLost = "bus_lost"
    case expired
}

/// A channel of a `subscribed` answer.
package struct SubscribedChannel: Sendable, Equatable {
    package var channel: Channel
    package var epoch: String
    package var offset: Int64
    /// Whether what was missed since the resume point follows; otherwise only the snapshot does.
    package var recovered: Bool

    package init(channel: Channel, epoch: String, offset: Int64, recovered: Bool) {
        self.channel = channel
        self.epoch = epoch
        self.offset = offset
        self.recovered = recovered
    }
}

/// The texts of what the gateway says about requests and delivery, apart from channels' messages.
package enum ServerReply {
    package static func subscribed(id: JSONValue, _ channels: [SubscribedChannel]) -> [UInt8] {
        make(id: id, operation: "subscribed") { object, out in
            object.key("channels", to: &out)
            appendArray(channels, to: &out) { channel, out in
                var element = JSONObject(&out)
                element.field("ch", channel.channel.name, to: &out)
                element.field("ep", channel.epoch, to: &out)
                element.field("off", channel.offset, to: &out)
                element.field("recovered", channel.recovered, to: &out)
                element.end(&out)
            }
        }
    }

    package static func unsubscribed(id: JSONValue, _ channels: [String]) -> [UInt8] {
        make(id: id, operation: "unsubscribed") { object, out in
            object.key("channels", to: &out)
            appendArray(channels, to: &out) { name, out in JSONText.append(name, to: &out) }
        }
    }

    package static func pong(id: JSONValue) -> [UInt8] {
        make(id: id, operation: "pong") { _, _ in }
    }

    package static func authenticated(id: JSONValue, user: String) -> [UInt8] {
        make(id: id, operation: "authenticated") { object, out in object.field("user", user, to: &out) }
    }

    /// `channel` names the one that is refused, where it is about one.
    package static func error(id: JSONValue, code: String, message: String, channel: String? = nil) -> [UInt8] {
        make(id: id, operation: "error") { object, out in
            object.field("code", code, to: &out)
            object.field("message", message, to: &out)
            if let channel { object.field("ch", String(channel.prefix(120)), to: &out) }
        }
    }

    /// Durable messages `from` to `to` of a channel didn't reach this client and won't; a snapshot follows.
    ///
    /// `to` is null where the channel's log began anew, so that nobody knows how many they were.
    package static func gap(channel: Channel, from: Int64, to: Int64?, reason: GapReason) -> [UInt8] {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("op", "gap", to: &out)
        object.field("ch", channel.name, to: &out)
        object.field("from", from, to: &out)
        object.field("to", to, to: &out)
        object.field("reason", reason.rawValue, to: &out)
        object.end(&out)
        return out
    }

    private static func make(
        id: JSONValue,
        operation: String,
        _ rest: (inout JSONObject, inout [UInt8]) -> Void
    ) -> [UInt8] {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("id", id, to: &out)
        object.field("op", operation, to: &out)
        rest(&object, &out)
        object.end(&out)
        return out
    }

    private static func appendArray<Element>(
        _ elements: [Element],
        to out: inout [UInt8],
        _ append: (Element, inout [UInt8]) -> Void
    ) {
        out.append(UInt8(ascii: "["))
        for (index, element) in elements.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            append(element, &out)
        }
        out.append(UInt8(ascii: "]"))
    }
}
