/// What a client asks over a WebSocket: one JSON object a text frame (protocol.md 3).
///
/// Read strictly: an unknown field is an error that names it, so that a misspelt `maxrate` isn't silently ignored.
package enum ClientRequest: Sendable, Equatable {
    case subscribe(id: JSONValue, [ChannelRequest])
    case unsubscribe(id: JSONValue, [ChannelRequest])
    case ping(id: JSONValue)
    case auth(id: JSONValue, token: String)

    /// Reads a frame.
    package static func parse(_ frame: some Sequence<UInt8>) throws(RequestError) -> ClientRequest {
        let value: JSONValue
        do {
            value = try JSONParser.parse(frame)
        } catch {
            throw RequestError(.badFrame, id: .null, "\(error)")
        }
        guard case .object = value else {
            throw RequestError(.badFrame, id: .null, "expected an object with `op`, found \(value.kindName)")
        }
        var reader = RequestReader(value)
        return try reader.request()
    }

    package static let channelsMax = 500
    package static let idBytesMax = 64
    package static let tokenBytesMax = 8_192
    /// Messages a second that a subscription may be limited to.
    package static let rateRange = 0.1...1_000.0
}

/// One channel of a `subscribe` or `unsubscribe`.
package struct ChannelRequest: Sendable, Equatable {
    /// As the client wrote it.
    package var name: String
    /// Nil where the name isn't a channel's; that channel alone is refused.
    package var channel: Channel?
    /// Messages a second at most, of conflatable ones.
    package var maxRate: Double?
    /// From where the client wants to go on.
    package var since: ResumePoint?
    /// Whether messages carry latency stamps.
    package var stamps: Bool

    package init(
        name: String,
        maxRate: Double? = nil,
        since: ResumePoint? = nil,
        stamps: Bool = false
    ) {
        self.name = name
        self.channel = Channel(name)
        self.maxRate = maxRate
        self.since = since
        self.stamps = stamps
    }
}

/// The last durable message of a channel that a client has.
package struct ResumePoint: Sendable, Equatable {
    package var epoch: String
    package var offset: Int64

    package init(epoch: String, offset: Int64) {
        self.epoch = epoch
        self.offset = offset
    }
}

/// A request that can't be carried out as it is written.
package struct RequestError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// Not a JSON object: the connection is closed (4001).
        case badFrame = "bad_frame"
        /// A field is missing, wrong or unknown.
        case badRequest = "bad_request"
        case unknownOperation = "unknown_op"
    }

    package let code: Code
    /// The request's id as far as it could be read; `null` otherwise.
    package let id: JSONValue
    /// Where, what was expected, what was found.
    package let message: String

    package init(_ code: Code, id: JSONValue, _ message: String) {
        self.code = code
        self.id = id
        self.message = message
    }

    package var description: String { "\(code.rawValue): \(message)" }
}

private struct RequestReader {
    private let value: JSONValue
    private var id = JSONValue.null

    init(_ value: JSONValue) { self.value = value }

    mutating func request() throws(RequestError) -> ClientRequest {
        try readID()
        guard let operation = value["op"] else { throw fail("op", "a text", nil) }
        guard let name = operation.string else { throw fail("op", "a text", operation) }
        switch name {
        case "subscribe":
            try allow(["id", "op", "channels"], in: value, at: "")
            return .subscribe(id: id, try channels(withOptions: true))
        case "unsubscribe":
            try allow(["id", "op", "channels"], in: value, at: "")
            return .unsubscribe(id: id, try channels(withOptions: false))
        case "ping":
            try allow(["id", "op"], in: value, at: "")
            return .ping(id: id)
        case "auth":
            try allow(["id", "op", "token"], in: value, at: "")
            return .auth(id: id, token: try token())
        default:
            throw RequestError(
                .unknownOperation,
                id: id,
                "op: expected subscribe, unsubscribe, ping or auth, found \(operation.kindName)"
            )
        }
    }

    private mutating func readID() throws(RequestError) {
        switch value["id"] {
        case nil: break
        case .string(let text)? where text.utf8.count <= ClientRequest.idBytesMax: id = .string(text)
        case .number(let text)? where text.utf8.count <= ClientRequest.idBytesMax: id = .number(text)
        case let other?:
            throw fail("id", "a number or a text of at most \(ClientRequest.idBytesMax) bytes", other)
        }
    }

    private func token() throws(RequestError) -> String {
        // The value isn't repeated in the message: it is a secret.
        guard let token = value["token"]?.string, (1...ClientRequest.tokenBytesMax).contains(token.utf8.count) else {
            throw RequestError(
                .badRequest,
                id: id,
                "token: expected a text of 1 to \(ClientRequest.tokenBytesMax) bytes"
            )
        }
        return token
    }

    private func channels(withOptions: Bool) throws(RequestError) -> [ChannelRequest] {
        guard let list = value["channels"]?.array, (1...ClientRequest.channelsMax).contains(list.count) else {
            throw fail("channels", "an array of 1 to \(ClientRequest.channelsMax) channels", value["channels"])
        }
        var requests: [ChannelRequest] = []
        for (index, element) in list.enumerated() {
            requests.append(try channel(element, at: "channels[\(index)]", withOptions: withOptions))
        }
        return requests
    }

    private func channel(
        _ element: JSONValue,
        at place: String,
        withOptions: Bool
    ) throws(RequestError) -> ChannelRequest {
        if let name = element.string { return ChannelRequest(name: name) }
        guard withOptions, case .object = element else {
            throw fail(place, withOptions ? "a channel's name or an object with `ch`" : "a channel's name", element)
        }
        try allow(["ch", "maxRate", "since", "stamps"], in: element, at: place + ".")
        guard let name = element["ch"]?.string else { throw fail("\(place).ch", "a channel's name", element["ch"]) }
        return ChannelRequest(
            name: name,
            maxRate: try rate(element["maxRate"], at: "\(place).maxRate"),
            since: try resumePoint(element["since"], at: "\(place).since"),
            stamps: try flag(element["stamps"], at: "\(place).stamps")
        )
    }

    private func rate(_ value: JSONValue?, at place: String) throws(RequestError) -> Double? {
        guard let value, !value.isNull else { return nil }
        let range = ClientRequest.rateRange
        guard case .number(let text) = value, let rate = Double(text), range.contains(rate) else {
            throw fail(place, "a number from \(range.lowerBound) to \(range.upperBound)", value)
        }
        return rate
    }

    private func resumePoint(_ value: JSONValue?, at place: String) throws(RequestError) -> ResumePoint? {
        guard let value, !value.isNull else { return nil }
        try allow(["ep", "off"], in: value, at: place + ".")
        guard let epoch = value["ep"]?.string, epoch.utf8.count <= 64 else {
            throw fail("\(place).ep", "an epoch", value["ep"])
        }
        guard let offset = value["off"]?.integer, offset >= 0 else {
            throw fail("\(place).off", "an offset", value["off"])
        }
        return ResumePoint(epoch: epoch, offset: offset)
    }

    private func flag(_ value: JSONValue?, at place: String) throws(RequestError) -> Bool {
        guard let value else { return false }
        guard let flag = value.bool else { throw fail(place, "true or false", value) }
        return flag
    }

    private func allow(_ keys: [String], in object: JSONValue, at place: String) throws(RequestError) {
        guard case .object(let members) = object else { throw fail(String(place.dropLast()), "an object", object) }
        for member in members where !keys.contains(member.key) {
            throw RequestError(
                .badRequest,
                id: id,
                "\(place)\(member.key.prefix(40)): unknown field; expected \(keys.joined(separator: ", "))"
            )
        }
    }

    private func fail(_ place: String, _ expected: String, _ found: JSONValue?) -> RequestError {
        RequestError(.badRequest, id: id, "\(place): expected \(expected), found \(found?.kindName ?? "nothing")")
    }
}
