/// A volume-weighted mean price and its deviation, by the stable weighted update of West (1979).
///
/// `V += (v/Σv)(p−V)`, `M2 += v(p−V_old)(p−V_new)`, `σ = √(M2/Σv)`. The same accumulator serves every anchor. Dollars and
/// shares; 24 bytes; one thread.
@frozen
public struct SessionVWAP: Hashable, Sendable, BitwiseCopyable {
    /// Shares so far.
    public var weight = 0.0
    @usableFromInline var mean = 0.0
    @usableFromInline var squares = 0.0

    /// Before the first print.
    public init() {}

    /// Adds a print; one without size changes nothing.
    @inlinable
    public mutating func add(price: Double, size: Double) {
        guard size > 0 else { return }
        weight += size
        let distance = price - mean
        mean += size / weight * distance
        squares += size * distance * (price - mean)
    }

    /// The accumulator of both (Chan, Golub, LeVeque 1979).
    public func merged(with other: SessionVWAP) -> SessionVWAP {
        guard weight > 0 else { return other }
        guard other.weight > 0 else { return self }
        var both = SessionVWAP()
        both.weight = weight + other.weight
        let distance = other.mean - mean
        both.mean = mean + other.weight / both.weight * distance
        both.squares = squares + other.squares + distance * distance * weight * other.weight / both.weight
        return both
    }

    /// The VWAP; nil before the first print.
    public var value: Double? { weight > 0 ? mean : nil }

    /// The population standard deviation of price by volume.
    public var sigma: Double? { weight > 0 ? (max(0, squares) / weight).squareRoot() : nil }

    /// VWAP + multiple × σ.
    public func band(_ multiple: Double) -> Double? {
        guard let value, let sigma else { return nil }
        return value + multiple * sigma
    }
}

/// What a session's VWAP was made of.
public enum VWAPSource: UInt8, Sendable, BitwiseCopyable {
    case none
    /// Eligible trades.
    case trades
    /// Typical prices of the provider's minute bars, at least in part.
    case bars
}
