/// A provider of the simulated market.
package enum SimulatedKind: String, CaseIterable, Sendable {
    case polygon
    case flow = "uw"
    case bridge = "ib"
}

/// A way in which a provider misbehaves; its raw value is the name in options and scenario files.
package enum Mood: String, CaseIterable, Sendable {
    // Sessions
    case authFailure = "auth-failure"
    case noWebSocketPlan = "no-websocket-plan"
    case notAuthorized = "not-authorized"
    case evictOlder = "evict-older"
    case refuseNewcomer = "refuse-newcomer"
    case authTimeout = "auth-timeout"
    case joinRefused = "join-refused"
    case versionMismatch = "version-mismatch"
    case slowStart = "slow-start"
    // What is told
    case latePrints = "late-prints"
    case lateBars = "late-bars"
    case resentBars = "resent-bars"
    case duplicates = "duplicate-events"
    case backward = "backward-sequence"
    case numberForms = "number-forms"
    case emptyStrings = "empty-strings"
    case clockSkew = "clock-skew"
    case unknownEvents = "unknown-events"
    case malformedElements = "malformed-elements"
    case brokenFrame = "broken-frame"
    case hugeFrames = "huge-frames"
    case fragments
    case silentDrop = "silent-drop"
    case sequenceHole = "sequence-hole"
    case gap
    case burst
    case halt
    // Connections
    case silence
    case halfOpen = "half-open"
    case reset
    case abort
    case close1008 = "close-1008"
    case close1012 = "close-1012"
    case close1013 = "close-1013"
    case restart
    // The bridge's far side
    case connectivityLost = "1100"
    case restoredDataLost = "1101"
    case restoredDataKept = "1102"
    case farmBroken = "2103"
    case farmOK = "2104"
    case competingSession = "10197"
    case barBust = "10225"
    case depthReset = "317"
    case login
    // REST
    case rateLimited = "rest-429"
    case serverError = "rest-500"
    case notEntitled = "rest-403"
    case delayed = "rest-delayed"

    /// Whether it happens once, at its beginning, to the open connections.
    package var isMoment: Bool {
        switch self {
        case .reset, .abort, .close1008, .close1012, .close1013, .sequenceHole, .gap, .connectivityLost,
            .restoredDataLost, .restoredDataKept, .farmBroken, .farmOK, .competingSession, .barBust, .depthReset,
            .brokenFrame, .restart, .halt, .login:
            true
        default: false
        }
    }

    /// Which providers have it.
    package func suits(_ kind: SimulatedKind) -> Bool {
        switch self {
        case .fragments, .silence, .halfOpen, .reset, .abort, .close1008, .close1012, .close1013, .slowStart,
            .brokenFrame, .malformedElements, .unknownEvents, .authFailure, .halt, .burst:
            return true
        case .noWebSocketPlan, .notAuthorized, .evictOlder, .refuseNewcomer, .authTimeout, .latePrints, .lateBars,
            .resentBars, .duplicates, .backward, .numberForms, .notEntitled, .delayed:
            return kind == .polygon
        case .emptyStrings, .hugeFrames: return kind != .bridge
        case .clockSkew: return kind != .flow
        case .rateLimited, .serverError: return kind != .bridge
        case .joinRefused, .silentDrop: return kind == .flow
        case .versionMismatch, .sequenceHole, .gap, .restart, .connectivityLost, .restoredDataLost, .restoredDataKept,
            .farmBroken, .farmOK, .competingSession, .barBust, .depthReset, .login:
            return kind == .bridge
        }
    }
}

/// The moods that hold at a moment, as one value.
package struct MoodSet: Equatable, Sendable {
    private var bits: UInt64 = 0

    package init(_ moods: Mood...) { for mood in moods { insert(mood) } }

    private static let places: [Mood: Int] = Dictionary(
        uniqueKeysWithValues: Mood.allCases.enumerated().map { ($0.element, $0.offset) }
    )

    private static func bit(_ mood: Mood) -> UInt64 {
        guard let place = places[mood] else { preconditionFailure("a mood without a place: \(mood)") }
        return 1 << UInt64(place)
    }

    package func contains(_ mood: Mood) -> Bool { bits != 0 && bits & Self.bit(mood) != 0 }
    package mutating func insert(_ mood: Mood) { bits |= Self.bit(mood) }
    package mutating func remove(_ mood: Mood) { bits &= ~Self.bit(mood) }
    package var isEmpty: Bool { bits == 0 }
}
