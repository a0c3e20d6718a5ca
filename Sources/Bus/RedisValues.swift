internal import Wire

extension HotState {
    /// Reads the hash `st:{pN}:state:<channel>`; nil where it is empty.
    init?(of channel: Channel, fields: [RedisReply]) {
        guard !fields.isEmpty else { return nil }
        self.init(of: channel, epoch: "")
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            guard let name = fields[index].string, let value = fields[index + 1].bytes else { continue }
            let text = String(decoding: value, as: UTF8.self)
            guard let dot = name.firstIndex(of: ".") else {
                switch name {
                case "ep": epoch = text
                case "off": offset = Int64(text) ?? 0
                case "run": run = text
                case "rev": revision = Int64(text) ?? 0
                case "n": n = Int64(text) ?? 0
                case "t": time = Int64(text) ?? 0
                default: break
                }
                continue
            }
            parts[String(name[..<dot]), default: [:]][String(name[name.index(after: dot)...])] = value
        }
    }
}

extension LogEntry {
    /// Reads an entry of `st:{pN}:log`; nil where it isn't one of ours.
    init?(reply: RedisReply) {
        guard let parts = reply.elements, parts.count == 2, let id = parts[0].string,
            let sequence = Int64(id.prefix { $0 != "-" }), let fields = parts[1].elements
        else { return nil }
        var values: [String: [UInt8]] = [:]
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            guard let name = fields[index].string else { return nil }
            values[name] = fields[index + 1].bytes
        }
        func text(_ name: String) -> String? { values[name].map { String(decoding: $0, as: UTF8.self) } }
        guard let channel = text("ch").flatMap({ Channel($0) }), let offset = text("off").flatMap({ Int64($0) }),
            let fence = text("fence").flatMap({ Int64($0) }), let bytes = values["m"]
        else { return nil }
        self.init(sequence: sequence, channel: channel, offset: offset, fence: fence, bytes: bytes)
    }
}
