internal import Engine
internal import Journal
internal import MarketData
internal import Network
internal import Primitives
internal import Wire

/// A recorded tape as the feed of a live run (`run --tape`).
///
/// Reads on the feed loop in slices, so that commands get their turn; a full mailbox makes it wait. After a restart it goes
/// on behind the frames that stand on the run's own tape (decisions/0002). Feed loop thread only.
final class TapeFeed: @unchecked Sendable {
    // Owner of the unchecked state: the feed loop's thread.
    /// Lines read at most before the loop gets a turn.
    private static let sliceLines = 512

    private let reader: TapeReader
    private let ingest: IngestPoint
    private let loop: EventLoop
    private let ended: (JournalError?) -> Void
    /// Frames still to be passed over, and the last ordinal that is applied already.
    private var framesToSkip: Int64
    private let lastN: Ordinal
    /// Applied already, behind the frames that are passed over; what has no ordinal is known by its content.
    private var behindFrames: [String]

    init(
        _ paths: [String],
        ingest: IngestPoint,
        loop: EventLoop,
        skipping recovered: EngineHost.Recovered,
        ended: @escaping (JournalError?) -> Void
    ) {
        reader = TapeReader(paths)
        self.ingest = ingest
        self.loop = loop
        self.ended = ended
        framesToSkip = recovered.frames
        lastN = recovered.lastN
        behindFrames = recovered.behindFrames
    }

    func start() { next() }

    /// The next slice in the loop's next turn.
    ///
    /// As a job, not as a timer: libuv fires a timer without delay in the same pass, before sockets, jobs and other
    /// timers get their turn, so that commands, checkpoints and an end would wait for the tape's end.
    private func next() {
        if !loop.execute({ [self] in slice() }) { loop.schedule(after: 1_000_000) { [self] in slice() } }
    }

    private func slice() {
        do {
            for _ in 0..<Self.sliceLines {
                guard let line = try reader.next() else {
                    ingest.endOfTape()
                    ended(nil)
                    return
                }
                apply(line)
            }
        } catch {
            ingest.flush()
            ended(error)
            return
        }
        next()
    }

    private func apply(_ line: TapeLine) {
        if case .meta = line {
            ingest.makesClocks = false
            return
        }
        if let n = line.n {
            ingest.makesClocks = false
            if n <= lastN, !line.isFrame { return }
        }
        if framesToSkip > 0 {
            if line.isFrame { framesToSkip -= 1 }
            return
        }
        if !behindFrames.isEmpty, passesOver(line) { return }
        switch line {
        case .meta: break
        case .rest(let time, let n, let source, let url, let body):
            ingest.answered(source, url: url, body: Array(body), at: time, n: n)
        case .frame(let time, let n, let source, let bytes):
            ingest.receive(frame: bytes, from: source, at: time, n: n)
        case .clock(let time, let n): ingest.clockLine(time, n: n)
        case .command(let time, let n, let command): _ = ingest.take(command, at: time, n: n)
        case .feed(let time, let n, let source, let state, let cause):
            ingest.feedChanged(source, to: state, cause: cause, at: time, n: n)
        }
    }

    /// Whether a line was applied before the restart: a command given twice would take a second ordinal.
    ///
    /// By content, as what was refused at the door, and what came over HTTP, stands on one of the two tapes only.
    private func passesOver(_ line: TapeLine) -> Bool {
        if line.isFrame { behindFrames.removeAll() }
        guard let key = Self.key(of: line), let index = behindFrames.firstIndex(of: key) else { return false }
        behindFrames.remove(at: index)
        return true
    }

    /// What a command or a feed state is known by; nil for other lines.
    static func key(of line: TapeLine) -> String? {
        switch line {
        case .command(_, _, let command): "command \(command.id)"
        case .feed(_, _, let source, let state, let cause): "feed \(source) \(state.rawValue) \(cause)"
        case .rest(_, _, let source, let url, _): "rest \(source) \(url)"
        case .meta, .frame, .clock: nil
        }
    }
}

extension TapeLine {
    fileprivate var isFrame: Bool {
        if case .frame = self { true } else { false }
    }
}
