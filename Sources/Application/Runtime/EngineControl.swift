internal import Bus
internal import Engine
internal import Foundation
internal import Gateway
internal import Journal
internal import Logging
internal import MarketData
internal import Network
internal import Primitives
internal import Wire

/// What the bus asks of the engine: commands, demand, and how the bus itself is doing.
final class EngineControl: BusEngine {
    /// Plans that one `list` answers at most.
    static let listLimit = 1_000

    private let host: EngineHost
    private let bus: any MessageBus
    private let logger: Logger
    private let reads = DispatchQueue(label: "plan-reads")
    /// Whether the bus's state goes on the tape: not where a recorded tape is the feed, whose replay has no bus.
    private let recordsBus: Bool
    /// Hears what somebody watches; set before the bus starts.
    nonisolated(unsafe) var watched: @Sendable (Set<Channel>) -> Void = { _ in }  // Owner: whoever starts the run.
    private let busState = Lock((state: FeedState.down, cause: "not connected yet"))

    init(host: EngineHost, bus: any MessageBus, recordsBus: Bool, logger: Logger) {
        self.host = host
        self.bus = bus
        self.recordsBus = recordsBus
        self.logger = logger
    }

    /// For `/readyz` of a process without a gateway.
    var busDependency: Dependency {
        let (state, cause) = busState.withLock { $0 }
        return Dependency(name: "bus", isReady: state == .up, detail: cause)
    }

    func commanded(_ command: Command) {
        switch command.operation {
        case .show, .list: reads.async { [self] in bus.reply(to: command.id, payload: read(command)) }
        case .adjust:
            refuse(
                command,
                CommandRefusal(.invalid, field: "op", message: "expected create, amend, cancel, show or list")
            )
        case .create, .amend, .cancel:
            let posted = host.feedLoop.execute { [self] in take(command) }
            if !posted {
                refuse(command, CommandRefusal(.unavailable, field: "engine", message: "too many commands wait"))
            }
        }
    }

    func demanded(_ channels: Set<Channel>) {
        watched(channels)
        let names = Set(channels.map(\.name))
        host.feedLoop.execute { [self] in host.engine.ingest.control { _ in .demand(names) } }
    }

    func busChanged(to state: FeedState, cause: String) {
        busState.withLock { $0 = (state, cause) }
        logger.notice("bus", metadata: ["state": "\(state.rawValue)", "cause": "\(cause)"])
        if state == .up {
            reads.async { [self] in
                do { try host.republishPlansAgain() } catch {
                    logger.error("plan_read_failed", metadata: ["error": "\(error)"])
                }
            }
        }
        guard recordsBus else { return }
        host.feedLoop.execute { [self] in
            host.engine.ingest.feedChanged("bus", to: state, cause: cause, at: SystemClock.wall(), n: nil)
        }
    }

    /// Feed thread.
    private func take(_ command: Command) {
        if command.operation == .create, host.sequencer.health != .durable {
            refuse(
                command,
                CommandRefusal(.unavailable, field: "engine", message: "the disk fails: no new plan is taken")
            )
            return
        }
        if let refusal = host.engine.ingest.take(command, at: SystemClock.wall()) {
            refuse(command, refusal)
        } else {
            host.engine.ingest.flush()
        }
    }

    private func refuse(_ command: Command, _ refusal: CommandRefusal) {
        var payload: [UInt8] = []
        refusal.encode(into: &payload)
        bus.reply(to: command.id, payload: payload)
    }

    private func read(_ command: Command) -> [UInt8] {
        do {
            if command.operation == .list {
                return PlanEnvelope.reply(try host.store.plans(of: command.owner, after: "", limit: Self.listLimit))
            }
            let id = try JSONParser.parse(command.body)["id"]?.string ?? ""
            return PlanEnvelope.reply(try host.store.plan(id), id: id, owner: command.owner)
        } catch {
            logger.error("plan_read_failed", metadata: ["error": "\(error)"])
            var payload: [UInt8] = []
            CommandRefusal(.unavailable, field: "engine", message: "plans can't be read").encode(into: &payload)
            return payload
        }
    }
}
