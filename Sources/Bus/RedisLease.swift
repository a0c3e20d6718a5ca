internal import MarketData
package import Network
internal import Primitives

/// A lease kept in Redis: a key with an expiry and a fencing token that grows with every new owner (protocol.md 5).
///
/// One connection of its own, on the bus's loop. Where Redis is away the lease can't be renewed, and its owner has to let
/// go once the time is up: that is the caller's rule (`LeaseKeeper`).
package final class RedisLease: Lease, @unchecked Sendable {
    // Owner of the unchecked state: the loop's thread.
    private typealias Answered = @Sendable (RedisReply?) -> Void

    /// Takes the lease where it is free, renews it where it is ours; an answer of 0 says that another has it.
    ///
    /// KEYS: lease, token counter. ARGV: owner, time to live in ms.
    private static let acquire = """
        local value = redis.call('GET', KEYS[1])
        if value then
          local owner, fence = string.match(value, '^(.*) (%d+)$')
          if owner ~= ARGV[1] then return 0 end
          redis.call('PEXPIRE', KEYS[1], ARGV[2])
          return tonumber(fence)
        end
        local fence = redis.call('INCR', KEYS[2])
        redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. fence, 'PX', ARGV[2])
        return fence
        """
    /// Gives up what is ours and nothing else.
    private static let release = """
        local owner = string.match(redis.call('GET', KEYS[1]) or '', '^(.*) %d+$')
        if owner == ARGV[1] then return redis.call('DEL', KEYS[1]) end
        return 0
        """

    private let loop: EventLoop
    private let options: RedisOptions
    private let key: String
    private let owner: String
    private let timeToLive: Int64
    private var connection: RedisConnection<Answered>?
    private var cause = "not connected yet"
    /// Asked before the connection was there: they go out with it, or fail with the attempt.
    private var early: [(Bool) -> Void] = []

    /// - Parameters:
    ///   - name: what is leased, `feed:` and the feed's name.
    ///   - owner: this process's name, unlike any other's.
    ///   - timeToLiveMillis: after so long without a renewal another may have it.
    ///   - options: where Redis is.
    ///   - loop: a running loop.
    package init(name: String, owner: String, timeToLiveMillis: Int64, options: RedisOptions, loop: EventLoop) {
        // One hash tag, so that both keys lie in one slot.
        key = "st:lease:{\(name)}"
        self.owner = owner
        timeToLive = timeToLiveMillis
        self.options = options
        self.loop = loop
    }

    package func acquire() async throws -> Int64? {
        let keys = [key, key + ":fence"]
        let reply = try await evaluate(Self.acquire, keys, [owner, String(timeToLive)])
        guard case .integer(let fence) = reply else { throw Self.error(reply, cause) }
        return fence > 0 ? fence : nil
    }

    package func release() async {
        _ = try? await evaluate(Self.release, [key], [owner])
        await withCheckedContinuation { continuation in
            let isTaken = loop.execute { [self] in
                for answered in connection?.stop() ?? [] { answered(nil) }
                connection = nil
                answerEarly(false)
                continuation.resume()
            }
            if !isTaken { continuation.resume() }
        }
    }

    private static func error(_ reply: RedisReply?, _ cause: String) -> BusError {
        guard let reply else { return BusError(.unavailable, "Redis doesn't answer: \(cause)") }
        return BusError(.refused, "Redis answered \(reply.errorText ?? "\(reply)")")
    }

    private func evaluate(_ script: String, _ keys: [String], _ arguments: [String]) async throws -> RedisReply? {
        await withCheckedContinuation { continuation in
            let command = ["EVAL", script, String(keys.count)] + keys + arguments
            let isTaken = loop.execute { [self] in
                connect()
                let send: (Bool) -> Void = { [self] isReady in
                    guard isReady, let connection else { return continuation.resume(returning: nil) }
                    connection.send({ continuation.resume(returning: $0) }) {
                        $0.append(contentsOf: RedisCommand.text(command))
                    }
                    connection.flush()
                }
                if connection?.isReady == true { send(true) } else { early.append(send) }
            }
            if !isTaken { continuation.resume(returning: nil) }
        }
    }

    private func answerEarly(_ isReady: Bool) {
        let waiting = early
        early = []
        for send in waiting { send(isReady) }
    }

    /// Loop thread.
    private func connect() {
        guard connection == nil else { return }
        var random = SystemRandomNumberGenerator()
        let made = RedisConnection<Answered>(
            name: "lease",
            loop: loop,
            options: options,
            seed: random.next(),
            introduction: { [["CLIENT", "SETNAME", "striketape-lease"]] },
            events: RedisConnection.Events(
                ready: { [weak self] in self?.answerEarly(true) },
                reply: { tag, reply in tag?(reply) },
                lost: { [weak self] cause, _, open in
                    self?.cause = cause
                    for answered in open { answered(nil) }
                    self?.answerEarly(false)
                },
                heartbeat: { [weak self] in
                    guard let connection = self?.connection, connection.isReady else { return }
                    connection.send({ _ in }) { $0.append(contentsOf: RedisCommand.text(["PING"])) }
                    connection.flush()
                }
            )
        )
        connection = made
        made.start()
    }
}
