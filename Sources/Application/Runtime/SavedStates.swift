internal import Journal
internal import Logging
internal import Primitives

/// The checkpoints of a state directory: cores every minute, the door now and then.
///
/// The door (numbers, symbols, routes, duplicate windows) is large and cheaply made again by reading the tape, so that it is
/// saved when the tape has grown by 64 MiB; a start takes the newest cores, the newest door not behind them, and reads the
/// tape from there (decisions/0002).
struct SavedStates {
    let cores: CheckpointStore
    let doors: CheckpointStore
    /// The newest of this build.
    let checkpoint: Checkpoint?
    /// The newest of this build at or before the checkpoint.
    let door: Checkpoint?

    /// `layout` is this build's under these settings.
    ///
    /// - Throws: `JournalError` where the directory can't be read or made.
    init(directory: String, layout: Int64, logger: Logger) throws {
        cores = try CheckpointStore(directory: directory)
        doors = try CheckpointStore(directory: directory, prefix: "door-")
        func usable(_ found: CheckpointStore.Found) -> Checkpoint? {
            for damage in found.damage { logger.warning("checkpoint_damaged", metadata: ["error": "\(damage)"]) }
            return found.checkpoint.flatMap { $0.layout == layout ? $0 : nil }
        }
        let newest = usable(try cores.newest())
        checkpoint = newest
        guard let newest else {
            door = nil
            return
        }
        door = usable(try doors.newest(through: newest.n))
    }

    /// The ordinal behind which a restart reads, also one that finds the newest states damaged; 0 where it reads all.
    static func neededAfter(_ doors: CheckpointStore) throws(JournalError) -> Ordinal {
        let saved = try doors.ordinals()
        return saved.count < CheckpointStore.kept ? 0 : saved[0]
    }
}
