package import Analytics
package import MarketData
internal import Primitives
internal import Wire

/// What all cores share.
package struct SymbolCoreOptions: Sendable {
    package var calendar: SessionCalendar
    package var analytics: AnalyticsSettings
    /// Grid and staleness of the option contracts' spread samples.
    package var contractSampling: NBBOSampling
    /// Distance of the conflatable messages of a channel.
    package var publishNanos: Int64
    /// Plans of one core at most; a further one is refused.
    package var planLimit: Int
    /// How long plans wait for the bars of a gap.
    package var repairNanos: Int64 = 10_000_000_000
    /// One live plan a symbol, style and owner (off in `replay --plans`).
    package var limitsLivePlans: Bool

    package init(
        calendar: SessionCalendar = SessionCalendar(),
        analytics: AnalyticsSettings = AnalyticsSettings(),
        contractSampling: NBBOSampling = .option,
        publishNanos: Int64 = 50_000_000,
        planLimit: Int = 1_000_000,
        limitsLivePlans: Bool = true
    ) {
        self.calendar = calendar
        self.analytics = analytics
        self.contractSampling = contractSampling
        self.publishNanos = publishNanos
        self.planLimit = planLimit
        self.limitsLivePlans = limitsLivePlans
    }
}

/// What a core counted; nothing is dropped without a count.
package struct CoreCounters: Sendable, BitwiseCopyable {
    /// Events of a slot without an instrument: a fault of ours.
    package var unplaced: Int64 = 0
    /// Events of a lower feed than the instrument's own: at most shown.
    package var shadowed: Int64 = 0
    /// Prints beyond the NBBO that gave no x.
    package var badPrints: Int64 = 0
    package var hits: Int64 = 0
    package var refusedCommands: Int64 = 0

    package init() {}
}

/// A core's figures at an instant (`replay --checkpoints`).
package struct SymbolReading: Sendable {
    package var symbol: String
    package var figures: SymbolCheckpoint
}

/// An instrument of a core with its texts: for commands, hits and what is published.
struct PlacedInstrument: Sendable {
    var id: SymbolID
    var instrument: Instrument

    var kind: InstrumentKind { instrument.kind }
}

/// An instrument that comes in with input `n`.
struct Announcement: Sendable {
    var n: Ordinal
    var slot: UInt32
    var placed: PlacedInstrument
}

/// What an event needs to know of its slot: no reference in it, so that reading it counts none.
struct Place: Sendable, BitwiseCopyable {
    /// False until the slot is introduced.
    var isKnown = false
    var kind = InstrumentKind.equity
    /// The feed that the slot's events come from; nil before the first.
    var source: FeedSource?
    /// Index of what is watched for its plans, −1 where it has none.
    var watch: Int32 = -1
    /// The last usable quote: what a print is held against, and what a hit's *why* shows.
    var book: Quote?
}

/// The places by slot, in plain memory: written at every quote, so that an array's check for a second owner would cost.
struct PlaceTable: ~Copyable, @unchecked Sendable {
    // Owner of the unchecked state: this value alone has the memory, and frees it.
    private var places: UnsafeMutablePointer<Place>
    private(set) var count = 0
    private var room = 2

    /// The slots that every core has.
    init() {
        places = .allocate(capacity: room)
        append()
        append()
    }

    deinit { places.deallocate() }

    mutating func append() {
        if count == room {
            let larger = UnsafeMutablePointer<Place>.allocate(capacity: room * 2)
            larger.moveInitialize(from: places, count: count)
            places.deallocate()
            (places, room) = (larger, room * 2)
        }
        (places + count).initialize(to: Place())
        count += 1
    }

    subscript(slot: Int) -> Place {
        _read {
            precondition(slot >= 0 && slot < count, "slot \(slot) of \(count)")
            yield places[slot]
        }
        _modify {
            precondition(slot >= 0 && slot < count, "slot \(slot) of \(count)")
            yield &places[slot]
        }
    }
}

/// Gives the outputs of one input their indices (docs/decisions/0004).
struct OutputCursor: Sendable {
    private(set) var n: Ordinal = 0
    private var next: OutputIndex = 0

    mutating func start(_ n: Ordinal, core: UInt32) {
        self.n = n
        next = OutputIndex(core) << 32
    }

    mutating func take() -> OutputIndex {
        defer { next += 1 }
        return next
    }
}
