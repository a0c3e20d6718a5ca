internal import Engine
internal import Journal
internal import MarketData
internal import Primitives
internal import Wire

/// Writes the engine's inputs on the run's tape, and on a second one where that is wanted.
///
/// Feed thread only; costs a copy into each writer's buffer.
final class TapeRecorder: InputRecorder {
    /// The door is saved anew when so many bytes came behind the last time: what a restart reads at most, more or less.
    static let doorBytes: Int64 = 64 << 20
    /// What a line takes beside its payload.
    private static let lineBytes: Int64 = 64

    private let tape: TapeWriter
    private let second: SecondTape?
    /// Whether a tape is the feed: then the place in it is part of what a restart must know.
    private let keepsKeys: Bool
    /// What stands behind the last frame, by `TapeFeed.key`.
    private var keysBehindFrame: [String]
    private var bytesSinceDoor = TapeRecorder.doorBytes

    init(_ tape: TapeWriter, second: SecondTape?, keepsKeys: Bool, behindFrames: [String]) {
        self.tape = tape
        self.second = second
        self.keepsKeys = keepsKeys
        keysBehindFrame = keepsKeys ? behindFrames : []
    }

    func record(frame: UnsafeRawBufferPointer, of source: FeedSource, n: Ordinal, received: Instant) {
        tape.frame(frame, n: n, source: source, at: received)
        second?.write { $0.frame(frame, n: n, source: source, at: received) }
        bytesSinceDoor += Int64(frame.count) + Self.lineBytes
        if keepsKeys { keysBehindFrame.removeAll(keepingCapacity: true) }
    }

    func recordClock(n: Ordinal, received: Instant) {
        tape.clock(n: n, at: received)
        second?.write { $0.clock(n: n, at: received) }
        bytesSinceDoor += Self.lineBytes
    }

    func record(_ command: Command, n: Ordinal, received: Instant) {
        tape.command(command, n: n, at: received)
        second?.write { $0.command(command, n: n, at: received) }
        note(.command(time: received, n: n, command), bytes: command.body.count)
    }

    func record(feed: String, state: FeedState, cause: String, n: Ordinal, received: Instant) {
        tape.feed(source: feed, state: state, cause: cause, n: n, at: received)
        second?.write { $0.feed(source: feed, state: state, cause: cause, n: n, at: received) }
        note(.feed(time: received, n: n, source: feed, state: state, cause: cause), bytes: cause.utf8.count)
    }

    func record(rest source: String, url: String, body: [UInt8], n: Ordinal, received: Instant) {
        tape.rest(source: source, url: url, body: body, n: n, at: received)
        second?.write { $0.rest(source: source, url: url, body: body, n: n, at: received) }
        bytesSinceDoor += Int64(body.count) + Self.lineBytes
    }

    private func note(_ line: TapeLine, bytes: Int) {
        bytesSinceDoor += Int64(bytes) + Self.lineBytes
        if keepsKeys, let key = TapeFeed.key(of: line) { keysBehindFrame.append(key) }
    }

    /// The door's state for a checkpoint, if it is time for it; nil otherwise.
    func door(of ingest: IngestPoint, isLast: Bool) -> SavedDoor? {
        guard isLast || bytesSinceDoor >= Self.doorBytes else { return nil }
        bytesSinceDoor = 0
        return SavedDoor(state: ingest.saveState(), keysBehindFrame: keysBehindFrame)
    }
}

/// What a restart needs beside the cores so as not to read the tape from its start.
struct SavedDoor {
    /// `IngestPoint.saveState`.
    var state: [UInt8]
    /// What stands behind the last frame, by `TapeFeed.key`.
    var keysBehindFrame: [String]

    private static let names = (state: "door", keys: "keys")

    init(state: [UInt8], keysBehindFrame: [String]) {
        self.state = state
        self.keysBehindFrame = keysBehindFrame
    }

    /// - Throws: `StateError` where a part is missing or can't be read.
    init(_ parts: [Checkpoint.Part]) throws {
        guard let state = parts.first(where: { $0.name == Self.names.state }),
            let keys = parts.first(where: { $0.name == Self.names.keys })
        else { throw StateError(offset: 0, expected: "the parts of a door") }
        self.state = state.bytes
        var reader = StateReader(keys.bytes)
        keysBehindFrame = []
        for _ in 0..<max(0, try reader.read(Int64.self)) { keysBehindFrame.append(try reader.readString()) }
    }

    var parts: [Checkpoint.Part] {
        var writer = StateWriter()
        writer.write(Int64(keysBehindFrame.count))
        for key in keysBehindFrame { writer.write(key) }
        return [
            Checkpoint.Part(name: Self.names.state, bytes: state),
            Checkpoint.Part(name: Self.names.keys, bytes: writer.finish()),
        ]
    }
}
