internal import MarketData
internal import Primitives

/// An instrument as the bridge's protocol writes it: `STK:SPY:SMART:USD`, `OPT:SPXW:20251219:6500:C:SMART:USD`.
package struct BridgeKey: Equatable, Sendable {
    package let ticker: String

    /// Reads a key; nil where its form is wrong.
    package init?(_ key: String) {
        let parts = key.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard !parts.contains("") else { return nil }
        switch (parts.first, parts.count) {
        case ("STK", 4): ticker = parts[1]
        case ("IND", 4): ticker = "I:" + parts[1]
        case ("OPT", 7):
            guard parts[2].utf8.count == 8, let expiry = Int32(parts[2]), ["C", "P"].contains(parts[4]),
                let strike = DecimalText.micros(parts[3].utf8), strike > 0
            else { return nil }
            ticker = ModelInstruments.ticker(parts[1], expiry, parts[4] == "C", Price(micros: strike))
        case ("FUT", 5...): ticker = "F:" + parts[1]
        default: return nil
        }
    }

    /// The model's instrument, nil where it has none of that name.
    func symbol(_ model: MarketModel) -> Int32? { model.instruments.byTicker[ticker] }

    /// A number that stands for the contract, the same for the same key.
    static func contractID(_ key: String) -> Int64 {
        var hash: UInt64 = 14_695_981_039_346_656_037
        for byte in key.utf8 { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        return Int64(hash % 900_000_000) + 1_000
    }
}
