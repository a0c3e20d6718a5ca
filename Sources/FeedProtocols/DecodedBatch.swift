package import MarketData

/// What one or more frames decoded to: events in order of arrival, and the statuses met among them.
///
/// A reusable buffer: it grows to the largest batch and then allocates no more. Feed loop thread only.
package struct DecodedBatch: ~Copyable {
    /// How many events there are.
    package private(set) var count = 0
    /// Control messages, in order; rare, so these may allocate.
    package var statuses: [ProviderStatus] = []
    @usableFromInline var events: UnsafeMutablePointer<MarketEvent>
    private var capacity: Int

    /// Makes room for `capacity` events; more is made when needed.
    package init(capacity: Int = 256) {
        self.capacity = max(1, capacity)
        events = .allocate(capacity: self.capacity)
    }

    deinit { events.deallocate() }

    /// The event at `index`, in order of arrival.
    ///
    /// - Precondition: `index` lies within `0..<count`.
    @inlinable
    package subscript(index: Int) -> MarketEvent {
        precondition(index >= 0 && index < count, "index outside the batch")
        return events[index]
    }

    /// Lends all events at once; they are only valid during the call.
    @inlinable
    package func withEvents<Result>(_ body: (UnsafeBufferPointer<MarketEvent>) -> Result) -> Result {
        body(UnsafeBufferPointer(start: events, count: count))
    }

    /// Empties the batch and keeps its room.
    package mutating func removeAll() {
        count = 0
        if !statuses.isEmpty { statuses.removeAll(keepingCapacity: true) }
    }

    /// Adds an event.
    @inline(__always)
    mutating func append(_ event: MarketEvent) {
        if count == capacity { grow() }
        (events + count).initialize(to: event)
        count &+= 1
    }

    @inline(never)
    private mutating func grow() {
        let larger = UnsafeMutablePointer<MarketEvent>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: events, count: count)
        events.deallocate()
        events = larger
        capacity *= 2
    }
}

/// A control message of a provider, its text cut to what a log line bears.
package struct ProviderStatus: Hashable, Sendable {
    /// The word the machine acts on, as sent.
    package var status: String
    /// The provider's own words.
    package var message: String

    /// The longest `status` kept, in bytes.
    package static let statusLimit = 64
    /// The longest `message` kept, in bytes.
    package static let messageLimit = 512

    package init(status: String, message: String) {
        self.status = status
        self.message = message
    }
}
