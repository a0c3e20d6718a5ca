/// How a Redis bus behaves.
package struct RedisOptions: Sendable {
    package var url: RedisURL
    package var limits = BusLimits()
    /// The fencing token that goes with each durable entry; an entry with a higher one refuses ours.
    package var fence: Int64 = 0
    /// Idle connections are asked this often whether they live, and the logs' tops are compared.
    package var heartbeatMillis: Int64 = 2_000
    /// A connection that owes an answer for this long is dead.
    package var deadMillis: Int64 = 5_000
    /// Resolving, connecting and introducing ourselves together take at most this long.
    package var connectMillis: Int64 = 3_000
    /// The pause before the first new attempt; doubles up to `backoffMillisMax`, each shortened by up to a half at random.
    package var backoffMillisMin: Int64 = 50
    package var backoffMillisMax: Int64 = 5_000
    /// How often the engine's end reads what is wanted.
    package var demandPollMillis: Int64 = 1_000
    /// Durable messages sent and not yet confirmed, a partition.
    package var windowMessages = 2_048
    /// Durable messages kept in memory, a partition; beyond, they are read again from the commit log.
    package var tailMessagesMax = 4_096
    package var tailBytesMax = 4 << 20
    /// Messages read at a time from the commit log.
    package var pageMessages = 512
    /// Bytes that wait to be written to a connection: beyond, conflatable messages are dropped, requests refused, and
    /// durable ones wait.
    package var outputBytesMax = 8 << 20

    package init(url: RedisURL) { self.url = url }
}
