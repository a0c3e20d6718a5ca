internal import Primitives
internal import Wire

/// Writes the call of `RedisScripts.append` for one message.
enum RedisMessageText {
    /// What stands in the call beside the message.
    struct Call {
        var sha: String
        /// The channel's.
        var partition: Int
        /// `d`, `r`, `q`, `c` or `s`.
        var mode: String
        var sequence: Int64
        var replacing: Int64?
        var cap: Int
        var fence: Int64
    }

    /// Appends the command.
    ///
    /// - Returns: false where the message isn't an envelope or its payload isn't a flat object: a durable one is
    ///   appended all the same, without touching the hot state's fields.
    static func append(_ message: Envelope, _ call: Call, into out: inout [UInt8]) -> Bool {
        let header = EnvelopeHeader(message.bytes)
        let fields = header.flatMap { HotStateFields.of($0, in: message.bytes) }
        let kept = fields.flatMap { $0.count <= RedisScripts.fieldsMax ? $0 : nil } ?? []
        let channel = message.channel.name
        RedisCommand.begin(18 + kept.count * 2, into: &out)
        RedisCommand.add("EVALSHA", into: &out)
        RedisCommand.add(call.sha, into: &out)
        RedisCommand.add(2, into: &out)
        RedisCommand.add(RedisKey.logs[call.partition], into: &out)
        RedisCommand.add(RedisKey.states[call.partition], channel, "", into: &out)
        RedisCommand.add(call.mode, into: &out)
        RedisCommand.add(call.sequence, into: &out)
        if let top = call.replacing { RedisCommand.add(top, into: &out) } else { RedisCommand.add("", into: &out) }
        RedisCommand.add(Int64(call.cap), into: &out)
        RedisCommand.add(call.fence, into: &out)
        RedisCommand.add(channel, into: &out)
        RedisCommand.add(message.bytes, into: &out)
        RedisCommand.add(header?.epoch ?? "", into: &out)
        RedisCommand.add(header?.offset ?? header?.base ?? message.offset, into: &out)
        RedisCommand.add(header?.run ?? "", into: &out)
        RedisCommand.add(header?.revision ?? 0, into: &out)
        RedisCommand.add(message.n, into: &out)
        RedisCommand.add(header?.time.nanos ?? 0, into: &out)
        let type = header?.type.name ?? ""
        for field in kept {
            RedisCommand.add(type, ".", field.key, into: &out)
            RedisCommand.add(field.value, into: &out)
        }
        return fields != nil && kept.count == fields?.count
    }
}

extension RedisCommand {
    /// Appends one argument of three texts.
    static func add(_ first: String, _ second: String, _ third: String, into out: inout [UInt8]) {
        let count = first.utf8.count + second.utf8.count + third.utf8.count
        out.append(UInt8(ascii: "$"))
        DecimalText.append(Int64(count), to: &out)
        out.append(contentsOf: [13, 10])
        out.append(contentsOf: first.utf8)
        out.append(contentsOf: second.utf8)
        out.append(contentsOf: third.utf8)
        out.append(contentsOf: [13, 10])
    }
}
