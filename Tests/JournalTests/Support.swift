import Foundation
import Journal
import MarketData
import Primitives
import Testing
import Wire

/// A directory of its own that is gone with the test.
final class TemporaryDirectory {
    let path: String

    /// In memory where there is room and `TMPDIR` says nothing else.
    ///
    /// Hundreds of small tapes are synced, and a thread that waits for a disk is one that no other test has.
    private static let parent: String = {
        let memory = "/dev/shm"
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: memory)
        let free = (attributes?[.systemFreeSize] as? NSNumber)?.int64Value ?? 0
        let isChosen = ProcessInfo.processInfo.environment["TMPDIR"] != nil
        let isUsed = !isChosen && free > 256 << 20 && FileManager.default.isWritableFile(atPath: memory)
        return isUsed ? memory + "/" : NSTemporaryDirectory()
    }()

    init() {
        path = Self.parent + "journal-tests-" + UUID().uuidString
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            preconditionFailure("no temporary directory: \(error)")
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    func write(_ bytes: some Collection<UInt8>, to name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }
}

func contents(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
}

/// A tape line in words that can be compared and outlives the reader's buffers.
func words(_ line: TapeLine) -> String {
    let n = line.n.map(String.init) ?? "-"
    let head = "\(line.time.nanos) \(n) "
    switch line {
    case .meta(_, let meta): return head + "meta \(meta.epoch) \(meta.run)"
    case .frame(_, _, let source, let bytes): return head + "frame \(source) " + String(decoding: bytes, as: UTF8.self)
    case .clock: return head + "clock"
    case .command(_, _, let command):
        return head + "cmd \(command.operation) \(command.id) \(command.owner) "
            + String(decoding: command.body, as: UTF8.self)
    case .feed(_, _, let source, let state, let cause): return head + "feed \(source) \(state) \(cause)"
    case .rest(_, _, let source, let url, let body):
        return head + "rest \(source) \(url) " + String(decoding: body, as: UTF8.self)
    }
}

/// All lines up to the end or the first error.
func readAll(
    _ paths: [String],
    from position: TapePosition = .start,
    policy: TapeReader.DamagePolicy = .stop,
    lineLimit: Int = TapeReader.lineLimit
) -> (lines: [String], error: JournalError?) {
    let reader = TapeReader(paths, from: position, policy: policy, lineLimit: lineLimit)
    var lines: [String] = []
    do throws(JournalError) {
        while let line = try reader.next() { lines.append(words(line)) }
        return (lines, nil)
    } catch {
        return (lines, error)
    }
}

/// A small tape with every kind of line.
let smallTape = """
    {"t":100,"meta":{"v":1,"ep":"k3v9","run":"r1","config":{"a":1}}}
    {"t":110,"n":1,"src":"polygon.stocks","frame":[{"ev":"T","sym":"SPY","p":145.1}]}
    {"t":120,"n":2,"clock":true}
    {"t":130,"n":3,"src":"polygon.options","frame":"{\\"a\\":\\u00e9 \\n"}
    {"t":140,"n":4,"cmd":{"op":"create","id":"c1","owner":"u1","body":{"symbol":"SPY"}}}
    {"t":150,"n":5,"feed":{"src":"bus","state":"down","cause":"refused"}}
    {"t":160,"n":6,"rest":{"src":"polygon.stocks","url":"/v2/x","body":{"results":[1,2]}}}
    {"t":170,"src":"uw","frame":{"x":[]}}

    """
