package import Wire

/// A subscriber of a gateway that goes on by itself: subscribes, drops what it knows, connects again.
///
/// Pure.
package struct TailMachine: Sendable {
    /// What is shown.
    package enum Event: Sendable, Equatable {
        /// A message, not seen before; its text is the envelope.
        case message(EnvelopeHeader, [UInt8])
        /// Messages were missed: from, to (nil: unknown), why.
        case gap(channel: String, from: Int64, to: Int64?, reason: String)
        /// Something for the user to know: an answer, an error, a lost connection.
        case note(String)
    }

    /// What follows the end of a connection.
    package enum Next: Sendable, Equatable {
        case connect(afterNanos: Int64)
        /// Connecting again would not help.
        case stop(String)
    }

    private struct Place: Sendable {
        var epoch: String
        var offset: Int64
    }

    private let channels: [String]
    private let token: String?
    private var places: [Channel: Place] = [:]
    /// Attempts since the last answer.
    private var attempts = 0
    private var isAgain = false
    /// Messages that came twice and were dropped.
    package private(set) var known = 0

    private static let firstNanos: Int64 = 250_000_000
    private static let lastNanos: Int64 = 15_000_000_000

    package init(channels: [String], token: String? = nil) {
        self.channels = channels
        self.token = token
    }

    /// Frames to send on a new connection.
    package func connected() -> [String] {
        var frames: [String] = []
        if let token {
            frames.append(Self.frame("auth") { object, out in object.field("token", token, to: &out) })
        }
        frames.append(
            Self.frame("subscribe") { object, out in
                object.key("channels", to: &out)
                JSONText.append(.array(channels.map { .string($0) }), to: &out)
            }
        )
        return frames
    }

    private static func frame(_ operation: String, _ rest: (inout JSONObject, inout [UInt8]) -> Void) -> String {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("id", Int64(1), to: &out)
        object.field("op", operation, to: &out)
        rest(&object, &out)
        object.end(&out)
        return String(decoding: out, as: UTF8.self)
    }

    /// Takes a frame.
    package mutating func received(_ frame: some Sequence<UInt8>) -> [Event] {
        do {
            return try ServerFrame.parse(frame).flatMap { take($0) }
        } catch {
            return [.note("a frame that could not be understood: \(error)")]
        }
    }

    private mutating func take(_ message: ServerMessage) -> [Event] {
        switch message {
        case .control(let operation, let body): return control(operation, body)
        case .envelope(let header, let bytes):
            guard let offset = header.offset else { return [.message(header, bytes)] }
            let place = places[header.channel]
            let isSameLog = place?.epoch == header.epoch
            if header.type != .snapshot, isSameLog, let place, offset <= place.offset {
                known += 1
                return []
            }
            places[header.channel] = Place(epoch: header.epoch, offset: offset)
            var events: [Event] = []
            if header.type == .snapshot, isAgain, let place, !isSameLog || offset > place.offset {
                // What came while there was no connection.
                events.append(
                    .gap(
                        channel: header.channel.name,
                        from: place.offset + 1,
                        to: isSameLog ? offset : nil,
                        reason: "reconnected"
                    )
                )
            }
            return events + [.message(header, bytes)]
        }
    }

    private mutating func control(_ operation: String, _ body: JSONValue) -> [Event] {
        switch operation {
        case "subscribed":
            attempts = 0
            return []
        case "error":
            let channel = body["ch"]?.string.map { "\($0): " } ?? ""
            return [.note("\(channel)\(body["message"]?.string ?? "refused") (\(body["code"]?.string ?? "error"))")]
        case "gap":
            let name = body["ch"]?.string ?? ""
            let (from, to) = (body["from"]?.integer ?? 0, body["to"]?.integer)
            if let channel = Channel(name) {
                if let to { places[channel]?.offset = to } else { places[channel] = nil }
            }
            return [.gap(channel: name, from: from, to: to, reason: body["reason"]?.string ?? "unknown")]
        default: return []
        }
    }

    /// The connection ended, or didn't come to be.
    ///
    /// `code` is nil where there was no connection; `jitter` is 0 to 1, from the shell: not all clients come back at
    /// once.
    package mutating func ended(code: UInt16?, reason: String, jitter: Double) -> Next {
        isAgain = isAgain || !places.isEmpty
        if let code, let known = CloseCode(rawValue: code), [.unauthorised, .unknownPath, .badFrame].contains(known) {
            return .stop("\(code) \(reason)")
        }
        let wait = min(Self.lastNanos, Self.firstNanos << min(attempts, 8))
        attempts += 1
        return .connect(afterNanos: Int64(Double(wait) * (0.5 + 0.5 * max(0, min(1, jitter)))))
    }
}
