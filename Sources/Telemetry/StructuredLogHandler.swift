internal import Glibc
package import Logging
package import Primitives

/// Where log lines go: one call a line, which ends with LF.
///
/// Any thread.
package protocol LogSink: Sendable {
    func write(_ line: [UInt8])
}

/// Standard error, unbuffered: one `write` a line, so lines of several threads don't mix.
///
/// A line that can't be written (closed pipe, full disk) is dropped and counted; logging never stops the engine.
package final class StandardErrorSink: LogSink {
    /// Lines that were lost.
    package let dropped: Counter

    private let guardian = Lock<Void>(())

    package init(dropped: Counter = Counter()) { self.dropped = dropped }

    package func write(_ line: [UInt8]) {
        let whole = guardian.withLock { _ in Self.writeAll(line) }
        if !whole { dropped.add() }
    }

    private static func writeAll(_ line: [UInt8]) -> Bool {
        line.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                let written = Glibc.write(STDERR_FILENO, part.baseAddress, part.count)
                if written > 0 {
                    rest = rest.dropFirst(written)
                } else if errno != EINTR {
                    return false
                }
            }
            return true
        }
    }
}

/// swift-log's backend: structured lines without secrets.
///
/// A log call's message is the event, a short stable name in snake case (`feed_up`); everything else is metadata.
package struct StructuredLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level

    private let format: LogFormat
    private let redactor: SecretRedactor
    private let sink: any LogSink
    private let now: @Sendable () -> Instant

    package init(
        level: Logger.Level,
        format: LogFormat,
        redactor: SecretRedactor,
        sink: any LogSink,
        now: @escaping @Sendable () -> Instant = StructuredLogHandler.wallClock
    ) {
        self.logLevel = level
        self.format = format
        self.redactor = redactor
        self.sink = sink
        self.now = now
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let given = event.metadata { all.merge(given) { _, new in new } }
        var fields: [(key: String, value: String)] = []
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { Self.flatten(key, value, into: &fields) }
        if let error = event.error { fields.append((key: "error", value: "\(error)")) }
        let line = LogLine(
            time: now(),
            level: event.level.rawValue,
            event: event.message.description,
            fields: fields
        )
        sink.write(line.bytes(format, redactor: redactor))
    }

    /// One field a leaf, with dotted keys.
    ///
    /// The description of a nested value would escape its texts, and an escaped secret passes the redactor.
    private static func flatten(
        _ key: String,
        _ value: Logger.Metadata.Value,
        into fields: inout [(key: String, value: String)]
    ) {
        switch value {
        case .string(let text): fields.append((key: key, value: text))
        case .stringConvertible(let value): fields.append((key: key, value: value.description))
        case .dictionary(let members):
            for (name, member) in members.sorted(by: { $0.key < $1.key }) {
                flatten("\(key).\(name)", member, into: &fields)
            }
        case .array(let items):
            for (index, item) in items.enumerated() { flatten("\(key).\(index)", item, into: &fields) }
        }
    }

    /// The system's wall clock.
    package static let wallClock: @Sendable () -> Instant = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(nanos: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
