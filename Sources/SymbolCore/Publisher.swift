internal import MarketData
internal import Plans
internal import Primitives
internal import Wire

/// What of a core's conflatable channels somebody watches, what changed, and when it is said next.
///
/// Pure. /// Each channel speaks at most every `publishNanos`, on clock inputs, changed fields only, and only while it is wanted.
struct Publisher: Sendable {
    /// When a clock input should publish; never while nothing wanted changed.
    private(set) var due = Instant.distantFuture
    private(set) var wantsSymbol = false
    private(set) var wantsBands = false
    private(set) var wantsAllContracts = false
    private(set) var wantedContracts: Set<Int> = []
    /// Watched plans that may have extremes to tell, in order of creation.
    var watchedPlans: [WatchedPlan] = []
    private var lastPublished = Instant.distantPast
    private(set) var isUnderlyingDirty = false
    private var dirtyContracts: [Int] = []
    private(set) var lastTouched = Instant.distantPast
    /// Starts of minute bars that completed, or changed afterwards.
    private(set) var finishedBars: [Instant] = []

    var tick = FieldRow(TickField.fields)
    var bands = FieldRow(BandsField.fields)
    var contracts: [Int: FieldRow] = [:]
    var openBar: OpenBar?

    /// The bar in progress as last published.
    struct OpenBar: Equatable, Sendable {
        var start: Instant
        var values: [Int64]
    }

    /// A plan whose extremes somebody watches, and what was last said of them.
    struct WatchedPlan: Sendable {
        var handle: PlanHandle
        var channel: Channel
        /// R in micros.
        var risk: Int64
        var adverse = FieldRow.null
        var favourable = FieldRow.null
    }

    private var wantsUnderlying: Bool { wantsSymbol || wantsBands }

    /// Takes what is wanted of this core; a channel wanted anew says everything at its next turn.
    mutating func setDemand(symbol: Bool, bands: Bool, contracts: Set<Int>?, plans: [WatchedPlan]) {
        setDemand(symbol: symbol, bands: bands)
        wantsAllContracts = contracts == nil
        for slot in contracts ?? [] {
            self.contracts[slot]?.forget()
            if !wantedContracts.contains(slot) { dirtyContracts.append(slot) }
        }
        wantedContracts = contracts ?? []
        watchedPlans = plans
        schedule()
    }

    /// The same of the underlying's own channels alone.
    mutating func setDemand(symbol: Bool, bands: Bool) {
        if symbol, !wantsSymbol { (openBar, isUnderlyingDirty) = (nil, true) }
        if symbol { tick.forget() }
        if bands {
            self.bands.forget()
            isUnderlyingDirty = true
        }
        wantsSymbol = symbol
        wantsBands = bands
        schedule()
    }

    /// Adds a contract that was wanted before it was known.
    mutating func want(contract slot: Int) { wantedContracts.insert(slot) }

    /// Notes that an instrument's figures may have changed.
    @inline(__always)
    mutating func touched(slot: Int, at received: Instant) {
        if slot < Int(Slot.firstContract) {
            lastTouched = received
            guard wantsUnderlying || !watchedPlans.isEmpty else { return }
            guard !isUnderlyingDirty else { return }
            isUnderlyingDirty = true
        } else {
            guard wantsAllContracts || wantedContracts.contains(slot) else { return }
            guard !dirtyContracts.contains(slot) else { return }
            dirtyContracts.append(slot)
        }
        schedule()
    }

    /// A feed's state changed: what is shown of the instruments may come from another one.
    mutating func sourcesChanged() {
        isUnderlyingDirty = isUnderlyingDirty || wantsUnderlying
        for slot in wantedContracts.sorted() where !dirtyContracts.contains(slot) { dirtyContracts.append(slot) }
        schedule()
    }

    mutating func finished(bar: Instant) {
        guard wantsSymbol else { return }
        if !finishedBars.contains(bar) { finishedBars.append(bar) }
        isUnderlyingDirty = true
        schedule()
    }

    /// Takes what is to be said now, and starts the next interval.
    mutating func take(at clock: Instant, interval: Int64) -> (underlying: Bool, contracts: [Int], bars: [Instant]) {
        defer {
            isUnderlyingDirty = false
            dirtyContracts.removeAll(keepingCapacity: true)
            finishedBars.removeAll(keepingCapacity: true)
            due = .distantFuture
            lastPublished = clock
            nextAllowed = clock.advanced(byNanos: interval)
        }
        return (isUnderlyingDirty, dirtyContracts.sorted(), finishedBars.sorted())
    }

    private var nextAllowed = Instant.distantPast

    private mutating func schedule() {
        if isUnderlyingDirty || !dirtyContracts.isEmpty { due = nextAllowed }
    }
}

/// Positions of the fields of `tick` (protocol.md 2).
enum TickField {
    static let last = 0
    static let lastSize = 1
    static let bid = 2
    static let ask = 3
    static let bidSize = 4
    static let askSize = 5
    static let mid = 6
    static let session = 7
    static let locked = 8
    static let crossed = 9
    static let age = 10
    static let source = 11

    static let fields: [FieldRow.Field] = [
        .init(name: "last", form: .decimal), .init(name: "lastSize", form: .decimal),
        .init(name: "bid", form: .decimal), .init(name: "ask", form: .decimal),
        .init(name: "bidSize", form: .decimal), .init(name: "askSize", form: .decimal),
        .init(name: "mid", form: .decimal), .init(name: "session", form: .name(PlanText.sessionNames.map(\.name))),
        .init(name: "locked", form: .flag), .init(name: "crossed", form: .flag),
        .init(name: "ageMs", form: .integer, isPassive: true),
        .init(name: "source", form: .name(FeedSource.allCases.map(\.tapeName) + ["bar"])),
    ]
    /// What stands in `source` where every feed of the symbol is away: the last bar's close is shown, and no quote.
    static let lastBar = Int64(FeedSource.allCases.count)
}

/// Positions of the fields of `bands`.
enum BandsField {
    static let vwap = 0
    static let sigma = 1
    /// up1, dn1, up2, dn2, up3, dn3 follow each other.
    static let firstBand = 2
    static let atr = 8
    static let source = 13

    static let fields: [FieldRow.Field] =
        [
            "vwap", "sigma", "up1", "dn1", "up2", "dn2", "up3", "dn3", "atr14", "rvol", "rvolPercentile", "emHigh",
            "emLow",
        ]
        .map { .init(name: $0, form: .decimal) } + [.init(name: "source", form: .name(["trades", "bars"]))]
}

/// Positions of the fields of `contract`.
enum ContractField {
    static let bid = 0
    static let ask = 1
    static let bidSize = 2
    static let askSize = 3
    static let stability = 4
    static let spreadPct = 5
    static let twas = 6
    static let gate = 7
    static let flow = 8
    static let age = 9
    static let source = 10

    static let fields: [FieldRow.Field] =
        ["bid", "ask", "bidSize", "askSize", "stability", "spreadPct", "twas"].map { .init(name: $0, form: .decimal) }
        + [
            .init(name: "gate", form: .flag), .init(name: "flow", form: .decimal),
            .init(name: "ageMs", form: .integer, isPassive: true),
            .init(name: "source", form: .name(FeedSource.allCases.map(\.tapeName))),
        ]
}
