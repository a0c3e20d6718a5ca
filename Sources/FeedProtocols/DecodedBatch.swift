public import MarketData

/// What one or more frames decoded to: events in order of arrival, and the statuses met among them.
///
/// A reusable buffer: it grows to the largest batch and then allocates no more. Feed loop thread only.
public struct DecodedBatch: ~Copyable {
    /// How many events there are.
    public private(set) var count = 0
    /// Control messages, in order; rare, so these may allocate.
    public var statuses: [ProviderStatus] = []
    @usableFromInline var events: UnsafeMutablePointer<MarketEvent>
    private var capacity: Int

    /// Makes room for `capacity` events; more is made when needed.
    public init(capacity: Int = 256) {
        self.capacity = max(1, capacity)
        events = .allocate(capacity: self.capacity)
    }

    deinit { events.deallocate() }

    /// The event at `index`, in order of arrival.
    ///
    /// - Precondition: `index` lies within `0..<count`.
    @inlinable
    public subscript(index: Int) -> MarketEvent {
        precondition(index >= 0 && index < count, "index outside the batch")
        return events[index]
    }

    /// Lends all events at once; they are only valid during the call.
    @inlinable
    public func withEvents<Result>(_ body: (UnsafeBufferPointer<MarketEvent>) -> Result) -> Result {
        body(UnsafeBufferPointer(start: events, count: count))
    }

    /// Empties the batch and keeps its room.
    public mutating func removeAll() {
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
public struct ProviderStatus: Hashable, Sendable {
    /// The word the machine acts on, as sent.
    public var status: String
    /// The provider's own words.
    public var message: String

    /// The longest `status` kept, in bytes.
    public static let statusLimit = 64
    /// The longest `message` kept, in bytes.
    public static let messageLimit = 512

    /// Takes texts that are within the limits.
    public init(status: String, message: String) {
        self.status = status
        self.message = message
    }
}
