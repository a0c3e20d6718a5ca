/// A cluster of the vendor: a path of its own.
package enum PolygonMarket: String, CaseIterable, Sendable {
    case stocks
    case options
    case indices

    init(_ kind: ModelInstrument.Kind) {
        self =
            switch kind {
            case .stock: .stocks
            case .option: .options
            case .index: .indices
            }
    }

    /// What a cluster serves.
    package var channels: Set<PolygonChannelName> {
        switch self {
        case .stocks: [.trade, .quote, .second, .minute, .band, .imbalance, .fairValue]
        case .options: [.trade, .quote, .second, .minute, .fairValue]
        case .indices: [.value, .second, .minute]
        }
    }
}

/// A channel's code.
package enum PolygonChannelName: String, CaseIterable, Sendable {
    case trade = "T"
    case quote = "Q"
    case second = "A"
    case minute = "AM"
    case band = "LULD"
    case imbalance = "NOI"
    case fairValue = "FMV"
    case value = "V"
}
