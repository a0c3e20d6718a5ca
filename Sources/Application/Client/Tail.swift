internal import Gateway
internal import Network
internal import Primitives
internal import Wire

/// Channels that can't be followed, with what to do.
package struct TailError: Error, Sendable, CustomStringConvertible {
    package let description: String
}

/// Follows channels of a gateway and prints what is heard (`striketape tail`).
package final class Tail: Sendable {
    private let loop = EventLoop(name: "tail")
    private let tail: WebSocketTail
    private let ended: AsyncStream<String>
    private let end: AsyncStream<String>.Continuation

    /// A follower that stands still.
    ///
    /// With `json` whole envelopes are printed, else a line for people. `print` takes a message's line, `note` what isn't a
    /// message: gaps, losses.
    package init(
        url: String,
        channels: [String],
        key: Secret?,
        json: Bool,
        print: @escaping @Sendable (String) -> Void,
        note: @escaping @Sendable (String) -> Void
    ) throws(TailError) {
        for channel in channels where Channel(channel) == nil {
            throw TailError(description: "\(channel): expected a channel such as symbol:SPY, plan:ID, plans or health")
        }
        let address: WebSocketURL
        do { address = try WebSocketURL(url) } catch { throw TailError(description: "\(error)") }
        let (ended, end) = AsyncStream<String>.makeStream()
        self.ended = ended
        self.end = end
        tail = WebSocketTail(
            loop: loop,
            url: address,
            channels: channels,
            token: key?.reveal(),
            heard: { event in
                switch event {
                case .message(let header, let bytes):
                    print(json ? String(decoding: bytes, as: UTF8.self) : Self.line(header, bytes))
                case .gap(let channel, let from, let to, let reason):
                    note("gap in \(channel) from \(from) to \(to.map(String.init) ?? "unknown"): \(reason)")
                case .note(let words): note(words)
                }
            },
            ended: { reason in end.yield(reason) }
        )
    }

    /// Follows until `stop` returns.
    ///
    /// - Returns: why following ended by itself; nil where `stop` ended it.
    package func follow(until stop: @escaping @Sendable () async -> Void) async -> String? {
        loop.start()
        tail.start()
        let (ended, end) = (ended, end)
        let waiter = Task {
            await stop()
            end.finish()
        }
        var reason: String?
        for await words in ended {
            reason = words
            break
        }
        waiter.cancel()
        tail.stop()
        loop.stop()
        loop.join()
        return reason
    }

    private static func line(_ header: EnvelopeHeader, _ bytes: [UInt8]) -> String {
        var time: [UInt8] = []
        InstantText.append(header.time, to: &time)
        let place = header.offset.map { "#\($0)" } ?? "·"
        let payload = String(decoding: bytes[header.payload], as: UTF8.self)
        let clock = String(decoding: time, as: UTF8.self)
        return "\(clock)  \(header.channel.name) \(place)  \(header.type.name)  \(payload)"
    }
}
