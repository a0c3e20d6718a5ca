package import Wire

/// The digests of a run's messages (architecture.md 8): what replays are compared by.
///
/// SHA-256 over lines `channel TAB sha256hex(messages, each ended by LF) LF`, channels in byte order; `digest` over the
/// durable messages, `digestAll` over these and the conflatable ones. `state` values aren't messages.
package struct MessageDigest: ~Copyable {
    // A class, because a dictionary can't hold what can't be copied.
    private final class ChannelHash {
        var durable = SHA256()
        var all = SHA256()
        var hasDurable = false
    }

    private var channels: [Channel: ChannelHash] = [:]
    private var line: [UInt8] = []

    /// Messages so far, by class.
    package private(set) var durableCount: Int64 = 0
    package private(set) var conflatableCount: Int64 = 0

    package init() {}

    /// Adds a released message.
    package mutating func add(_ envelope: Envelope) {
        switch envelope.outputClass {
        case .durable: durableCount += 1
        case .conflatable: conflatableCount += 1
        case .state, .reply, .request: return
        }
        let hash = channelHash(envelope.channel)
        line.removeAll(keepingCapacity: true)
        line.append(contentsOf: envelope.bytes)
        line.append(UInt8(ascii: "\n"))
        hash.all.update(line)
        guard envelope.outputClass == .durable else { return }
        hash.durable.update(line)
        hash.hasDurable = true
    }

    private mutating func channelHash(_ channel: Channel) -> ChannelHash {
        if let found = channels[channel] { return found }
        let new = ChannelHash()
        channels[channel] = new
        return new
    }

    /// Over the durable messages so far.
    package var digest: String {
        summary { hash in hash.hasDurable ? hash.durable.digest() : nil }
    }

    /// Over all messages so far.
    package var digestAll: String {
        summary { hash in hash.all.digest() }
    }

    private func summary(_ value: (ChannelHash) -> [UInt8]?) -> String {
        var total = SHA256()
        for (channel, hash) in channels.sorted(by: { $0.key < $1.key }) {
            guard let digest = value(hash) else { continue }
            total.update(Array("\(channel.name)\t\(SHA256.hex(digest))\n".utf8))
        }
        return SHA256.hex(total.digest())
    }
}
