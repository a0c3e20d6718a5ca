import MarketData
import Plans
import Primitives

/// A trading day's sessions for tests: 2013-10-08, New York on daylight time.
enum Day {
    static let open = Instant(nanos: 1_381_239_000_000_000_000)
    static let close = open.advanced(byNanos: 23_400 * 1_000_000_000)
    static let rth = TradingSession(kind: .rth, start: open, end: close)
    static let pre = TradingSession(kind: .pre, start: open.advanced(byNanos: -19_800 * 1_000_000_000), end: open)
    static let post = TradingSession(
        kind: .post,
        start: close,
        end: close.advanced(byNanos: 14_400 * 1_000_000_000)
    )
    static let nextRTH = TradingSession(
        kind: .rth,
        start: open.advanced(byNanos: 86_400 * 1_000_000_000),
        end: close.advanced(byNanos: 86_400 * 1_000_000_000)
    )

    /// `seconds` after the open.
    static func at(_ seconds: Int64) -> Instant { open.advanced(byNanos: seconds * 1_000_000_000) }
}

/// Dollars to an exact price: 145.1 → 145.100000.
func price(_ dollars: Double) -> Price { Price(micros: Int64((dollars * 1e6).rounded())) }

/// The price that a long's `dollars` is for the mirror image: turned over 100.
func mirrored(_ dollars: Double, _ side: PlanSide) -> Price {
    side == .long ? price(dollars) : price(200 - dollars)
}

/// A book with one instrument, fed in the terms of a long; with `side: .short` all prices are turned over 100, so that
/// each rule's table is run for both sides.
struct Desk {
    static let symbol = SymbolID(index: 7)

    var side: PlanSide
    var book = PlanBook()
    var out: [PlanOutcome] = []
    var now = Day.at(0)
    var band = Price.zero
    var session = Day.rth
    var lost = Day.at(0)
    private(set) var sequence: Int64 = 0
    private var made = 0

    init(side: PlanSide = .long) { self.side = side }

    /// E 100, stop 99, targets 101 (50 %), 102 (30 %), 103 (20 %), unless told otherwise.
    func plan(
        _ type: EntryType = .touch,
        entry: Double = 100,
        stop: Double = 99,
        targets: [(Double, Int32)] = [(101, 500_000), (102, 300_000), (103, 200_000)],
        trigger: TriggerKind = .last,
        style: PlanStyle = .intraday,
        breakevenAfter: Int? = nil,
        trail: (after: Int, distance: Double)? = nil,
        sessions: SessionSet = .rth,
        armAt: Instant? = nil,
        expiresAt: Instant? = nil
    ) -> Plan {
        Plan(
            id: "p_\(made)",
            owner: "u_1",
            symbol: "SPY",
            side: side,
            style: style,
            trigger: trigger,
            entry: PlanEntry(type: type, price: mirrored(entry, side)),
            stop: mirrored(stop, side),
            targets: targets.map { PlanTarget(price: mirrored($0.0, side), fraction: Fraction(micros: $0.1)) },
            breakevenAfter: breakevenAfter,
            trail: trail.map { PlanTrail(after: $0.after, distance: price($0.distance)) },
            sessions: sessions,
            armAt: armAt,
            expiresAt: expiresAt
        )
    }

    var placement: PlanPlacement {
        PlanPlacement(instrument: Self.symbol, tick: Price(micros: 10_000), nextClose: Day.close)
    }

    @discardableResult
    mutating func add(_ plan: Plan, standing: StandingQuote? = nil) throws -> PlanHandle {
        var plan = plan
        plan.id = "p_\(made)"
        made += 1
        var placement = placement
        placement.standing = standing
        return try book.add(plan, at: placement, received: now, limitsLive: false, into: &out)
    }

    /// Feeds trades, a millisecond apart.
    mutating func trade(_ xs: Double...) {
        for x in xs {
            tick()
            sequence += 1
            let trade = Trade(
                symbol: Self.symbol,
                time: now,
                sequence: sequence,
                price: mirrored(x, side),
                size: Size(shares: 100)
            )
            feed(.trade(trade))
        }
    }

    /// Feeds a quote by the sides a long sees: what it enters on and leaves on.
    mutating func quote(enter: Double, leave: Double, enterSize: Int64 = 1, leaveSize: Int64 = 1) {
        tick()
        feed(.quote(makeQuote(enter: enter, leave: leave, enterSize: enterSize, leaveSize: leaveSize)))
    }

    /// Feeds an event the way a core does.
    mutating func feed(_ event: MarketEvent) {
        let (session, band, now) = (session, band, now)
        if book.hold(event, nbbo: nil, session: session, received: now, band: band, into: &out) { return }
        switch event {
        case .trade(let trade):
            let (x, symbol) = (trade.price, trade.symbol)
            book.traded(x, on: symbol, session: session, time: trade.time, received: now, band: band, into: &out)
        case .quote(let quote): book.quoted(quote, session: session, received: now, band: band, into: &out)
        default: break
        }
    }

    func makeQuote(enter: Double, leave: Double, enterSize: Int64 = 1, leaveSize: Int64 = 1) -> Quote {
        let isLong = side == .long
        let (enter, leave) = (mirrored(enter, side), mirrored(leave, side))
        return Quote(
            symbol: Self.symbol,
            time: now,
            bid: isLong ? leave : enter,
            ask: isLong ? enter : leave,
            bidSize: Size(shares: isLong ? leaveSize : enterSize),
            askSize: Size(shares: isLong ? enterSize : leaveSize)
        )
    }

    mutating func tick() {
        now = now.advanced(byNanos: 1_000_000)
        book.fire(upTo: now, into: &out)
    }

    mutating func wait(until instant: Instant) {
        now = max(now, instant)
        book.fire(upTo: now, into: &out)
    }

    /// What came since the last call, short: `entry 100`, `target1 101 gap repaired`, `→ entered entered 99 blind`.
    mutating func take() -> [String] {
        defer { out = [] }
        return out.compactMap { outcome in
            switch outcome {
            case .hit(let hit): text(hit)
            case .status(let status):
                "→ \(status.state.rawValue) \(status.reason.rawValue) \(text(status.stop))"
                    + (status.blind == .blind ? " blind" : status.blind == .sees ? "" : " gap")
            case .voided(let void): "void " + text(void.hit)
            case .because: nil
            }
        }
    }

    private func text(_ hit: PlanHit) -> String {
        "\(hit.kind.rawValue)\(hit.target.map { "\($0)" } ?? "")\(hit.price.map { " \(text($0))" } ?? "")"
            + (hit.isGap ? " gap" : "") + (hit.isRepaired ? " repaired" : "") + (hit.isAmbiguous ? " ambiguous" : "")
            + (hit.isTimeUncertain ? " uncertain" : "")
    }

    /// Hits alone.
    mutating func takeHits() -> [String] { take().filter { !$0.hasPrefix("→") } }

    private func text(_ price: Price) -> String {
        var bytes: [UInt8] = []
        DecimalText.append(side == .long ? price : Price(micros: 200_000_000 - price.micros), to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
