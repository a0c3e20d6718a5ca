internal import Glibc

/// The shapes that a market has every day, as functions of where in the session it stands (0 at the open, 1 at the close).
package enum MarketCurves {
    /// Activity over the day, mean 1: lively at the open, quiet at noon, busy at the close.
    package static func activity(_ position: Double) -> Double {
        (0.62 + 2.2 * exp(-14 * position) + 1.9 * exp(-9 * (1 - position)) + 0.1 * position) / 1.04
    }

    /// Volatility over the day, mean about 1: highest after the open, a little higher towards the close.
    package static func volatility(_ position: Double) -> Double {
        0.78 + 1.7 * exp(-11 * position) + 0.5 * exp(-14 * (1 - position))
    }

    /// Seconds of a regular session and of a trading year.
    static let sessionSeconds = 23_400.0
    static let yearSeconds = 252 * sessionSeconds
}

/// Black and Scholes with a flat rate (Hull, chapter 15): price and sensitivities of a European option.
package struct OptionValue: Equatable, Sendable {
    package var price: Double
    package var delta: Double
    package var gamma: Double
    /// Per calendar day.
    package var theta: Double
    /// Per one point of volatility.
    package var vega: Double
    package var rho: Double

    static let rate = 0.04

    /// - Parameters:
    ///   - spot: the underlying's price.
    ///   - strike: the exercise price.
    ///   - years: time to expiry; an expired option is worth its exercise.
    ///   - volatility: a year's, 0.16 is 16 %.
    ///   - isCall: call or put.
    package init(spot: Double, strike: Double, years: Double, volatility: Double, isCall: Bool) {
        guard years > 0, volatility > 0, spot > 0 else {
            let value = max(0, isCall ? spot - strike : strike - spot)
            (price, delta, gamma, theta, vega, rho) = (value, value > 0 ? (isCall ? 1 : -1) : 0, 0, 0, 0, 0)
            return
        }
        let root = sqrt(years)
        let d1 = (log(spot / strike) + (Self.rate + volatility * volatility / 2) * years) / (volatility * root)
        let d2 = d1 - volatility * root
        let discounted = strike * exp(-Self.rate * years)
        let density = 0.398_942_280_401_432_7 * exp(-d1 * d1 / 2)
        let sign = isCall ? 1.0 : -1.0
        let (n1, n2) = (Self.normal(sign * d1), Self.normal(sign * d2))
        price = max(0, sign * (spot * n1 - discounted * n2))
        delta = sign * n1
        gamma = density / (spot * volatility * root)
        theta = (-spot * density * volatility / (2 * root) - sign * Self.rate * discounted * n2) / 365
        vega = spot * density * root / 100
        rho = sign * discounted * years * n2 / 100
    }

    private static func normal(_ x: Double) -> Double { erfc(-x * 0.707_106_781_186_547_6) / 2 }
}
