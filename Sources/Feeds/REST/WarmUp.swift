package import FeedProtocols
internal import MarketData
internal import Network
internal import Primitives

/// What is fetched before the market is heard.
package enum WarmUpItem: String, Sendable, CaseIterable {
    case stockConditions, optionConditions, stockExchanges, optionExchanges, marketStatus, holidays

    package var request: RESTRequest {
        switch self {
        case .stockConditions: PolygonREST.conditions(.equity)
        case .optionConditions: PolygonREST.conditions(.option)
        case .stockExchanges: PolygonREST.exchanges(.equity)
        case .optionExchanges: PolygonREST.exchanges(.option)
        case .marketStatus: PolygonREST.marketStatus
        case .holidays: PolygonREST.holidays
        }
    }

    /// Whether an answer can be used, and what is to be said of it.
    func judged(_ body: [UInt8]) -> (isGood: Bool, words: String) {
        guard let tree = RESTTree(body) else { return (false, "not JSON") }
        do {
            let malformed: [FieldProblem]
            switch self {
            case .stockConditions, .optionConditions: malformed = try ConditionPage(tree).malformed
            case .stockExchanges, .optionExchanges: malformed = try ExchangePage(tree).malformed
            case .holidays: malformed = try HolidayPage(tree).malformed
            case .marketStatus:
                _ = try MarketStatus(tree)
                malformed = []
            }
            guard let first = malformed.first else { return (true, "") }
            // Single bad rows are left out by who reads it: the rest is better than nothing.
            guard tree.rowCount > malformed.count else { return (false, "no row can be read, \(first)") }
            return (true, "\(malformed.count) row\(malformed.count == 1 ? "" : "s") left out, \(first)")
        } catch {
            return (false, error.description)
        }
    }
}

/// What became of one item: what stands on the tape.
package struct WarmUpAnswer: Sendable, Equatable {
    package var item: WarmUpItem
    package var source: String
    /// Path and query.
    package var url: String
    /// The JSON text, on one line; nil: it couldn't be had.
    package var body: [UInt8]?
    /// Why there is no body, or what of it can't be read; empty where nothing is to be said.
    package var cause: String
}

/// Fetches conditions, exchanges, market status and holidays; each is answered once a run.
///
/// Again after `start`: the calendar is to be checked every day. Loop thread only.
package final class WarmUp {
    private let client: RESTClient
    private let within: Int64
    private let answered: (WarmUpAnswer) -> Void
    private var open: Set<WarmUpItem> = []

    /// - Parameters:
    ///   - client: whom it asks.
    ///   - within: nanoseconds for an item; a free account takes six requests over a minute.
    ///   - answered: hears every answer, on the loop, after `start` has returned.
    package init(
        client: RESTClient,
        within: Int64 = 180_000_000_000,
        answered: @escaping (WarmUpAnswer) -> Void
    ) {
        self.client = client
        self.within = within
        self.answered = answered
    }

    /// Whether every item of the last `start` has been answered.
    package var isDone: Bool { open.isEmpty }

    /// Asks for these items; one that is under way isn't asked twice.
    package func start(_ items: [WarmUpItem] = WarmUpItem.allCases) {
        client.loop.preconditionCurrent()
        for item in items where open.insert(item).inserted {
            RESTFetch.start(item.request, on: client, .warmUp, within: within) { [self] in came(item, $0) }
        }
    }

    private func came(_ item: WarmUpItem, _ result: Result<RESTBody, RequestFailure>) {
        open.remove(item)
        var answer = WarmUpAnswer(
            item: item,
            source: PolygonREST.sourceName,
            url: item.request.target,
            body: nil,
            cause: ""
        )
        switch result {
        case .failure(let failure): answer.cause = failure.description
        case .success(let body):
            if !body.isWhole {
                answer.cause = "more pages than allowed"
            } else {
                let judgement = item.judged(body.body)
                answer.cause = judgement.words
                answer.body = judgement.isGood ? body.body : nil
            }
        }
        answered(answer)
    }
}
