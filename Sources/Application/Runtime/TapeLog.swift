internal import Foundation
internal import Journal
internal import Logging
internal import Telemetry

/// One clear line for each thing that happens to a tape's files.
enum TapeLog {
    static func write(_ event: TapeEvent, to logger: Logger, tape: String) {
        switch event {
        case .rotated(let path): logger.info("tape_rotated", metadata: ["tape": "\(tape)", "path": "\(path)"])
        case .closed(let path, let bytes, let size):
            logger.info(
                "tape_closed",
                metadata: ["tape": "\(tape)", "path": "\(path)", "bytes": "\(bytes)", "size": "\(size)"]
            )
        case .removed(let path, let bytes):
            logger.notice("tape_removed", metadata: ["tape": "\(tape)", "path": "\(path)", "size": "\(bytes)"])
        case .failed(let error):
            logger.error("tape_close_failed", metadata: ["tape": "\(tape)", "error": "\(error)"])
        }
    }
}

/// The tapes' figures at `/metrics`.
enum TapeMetrics {
    static func register(_ host: EngineHost, in metrics: MetricsRegistry) {
        func observe(_ name: String, _ help: String, _ read: @escaping @Sendable () -> Int64) {
            metrics.observe(name, help: help, read: read)
        }
        let tape = host.tape
        observe("tape_failures_total", "Writes and syncs of the tape that failed.") { tape.status.failures }
        observe("tape_rotations_total", "Segments begun.") { tape.status.rotations }
        observe("tape_closed_segments_total", "Segments closed.") { tape.keeper.status.closed }
        observe("tape_close_failures_total", "Times that a segment could not be closed or removed.") {
            tape.keeper.status.failures
        }
        observe("tape_removed_segments_total", "Segments removed by retention.") { tape.keeper.status.removed }
        observe("tape_removed_bytes_total", "Bytes of files removed by retention.") { tape.keeper.status.removedBytes }
        guard let second = host.second else { return }
        observe("record_lost_lines_total", "Lines that the second recording could not take.") {
            second.status.tape.lostLines + second.status.unopenedLines
        }
        observe("record_failures_total", "Writes and syncs of the second recording that failed.") {
            second.status.tape.failures
        }
        observe("record_removed_segments_total", "Segments of the second recording removed by retention.") {
            second.status.keeper.removed
        }
    }
}

extension TapeWriter.Limits {
    /// What the configuration says of segments; `waits` as in `Limits`.
    init(_ configuration: Configuration.Tape, waits: Bool) {
        self.init(
            level: Int32(configuration.level),
            segmentBytes: Int64(configuration.segmentMb) << 20,
            retention: TapeRetention(keepDays: configuration.keepDays, keepBytes: Int64(configuration.keepGb) << 30),
            waits: waits
        )
    }
}

/// Makes a directory that only its owner can read, and those above it, unless they are there.
func createDirectory(_ path: String) throws {
    try FileManager.default.createDirectory(
        atPath: path,
        withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o700]
    )
}
