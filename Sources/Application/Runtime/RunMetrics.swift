internal import Bus
internal import Engine
internal import Feeds
internal import Journal
internal import Telemetry

/// The engine's and the bus's figures at `/metrics`.
enum RunMetrics {
    static func register(_ host: EngineHost, in metrics: MetricsRegistry) {
        func observe(_ name: String, _ help: String, _ read: @escaping @Sendable (EngineHost.FeedFigures) -> Int64) {
            metrics.observe(name, help: help) { read(host.feedFigures) }
        }
        observe("frames_total", "Frames received.") { $0.ingest?.frames ?? 0 }
        observe("events_total", "Market events accepted.") { $0.ingest?.events ?? 0 }
        observe("duplicate_events_total", "Events dropped as repeated.") { $0.ingest?.duplicates ?? 0 }
        observe("out_of_order_events_total", "Events with an older sequence, used all the same.") {
            $0.ingest?.outOfOrder ?? 0
        }
        observe("malformed_events_total", "Events and frames that could not be read.") {
            Int64($0.malformed)
        }
        observe("unknown_events_total", "Events of a kind nobody knows.") { Int64($0.unknown) }
        observe("commands_total", "Commands accepted.") { $0.ingest?.commands ?? 0 }
        observe("refused_commands_total", "Commands refused at the door.") {
            $0.ingest?.refusedCommands ?? 0
        }
        observe("symbols", "Symbols known.") { Int64($0.symbols) }
        observe("refused_symbols_total", "Symbols refused because the table is full.") {
            Int64($0.refusedSymbols)
        }
        observe("mailbox_stalls_total", "Times the feed thread waited for a full mailbox.") {
            Int64($0.stalls)
        }
        registerSequencer(host, in: metrics)
        metrics.observe("bus_held_dropped_total", help: "Messages of a recovery beyond what is held for the bus.") {
            host.heldDropped
        }
        metrics.observe("checkpoints_total", help: "Checkpoints written.") { Int64(host.checkpointer.count) }
        metrics.observe("tape_size_bytes", unit: .bytes, help: "Bytes of the open tape segment.") {
            host.tape.status.bytes
        }
        TapeMetrics.register(host, in: metrics)
        metrics.observe("tape_lost_lines_total", help: "Tape lines that could not be written.") {
            host.tape.status.lostLines
        }
    }

    private static func registerSequencer(_ host: EngineHost, in metrics: MetricsRegistry) {
        func observe(_ name: String, _ help: String, _ read: @escaping @Sendable (Sequencer.Counters) -> Int64) {
            metrics.observe(name, help: help) { read(host.sequencer.counters) }
        }
        observe("commits_total", "Groups committed.") { $0.commits }
        observe("failed_commits_total", "Groups that could not be committed.") { $0.failedCommits }
        observe("sequencer_turns_total", "Turns that released something.") { $0.turns }
        observe("sequencer_undurable_total", "Durable messages released before they were on the disk.") { $0.undurable }
        observe("sequencer_abandoned_total", "Messages that never came to the commit log.") { $0.abandoned }
        observe("sequencer_blocked_posts_total", "Times that a shard waited for the Sequencer.") { $0.blockedPosts }
        observe("sequencer_late_posts_total", "Batches posted after the end.") { $0.latePosts }
        observe("sequencer_pending_messages", "Outputs that wait for a shard to pass.") { Int64($0.pending) }
        observe("sequencer_pending_messages_max", "Most outputs that waited for a shard to pass.") {
            Int64($0.pendingMax)
        }
        observe("sequencer_backlog_messages", "Messages that wait for a broken store.") { Int64($0.backlog) }
    }

    /// The bus's figures, of both ends that this process has.
    static func register(_ bus: any MessageBus, in metrics: MetricsRegistry) {
        func observe(_ name: String, _ help: String, _ read: @escaping @Sendable (BusCounters) -> Int64) {
            metrics.observe("bus_" + name, help: help) { read(bus.counters()) }
        }
        observe("appended_total", "Durable messages appended and published.") { $0.appended }
        observe("conflatable_published_total", "Conflatable messages and states that the bus took.") { $0.conflatable }
        observe("conflatable_dropped_total", "Conflatable messages and states dropped: bus away, behind or full.") {
            $0.droppedConflatable
        }
        observe("duplicates_total", "Durable messages that the bus had already.") { $0.duplicates }
        observe("holes_total", "Times that the bus missed the message before.") { $0.holes }
        observe("refilled_total", "Durable messages appended from the commit log.") { $0.refilled }
        observe("lost_total", "Durable messages that the commit log could not give any more.") { $0.lost }
        observe("log_trimmed_total", "Entries of the log in memory that its limit removed.") { $0.logTrimmed }
        observe("pending_messages", "Durable messages not yet known to be on the bus.") { $0.pending }
        observe("spilled_messages", "Of them those to be read from the commit log again.") { $0.spilled }
        observe("reconnects_total", "Connections made again after a loss.") { $0.reconnects }
        observe("delivered_total", "Messages delivered to the gateway.") { $0.delivered }
        observe("malformed_total", "Texts that are no envelope, commands that are none.") { $0.malformed }
        observe("commands_total", "Commands handed to the engine.") { $0.commands }
        observe("repeated_commands_total", "Commands that came twice.") { $0.repeatedCommands }
        observe("refused_commands_total", "Commands too old, or too many.") { $0.refusedCommands }
        observe("dropped_replies_total", "Answers that nobody could be given.") { $0.droppedReplies }
        observe("over_limit_total", "Channels not kept because of a limit.") { $0.overLimit }
        observe("fenced_total", "Writes refused because a newer engine writes.") { $0.fenced }
        observe("output_full_total", "Requests refused because a connection's output was full.") { $0.outputFull }
        observe("server_errors_total", "Error replies of the server.") { $0.serverErrors }
    }
}

/// The feeds' figures at `/metrics`.
enum FeedMetrics {
    static func register(_ supervisor: FeedSupervisor, in metrics: MetricsRegistry) {
        for (place, name) in supervisor.names.enumerated() {
            func observe(
                _ metric: String,
                _ help: String,
                _ read: @escaping @Sendable (FeedSupervisor.FeedFigure) -> Int64
            ) {
                metrics.observe("feed_\(metric)", help: help, labels: [MetricLabel("feed", name)]) {
                    let figures = supervisor.figures
                    return place < figures.count ? read(figures[place]) : 0
                }
            }
            observe("live", "1 while the feed is connected and all it was asked for is acknowledged.") {
                $0.isLive ? 1 : 0
            }
            observe("attempts_total", "Connections begun.") { $0.counters.attempts }
            observe("connections_total", "Handshakes done.") { $0.counters.connections }
            observe("frames_total", "Frames received of the feed.") { $0.counters.frames }
            observe("filtered_frames_total", "Frames of what nobody wants, dropped before they were queued.") {
                $0.counters.filtered
            }
            observe("alerts_total", "Things that a person should look at.") { $0.counters.alerts }
            observe("refusals_total", "Instruments or channels that the provider refused.") { $0.counters.refusals }
        }
    }
}
