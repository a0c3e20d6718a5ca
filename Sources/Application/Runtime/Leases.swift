internal import Bus
internal import Feeds
internal import Foundation
internal import Journal
internal import MarketData
internal import Network

/// Whose connection to a market it is: two processes with one key throw each other out (feeds.md 1.9, trap 2).
///
/// Through Redis where it is configured, so that processes on other machines count too; else by a lock on a file that all
/// processes of this user share.
enum Leases {
    /// What gives each market its lease.
    ///
    /// `owner` is unlike any other process's, but the same after a restart: what was ours is ours at once.
    ///
    /// - Throws: where the lock's directory can't be made, or the Redis URL isn't one.
    static func make(
        _ configuration: Configuration,
        owner: String,
        loop: EventLoop
    ) throws -> (FeedSource) -> any Lease {
        let place = "\(configuration.polygon.url?.description ?? "") \(configuration.polygon.apiKey?.reveal() ?? "")"
        let mark = SHA256.digest(Array(place.utf8)).prefix(8).map { String(format: "%02x", $0) }.joined()
        if let url = configuration.redis.url {
            let options = RedisOptions(url: try RedisURL(url.revealed()))
            return { source in
                RedisLease(
                    name: "feed:\(source.tapeName):\(mark)",
                    owner: owner,
                    timeToLiveMillis: FeedBuilder.leaseMillis,
                    options: options,
                    loop: loop
                )
            }
        }
        let home = ProcessInfo.processInfo.environment["HOME"] ?? FileManager.default.homeDirectoryForCurrentUser.path
        let directory = home + "/.local/state/striketape"
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        return { FileLease(directory: directory, name: "\($0.tapeName)-\(mark)") }
    }

    /// The owner of what an engine with this state directory holds: its directory lock keeps a second one away.
    static func owner(stateDirectory: String) -> String {
        let path = URL(fileURLWithPath: stateDirectory).standardizedFileURL.path
        return "\(ProcessInfo.processInfo.hostName):\(path)"
    }
}
