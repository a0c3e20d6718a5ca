package import MarketData
package import Primitives

/// The session that an event's exchange time lies in.
@frozen
package struct TradingSession: Hashable, Sendable {
    package var kind: SessionKind
    /// Included; tells one session of a kind from another.
    package var start: Instant
    /// Excluded.
    package var end: Instant

    @inlinable
    package init(kind: SessionKind, start: Instant, end: Instant) {
        self.kind = kind
        self.start = start
        self.end = end
    }
}

/// A usable quote and the session of its exchange time: what the pair rule compares the next quote with.
@frozen
package struct StandingQuote: Hashable, Sendable {
    package var quote: Quote
    package var session: TradingSession

    @inlinable
    package init(quote: Quote, session: TradingSession) {
        self.quote = quote
        self.session = session
    }
}

/// One x with what level tests may rely on: a test `x ≥ L` holds if `up ≥ L`, a test `x ≤ L` if `down ≤ L`.
///
/// For `doublebidask` `up` and `down` are the confirmed values; for all others they equal x. A test on a bar would put its
/// high and low there.
struct Sample: BitwiseCopyable, Equatable {
    /// Lower than any price by far: nothing is confirmed upwards.
    static let unconfirmedUp: Int64 = -(1 << 61)
    /// Higher than any price by far: nothing is confirmed downwards.
    static let unconfirmedDown: Int64 = 1 << 61

    var x: Int64
    var up: Int64
    var down: Int64

    init(x: Int64, up: Int64, down: Int64) {
        self.x = x
        self.up = up
        self.down = down
    }

    /// An x that needs no second one.
    init(_ x: Int64) { self.init(x: x, up: x, down: x) }

    /// The pair rule: a level test holds for this quote and the preceding one, or this quote's size is larger.
    init(x: Int64, size: Int64, preceding: (x: Int64, size: Int64)?) {
        guard let preceding else {
            self.init(x: x, up: Self.unconfirmedUp, down: Self.unconfirmedDown)
            return
        }
        if size > preceding.size {
            self.init(x)
        } else {
            self.init(x: x, up: min(x, preceding.x), down: max(x, preceding.x))
        }
    }

    /// The same as a short sees it: everything turned over zero.
    var mirrored: Sample { Sample(x: -x, up: -down, down: -up) }
}

/// Pure rules on single events (analytics.md 5).
package enum TriggerRules {
    /// The largest price that gives an x or is allowed in a plan: a billion dollars, far from where sums overflow.
    @inlinable
    package static var priceLimit: Price { Price(micros: 1_000_000_000_000_000) }

    /// A trade outside the prevailing NBBO by more than 0.5 % *and* more than 2 ticks: gives no x.
    ///
    /// `prevailing` is the last usable quote before the trade, of any age; without one nothing is filtered.
    package static func isBadPrint(_ price: Price, prevailing: Quote?, tick: Price) -> Bool {
        guard let prevailing, prevailing.isUsable else { return false }
        let reference: Int64
        let distance: Int64
        if price > prevailing.ask {
            reference = prevailing.ask.micros
            distance = price.micros.subtractingReportingOverflow(reference).partialValue
        } else if price < prevailing.bid {
            reference = prevailing.bid.micros
            let (difference, overflow) = reference.subtractingReportingOverflow(price.micros)
            distance = overflow ? .max : difference
        } else {
            return false
        }
        // distance · 200 > reference, without the product.
        return distance > reference / 200 && distance > 2 * tick.micros
    }

    /// (bid + ask) / 2 rounded down to 10⁻⁶.
    ///
    /// - Precondition: the quote is usable.
    package static func mid(_ quote: Quote) -> Price {
        Price(micros: quote.bid.micros + (quote.ask.micros - quote.bid.micros) / 2)
    }

    /// A tenth of an ATR, rounded half up to 10⁻⁶: how near a `retest` must come back.
    ///
    /// `atr` is in dollars; nil, not finite or negative counts as unknown, which is 0.
    package static func retestBand(atr: Double?) -> Price {
        guard let atr, atr.isFinite, atr > 0 else { return .zero }
        let micros = (atr * 100_000 + 0.5).rounded(.down)
        return Price(micros: micros < Double(priceLimit.micros) ? Int64(micros) : priceLimit.micros)
    }
}
