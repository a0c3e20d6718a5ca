internal import Glibc
internal import Primitives
package import Wire

/// Writes messages to a file, one envelope a line (`replay --out`).
///
/// One thread at a time.
package struct EnvelopeFileWriter: ~Copyable {
    private let file: File
    private var buffer: [UInt8] = []
    /// Messages written.
    package private(set) var count: Int64 = 0
    /// Why the file ends early; messages after the failure aren't written.
    package private(set) var failure: JournalError?

    /// Makes the file, or empties it.
    ///
    /// - Throws: `unwritable`.
    package init(_ path: String) throws(JournalError) {
        file = try File(path, flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        buffer.reserveCapacity(1 << 17)
    }

    /// Adds a message; a channel's whole value (`state`) isn't one.
    package mutating func write(_ envelope: Envelope) {
        guard envelope.outputClass == .durable || envelope.outputClass == .conflatable else { return }
        buffer.append(contentsOf: envelope.bytes)
        buffer.append(UInt8(ascii: "\n"))
        count += 1
        if buffer.count >= 1 << 16 { flush() }
    }

    /// Hands what is buffered to the kernel.
    package mutating func flush() {
        if failure == nil { failure = buffer.withUnsafeBytes { file.write($0).error } }
        buffer.removeAll(keepingCapacity: true)
    }
}

/// What a replay releases to: digests, an optional file, an optional further sink.
///
/// Any thread.
package final class ReplaySink: MessageSink {
    private struct Content: ~Copyable {
        var digest = MessageDigest()
        var out: EnvelopeFileWriter?
        var hits: Int64 = 0
    }

    /// What was released so far.
    package struct Summary: Sendable, Equatable {
        package var durable: Int64
        package var conflatable: Int64
        /// Hits in plans' own channels: the copies in owners' channels aren't counted again.
        package var hits: Int64
        package var digest: String
        package var digestAll: String
        /// Why `--out` is incomplete.
        package var failure: JournalError?
    }

    // Owner of the unchecked state: the lock.
    private final class Box: @unchecked Sendable {
        var content: Content

        init(_ content: consuming Content) { self.content = content }
    }

    private let box: Box
    private let lock = Lock(())
    private let next: (any MessageSink)?

    /// - Parameters:
    ///   - out: path of the file of all messages; none if nil.
    ///   - next: hears the same afterwards.
    /// - Throws: `unwritable`.
    package init(out: String? = nil, next: (any MessageSink)? = nil) throws(JournalError) {
        var content = Content()
        if let out { content.out = try EnvelopeFileWriter(out) }
        box = Box(content)
        self.next = next
    }

    package func release(_ messages: [Envelope]) {
        lock.withLock { _ in
            for message in messages {
                box.content.digest.add(message)
                box.content.out?.write(message)
                if message.type == .hit, message.channel.kind == .plan, message.outputClass == .durable {
                    box.content.hits += 1
                }
            }
        }
        next?.release(messages)
    }

    package func reply(to command: String, payload: [UInt8]) {
        next?.reply(to: command, payload: payload)
    }

    /// Digests and counts so far; the file is complete up to here.
    package func summary() -> Summary {
        lock.withLock { _ in
            box.content.out?.flush()
            return Summary(
                durable: box.content.digest.durableCount,
                conflatable: box.content.digest.conflatableCount,
                hits: box.content.hits,
                digest: box.content.digest.digest,
                digestAll: box.content.digest.digestAll,
                failure: box.content.out?.failure
            )
        }
    }
}
