internal import Wire

/// The engine end's memory of commands: each is executed once, however often it comes.
///
/// A sender that saw no answer sends the same id again; it gets the answer of the first. Pure.
struct CommandDesk {
    /// What to do with a command that came.
    enum Decision: Equatable {
        /// New: hand it to the engine.
        case execute
        /// Came before and is being executed: its answer serves both.
        case wait
        /// Came before: send this answer again.
        case answer([UInt8])
        /// Too many are being executed, or the id was used for something else: answer with this.
        case refuse([UInt8])
    }

    private enum Entry {
        case executing(Command)
        case answered(Command, [UInt8])

        var command: Command {
            switch self {
            case .executing(let command), .answered(let command, _): command
            }
        }
    }

    private let limits: BusLimits
    private var entries: [String: Entry] = [:]
    /// Ids of answered commands, oldest first, from `firstAnswered`.
    private var answered: [String] = []
    private var firstAnswered = 0
    private var answeredBytes = 0
    private(set) var executing = 0

    init(limits: BusLimits) { self.limits = limits }

    /// A command came.
    mutating func came(_ command: Command) -> Decision {
        if let entry = entries[command.id] {
            guard entry.command == command else { return .refuse(Self.failure(.conflict)) }
            switch entry {
            case .executing: return .wait
            case .answered(_, let payload): return .answer(payload)
            }
        }
        guard executing < limits.commandsMax else { return .refuse(Self.failure(.unavailable)) }
        entries[command.id] = .executing(command)
        executing += 1
        return .execute
    }

    /// The engine answered.
    ///
    /// - Returns: whether that command was being executed.
    mutating func answered(_ id: String, payload: [UInt8]) -> Bool {
        guard case .executing(let command) = entries[id] else { return false }
        executing -= 1
        entries[id] = .answered(command, payload)
        answered.append(id)
        answeredBytes += payload.count + command.body.count
        forgetOldest()
        return true
    }

    private mutating func forgetOldest() {
        while answered.count - firstAnswered > max(limits.answersMax, 1)
            || (answeredBytes > limits.answersBytesMax && answered.count - firstAnswered > 1)
        {
            if case .answered(let command, let payload) = entries.removeValue(forKey: answered[firstAnswered]) {
                answeredBytes -= payload.count + command.body.count
            }
            firstAnswered += 1
        }
        if firstAnswered > 1_024, firstAnswered * 2 > answered.count {
            answered.removeFirst(firstAnswered)
            firstAnswered = 0
        }
    }

    /// The payload of a reply that says why not.
    static func failure(_ code: CommandFailure) -> [UInt8] {
        Array(#"{"ok":false,"code":"\#(code.rawValue)","problems":[]}"#.utf8)
    }
}
