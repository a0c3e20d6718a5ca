internal import Glibc

/// The model's random numbers (SplitMix64) with the distributions it needs: same seed, same sequence.
struct ModelRandom: Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// A seed of its own for each part, so that one part's draws don't shift another's.
    init(_ seed: UInt64, _ parts: UInt64...) {
        state = seed
        for part in parts {
            state ^= part &* 0xD6E8_FEB8_6659_FD93
            state = next()
        }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// In [0, 1).
    mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// In 0..<count; the bias of 2⁻³² doesn't matter here.
    mutating func below(_ count: Int) -> Int { Int(truncatingIfNeeded: ((next() >> 32) &* UInt64(count)) >> 32) }

    mutating func chance(_ share: Double) -> Bool { uniform() < share }

    /// Mean 1.
    mutating func exponential() -> Double { -log(1 - uniform()) }

    /// Mean 0, variance 1, within ±3.5: the sum of four uniforms, one draw.
    mutating func gaussian() -> Double {
        let bits = next()
        let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
        return (Double(sum) / 65_536 - 1.999_969) * 1.732_050_8
    }

    /// 1, 2, 3 … with mean `mean`.
    mutating func geometric(mean: Double) -> Int64 { 1 + Int64(exponential() * max(0, mean - 0.5)) }
}
