package import FeedProtocols
package import Network
package import Primitives

/// Where requests go, with which key and at which rate.
package struct RESTClientOptions: Sendable {
    package var base: RESTBase
    package var key: RESTKey
    package var rate: RateWindow
    package var limits: RequestLimits
    /// What an error's body says, for people.
    package var words: @Sendable ([UInt8]) -> String

    package init(
        base: RESTBase,
        key: RESTKey,
        rate: RateWindow,
        limits: RequestLimits = RequestLimits(),
        words: @escaping @Sendable ([UInt8]) -> String = { PolygonREST.words(ofError: $0) }
    ) {
        self.base = base
        self.key = key
        self.rate = rate
        self.limits = limits
        self.words = words
    }
}

/// GETs from one provider: a thin shell around `RequestQueue`.
///
/// The transport works on its own threads; its answers hop back to the loop. The key goes into one header and is taken out
/// of every text, body included. Loop thread only.
package final class RESTClient: @unchecked Sendable {
    // Unchecked: everything but `dropped` is touched by the loop thread only; entry points check it.
    package typealias Done = (Result<RESTReply, RequestFailure>) -> Void

    package let loop: EventLoop
    let options: RESTClientOptions
    private let transport: any RESTTransport
    let clock: () -> Instant
    private let told: (FeedEvent) -> Void
    private var queue: RequestQueue<RateWindow>
    private var waiting: [RequestTicket: Done] = [:]
    /// The reply whose event is being handled.
    private var reply: RESTReply?
    /// Ends that came while their request was being submitted: who asked has no ticket yet.
    private var early: [(RequestTicket, RequestFailure)] = []
    private var isSubmitting = false
    private var timer: TimerHandle?
    /// Answers that the loop had no room for; their requests end by their deadline.
    private let dropped = Lock(0)

    /// - Parameters:
    ///   - loop: the feed thread; everything happens on it.
    ///   - options: host, key, rate, limits.
    ///   - transport: performs the requests; it belongs to this client from now on.
    ///   - clock: for deadlines and the rate.
    ///   - told: hears what a person should know.
    package init(
        loop: EventLoop,
        options: RESTClientOptions,
        transport: any RESTTransport,
        clock: @escaping () -> Instant,
        told: @escaping (FeedEvent) -> Void
    ) {
        self.loop = loop
        self.options = options
        self.transport = transport
        self.clock = clock
        self.told = told
        queue = RequestQueue(rate: options.rate, limits: options.limits)
    }

    package var counters: RequestCounters {
        loop.preconditionCurrent()
        return queue.counters
    }

    /// Requests that wait or are under way.
    package var count: Int {
        loop.preconditionCurrent()
        return queue.count
    }

    /// Answers that came while the loop's queue was full; any thread.
    package var droppedCount: Int { dropped.withLock { $0 } }

    /// Asks; `done` is called once, on the loop, after this has returned.
    ///
    /// `within` bounds the whole time in nanoseconds, waiting and repetitions included.
    @discardableResult
    package func get(
        _ request: RESTRequest,
        _ priority: RequestPriority,
        within: Int64? = nil,
        done: @escaping Done
    ) -> RequestTicket {
        loop.preconditionCurrent()
        let (ticket, actions) = queue.submitted(request, priority, within: within, now: clock())
        waiting[ticket] = done
        isSubmitting = true
        perform(actions)
        isSubmitting = false
        return ticket
    }

    /// Nobody waits any more: `done` hears `cancelled`, unless it has heard.
    package func cancel(_ ticket: RequestTicket) {
        loop.preconditionCurrent()
        perform(queue.cancelled(ticket, now: clock()))
    }

    /// The configuration was loaded again: what key or plan forbade is asked again.
    package func reload() {
        loop.preconditionCurrent()
        perform(queue.reloaded(now: clock()))
    }

    /// Ends for good; all that is open hears `stopped`.
    package func stop() {
        loop.preconditionCurrent()
        perform(queue.stopped(now: clock()))
        timer?.cancel()
        transport.stop()
    }

    private func perform(_ actions: [RequestAction]) {
        for action in actions {
            switch action {
            case .send(let ticket, let attempt, let request): send(ticket, attempt, request)
            case .cancel(_, let attempt): transport.cancel(attempt)
            case .finish(let ticket, let failure): finish(ticket, failure)
            case .alert(let words): told(.alert(options.key.redacted(words)))
            }
        }
        arm()
    }

    private func send(_ ticket: RequestTicket, _ attempt: Int, _ request: RESTRequest) {
        let url = options.base.url(of: request)
        transport.start(attempt, url: url, authorization: options.key.authorization) { [self] result in
            let isTaken = loop.execute { [self] in came(ticket, attempt, result) }
            if !isTaken { dropped.withLock { $0 += 1 } }
        }
    }

    private func came(_ ticket: RequestTicket, _ attempt: Int, _ result: RESTResult) {
        let now = clock()
        switch result {
        case .reply(var reply):
            reply.body = options.key.redacted(reply.body)
            let isGood = (200...299).contains(reply.status)
            let words = isGood ? "" : options.key.redacted(options.words(reply.body))
            let hint = RateHint(headers: reply.headers, now: now)
            self.reply = reply
            let actions = queue.answered(
                ticket,
                attempt: attempt,
                status: reply.status,
                hint: hint,
                words: words,
                now: now
            )
            perform(actions)
            self.reply = nil
        case .failed(let words):
            perform(queue.failed(ticket, attempt: attempt, words: options.key.redacted(words), now: now))
        case .tooLarge: perform(queue.overflowed(ticket, attempt: attempt, now: now))
        }
    }

    private func finish(_ ticket: RequestTicket, _ failure: RequestFailure?) {
        if let failure {
            guard !isSubmitting else {
                if early.isEmpty { loop.schedule(after: 0) { [weak self] in self?.finishEarly() } }
                early.append((ticket, failure))
                return
            }
            waiting.removeValue(forKey: ticket)?(.failure(failure))
        } else {
            guard let reply else { preconditionFailure("a request was finished without its reply") }
            waiting.removeValue(forKey: ticket)?(.success(reply))
        }
    }

    private func finishEarly() {
        let ended = early
        early = []
        for (ticket, failure) in ended { waiting.removeValue(forKey: ticket)?(.failure(failure)) }
    }

    /// One timer, for the queue's deadline.
    private func arm() {
        timer?.cancel()
        timer = nil
        guard queue.deadline != .distantFuture else { return }
        let delay = max(1_000_000, queue.deadline.nanos(since: clock()))
        timer = loop.schedule(after: delay) { [weak self] in
            guard let self else { return }
            perform(queue.timerFired(now: clock()))
        }
    }
}
