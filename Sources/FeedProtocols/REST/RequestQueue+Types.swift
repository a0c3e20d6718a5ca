/// Why a request brought no answer.
package enum RequestFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Its time was up; the last thing heard, empty where nothing was.
    case deadline(last: String)
    /// Tried as often as allowed.
    case exhausted(tries: Int, last: String)
    /// The queue was full.
    case queueFull
    /// It made room for one that matters more.
    case displaced
    /// The key is refused: nothing is asked until the configuration is loaded again.
    case unauthorized(String)
    /// The account's plan doesn't include it.
    case forbidden(String)
    /// Another status that a repetition wouldn't change.
    case status(Int, String)
    /// It was led to another place, which isn't followed.
    case redirected(Int)
    /// The body is larger than allowed.
    case tooLarge
    /// A body that can't be used: not JSON, an error in it, a link to another host.
    case unusable(String)
    case cancelled
    case stopped

    package var description: String {
        switch self {
        case .deadline(let last): last.isEmpty ? "no answer in time" : "no answer in time, last: \(last)"
        case .exhausted(let tries, let last): "tried \(tries) times, last: \(last)"
        case .queueFull: "too many requests wait"
        case .displaced: "made room for a more urgent request"
        case .unauthorized(let words): "the key is refused: \(words)"
        case .forbidden(let words): "not in the account's plan: \(words)"
        case .status(let status, let words): words.isEmpty ? "status \(status)" : "status \(status): \(words)"
        case .redirected(let status): "redirected (\(status)), which is not followed"
        case .tooLarge: "the body is too large"
        case .unusable(let words): "the answer can't be used: \(words)"
        case .cancelled: "cancelled"
        case .stopped: "stopped"
        }
    }
}

/// What a request is for; the smaller goes first.
package enum RequestPriority: Int, Comparable, Sendable, CaseIterable {
    /// A plan is blind until it is answered.
    case repair = 0
    case warmUp = 1
    case backfill = 2

    package static func < (a: RequestPriority, b: RequestPriority) -> Bool { a.rawValue < b.rawValue }
}

/// A request's number in its queue.
package struct RequestTicket: Hashable, Sendable {
    package let number: Int64

    package init(number: Int64) { self.number = number }
}

/// What a `RequestQueue` wants done.
package enum RequestAction: Hashable, Sendable {
    /// Send it; the answer's event carries the attempt.
    case send(RequestTicket, attempt: Int, RESTRequest)
    /// Give the attempt up, nobody waits for it.
    case cancel(RequestTicket, attempt: Int)
    /// Tell who asked; nil: the answer just reported is the result. Once a ticket.
    case finish(RequestTicket, RequestFailure?)
    /// A person should look; said once.
    case alert(String)
}

/// Limits of a `RequestQueue`; times in nanoseconds.
package struct RequestLimits: Sendable {
    /// Requests that wait or are under way; above, a less urgent one that waits makes room, else refused.
    package var waitingMax = 512
    package var concurrentMax = 4
    /// The first try and three repetitions.
    package var triesMax = 4
    package var backoff: Int64 = 100_000_000
    package var backoffMax: Int64 = 30_000_000_000
    /// The longest pause that an answer can impose on all requests.
    package var pauseMax: Int64 = 600_000_000_000
    /// From submitting to the answer, where the request doesn't say.
    package var deadline: Int64 = 30_000_000_000
    /// After a 403: until the same is asked again.
    package var denied: Int64 = 3_600_000_000_000

    package init() {}
}

/// What a `RequestQueue` has seen; all only grow.
package struct RequestCounters: Hashable, Sendable {
    package var submitted = 0
    /// Attempts, the first and the repeated ones.
    package var sent = 0
    package var answered = 0
    package var retried = 0
    package var failed = 0
    /// Refused because the queue was full.
    package var refused = 0
    /// Made room for a more urgent one.
    package var displaced = 0
    /// Not sent because key or plan had been refused before.
    package var barred = 0
    /// Answers 429.
    package var limited = 0
    /// Answers to attempts that had been given up.
    package var late = 0

    package init() {}
}
