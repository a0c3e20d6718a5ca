internal import Primitives
internal import Wire

/// Texts made of a channel's value: snapshots and merged messages, each made once and shared by all who need it.
struct ChannelEncoder {
    /// The newest conflatable message as the engine wrote it, which brought the value to `stamp`.
    private var newest: (stamp: Int64, bytes: [UInt8])?
    private var snapshot: (stamp: Int64, epoch: String, offset: Int64, bytes: [UInt8])?
    /// Messages merged since `from`, as of `stamp`; a few of them, for subscribers that are behind by as much.
    private var merged: [(from: Int64, bytes: [[UInt8]])] = []
    private var mergedStamp: Int64 = -1
    private static let mergedMax = 4

    /// Notes a message that was taken into the value just now and can be passed on as it is.
    mutating func passOn(_ bytes: [UInt8], stamp: Int64) { newest = (stamp, bytes) }

    /// The messages that bring a subscriber from `from` to the value's stamp.
    ///
    /// `own` is the run that messages made here are numbered in; nil where the engine's numbers go on.
    mutating func messages(
        since from: Int64,
        of feed: ChannelFeed,
        own: String?,
        encoded: inout UInt64
    ) -> [[UInt8]] {
        let value = feed.value
        if let newest, newest.stamp == value.stamp, from == value.stamp - 1 { return [newest.bytes] }
        if mergedStamp != value.stamp {
            merged.removeAll(keepingCapacity: true)
            mergedStamp = value.stamp
        }
        if let known = merged.first(where: { $0.from == from }) { return known.bytes }
        var texts: [[UInt8]] = []
        for part in value.parts.sorted(by: { $0.stamp < $1.stamp }) where part.stamp > from {
            guard Self.isSent(part.type, in: feed.channel.kind) else { continue }
            encoded += 1
            texts.append(Self.message(part, since: from, of: feed, own: own))
        }
        if merged.count < Self.mergedMax { merged.append((from, texts)) }
        return texts
    }

    /// Snapshot and status of a plan are durable or asked for; only its derived fields are conflated.
    private static func isSent(_ type: MessageType, in kind: Channel.Kind) -> Bool {
        kind == .plan ? type == .delta : true
    }

    private static func message(
        _ part: ChannelValue.Part,
        since from: Int64,
        of feed: ChannelFeed,
        own: String?
    ) -> [UInt8] {
        var payload: [UInt8] = []
        var object = JSONObject(&payload)
        for field in part.fields where field.stamp > from {
            object.key(field.name, to: &payload)
            payload.append(contentsOf: field.text)
        }
        object.end(&payload)
        var out: [UInt8] = []
        Envelope.encode(
            channel: Array(feed.channel.name.utf8),
            epoch: feed.epoch,
            position: .conflatable(
                base: feed.offset,
                run: own ?? feed.run,
                revision: own == nil ? part.revision : part.stamp
            ),
            n: part.n,
            type: part.type,
            time: part.time,
            payload: payload,
            into: &out
        )
        return out
    }

    /// The channel's snapshot.
    mutating func snapshot(of feed: ChannelFeed, encoded: inout UInt64) -> [UInt8] {
        if let snapshot, snapshot.stamp == feed.value.stamp, snapshot.offset == feed.valueOffset,
            snapshot.epoch == feed.epoch
        {
            return snapshot.bytes
        }
        encoded += 1
        let bytes = Self.snapshotText(of: feed)
        snapshot = (feed.value.stamp, feed.epoch, feed.valueOffset, bytes)
        return bytes
    }

    static func snapshotText(of feed: ChannelFeed) -> [UInt8] {
        var out: [UInt8] = []
        Envelope.encode(
            channel: Array(feed.channel.name.utf8),
            epoch: feed.epoch,
            position: .snapshot(offset: feed.valueOffset),
            n: feed.n,
            type: .snapshot,
            time: feed.time,
            payload: feed.channel.kind == .plan ? plan(feed.value) : whole(feed.value),
            into: &out
        )
        return out
    }

    /// `{"tick":{…},"bar":{…}}`.
    private static func whole(_ value: ChannelValue) -> [UInt8] {
        var out: [UInt8] = []
        var object = JSONObject(&out)
        for part in value.parts.sorted(by: { $0.type.rawValue < $1.type.rawValue }) {
            object.key(part.type.name, to: &out)
            append(part.fields, to: &out)
        }
        object.end(&out)
        return out
    }

    /// `{"plan":{…},"state":…,"stop":…,"filled":…,"hits":[…],"blind":…,"derived":{…}}`, and what else the engine adds.
    private static func plan(_ value: ChannelValue) -> [UInt8] {
        var fields = PlanDeriver.fields(of: value)
        fields["derived"] = nil
        var out: [UInt8] = []
        var object = JSONObject(&out)
        let known = ["plan", "state", "stop", "filled", "hits", "blind"]
        for name in known + fields.keys.filter({ !known.contains($0) }).sorted() {
            object.key(name, to: &out)
            out.append(contentsOf: fields[name] ?? ChannelValue.null)
        }
        object.key("derived", to: &out)
        append(value.part(.delta)?.fields ?? [], to: &out)
        object.end(&out)
        return out
    }

    private static func append(_ fields: [ChannelValue.Field], to out: inout [UInt8]) {
        var object = JSONObject(&out)
        for field in fields {
            object.key(field.name, to: &out)
            out.append(contentsOf: field.text)
        }
        object.end(&out)
    }
}
