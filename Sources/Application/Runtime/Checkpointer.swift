internal import Engine
internal import Foundation
internal import Journal
internal import Primitives

/// Saves all cores now and then, so that a restart need not apply the whole tape again.
///
/// The cores are saved between two inputs, on their shards; then, on a queue of its own, everything they said up to there is
/// committed and the tape synced, and only then the checkpoint becomes visible. So a checkpoint never holds what the
/// commit log doesn't. One at a time.
final class Checkpointer: @unchecked Sendable {
    // Owner of the unchecked state: `collected` is locked; `isBusy` is the feed thread's.
    private struct Collected {
        var missing = 0
        var parts: [Checkpoint.Part] = []
    }

    private let cores: CheckpointStore
    private let doors: CheckpointStore
    private let sequencer: Sequencer
    private let tape: TapeWriter
    private let shards: Int
    private let layout: Int64
    private let queue = DispatchQueue(label: "checkpoints")
    private let collected = Lock(Collected())
    private let isBusy = Lock(false)
    private let failed: @Sendable (String) -> Void
    private let savedCount = Lock(0)

    init(
        saved: SavedStates,
        sequencer: Sequencer,
        tape: TapeWriter,
        shards: Int,
        layout: Int64,
        failed: @escaping @Sendable (String) -> Void
    ) {
        cores = saved.cores
        doors = saved.doors
        self.sequencer = sequencer
        self.tape = tape
        self.shards = shards
        self.layout = layout
        self.failed = failed
    }

    /// How many were written.
    var count: Int { savedCount.withLock { $0 } }

    /// Begins a checkpoint behind all inputs so far; does nothing while one is under way.
    ///
    /// `door` gives the door's state if it is due. Feed thread only.
    func begin(_ ingest: IngestPoint, door: () -> SavedDoor?) {
        let wasBusy = isBusy.withLock { busy in
            defer { busy = true }
            return busy
        }
        guard !wasBusy else { return }
        let n = ingest.numbering.next - 1
        let time = ingest.numbering.received
        let door = door()
        collected.withLock { $0 = Collected(missing: shards, parts: []) }
        ingest.control { _ in
            .save { [self] states in
                let parts = states.map { Checkpoint.Part(name: $0.name, bytes: $0.state) }
                let all = collected.withLock { collected -> [Checkpoint.Part]? in
                    collected.parts += parts
                    collected.missing -= 1
                    return collected.missing == 0 ? collected.parts : nil
                }
                if let all { queue.async { self.write(n: n, time: time, parts: all, door: door) } }
            }
        }
    }

    /// Waits until a checkpoint under way is written.
    func finish() { queue.sync {} }

    private func write(n: Ordinal, time: Instant, parts: [Checkpoint.Part], door: SavedDoor?) {
        defer { isBusy.withLock { $0 = false } }
        sequencer.flush()
        if let error = tape.sync() {
            failed("tape: \(error)")
            return
        }
        guard sequencer.health == .durable else { return }
        func checkpoint(_ parts: [Checkpoint.Part]) -> Checkpoint {
            Checkpoint(n: n, time: time, position: .start, layout: layout, parts: parts)
        }
        do {
            // First, as a start takes a door only with cores that aren't before it.
            if let door { try doors.save(checkpoint(door.parts)) }
            try cores.save(checkpoint(parts.sorted { $0.name < $1.name }))
            savedCount.withLock { $0 += 1 }
            tape.keeper.needs(after: try SavedStates.neededAfter(doors))
        } catch {
            failed("\(error)")
        }
    }
}
