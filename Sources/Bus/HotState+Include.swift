internal import Primitives
internal import Wire

extension HotState {
    /// An empty state.
    init(of channel: Channel, epoch: String) {
        self.init(channel: channel, epoch: epoch, offset: 0, run: "", revision: 0, n: 0, time: 0, parts: [:])
    }

    /// Takes in a message: a `state` replaces the parts, another message replaces the fields it has (`HotStateFields`).
    ///
    /// The Lua script `RedisScripts.append` does the same; one test suite runs over both.
    mutating func include(
        _ header: EnvelopeHeader,
        fields: [(key: String, value: [UInt8])],
        outputClass: OutputClass
    ) {
        if epoch != header.epoch { self = HotState(of: channel, epoch: header.epoch) }
        if outputClass == .state { parts = [:] }
        for field in fields { parts[header.type.name, default: [:]][field.key] = field.value }
        offset = header.offset ?? header.base ?? offset
        run = header.run ?? run
        revision = header.revision ?? revision
        n = header.n
        time = header.time.nanos
    }
}
