package import MarketData
package import Network
package import Primitives

/// A feed that only one process may have: it runs while this process holds its lease.
///
/// A thin shell around `LeaseKeeper`. Each time the lease becomes ours a new feed is made; when it is lost the feed ends at
/// once. Feed loop thread only.
package final class LeasedFeed: MarketFeed, @unchecked Sendable {
    // Unchecked: everything is touched by the loop thread only; the lease is asked from a task that hops back.
    package let source: FeedSource
    private let loop: EventLoop
    private let lease: any Lease
    private let make: () -> any MarketFeed
    private let sink: any EventSink
    private let clock: () -> Instant
    private let told: (FeedEvent) -> Void
    private var keeper: LeaseKeeper
    private var feed: (any MarketFeed)?
    private var selection = UniverseSelection()
    private var ended = FeedCounters()
    private var timer: TimerHandle?

    /// A feed that stands still; the lease is asked every sixth of its life, `make` makes the feed anew.
    package init(
        _ source: FeedSource,
        loop: EventLoop,
        lease: any Lease,
        lifeNanos: Int64,
        sink: any EventSink,
        clock: @escaping () -> Instant,
        told: @escaping (FeedEvent) -> Void,
        make: @escaping () -> any MarketFeed
    ) {
        self.source = source
        self.loop = loop
        self.lease = lease
        self.sink = sink
        self.clock = clock
        self.told = told
        self.make = make
        keeper = LeaseKeeper(lifeNanos: lifeNanos)
    }

    package var phaseName: String { feed?.phaseName ?? "waiting for the lease" }
    package var isLive: Bool { feed?.isLive ?? false }
    package var counters: FeedCounters { feed.map { ended.adding($0.counters) } ?? ended }

    package func start() {
        timer = loop.schedule(after: keeper.tickNanos, repeating: keeper.tickNanos) { [weak self] in
            guard let self else { return }
            perform(keeper.tick(now: clock()))
        }
        perform(keeper.tick(now: clock()))
    }

    package func stop() {
        keeper.stop()
        timer?.cancel()
        end()
        let lease = lease
        Task { await lease.release() }
    }

    package func want(_ selection: UniverseSelection) {
        self.selection = selection
        feed?.want(selection)
    }

    private func perform(_ actions: [LeaseKeeper.Action]) {
        for action in actions {
            switch action {
            case .ask: ask()
            case .begin:
                let feed = make()
                self.feed = feed
                feed.want(selection)
                feed.start()
            case .end(let cause):
                end()
                told(.alert("\(source.tapeName): \(cause)"))
            case .wait(let cause):
                told(.alert("\(source.tapeName) is not connected: \(cause)"))
                sink.feedChanged(source, to: .down, cause: cause, at: clock())
            }
        }
    }

    private func end() {
        guard let feed else { return }
        feed.stop()
        ended = ended.adding(feed.counters)
        self.feed = nil
    }

    private func ask() {
        let (lease, asked) = (lease, clock())
        Task { [self] in
            let answer: LeaseKeeper.Answer
            do {
                answer = try await lease.acquire().map { .ours(token: $0) } ?? .another
            } catch {
                answer = .failed("\(error)")
            }
            loop.execute { [self] in perform(keeper.answered(answer, asked: asked)) }
        }
    }
}

extension FeedCounters {
    fileprivate func adding(_ other: FeedCounters) -> FeedCounters {
        var sum = self
        sum.attempts += other.attempts
        sum.connections += other.connections
        sum.frames += other.frames
        sum.bytes += other.bytes
        sum.filtered += other.filtered
        sum.alerts += other.alerts
        sum.refusals += other.refusals
        return sum
    }
}
