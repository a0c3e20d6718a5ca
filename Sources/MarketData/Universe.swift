public import Primitives

/// What may be asked of each feed at once (feeds.md 1.3, 4.1.2).
public struct UniverseQuotas: Hashable, Sendable {
    /// Option contracts whose quotes one connection carries.
    public var optionQuotes = 1_000
    /// Market data lines of the bridge's account.
    public var bridgeLines = 100
    /// Depth books of the bridge's account.
    public var bridgeBooks = 3

    /// The documented ones.
    public init() {}
}

/// Who wants what, in order of rank.
public struct UniverseWishes: Hashable, Sendable {
    /// Why an instrument is wanted; the lower wins where a quota is short.
    public enum Rank: UInt8, Comparable, Sendable, CaseIterable {
        case configured
        case planned
        case watched
        case chain

        /// By force.
        public static func < (a: Rank, b: Rank) -> Bool { a.rawValue < b.rawValue }
    }

    /// Symbols and contracts of the configuration, the first the dearest.
    public var configured: [String] = []
    /// Instruments of open plans.
    public var planned: Set<String> = []
    /// When somebody last watched an instrument, wall clock.
    public var watched: [String: Instant] = [:]
    /// Contracts near the money, the nearest first.
    public var chain: [String] = []

    /// Nothing wanted.
    public init() {}

    /// How long a watcher counts after it was last heard.
    public static let watchNanos: Int64 = 60_000_000_000
}

/// What to subscribe to, by feed, and what can't be had.
public struct UniverseSelection: Hashable, Sendable {
    /// Equities.
    public var equities: Set<String> = []
    /// Indices, with their prefix.
    public var indices: Set<String> = []
    /// Contracts whose trades and bars are wanted.
    public var contracts: Set<String> = []
    /// Those of them whose quotes are, too.
    public var quotedContracts: Set<String> = []
    /// Instruments asked of the bridge, the dearest first.
    public var bridgeLines: [String] = []
    /// Those of them whose depth is, too.
    public var bridgeBooks: Set<String> = []
    /// What didn't fit, with the quota that was full.
    public var unserved: [String: String] = [:]

    /// Nothing.
    public init() {}

    /// The underlyings of everything wanted: what the flow feed is asked for.
    public var underlyings: Set<String> {
        Set((equities.union(indices).union(contracts)).compactMap { Instrument($0)?.underlying })
    }
}

/// What to subscribe to, as a pure function of who wants what.
///
/// Ranked: configuration, open plans, live watchers, the chain near the money; inside each feed's quota.
public enum Universe {
    /// The selection at `now`.
    ///
    /// - Complexity: O(n log n) in the instruments wanted.
    public static func select(_ wishes: UniverseWishes, quotas: UniverseQuotas, now: Instant) -> UniverseSelection {
        var selection = UniverseSelection()
        for symbol in ranked(wishes, now: now) {
            guard let instrument = Instrument(symbol) else {
                selection.unserved[symbol] = "no symbol that any feed knows"
                continue
            }
            switch instrument.kind {
            case .equity: selection.equities.insert(symbol)
            case .index: selection.indices.insert(symbol)
            case .option:
                selection.contracts.insert(symbol)
                if selection.quotedContracts.count < quotas.optionQuotes {
                    selection.quotedContracts.insert(symbol)
                } else {
                    selection.unserved[symbol] = "quotes of \(quotas.optionQuotes) contracts are subscribed already"
                }
            }
            guard selection.bridgeLines.count < quotas.bridgeLines else { continue }
            selection.bridgeLines.append(symbol)
            if instrument.kind == .equity, selection.bridgeBooks.count < quotas.bridgeBooks {
                selection.bridgeBooks.insert(symbol)
            }
        }
        return selection
    }

    /// Everything wanted once, the dearest first; what has the same rank in order of name, but for lists with an order.
    static func ranked(_ wishes: UniverseWishes, now: Instant) -> [String] {
        let watched = wishes.watched.filter { now.nanos(since: $0.value) <= UniverseWishes.watchNanos }
        var seen: Set<String> = []
        var all: [String] = []
        // An option's plan or watcher needs its underlying as well: it gives the context and the plan's levels.
        func add(_ symbol: String) {
            if let instrument = Instrument(symbol), instrument.kind == .option {
                let root = instrument.underlyingSymbol
                if seen.insert(root).inserted { all.append(root) }
            }
            if seen.insert(symbol).inserted { all.append(symbol) }
        }
        wishes.configured.forEach(add)
        wishes.planned.sorted().forEach(add)
        watched.keys.sorted().forEach(add)
        wishes.chain.forEach(add)
        return all
    }
}

/// Lets a selection change at most once a second, and keeps what is no longer wanted for a while.
///
/// Feeds take subscribing and unsubscribing badly (pacing, acknowledgements); a watcher who comes and goes must not be
/// passed on. Pure; time is an input.
public struct UniverseKeeper: Sendable {
    /// Distance of two changes.
    public static let changeNanos: Int64 = 1_000_000_000
    /// How long something stays subscribed that nobody wants any more.
    public static let lingerNanos: Int64 = 30_000_000_000

    /// What is subscribed now.
    public private(set) var current = UniverseSelection()
    private let quotas: UniverseQuotas
    private var lastChange = Instant.distantPast
    /// What somebody wanted, and until when it lingers.
    private var lingering: [String: Instant] = [:]
    private var lastWishes: [String] = []

    /// Nothing subscribed.
    public init(quotas: UniverseQuotas = UniverseQuotas()) { self.quotas = quotas }

    /// Takes what is wanted now.
    ///
    /// - Returns: the new selection where it changed and may change; nil otherwise, then ask again later.
    public mutating func update(_ wishes: UniverseWishes, now: Instant) -> UniverseSelection? {
        guard lastChange == .distantPast || now.nanos(since: lastChange) >= Self.changeNanos else { return nil }
        let wanted = Universe.ranked(wishes, now: now)
        let wantedSet = Set(wanted)
        for gone in lastWishes where !wantedSet.contains(gone) && lingering[gone] == nil {
            lingering[gone] = now.advanced(byNanos: Self.lingerNanos)
        }
        lingering = lingering.filter { !wantedSet.contains($0.key) && $0.value > now }
        lastWishes = wanted
        // What lingers ranks behind all that is wanted: it never takes a place from it.
        var widened = wishes
        widened.chain += lingering.keys.sorted()
        let next = Universe.select(widened, quotas: quotas, now: now)
        guard next != current else { return nil }
        current = next
        lastChange = now
        return next
    }
}
