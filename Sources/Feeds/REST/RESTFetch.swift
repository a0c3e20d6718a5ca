package import FeedProtocols
internal import Primitives

/// All pages of an answer as one JSON text, on one line.
package struct RESTBody: Sendable, Equatable {
    package var body: [UInt8]
    package var pages: Int
    /// False where the limit of pages or rows ended it: more would be there.
    package var isWhole: Bool
}

/// How much of an answer is taken.
package struct RESTFetchLimits: Sendable {
    package var pagesMax = 20
    package var rowsMax = 500_000
    /// Bytes of all pages: a tape line holds 16 MiB.
    package var bytesMax = 12 << 20

    package init() {}
}

/// One request with the pages behind it; asks a client page by page.
///
/// Ends once: with the pages joined, or with the first failure. Loop thread only; kept alive by the client while it asks.
package final class RESTFetch {
    package typealias Done = (Result<RESTBody, RequestFailure>) -> Void

    private unowned let client: RESTClient
    private let priority: RequestPriority
    private let limits: RESTFetchLimits
    private let until: Instant?
    private var walk: PageWalk
    private var pages: [[UInt8]] = []
    private var bytes = 0
    private var ticket: RequestTicket?
    private var done: Done?

    /// Starts at once; `done` is called once, on the loop, after this has returned.
    @discardableResult
    package static func start(
        _ request: RESTRequest,
        on client: RESTClient,
        _ priority: RequestPriority,
        within: Int64? = nil,
        limits: RESTFetchLimits = RESTFetchLimits(),
        done: @escaping Done
    ) -> RESTFetch {
        let fetch = RESTFetch(request, client, priority, within, limits, done)
        fetch.ask(request)
        return fetch
    }

    private init(
        _ request: RESTRequest,
        _ client: RESTClient,
        _ priority: RequestPriority,
        _ within: Int64?,
        _ limits: RESTFetchLimits,
        _ done: @escaping Done
    ) {
        self.client = client
        self.priority = priority
        self.limits = limits
        self.done = done
        until = within.map { client.clock().advanced(byNanos: $0) }
        walk = PageWalk(
            request,
            base: client.options.base,
            pagesMax: limits.pagesMax,
            rowsMax: limits.rowsMax
        )
    }

    /// Gives it up: `done` isn't called any more.
    package func cancel() {
        done = nil
        if let ticket { client.cancel(ticket) }
    }

    private func ask(_ request: RESTRequest) {
        let within = until.map { max(1, $0.nanos(since: client.clock())) }
        ticket = client.get(request, priority, within: within) { [self] in came($0) }
    }

    private func came(_ result: Result<RESTReply, RequestFailure>) {
        ticket = nil
        guard done != nil else { return }
        switch result {
        case .failure(let failure): end(.failure(failure))
        case .success(let reply): take(reply.body)
        }
    }

    private func take(_ body: [UInt8]) {
        bytes += body.count
        guard bytes <= limits.bytesMax else { return end(.failure(.tooLarge)) }
        guard let tree = RESTTree(body) else { return end(.failure(.unusable("not JSON"))) }
        if tree.isObject, let problem = PolygonREST.problem(of: tree) { return end(.failure(.unusable(problem))) }
        pages.append(body)
        switch walk.received(rows: tree["results"]?.array?.count ?? 0, link: tree["next_url"]?.string) {
        case .finished: join(isWhole: true)
        case .capped: join(isWhole: false)
        case .refused(let words): end(.failure(.unusable(words)))
        case .follow(let request): ask(request)
        }
    }

    private func join(isWhole: Bool) {
        guard let body = RESTPages.joined(pages) else { return end(.failure(.unusable("pages of another shape"))) }
        end(.success(RESTBody(body: body, pages: pages.count, isWhole: isWhole)))
    }

    private func end(_ result: Result<RESTBody, RequestFailure>) {
        let done = done
        self.done = nil
        done?(result)
    }
}
