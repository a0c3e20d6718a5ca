package import FeedProtocols
internal import MarketData
internal import Network
package import Primitives

/// The answer to asks for a symbol's bars: what stands on the tape.
package struct RepairAnswer: Sendable, Equatable {
    /// The numbers of the asks that it answers.
    package var asks: [Int64]
    package var symbol: String
    /// What was asked, together; the URL's stretch is this widened to whole bars.
    package var from: Instant
    package var to: Instant
    /// Who was asked, as the tape writes it.
    package var source: String
    /// Path and query.
    package var url: String
    /// The JSON text, on one line; nil: the bars couldn't be had.
    package var body: [UInt8]?
    /// Whether the last bar reaches the end of what was asked.
    package var isCovered: Bool
    /// Why there are no bars, or why they may be short; empty where nothing is to be said.
    package var cause: String
}

/// Gets the bars of gaps: a thin shell around `RepairBook`.
///
/// Bars are read as the engine's door will read them, so what it answers can be read there. Loop thread only.
package final class RepairDesk {
    private let loop: EventLoop
    private let client: RESTClient
    private let clock: () -> Instant
    private let within: Int64
    private let answered: (RepairAnswer) -> Void
    private var book: RepairBook
    /// The fetch under way, by attempt.
    private var fetches: [Int: RESTFetch] = [:]
    /// What a symbol's last good fetch brought, until it is answered.
    private var bodies: [String: (url: String, body: [UInt8])] = [:]
    /// Where a symbol was last asked.
    private var urls: [String: String] = [:]
    private var timer: TimerHandle?

    /// - Parameters:
    ///   - client: whom it asks.
    ///   - limits: spans, deadlines and how many.
    ///   - clock: the wall clock.
    ///   - answered: hears every answer, on the loop, after `repair` has returned.
    package init(
        client: RESTClient,
        limits: RepairBook.Limits = RepairBook.Limits(),
        clock: @escaping () -> Instant,
        answered: @escaping (RepairAnswer) -> Void
    ) {
        loop = client.loop
        self.client = client
        self.clock = clock
        self.answered = answered
        within = limits.answer
        book = RepairBook(limits: limits)
    }

    package var counters: RepairBook.Counters {
        loop.preconditionCurrent()
        return book.counters
    }

    /// Symbols with an open ask.
    package var count: Int { book.count }

    /// Asks for the bars of `from..<to` (exchange time); the number stands in the one answer to it.
    package func repair(_ symbol: String, from: Instant, to: Instant) -> Int64 {
        loop.preconditionCurrent()
        let (ask, actions) = book.asked(symbol, from: from, to: to, now: clock())
        if actions.isEmpty {
            arm()
        } else {
            // Who asks gets the number before the answer.
            loop.schedule(after: 0) { [weak self] in self?.perform(actions) }
        }
        return ask
    }

    /// Ends for good; all that is open is answered without bars.
    package func stop() {
        loop.preconditionCurrent()
        perform(book.stopped())
        timer?.cancel()
    }

    private func perform(_ actions: [RepairAction]) {
        for action in actions {
            switch action {
            case .fetch(let symbol, let attempt, let seconds, let from, let to):
                fetch(symbol, attempt, seconds, from, to)
            case .cancel(let attempt): fetches.removeValue(forKey: attempt)?.cancel()
            case .answer(let outcome): answer(outcome)
            }
        }
        arm()
    }

    private func fetch(_ symbol: String, _ attempt: Int, _ seconds: Int, _ from: Instant, _ to: Instant) {
        let request = PolygonREST.bars(symbol, seconds == 1 ? .second : .minute, from: from, to: to)
        urls[symbol] = request.target
        fetches[attempt] = RESTFetch.start(request, on: client, .repair, within: within) { [weak self] result in
            self?.fetched(symbol, attempt, request.target, result)
        }
    }

    private func fetched(
        _ symbol: String,
        _ attempt: Int,
        _ url: String,
        _ result: Result<RESTBody, RequestFailure>
    ) {
        fetches[attempt] = nil
        let now = clock()
        switch result {
        case .failure(let failure):
            var isForbidden = false
            if case .forbidden = failure { isForbidden = true }
            let actions = book.failed(
                symbol,
                attempt: attempt,
                cause: failure.description,
                isForbidden: isForbidden,
                now: now
            )
            perform(actions)
        case .success(let body):
            let read = Self.read(url, body)
            switch read {
            case .success(let end):
                bodies[symbol] = (url, body.body)
                perform(book.fetched(symbol, attempt: attempt, end: end, now: now))
            case .failure(let failure):
                let cause = failure.description
                perform(book.failed(symbol, attempt: attempt, cause: cause, isForbidden: false, now: now))
            }
        }
    }

    /// Where the last bar ends, nil where there is none; read as the engine's door reads it.
    private static func read(_ url: String, _ body: RESTBody) -> Result<Instant?, RequestFailure> {
        guard body.isWhole else { return .failure(.unusable("more pages than allowed")) }
        var symbols = SymbolTable(limit: 1)
        let answer = body.body.withUnsafeBytes {
            RESTAnswer.decode(source: PolygonREST.sourceName, url: url, body: $0, symbols: &symbols)
        }
        guard case .bars(_, _, _, let seconds, let bars?) = answer else {
            if case .malformed(let words) = answer { return .failure(.unusable(words)) }
            return .failure(.unusable("no bars"))
        }
        return .success(bars.last?.start.advanced(byNanos: Int64(seconds) * 1_000_000_000))
    }

    private func answer(_ outcome: RepairOutcome) {
        let kept = bodies.removeValue(forKey: outcome.symbol)
        let asked = urls.removeValue(forKey: outcome.symbol)
        let plain = PolygonREST.bars(outcome.symbol, .second, from: outcome.from, to: outcome.to).target
        let good = outcome.hasBars ? kept : nil
        answered(
            RepairAnswer(
                asks: outcome.asks,
                symbol: outcome.symbol,
                from: outcome.from,
                to: outcome.to,
                source: PolygonREST.sourceName,
                url: good?.url ?? asked ?? plain,
                body: good?.body,
                isCovered: outcome.isCovered,
                cause: outcome.cause
            )
        )
    }

    private func arm() {
        timer?.cancel()
        timer = nil
        guard book.deadline != .distantFuture else { return }
        let delay = max(1_000_000, book.deadline.nanos(since: clock()))
        timer = loop.schedule(after: delay) { [weak self] in
            guard let self else { return }
            perform(book.timerFired(now: clock()))
        }
    }
}
