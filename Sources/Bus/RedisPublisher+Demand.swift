internal import Network
internal import Primitives
internal import Wire

// What is wanted: read from the sorted set `st:want`; loop thread only.
extension RedisPublisher {
    func pollDemand() {
        let now = SystemClock.wall().nanos / 1_000_000
        if demand.expire(nowMillis: now) { engine?.demanded(demand.channels) }
        guard let connection, connection.isReady else { return }
        let limit = String(options.limits.wantedMax)
        send(
            .demand,
            ["ZRANGEBYSCORE", RedisKey.want, "(\(now)", "+inf", "WITHSCORES", "LIMIT", "0", limit]
        )
        send(.upkeep, ["ZREMRANGEBYSCORE", RedisKey.want, "-inf", String(now - 10_000)])
        connection.flush()
    }

    func foundDemand(_ pairs: [RedisReply]) {
        let now = SystemClock.wall().nanos / 1_000_000
        var isNew = false
        for index in stride(from: 0, to: pairs.count - 1, by: 2) {
            guard let channel = pairs[index].string.flatMap({ Channel($0) }),
                let until = pairs[index + 1].string.flatMap({ Double($0) }).flatMap({ Int64(exactly: $0.rounded()) })
            else {
                counters.add(\.malformed)
                continue
            }
            // A sender whose clock is far ahead can't be wanted for ever.
            switch demand.want(channel, untilMillis: min(until, now + 2 * options.limits.wantMillis)) {
            case .some(let new): isNew = isNew || new
            case .none: counters.add(\.overLimit)
            }
        }
        if isNew { engine?.demanded(demand.channels) }
    }
}
