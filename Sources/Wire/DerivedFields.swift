package import Primitives

/// What a plan's price source and its symbol's bands say now; unknown is nil.
package struct SymbolValues: Sendable, Equatable {
    package var last: Price?
    package var bid: Price?
    package var ask: Price?
    package var mid: Price?
    package var vwap: Double?
    package var sigma: Double?
    /// Name and price of each band that is known, in the order of `bandNames`.
    package var bands: [(name: String, price: Double)]
    /// How old the prices are.
    package var ageMillis: Int64?

    package init() { bands = [] }

    package static func == (a: SymbolValues, b: SymbolValues) -> Bool {
        a.last == b.last && a.bid == b.bid && a.ask == b.ask && a.mid == b.mid && a.vwap == b.vwap
            && a.sigma == b.sigma && a.ageMillis == b.ageMillis && a.bands.count == b.bands.count
            && zip(a.bands, b.bands).allSatisfy { $0.name == $1.name && $0.price == $1.price }
    }

    /// The bands in the order in which a tie is settled: nearer to the VWAP first.
    package static let bandNames = ["vwap", "up1", "dn1", "up2", "dn2", "up3", "dn3"]

    /// Takes the fields of a `tick` or `contract` message.
    package mutating func take(prices: (String) -> [UInt8]?) {
        func price(_ name: String) -> Price? {
            prices(name).flatMap { DecimalText.micros($0) }.map { Price(micros: $0) }
        }
        last = price("last")
        bid = price("bid")
        ask = price("ask")
        mid = price("mid")
        if mid == nil, let bid, let ask { mid = Price(micros: (bid.micros + ask.micros) >> 1) }
    }

    /// Takes the fields of a `bands` message.
    package mutating func take(bands fields: (String) -> [UInt8]?) {
        func number(_ name: String) -> Double? {
            fields(name).flatMap { Double(String(decoding: $0, as: UTF8.self)) }
        }
        vwap = number("vwap")
        sigma = number("sigma")
        bands = Self.bandNames.compactMap { name in number(name).map { (name, $0) } }
    }
}

/// The fields of a plan that follow from it and from its symbol's values: pure functions, computed where a plan is
/// watched (protocol.md 1).
///
/// With s = 1 for a long and −1 for a short, E the entry level, R = |E − first stop|:
/// - `price`: what the plan would trade at: `last`, `mid`, or for quote triggers the side on which it would leave (enter,
///   while it waits): exact.
/// - `plR`: result so far of an entered plan, in R, from the price x at which it really entered:
///   Σ fractionₖ·s·(hitₖ − x)/R + rest·s·(price − x)/R; once closed nothing rests.
/// - `distanceR`: s·(level − price)/R for entry, stop and each target: positive lies ahead in the plan's direction, so
///   a live stop is negative.
/// - `progress`: s·(price − E)/(s·(last target − E)): 0 at the entry, 1 at the last target, negative towards the stop.
/// - `band`: the nearest band, and z = (price − VWAP)/σ; for levels on the underlying only.
/// - R values and progress have 3 decimals, z 2, rounded half away from zero. Unknown is null.
package struct DerivedFields: Sendable, Equatable {
    package var price: Price?
    package var plR: Double?
    package var entryR: Double?
    package var stopR: Double?
    package var targetsR: [Double?]
    package var progress: Double?
    package var nearestBand: String?
    package var zScore: Double?
    package var ageMillis: Int64?

    package init(_ plan: PlanView, _ values: SymbolValues) {
        let price = Self.price(of: plan, values)
        self.price = price
        let sign: Double = plan.isLong ? 1 : -1
        let risk = abs((plan.entry - plan.firstStop).dollars)
        func inR(_ distance: Double) -> Double? { risk > 0 ? Self.rounded(sign * distance / risk, 1_000) : nil }
        func distance(_ level: Price?) -> Double? {
            guard let level, let price else { return nil }
            return inR((level - price).dollars)
        }
        plR = Self.result(of: plan, at: price).flatMap { inR($0) }
        entryR = distance(plan.entry)
        stopR = distance(plan.stop)
        targetsR = plan.targets.map { distance($0.price) }
        if let price, let last = plan.targets.last?.price, last != plan.entry {
            progress = Self.rounded((price - plan.entry).dollars / (last - plan.entry).dollars, 1_000)
        }
        if let price, plan.contract == nil {
            let nearest = values.bands.min {
                abs($0.price - price.dollars) < abs($1.price - price.dollars)
            }
            nearestBand = nearest?.name
            if let vwap = values.vwap, let sigma = values.sigma, sigma > 0 {
                zScore = Self.rounded((price.dollars - vwap) / sigma, 100)
            }
        }
        ageMillis = price == nil ? nil : values.ageMillis
    }

    /// The fields' names and JSON texts, in the order of the wire; `ageMs` is the last.
    package func encoded() -> [(name: String, value: [UInt8])] {
        var distance: [UInt8] = []
        var object = JSONObject(&distance)
        object.field("entry", entryR, to: &distance)
        object.field("stop", stopR, to: &distance)
        object.key("targets", to: &distance)
        distance.append(UInt8(ascii: "["))
        for (index, target) in targetsR.enumerated() {
            if index > 0 { distance.append(UInt8(ascii: ",")) }
            DecimalText.append(target ?? .nan, to: &distance)
        }
        distance.append(UInt8(ascii: "]"))
        object.end(&distance)
        return [
            ("price", Self.text(price)), ("plR", Self.text(plR)), ("distanceR", distance),
            ("progress", Self.text(progress)), ("touch", Self.null), ("flow", Self.null), ("band", bandText()),
            ("ageMs", ageMillis.map { Array(String($0).utf8) } ?? Self.null),
        ]
    }

    private static let null = Array("null".utf8)

    private func bandText() -> [UInt8] {
        guard nearestBand != nil || zScore != nil else { return Self.null }
        var out: [UInt8] = []
        var object = JSONObject(&out)
        object.field("nearest", nearestBand, to: &out)
        object.field("z", zScore, to: &out)
        object.end(&out)
        return out
    }

    /// The price that the plan would trade at now.
    private static func price(of plan: PlanView, _ values: SymbolValues) -> Price? {
        switch plan.trigger {
        case .last: return values.last
        case .mid: return values.mid
        case .bidask, .doublebidask:
            // A long that is in leaves on the bid, one that waits enters on the ask; a short the reverse.
            return plan.isLong == plan.isEntered ? values.bid : values.ask
        }
    }

    /// Dollars won per unit of the whole plan, before the sign of its side; nil while it isn't entered or a price is
    /// unknown.
    private static func result(of plan: PlanView, at price: Price?) -> Double? {
        guard let entered = plan.hits.first(where: { $0.kind == "entry" })?.price else { return nil }
        var sum = 0.0
        var rest = 1.0
        for hit in plan.hits where hit.kind != "entry" {
            guard let exit = hit.price else { return nil }
            let fraction: Double
            if hit.kind == "target" {
                guard let k = hit.target, k >= 1, k <= plan.targets.count else { return nil }
                fraction = min(rest, plan.targets[k - 1].fraction)
            } else {
                fraction = rest
            }
            sum += fraction * (exit - entered).dollars
            rest -= fraction
        }
        // Fractions such as 0.5 + 0.3 + 0.2 leave a remainder of rounding only.
        guard plan.isEntered, rest > 1e-9 else { return sum }
        guard let price else { return nil }
        return sum + rest * (price - entered).dollars
    }

    private static func rounded(_ value: Double, _ scale: Double) -> Double? {
        guard value.isFinite else { return nil }
        let result = (value * scale).rounded(.toNearestOrAwayFromZero) / scale
        return result == 0 ? 0 : result
    }

    private static func text(_ value: Double?) -> [UInt8] {
        var out: [UInt8] = []
        DecimalText.append(value ?? .nan, to: &out)
        return out
    }

    private static func text(_ value: Price?) -> [UInt8] {
        guard let value else { return null }
        var out: [UInt8] = []
        DecimalText.append(value, to: &out)
        return out
    }
}

extension PlanView {
    /// Whether something of the plan is open in the market.
    package var isEntered: Bool { state == "entered" }
}
