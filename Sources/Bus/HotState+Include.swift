internal import Primitives
internal import Wire

extension HotState {
    /// An empty state.
    init(of channel: Channel, epoch: String) {
        self.init(channel: channel, epoch: epoch, offset: 0, run: "", revision: 0, n: 0, time: 0, parts: [:])
    }

    /// Takes in a message: a `state` replaces the parts, another message replaces the fields it names.
    ///
    /// The Lua script `RedisScripts.append` does the same; one test suite runs over both.
    ///
    /// - Parameters:
    ///   - header: of the message.
    ///   - fields: its payload's members.
    ///   - outputClass: its class.
    ///   - isOld: the message may be one that the state includes already (a refilled one).
    mutating func include(
        _ header: EnvelopeHeader,
        fields: [(key: String, value: [UInt8])],
        outputClass: OutputClass,
        isOld: Bool
    ) {
        if isOld, epoch == header.epoch, offset >= (header.offset ?? 0) { return }
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
