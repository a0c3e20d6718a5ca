/// The limits of a bus, with the values that protocol.md and the design give; tests use smaller ones.
package struct BusLimits: Sendable {
    /// How long a `want` counts.
    package var wantMillis: Int64 = 60_000
    /// How long `submit` waits for the answer, and `subscribe` for the confirmation.
    package var replyMillis: Int64 = 5_000
    /// Entries that a partition of the bus's durable log keeps; older ones go.
    package var logEntriesMax = 10_000
    /// Messages handed over and not yet taken by the bus's thread.
    ///
    /// Memory: the caller waits. Redis: durable messages are
    /// read again from the commit log, conflatable ones are dropped; both counted.
    package var backlogMessagesMax = 65_536
    /// Commands that wait for an answer, on either end; more are refused.
    package var commandsMax = 1_024
    /// Answers kept for a command that comes twice.
    package var answersMax = 4_096
    /// The bytes of those answers.
    package var answersBytesMax = 4 << 20
    /// Channels whose hot state the memory twin keeps; further ones have none, counted.
    package var statesMax = 262_144
    /// Channels that may be wanted at a time; more are ignored, counted.
    package var wantedMax = 65_536

    package init() {}
}

/// What a bus did so far, for Telemetry.
package struct BusCounters: Sendable, Equatable {
    /// Durable messages appended (and published, where they weren't before).
    package var appended: Int64 = 0
    /// Conflatable messages and states handed to the bus and accepted.
    package var conflatable: Int64 = 0
    /// Conflatable messages and states dropped: the bus was away, behind, or full.
    package var droppedConflatable: Int64 = 0
    /// Durable messages that the bus had already.
    package var duplicates: Int64 = 0
    /// Durable messages not kept in memory, to be read from the commit log.
    package var spilled: Int64 = 0
    /// Times that the bus missed the message before.
    package var holes: Int64 = 0
    /// Durable messages appended from the commit log.
    package var refilled: Int64 = 0
    /// Durable messages that the commit log couldn't give any more.
    package var lost: Int64 = 0
    /// Entries of the memory twin's log that went because of its limit.
    package var logTrimmed: Int64 = 0
    /// Durable messages accepted from the engine and not yet known to be on the bus.
    package var pending: Int64 = 0
    /// Connections made again after a loss.
    package var reconnects: Int64 = 0
    /// Messages delivered to the subscriber.
    package var delivered: Int64 = 0
    /// Texts that aren't an envelope, or commands that aren't commands.
    package var malformed: Int64 = 0
    /// Commands handed to the engine.
    package var commands: Int64 = 0
    /// Commands that came twice.
    package var repeatedCommands: Int64 = 0
    /// Commands that were too old, or too many.
    package var refusedCommands: Int64 = 0
    /// Answers that nobody could be given: the bus was away, or nobody asked.
    package var droppedReplies: Int64 = 0
    /// Channels not kept because of `statesMax` or `wantedMax`.
    package var overLimit: Int64 = 0
    /// Writes refused because an engine with a higher fencing token wrote before.
    package var fenced: Int64 = 0
    /// Requests refused because a connection's output was full.
    package var outputFull: Int64 = 0
    /// Error replies of the server.
    package var serverErrors: Int64 = 0

    package init() {}
}
